//! What is in force: one version of handlers.toml and of all its scripts, whole and checked. A reload builds the next
//! beside it and swaps it in.

mod canary;
mod unsettled;

use crate::config::{Config, Handler, OrderBy};
use crate::diagnostic::did_you_mean;
use crate::envelope::{Parsed, Wanted};
use crate::ledger::request::PlannedRun;
use crate::router::Router;
use crate::run::Lane;
use crate::script::{Grants, Program};
use crate::services::Services;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;

pub use canary::{Canary, Verdict, verdict};
pub use unsettled::Unsettled;

/// The version in force, shared by all who ask for it. Whoever begins something keeps the version that he began with.
pub type Current = Arc<ArcSwap<InForce>>;

/// One version.
pub struct InForce {
    pub config: Config,
    pub services: Services,
    pub wanted: Wanted,
    /// One for all versions that follow each other.
    pub unsettled: Arc<Unsettled>,
    handlers: Vec<Arc<LoadedHandler>>,
    by_name: HashMap<Arc<str>, usize>,
    router: Router,
}

/// What runs for a handler.
#[derive(Clone)]
pub struct Chosen {
    /// Or why there is no good version of it: its runs are held.
    pub program: Result<Arc<Program>, String>,
    /// The version that is tried beside it.
    pub canary: Option<Canary>,
    /// What the files say, when that is good; another one may be in force.
    pub saved: Option<Arc<Program>>,
}

/// A handler and what runs for it.
pub struct LoadedHandler {
    pub handler: Handler,
    pub chosen: Chosen,
    pub grants: Arc<Grants>,
    /// Where the values that order its runs are found.
    positions: Vec<usize>,
}

impl InForce {
    /// Puts a version together; what is chosen stands in the order of the handlers.
    pub fn new(config: Config, services: Services, chosen: Vec<Chosen>) -> Self {
        let wanted = wanted(&config);
        let router = Router::new(&config);
        let handlers: Vec<Arc<LoadedHandler>> = config
            .handlers
            .iter()
            .zip(chosen)
            .map(|(handler, chosen)| {
                let grants = Grants {
                    collections: handler.records.clone(),
                    services: handler.services.clone(),
                };
                let positions = order_paths(handler)
                    .iter()
                    .filter_map(|it| wanted.position_of(it))
                    .collect();
                let handler = handler.clone();
                Arc::new(LoadedHandler {
                    handler,
                    chosen,
                    grants: Arc::new(grants),
                    positions,
                })
            })
            .collect();
        let by_name = handlers
            .iter()
            .enumerate()
            .map(|(at, it)| (it.handler.name.clone(), at))
            .collect();
        Self {
            config,
            services,
            wanted,
            unsettled: Arc::default(),
            handlers,
            by_name,
            router,
        }
    }

    /// The same with something else chosen for one handler.
    #[must_use]
    pub fn with(&self, handler: &str, chosen: Chosen) -> Self {
        let all = self.handlers.iter().map(|it| {
            if &*it.handler.name == handler {
                chosen.clone()
            } else {
                it.chosen.clone()
            }
        });
        let config = self.config.clone();
        Self::new(config, self.services.clone(), all.collect()).after(self)
    }

    /// Comes into force in the place of this one.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        self.unsettled = before.unsettled.clone();
        self
    }

    /// Whether another version is in force by now. Whoever has held a run by this one is to say so then: what the reload
    /// released it did before.
    pub fn is_outdated(&self, current: &Current) -> bool {
        !std::ptr::eq(self, &**current.load())
    }

    pub fn handlers(&self) -> &[Arc<LoadedHandler>] {
        &self.handlers
    }

    pub fn handler(&self, name: &str) -> Option<&Arc<LoadedHandler>> {
        self.by_name.get(name).map(|at| &self.handlers[*at])
    }

    /// Why nothing can be done with a handler that is not there.
    pub fn no_handler(&self, name: &str) -> String {
        let names = self.handlers.iter().map(|it| &*it.handler.name);
        let near = did_you_mean(name, names);
        let help = near.map_or(String::new(), |it| format!(": did you mean `{it}`?"));
        format!("there is no handler `{name}` in handlers.toml{help}")
    }

    /// The runs that an event gives.
    pub fn plan(&self, parsed: &Parsed, endpoint: &str, scope: &str) -> Vec<PlannedRun> {
        if parsed.envelope.unreadable.is_some() {
            return Vec::new();
        }
        self.router
            .route(endpoint, &parsed.envelope.kind)
            .iter()
            .map(|at| self.handlers[*at].plan(parsed, scope))
            .collect()
    }
}

impl LoadedHandler {
    /// What its runs run, or why they are held.
    pub fn program(&self) -> Result<&Arc<Program>, &str> {
        self.chosen.program.as_ref().map_err(String::as_str)
    }

    /// The run that this handler makes of an event.
    pub fn plan(&self, parsed: &Parsed, scope: &str) -> PlannedRun {
        PlannedRun {
            handler: self.handler.name.clone(),
            lane: self.lane(parsed, scope),
            held: self.program().err().map(str::to_owned),
        }
    }

    /// The lane of an event's run.
    pub fn lane(&self, parsed: &Parsed, scope: &str) -> Lane {
        let name = &self.handler.name;
        let envelope = &parsed.envelope;
        let value = self
            .positions
            .iter()
            .find_map(|at| parsed.values[*at].as_deref());
        match value {
            Some(it) => Lane::of(name, scope, envelope.account.as_deref(), it),
            None => Lane::own(name, scope, &envelope.id),
        }
    }
}

/// As much of a version's hash as tells it from others.
pub fn short(version: &str) -> &str {
    version.get(..12).unwrap_or(version)
}

fn order_paths(handler: &Handler) -> &[String] {
    match &handler.order_by {
        OrderBy::Paths(paths) => paths,
        OrderBy::None => &[],
    }
}

fn wanted(config: &Config) -> Wanted {
    Wanted::new(
        config
            .handlers
            .iter()
            .flat_map(order_paths)
            .map(String::as_str),
    )
}
