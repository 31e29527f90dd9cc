//! What a start begins with: the files, or, where these are broken, what was good before.

use super::before::{Before, chosen};
use super::check::check;
use super::last_good::LastGood;
use super::look::Looked;
use super::{Files, Location, Report};
use crate::config::Config;
use crate::in_force::InForce;
use crate::ledger::sqlite::read::Reader;
use crate::services::Services;
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
    let last_good =
        LastGood::load(reader).map_err(|it| format!("the ledger cannot be read: {it}"))?;
    let (files, looked) = match Files::read_in_time(location) {
        Ok(it) => {
            let looked = Looked::of(&it);
            (it, looked)
        }
        Err(why) => (Files::unread(location, why), Looked::default()),
    };
    let checked = check(&files);
    let mut report = Report {
        is_changed: true,
        ..Report::default()
    };
    let texts = checked.problems.iter().map(ToString::to_string);
    report.problems.extend(texts);
    let is_as_before = checked
        .config
        .as_ref()
        .is_some_and(|it| last_good.config.as_ref() == Some(&it.text));
    let before = if is_as_before {
        None
    } else {
        Before::of(&files, &last_good, reader)
    };
    let mut of_choice = Report::default();
    let new = checked.config.as_ref().map(|config| {
        let chosen = chosen(config, &checked, &last_good, reader, &mut of_choice);
        let before = before.as_ref();
        let why = before.and_then(|it| it.refuses(&location.name(), config, &chosen));
        (chosen, services_of(config, location), why)
    });
    let (config, chosen, services, warnings) = match (checked.config, new) {
        (Some(config), Some((chosen, Ok(services), None))) => {
            (config, chosen, services, checked.warnings)
        }
        (_, new) => {
            if let Some((_, services, why)) = new {
                report.problems.extend(services.err());
                report.problems.extend(why);
            }
            let before = before.ok_or_else(|| report.problems.join("\n\n"))?;
            // Of scripts that nobody could look at nothing is known.
            let of_scripts = before.problems.iter().filter(|_| looked.hash.is_some());
            for it in of_scripts.map(ToString::to_string) {
                if !report.problems.contains(&it) {
                    report.problems.push(it);
                }
            }
            report.changes.push(format!(
                "{} is not in force: the last good version of it is, with the last good version of each script",
                location.name()
            ));
            of_choice = before.of_choice;
            let services = services_of(&before.config, location)?;
            (before.config, before.chosen, services, before.warnings)
        }
    };
    report.extend(of_choice);
    for it in warnings {
        warn!("{it}");
    }
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

/// The services of a handlers.toml, or what is wrong with one of them.
fn services_of(config: &Config, location: &Location) -> Result<Services, String> {
    Services::new(&config.services).map_err(|it| {
        let key = ("services", &*it.service, "url");
        let finding = config.finding(&location.name(), key, it.to_string());
        finding.to_string()
    })
}
