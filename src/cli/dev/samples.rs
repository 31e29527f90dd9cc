//! Which sample events to send: one of each type that a handler wants.

use crate::catalog::{self, SampleSeed};
use crate::cli::times::now;
use crate::cli::trigger::id_of;
use crate::config::{Config, Handler, Pattern};
use crate::in_force::{InForce, LoadedHandler};
use std::sync::Arc;

/// The most events sent at once: `*` means hundreds of types.
const EVENTS_MAX: usize = 30;

/// Events to send, and what is to be said about those that are not.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) events: Vec<SampleEvent>,
    pub(super) remarks: Vec<String>,
}

#[derive(Debug)]
pub(super) struct SampleEvent {
    pub(super) id: String,
    pub(super) kind: String,
    /// Of the endpoint.
    pub(super) path: String,
    pub(super) body: String,
}

impl Samples {
    pub(super) fn of_all(it: &InForce) -> Self {
        Self::of(&it.config, it.handlers().iter().map(|it| &it.handler))
    }

    /// Of the handlers that do something else than before.
    pub(super) fn of_changed(before: &InForce, after: &InForce) -> Self {
        let changed = after.handlers().iter().filter(|new| {
            before
                .handler(&new.handler.name)
                .is_none_or(|old| is_other(old, new))
        });
        Self::of(&after.config, changed.map(|it| &it.handler))
    }

    fn of<'a>(config: &Config, handlers: impl Iterator<Item = &'a Handler>) -> Self {
        let mut wanted: Vec<(Arc<str>, &str)> = Vec::new();
        let mut samples = Self::default();
        for handler in handlers {
            let Some(endpoint) = endpoint_of(config, handler) else {
                continue;
            };
            for kind in handler.events.iter().flat_map(kinds_of) {
                let it = (endpoint.clone(), kind);
                if !wanted.contains(&it) {
                    wanted.push(it);
                }
            }
            for it in handler.events.iter().filter(|it| kinds_of(it).is_empty()) {
                if let Pattern::Exact(kind) = it {
                    samples.remarks.push(format!(
                        "`{}` wants {kind}, of which there is no sample",
                        handler.name
                    ));
                }
            }
        }
        if EVENTS_MAX < wanted.len() {
            samples.remarks.push(format!(
                "the handlers want {} types of events: a sample of the first {EVENTS_MAX} is sent; `hookyard trigger TYPE` sends others",
                wanted.len()
            ));
        }
        // Another number each time, so that no event is a duplicate of an earlier one.
        let number = u64::try_from(now().0).unwrap_or(0);
        for (endpoint, kind) in wanted.into_iter().take(EVENTS_MAX) {
            samples
                .events
                .extend(event(config, &endpoint, kind, number));
        }
        samples
    }
}

fn is_other(old: &LoadedHandler, new: &LoadedHandler) -> bool {
    let version = |it: &LoadedHandler| it.program().ok().map(|it| it.version().to_owned());
    old.handler != new.handler || version(old) != version(new)
}

/// The first endpoint whose events a handler takes.
fn endpoint_of(config: &Config, handler: &Handler) -> Option<Arc<str>> {
    let named = handler.endpoints.as_ref().and_then(|it| it.first());
    let first = || config.endpoints.first().map(|it| &it.name);
    named.or_else(first).cloned()
}

fn kinds_of(pattern: &Pattern) -> Vec<&'static str> {
    catalog::kinds()
        .map(|it| it.name)
        .filter(|kind| match pattern {
            Pattern::Exact(it) => it == kind,
            Pattern::Prefix(start) => kind.starts_with(start.as_str()),
            Pattern::All => true,
        })
        .collect()
}

fn event(config: &Config, endpoint: &str, kind: &str, number: u64) -> Option<SampleEvent> {
    let (nth, endpoint) = config
        .endpoints
        .iter()
        .enumerate()
        .find(|(_, it)| *it.name == *endpoint)?;
    let seed = SampleSeed {
        // Two endpoints may share a scope, in which an id must not come twice.
        number: number.wrapping_mul(100).wrapping_add(nth as u64),
        created_s: now().seconds(),
        livemode: false,
    };
    let body = catalog::sample(kind, &seed)?;
    Some(SampleEvent {
        id: id_of(&body),
        kind: kind.to_owned(),
        path: endpoint.path.clone(),
        body,
    })
}
