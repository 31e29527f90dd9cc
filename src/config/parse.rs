//! Reads handlers.toml: from its text to a configuration that is checked and complete, or to all that is wrong with it.

use super::findings::Findings;
use super::table::Table;
use super::variables::{Variable, Variables};
use super::{
    Config, Limits, Mistaken, Script, endpoint, handler, limits, retention, server, service, syntax,
};
use crate::diagnostic::Diagnostic;
use toml::de::DeTable;

const FILE_SIZE_BYTES_MAX: usize = 1024 * 1024;

/// Checks everything that can be known without I/O. `world` reads the variables that the file names; its error says
/// why it could not, as the end of a sentence ("is not set").
///
/// An error comes with everything that was found.
pub fn parse(
    text: &str,
    file: &str,
    world: &dyn Fn(Variable) -> Result<String, String>,
) -> Result<Config, Mistaken> {
    refuse_too_large(text, file)?;
    let findings = Findings::new(file, text);
    let variables = Variables::new(world);

    let (document, mistakes) = DeTable::parse_recoverable(text);
    if !mistakes.is_empty() {
        findings.hide_values();
        syntax::tell(text, &mistakes, &findings);
        // What could be rescued of a broken file says little: a missing quote swallows whole tables.
        let unheard = Findings::new(file, text);
        let root = Table::root(document.get_ref(), &unheard, &variables);
        let (config, scripts) = root.read(config);
        let scripts = scripts.into_iter().map(|it| Script { given: None, ..it });
        return Err(Mistaken {
            findings: findings.into_shown(),
            scripts: scripts.collect(),
            limits: config.limits,
            is_toml: false,
        });
    }
    let root = Table::root(document.get_ref(), &findings, &variables);
    let (mut config, scripts) = root.read(config);
    if !findings.has_errors() {
        refuse_idle(&config, &findings);
    }
    if findings.has_errors() {
        return Err(Mistaken {
            findings: findings.into_shown(),
            scripts,
            limits: config.limits,
            is_toml: true,
        });
    }
    config.text = text.to_owned();
    config.watched_files = variables.into_files();
    config.warnings = findings.into_shown();
    Ok(config)
}

/// The sections, each in the order of the file. Handlers come last: they name services and endpoints.
fn config(root: &Table<'_>) -> (Config, Vec<Script>) {
    let server = root
        .table("server", "[server]")
        .map(|it| it.read(server::read))
        .unwrap_or_default();
    let limits = root
        .table("limits", "[limits]")
        .map(|it| it.read(limits::read))
        .unwrap_or_default();
    let retention = root
        .table("retention", "[retention]")
        .map(|it| it.read(retention::read))
        .unwrap_or_default();
    let endpoints = endpoint::read_all(root);
    let services = service::read_all(root);
    let (handlers, scripts) = handler::read_all(root, &endpoints, &services);
    let config = Config {
        text: String::new(),
        server,
        limits,
        retention,
        endpoints: endpoints.read,
        services: services.read,
        handlers,
        watched_files: Vec::new(),
        warnings: Vec::new(),
    };
    (config, scripts)
}

fn refuse_too_large(text: &str, file: &str) -> Result<(), Mistaken> {
    if text.len() <= FILE_SIZE_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "the file has {} bytes, more than the {FILE_SIZE_BYTES_MAX} that are allowed",
        text.len()
    );
    let finding = Diagnostic::of_file(file, message).help("is this the right file?");
    Err(Mistaken {
        findings: vec![finding],
        scripts: Vec::new(),
        limits: Limits::default(),
        is_toml: false,
    })
}

/// A host that nothing can reach, or that does nothing with what reaches it, is a mistake.
fn refuse_idle(config: &Config, findings: &Findings<'_>) {
    let lacks = match (config.endpoints.is_empty(), config.handlers.is_empty()) {
        (true, true) => "no endpoint and no handler",
        (true, false) => "no endpoint, so Stripe has nowhere to post to",
        (false, true) => "no handler, so nothing would be done with an event",
        (false, false) => return,
    };
    let message = format!("there is {lacks}");
    findings.of_file(
        message,
        format!("this is the smallest file that works:\n\n{SMALLEST_FILE}"),
    );
}

pub(super) const SMALLEST_FILE: &str = r#"    [endpoints.stripe]
    path = "/webhooks/stripe"
    signing_secrets = ["${STRIPE_WEBHOOK_SECRET}"]

    [handlers.invoice-paid]
    events = ["invoice.paid"]
    script = "scripts/invoice_paid.rhai""#;
