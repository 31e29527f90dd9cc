//! Which handlers take an event: by the endpoint that it came to, and by its type.

use crate::config::{Config, Pattern};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Made once a configuration. Handlers are numbered as in [`Config::handlers`].
#[derive(Debug, Default)]
pub struct Router {
    endpoints: HashMap<Arc<str>, Routes>,
}

/// The routes of one endpoint.
#[derive(Debug, Default)]
struct Routes {
    /// For each type that a handler names: everybody who takes it, those with wider patterns too.
    exact: HashMap<String, Vec<usize>>,
    /// The wider patterns as beginnings, in the order of the handlers; the empty one begins every type.
    prefixes: Vec<(String, usize)>,
}

impl Router {
    pub fn new(config: &Config) -> Self {
        let routes = config
            .endpoints
            .iter()
            .map(|it| (Arc::clone(&it.name), Routes::new(config, &it.name)));
        Self {
            endpoints: routes.collect(),
        }
    }

    /// The handlers of an event, each once, in the order of handlers.toml. An unreadable event (it has no type) has
    /// none. Allocates only for a type that no handler names and a wider pattern takes.
    pub fn route(&self, endpoint: &str, kind: &str) -> Cow<'_, [usize]> {
        match self.endpoints.get(endpoint) {
            Some(routes) if !kind.is_empty() => routes.of(kind),
            Some(_) | None => Cow::Borrowed(&[]),
        }
    }
}

impl Routes {
    fn new(config: &Config, endpoint: &str) -> Self {
        let mut routes = Self::default();
        let mut named: Vec<(&str, usize)> = Vec::new();
        for (at, handler) in config.handlers.iter().enumerate() {
            let takes = handler
                .endpoints
                .as_ref()
                .is_none_or(|it| it.iter().any(|name| **name == *endpoint));
            for pattern in handler.events.iter().filter(|_| takes) {
                match pattern {
                    Pattern::Exact(kind) => named.push((kind, at)),
                    Pattern::Prefix(start) => routes.prefixes.push((start.clone(), at)),
                    Pattern::All => routes.prefixes.push((String::new(), at)),
                }
            }
        }
        for (kind, at) in named {
            routes.exact.entry(kind.to_owned()).or_default().push(at);
        }
        for (kind, handlers) in &mut routes.exact {
            handlers.extend(wider(&routes.prefixes, kind));
            handlers.sort_unstable();
            handlers.dedup();
        }
        routes
    }

    fn of(&self, kind: &str) -> Cow<'_, [usize]> {
        if let Some(handlers) = self.exact.get(kind) {
            return Cow::Borrowed(handlers);
        }
        let mut handlers: Vec<usize> = wider(&self.prefixes, kind).collect();
        handlers.dedup();
        Cow::Owned(handlers)
    }
}

