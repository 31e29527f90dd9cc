//! What a start begins with: the files, or, where these are broken, what was good before.

use super::check::{Checked, check};
use super::choose::Choice;
use super::differences::refuses_rename;
use super::last_good::{LastGood, kept};
use super::look::Looked;
use super::losses::refuses_loss;
use super::{Files, Location, Report};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::in_force::InForce;
use crate::ledger::sqlite::read::Reader;
use crate::script::Program;
use crate::services::Services;
use std::sync::Arc;
use tracing::warn;

/// What a start begins with.
pub struct First {
    pub in_force: InForce,
    pub report: Report,
    /// For [`Reloader::settle_first`](super::Reloader::settle_first).
    pub settled: Settled,
}

/// What a start found.
pub struct Settled {
    pub(super) looked: Looked,
    pub(super) problems: Vec<String>,
    pub(super) decided: Vec<String>,
}

/// The first version after a start: from the files, or, where these are broken, from what was good before.
pub fn first(location: &Location, reader: &Reader) -> Result<First, String> {
    let files = Files::read(location);
    let looked = Looked::of(&files);
    let last_good =
        LastGood::load(reader).map_err(|it| format!("the ledger cannot be read: {it}"))?;
    let mut checked = check(&files);
    let mut report = Report {
        is_changed: true,
        ..Report::default()
    };
    report
        .problems
        .extend(checked.problems.iter().map(ToString::to_string));
    if let (Some(new), Some(text)) = (&checked.config, &last_good.config) {
        let old = Files {
            handlers: Ok(text.clone()),
            ..files.clone()
        };
        let why = check(&old).config.and_then(|old| refuses_rename(&old, new));
        if let Some(why) = why {
            report.problems.push(why);
            checked.config = None;
        }
    }
    if checked.config.is_some()
        && let Some(why) = refuses_losses(location, &files, &checked, &last_good, reader)
    {
        report.problems.push(why);
        checked.config = None;
    }
    if checked.config.is_none() {
        let text = last_good
            .config
            .as_deref()
            .ok_or_else(|| report.problems.join("\n\n"))?;
        let old = Files {
            handlers: Ok(text.to_owned()),
            ..files
        };
        checked = check(&old);
        if checked.config.is_none() {
            return Err(report.problems.join("\n\n"));
        }
        for it in checked.problems.iter().map(ToString::to_string) {
            if !report.problems.contains(&it) {
                report.problems.push(it);
            }
        }
        report.changes.push(format!(
            "{} has errors: the last good version of it is in force",
            location.name()
        ));
    }
    let Checked {
        config: Some(config),
        programs,
        warnings,
        ..
    } = checked
    else {
        return Err(report.problems.join("\n\n"));
    };
    for it in warnings {
        warn!("{it}");
    }
    let services = Services::new(&config.services).map_err(|it| {
        let key = ("services", &*it.service, "url");
        let finding = config.finding(&location.name(), key, it.to_string());
        finding.to_string()
    })?;
    let of_ledger = |version: &str| kept(reader, version);
    let choice = Choice::new(&config, None, &last_good.decisions, &of_ledger);
    let chosen = choice.of_all(programs, &mut report);
    let settled = Settled {
        looked,
        problems: report.problems.clone(),
        decided: report.decided.clone(),
    };
    Ok(First {
        in_force: InForce::new(config, services, chosen),
        report,
        settled,
    })
}

/// Why the files' handlers.toml leaves out of force a handler that runs by the last good one.
fn refuses_losses(
    location: &Location,
    files: &Files,
    checked: &Checked,
    last_good: &LastGood,
    reader: &Reader,
) -> Option<String> {
    let new = checked.config.as_ref()?;
    let text = last_good.config.as_ref().filter(|it| **it != new.text)?;
    let of_ledger = |version: &str| kept(reader, version);
    let choose = |config: &Config, programs: &[Result<Arc<Program>, Vec<Diagnostic>>]| {
        let choice = Choice::new(config, None, &last_good.decisions, &of_ledger);
        choice.of_all(programs.to_vec(), &mut Report::default())
    };
    let chosen = choose(new, &checked.programs);
    if chosen.iter().all(|it| it.program.is_ok()) {
        return None;
    }
    let before = check(&Files {
        handlers: Ok(text.clone()),
        ..files.clone()
    });
    let old = before.config?;
    let ran = choose(&old, &before.programs);
    let runs_now = |name: &str| {
        let mut handlers = old.handlers.iter().zip(&ran);
        handlers.any(|(it, chosen)| *it.name == *name && chosen.program.is_ok())
    };
    refuses_loss(&location.name(), new, &chosen, &runs_now)
}
