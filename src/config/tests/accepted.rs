//! What is read, and what stands in for what is left out.

use super::*;
use crate::record::{Access, Granted};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn the_sample_file_is_read_without_a_warning() {
    let config = read(SAMPLE);
    assert_eq!(config.warnings, []);
    let handlers: Vec<&str> = config.handlers.iter().map(|it| &*it.name).collect();
    assert_eq!(handlers, ["subscription", "invoice-paid"]);
    assert_eq!(
        config.endpoints[0].signing_secrets[0].reveal(),
        "whsec_from_env"
    );
    assert_eq!(
        config.services[0].headers[0].1.reveal(),
        "Bearer token_from_env"
    );
}

/// So the sample cannot show another default than the one that is in force, nor a key that there is not.
#[test]
fn the_sample_file_with_all_its_defaults_written_out_means_the_same() {
    let written_out: String = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.split(' ').nth(1) == Some("=") => format!("{rest}\n"),
            Some(_) | None => format!("{line}\n"),
        })
        .collect();
    let (plain, full) = (read(SAMPLE), read(&written_out));
    assert!(SAMPLE.len() > written_out.len() + 40);
    assert_eq!(plain.server, full.server);
    assert_eq!(plain.limits, full.limits);
    assert_eq!(plain.retention, full.retention);
    assert_eq!(plain.endpoints, full.endpoints);
    assert_eq!(plain.services, full.services);
    // One endpoint: to name it is to name all.
    assert_eq!(full.handlers[1].endpoints, Some(vec!["stripe".into()]));
    assert_eq!(plain.handlers[1].on_dead, full.handlers[1].on_dead);
    assert_eq!(plain.handlers[1].retry, RetryPolicy::default());
    // To write it at all is to want a trial.
    assert_eq!(plain.handlers[1].canary, None);
    assert_eq!(full.handlers[1].canary, Some(CanaryPolicy::default()));
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = read(&file_with("[services.s]\nurl = \"https://example.com\""));
    assert_eq!(config.server, Server::default());
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.retention, Retention::default());
    assert_eq!(
        config.endpoints,
        [Endpoint {
            name: "stripe".into(),
            path: "/webhooks/stripe".to_owned(),
            signing_secrets: vec![Secret::new("whsec_1")],
            tolerance: Duration::from_secs(300),
            scope: "stripe".into(),
        }]
    );
    assert_eq!(
        config.services,
        [Service {
            name: "s".into(),
            url: "https://example.com/".parse().unwrap(),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            rate: None,
            connections_max: 16,
            answer_size_bytes_max: 1024 * 1024,
            private_network: false,
            idempotency: Some(DAY),
            breaker: Some(Breaker::default()),
        }]
    );
    assert_eq!(
        config.handlers,
        [Handler {
            name: "h".into(),
            events: vec![Pattern::Exact("invoice.paid".to_owned())],
            script: "scripts/h.rhai".to_owned(),
            records: Vec::new(),
            services: Vec::new(),
            endpoints: None,
            order_by: OrderBy::Paths(vec![
                "data.object.id".to_owned(),
                "related_object.id".to_owned()
            ]),
            retry: RetryPolicy::default(),
            on_dead: OnDead::Continue,
            canary: None,
        }]
    );
}

#[test]
fn the_smallest_file_that_a_mistake_shows_works() {
    assert_eq!(read(parse::SMALLEST_FILE).warnings, []);
}

#[test]
fn a_list_of_collections_grants_all_of_them_to_be_changed() {
    let records = |text: &str| read(&handler_with(text)).handlers[0].records.clone();
    let granted = |name: &str, access| Granted {
        name: name.into(),
        access,
    };
    let (may_read, may_change) = (Access::Read, Access::Write);
    assert_eq!(
        records("records = [\"b\", \"a\"]"),
        [granted("b", may_change), granted("a", may_change)]
    );
    let both = [granted("b", may_read), granted("a", may_change)];
    assert_eq!(records("records = { b = \"read\", a = \"write\" }"), both);
    assert_eq!(
        records("[handlers.h.records]\nb = \"read\"\na = \"write\""),
        both
    );
    assert_eq!(records("records = {}"), []);
}

#[test]
fn tables_keep_the_order_of_the_file() {
    let more = "[handlers.b]\nevents = [\"*\"]\nscript = \"scripts/b.rhai\"\n[handlers.a]\nevents = [\"*\"]\nscript = \"scripts/a.rhai\"";
    let config = read(&file_with(more));
    let names: Vec<&str> = config.handlers.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["h", "b", "a"]);
}