fn wider(prefixes: &[(String, usize)], kind: &str) -> impl Iterator<Item = usize> {
    prefixes
        .iter()
        .filter(move |(start, _)| kind.starts_with(start.as_str()))
        .map(|(_, at)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        Endpoint, Handler, Limits, OnDead, OrderBy, Retention, RetryPolicy, Server,
    };
    use proptest::prelude::*;
    use std::time::Duration;

    fn endpoint(name: &str) -> Endpoint {
        Endpoint {
            name: name.into(),
            path: format!("/{name}"),
            signing_secrets: Vec::new(),
            tolerance: Duration::from_secs(300),
            scope: name.into(),
        }
    }

    fn handler(endpoints: Option<&[&str]>, events: Vec<Pattern>) -> Handler {
        Handler {
            name: "h".into(),
            events,
            script: "scripts/h.rhai".into(),
            records: Vec::new(),
            services: Vec::new(),
            endpoints: endpoints.map(|it| it.iter().map(|&name| name.into()).collect()),
            order_by: OrderBy::None,
            retry: RetryPolicy::default(),
            on_dead: OnDead::Continue,
            canary: None,
        }
    }

    fn config(handlers: Vec<Handler>) -> Config {
        Config {
            text: String::new(),
            server: Server::default(),
            limits: Limits::default(),
            retention: Retention::default(),
            endpoints: vec![endpoint("live"), endpoint("test")],
            services: Vec::new(),
            handlers,
            watched_files: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn exact(kind: &str) -> Pattern {
        Pattern::Exact(kind.to_owned())
    }

    fn prefix(start: &str) -> Pattern {
        Pattern::Prefix(start.to_owned())
    }

    #[track_caller]
    fn check(handlers: Vec<Handler>, endpoint: &str, kind: &str, expected: &[usize]) {
        assert_eq!(
            *Router::new(&config(handlers)).route(endpoint, kind),
            *expected
        );
    }

    #[test]
    fn a_handler_takes_what_its_patterns_name() {
        let handlers = || {
            vec![
                handler(None, vec![exact("invoice.paid")]),
                handler(None, vec![prefix("invoice.")]),
                handler(None, vec![Pattern::All]),
            ]
        };
        check(handlers(), "live", "invoice.paid", &[0, 1, 2]);
        check(handlers(), "live", "invoice.item.x", &[1, 2]);
        check(handlers(), "live", "invoice", &[2]);
        check(handlers(), "live", "invoiceitem.created", &[2]);
    }

    #[test]
    fn a_handler_takes_an_event_once_however_many_patterns_fit() {
        let handlers = vec![handler(
            None,
            vec![exact("a.b"), prefix("a."), Pattern::All],
        )];
        check(handlers.clone(), "live", "a.b", &[0]);
        check(handlers, "live", "a.c", &[0]);
    }

    #[test]
    fn a_handler_with_endpoints_takes_the_events_of_those_alone() {
        let handlers = || {
            vec![
                handler(Some(&["live"]), vec![Pattern::All]),
                handler(None, vec![Pattern::All]),
            ]
        };
        check(handlers(), "live", "a.b", &[0, 1]);
        check(handlers(), "test", "a.b", &[1]);
        check(handlers(), "gone", "a.b", &[]);
    }

    #[test]
    fn nobody_takes_an_event_without_a_type() {
        check(vec![handler(None, vec![Pattern::All])], "live", "", &[]);
    }

    fn a_pattern() -> impl Strategy<Value = Pattern> {
        prop_oneof![
            "[ab](\\.[ab]){0,3}".prop_map(Pattern::Exact),
            "([ab]\\.){1,3}".prop_map(Pattern::Prefix),
            Just(Pattern::All),
        ]
    }

    fn a_handler() -> impl Strategy<Value = Handler> {
        let endpoints = prop_oneof![
            Just(None),
            Just(Some(&["live"][..])),
            Just(Some(&["live", "test"][..]))
        ];
        (endpoints, prop::collection::vec(a_pattern(), 0..4))
            .prop_map(|(endpoints, events)| handler(endpoints, events))
    }

    fn takes(handler: &Handler, endpoint: &str, kind: &str) -> bool {
        handler
            .endpoints
            .as_ref()
            .is_none_or(|it| it.iter().any(|name| **name == *endpoint))
            && handler.events.iter().any(|it| match it {
                Pattern::Exact(it) => it == kind,
                Pattern::Prefix(it) => kind.starts_with(it.as_str()),
                Pattern::All => true,
            })
    }

    proptest! {
        #[test]
        fn the_router_says_what_asking_each_handler_says(
            handlers in prop::collection::vec(a_handler(), 0..8),
            endpoint in "live|test",
            kind in "[ab](\\.[ab]){0,3}",
        ) {
            let expected: Vec<usize> =
                (0..handlers.len()).filter(|&at| takes(&handlers[at], &endpoint, &kind)).collect();
            let router = Router::new(&config(handlers));
            prop_assert_eq!(router.route(&endpoint, &kind).into_owned(), expected);
        }
    }
}
