//! What is in force: one version of handlers.toml and of all its scripts, whole and checked. A reload builds the next
//! beside it and swaps it in.

use crate::config::{Config, Handler, OrderBy};
use crate::envelope::{Parsed, Wanted};
use crate::ledger::request::PlannedRun;
use crate::router::Router;
use crate::run::Lane;
use crate::script::{Grants, Program};
use crate::services::Services;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;

/// The version in force, shared by all who ask for it. Whoever begins something keeps the version that he began with.
pub type Current = Arc<ArcSwap<InForce>>;

/// One version.
pub struct InForce {
    pub config: Config,
    pub services: Services,
    pub wanted: Wanted,
    handlers: Vec<Arc<LoadedHandler>>,
    by_name: HashMap<Arc<str>, usize>,
    router: Router,
}

/// A handler and its program.
pub struct LoadedHandler {
    pub handler: Handler,
    /// Or why there is no good version of it: its runs are held.
    pub program: Result<Arc<Program>, String>,
    pub grants: Arc<Grants>,
    /// Where the values that order its runs are found.
    positions: Vec<usize>,
}

impl InForce {
    /// Puts a version together; `programs` are those of the handlers, in their order.
    pub fn new(
        config: Config,
        services: Services,
        programs: Vec<Result<Arc<Program>, String>>,
    ) -> Self {
        let wanted = wanted(&config);
        let router = Router::new(&config);
        let handlers: Vec<Arc<LoadedHandler>> = config
            .handlers
            .iter()
            .zip(programs)
            .map(|(handler, program)| {
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
                    program,
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
            handlers,
            by_name,
            router,
        }
    }

    pub fn handlers(&self) -> &[Arc<LoadedHandler>] {
        &self.handlers
    }

    pub fn handler(&self, name: &str) -> Option<&Arc<LoadedHandler>> {
        self.by_name.get(name).map(|at| &self.handlers[*at])
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
    /// The run that this handler makes of an event.
    pub fn plan(&self, parsed: &Parsed, scope: &str) -> PlannedRun {
        PlannedRun {
            handler: self.handler.name.clone(),
            lane: self.lane(parsed, scope),
            held: self.program.as_ref().err().cloned(),
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