#[test]
fn each_form_of_a_pattern_is_read() {
    let patterns = |events: &str| {
        read(&file_with(&format!(
            "[handlers.x]\nevents = {events}\nscript = \"scripts/x.rhai\""
        )))
        .handlers[1]
            .events
            .clone()
    };
    assert_eq!(patterns("[\"*\"]"), [Pattern::All]);
    assert_eq!(
        patterns("[\"customer.subscription.*\"]"),
        [Pattern::Prefix("customer.subscription.".to_owned())]
    );
    assert_eq!(
        patterns("[\"v2.core.account[requirements].updated\"]"),
        [Pattern::Exact(
            "v2.core.account[requirements].updated".to_owned()
        )]
    );
    assert_eq!(
        patterns("[\"?invoice.melted\"]"),
        [Pattern::Exact("invoice.melted".to_owned())]
    );
    assert_eq!(
        patterns("[\"?weather.*\"]"),
        [Pattern::Prefix("weather.".to_owned())]
    );
}

#[test]
fn each_form_of_order_by_is_read() {
    let order_by = |line: &str| read(&handler_with(line)).handlers[0].order_by.clone();
    let paths = |it: &[&str]| OrderBy::Paths(it.iter().map(|&it| it.to_owned()).collect());
    assert_eq!(order_by("order_by = \"none\""), OrderBy::None);
    assert_eq!(order_by("order_by = [\"none\"]"), OrderBy::None);
    assert_eq!(
        order_by("order_by = \"data.object.customer\""),
        paths(&["data.object.customer"])
    );
    assert_eq!(
        order_by("order_by = [\"data.object.customer\", \"id\"]"),
        paths(&["data.object.customer", "id"])
    );
}

#[test]
fn a_service_of_ones_own_may_be_plain_http() {
    for (lines, expected) in [
        (
            "url = \"http://localhost:8080/api/\"\nprivate_network = true",
            "http://localhost:8080/api",
        ),
        (
            "url = \"http://127.0.0.1\"\nprivate_network = true",
            "http://127.0.0.1/",
        ),
        (
            "url = \"http://[::1]:1\"\nprivate_network = true",
            "http://[::1]:1/",
        ),
        (
            "url = \"http://books.internal/a//\"\nprivate_network = true",
            "http://books.internal/a",
        ),
    ] {
        let config = read(&file_with(&format!("[services.s]\n{lines}")));
        assert_eq!(config.services[0].url.as_str(), expected);
    }
}

#[test]
fn a_short_timeout_shortens_connecting_too() {
    let config = read(&file_with(
        "[services.s]\nurl = \"https://example.com\"\ntimeout = \"2s\"",
    ));
    assert_eq!(config.services[0].connect_timeout, Duration::from_secs(2));
}

#[test]
fn a_service_may_ignore_idempotency_keys() {
    let config = read(&file_with(
        "[services.s]\nurl = \"https://example.com\"\nidempotency = \"none\"",
    ));
    assert_eq!(config.services[0].idempotency, None);
}

#[test]
fn long_kept_events_are_known_as_duplicates_as_long() {
    let config = read(&file_with("[retention]\nevents = \"200d\""));
    assert_eq!(
        config.retention,
        Retention {
            events: 200 * DAY,
            dedupe: 200 * DAY
        }
    );
}

#[test]
fn header_names_become_lower_case() {
    let config = read(&file_with(
        "[services.s]\nurl = \"https://example.com\"\nheaders = { X-Key = \"1\" }",
    ));
    assert_eq!(
        config.services[0].headers,
        [("x-key".to_owned(), Secret::new("1"))]
    );
}

#[test]
fn a_file_that_holds_a_secret_is_watched() {
    let text = file_where("whsec_1", "${file:/run/secret}");
    let config = read(&text);
    assert_eq!(
        config.endpoints[0].signing_secrets[0].reveal(),
        "whsec_from_file"
    );
    assert_eq!(config.watched_files, [PathBuf::from("/run/secret")]);
}

#[test]
fn what_is_odd_is_a_warning() {
    let warns = |text: &str, message: &str| {
        let warnings = read(text).warnings;
        let messages: Vec<&str> = warnings.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(messages, [message]);
    };
    let odd = "there is white space or a quotation mark around this signing secret";
    warns(&file_where("whsec_1", " whsec_1"), odd);
    warns(&file_where("whsec_1", "${QUOTED}"), odd);
    warns(
        &handler_with("records = [\"a\", \"a\"]"),
        "this stands in the list twice",
    );
    warns(
        &file_where("invoice.paid", "?invoice.paid"),
        "`invoice.paid` is in the list of event types",
    );
}

#[test]
fn no_output_shows_a_secret() {
    let text = format!("{:?}", read(SAMPLE));
    assert!(!text.contains("from_env"), "{text}");
}

#[test]
fn a_services_breaker_may_be_set_or_off() {
    let of = |line: &str| {
        let text = format!("[services.s]\nurl = \"https://example.com\"\n{line}");
        read(&file_with(&text)).services[0].breaker
    };
    assert_eq!(of("breaker = \"off\""), None);
    let set = Breaker {
        failures_max: 9,
        first: Duration::from_secs(30),
        max: Duration::from_secs(30),
    };
    assert_eq!(of("breaker = { failures = 9, first = \"30s\" }"), Some(set));
}
