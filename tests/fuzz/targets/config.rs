//! handlers.toml: accepted only if it is whole, the same again when it is read again, and can be put in force; refused
//! with a place inside of the file, and without a secret.

use crate::driver::Target;
use hookyard::config::{Config, Variable, parse};
use hookyard::diagnostic::{Diagnostic, Severity};
use hookyard::router::Router;
use hookyard::script::Engine;
use hookyard::services::Services;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

const FILE: &str = "handlers.toml";
/// What variables hold. It stands in no message.
const SECRET: &str = "whsec_nobodymayseethis";
const FINDINGS_MAX: usize = 101;

pub(crate) const TARGET: Target = Target {
    name: "config",
    words: &[
        "[server]",
        "[limits]",
        "[retention]",
        "[endpoints.stripe]",
        "[services.books]",
        "[handlers.paid]",
        "[[",
        "]]",
        "listen = ",
        "path = ",
        "signing_secrets = ",
        "tolerance = ",
        "dedupe_scope = ",
        "url = ",
        "headers = ",
        "timeout = ",
        "rate = ",
        "private_network = ",
        "idempotency = ",
        "breaker = ",
        "events = ",
        "script = ",
        "records = ",
        "services = ",
        "endpoints = ",
        "order_by = ",
        "retry = ",
        "on_dead = ",
        "canary = ",
        "operations_max = ",
        "memory_mib = ",
        "engine_time_max = ",
        "calls_max = ",
        "script_threads = ",
        "dedupe = ",
        "\"10s\"",
        "\"1ms\"",
        "\"0s\"",
        "\"99999999999999999999d\"",
        "\"1 MiB\"",
        "\"20/s\"",
        "\"0/s\"",
        "\"24h\"",
        "\"none\"",
        "\"off\"",
        "\"invoice.paid\"",
        "\"invoice.*\"",
        "\"*\"",
        "\"?new.type\"",
        "\"scripts/a.rhai\"",
        "\"../a.rhai\"",
        "\"${A}\"",
        "\"$${A}\"",
        "\"${file:/s}\"",
        "${",
        "}",
        "\"https://books.example.com\"",
        "\"http://10.0.0.1\"",
        "{ }",
        "{ attempts = 3, first = \"1s\", max = \"1m\" }",
        "{ share = \"10%\" }",
        "true",
        "false",
        "1.5",
        "\"\"\"",
        "'''",
        "\\u0000",
        "\\UD800",
        "#",
        "\n",
        "\r\n",
        "\u{feff}",
        "\u{e9}",
        "1979-05-27",
        "nan",
        "0x1f",
    ],
    more: &["examples/dunning", "examples/connect-marketplace"],
    size_bytes_max: 12_000,
    time_max: Duration::from_millis(1_500),
    open: || Box::new(attempt),
    must_see: &["accepted", "this is not TOML", "unknown key", "there is no"],
};

fn world(it: Variable<'_>) -> Result<String, String> {
    match it {
        Variable::Env("EMPTY") => Ok(String::new()),
        Variable::Env("MISSING") => Err("is not set".to_owned()),
        Variable::Env(_) => Ok(SECRET.to_owned()),
        Variable::File(path) if path.ends_with("missing") => Err("no such file".to_owned()),
        Variable::File(_) => Ok(format!("{SECRET}\n")),
    }
}

fn attempt(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    match parse(&text, FILE, &world) {
        Ok(config) => {
            check_accepted(&text, &config);
            "accepted".into()
        }
        Err(mistaken) => {
            let found = mistaken.findings;
            check_found(&text, &found);
            let is_error = |it: &&Diagnostic| it.severity == Severity::Error;
            let first = found.iter().find(is_error);
            first.expect("refused without an error").message.clone()
        }
    }
}

fn check_accepted(text: &str, config: &Config) {
    let shown = format!("{config:?}");
    assert!(!shown.contains(SECRET), "a secret is shown");
    let again = parse(&config.text, FILE, &world).expect("it is refused the second time");
    assert_eq!(shown, format!("{again:?}"), "it is another the second time");
    assert!(toml::from_str::<toml::Table>(text).is_ok(), "it is no TOML");
    check_found(text, &config.warnings);
    assert!(
        config
            .warnings
            .iter()
            .all(|it| it.severity == Severity::Warning)
    );

    assert!(!config.endpoints.is_empty() && !config.handlers.is_empty());
    let limits = &config.limits;
    assert!(
        0 < limits.operations_max && 0 < limits.memory_mib && !limits.engine_time_max.is_zero()
    );
    assert!(0 < limits.script_threads && 0 < limits.runs_in_flight_max && 0 < limits.changes_max);
    let endpoints: BTreeSet<_> = config.endpoints.iter().map(|it| it.name.as_ref()).collect();
    let services: BTreeSet<_> = config.services.iter().map(|it| it.name.as_ref()).collect();
    for it in &config.endpoints {
        assert!(
            it.path.starts_with('/') && !it.tolerance.is_zero() && !it.signing_secrets.is_empty()
        );
    }
    for it in &config.services {
        assert!(matches!(it.url.scheme(), "http" | "https") && it.url.has_host());
        assert!(it.url.username().is_empty() && it.url.password().is_none());
        assert!(it.url.query().is_none() && it.url.fragment().is_none());
        assert!(
            !it.timeout.is_zero() && it.connect_timeout <= it.timeout && 0 < it.connections_max
        );
    }
    for it in &config.handlers {
        assert!(
            it.script.starts_with("scripts/") && !it.script.contains(".."),
            "{}",
            it.script
        );
        assert!(it.services.iter().all(|it| services.contains(it.as_ref())));
        let mut named = it.endpoints.iter().flatten();
        assert!(named.all(|it| endpoints.contains(it.as_ref())));
        assert!(!it.events.is_empty());
    }
    let router = Router::new(config);
    for it in &config.endpoints {
        let taken = router.route(&it.name, "invoice.paid");
        assert!(taken.iter().all(|it| *it < config.handlers.len()));
    }
    if let Err(why) = Services::new(&config.services) {
        panic!("check says yes, and then: {why}");
    }
    static IS_TRIED: OnceLock<()> = OnceLock::new();
    // Dear, and limits are numbers that were looked at above.
    IS_TRIED.get_or_init(|| drop(Engine::new(limits)));
}

fn check_found(text: &str, found: &[Diagnostic]) {
    assert!(found.len() <= FINDINGS_MAX, "{} findings", found.len());
    let lines: Vec<&str> = text.lines().collect();
    for it in found {
        let drawn = it.to_string();
        assert!(!drawn.contains(SECRET), "a secret is shown: {drawn}");
        assert!(!it.message.is_empty() && it.file == FILE);
        assert!(it.line <= lines.len().max(1) + 1, "line {}", it.line);
        if it.line == 0 {
            continue;
        }
        let line = lines.get(it.line - 1).copied().unwrap_or_default();
        let length = line.chars().count();
        assert_eq!(it.source_line.chars().count(), length, "another line");
        assert!((1..=length + 1).contains(&it.column), "{it:?}");
    }
}
