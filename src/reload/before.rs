//! What was in force by the last good handlers.toml, as a start or a check finds it in the ledger.

use super::Report;
use super::check::{Checked, check};
use super::choose::Choice;
use super::differences::refuses_rename;
use super::files::Files;
use super::last_good::{LastGood, kept};
use super::losses::refuses_loss;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::in_force::Chosen;
use crate::ledger::sqlite::read::{ReadError, Reader};

/// What was in force.
pub(super) struct Before {
    pub config: Config,
    pub chosen: Vec<Chosen>,
    /// What there is to say of the choice.
    pub of_choice: Report,
    /// What is wrong with the scripts of the files.
    pub problems: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

impl Before {
    /// None when nothing was, or when its handlers.toml is no good here.
    pub(super) fn of(files: &Files, last_good: &LastGood, reader: &Reader) -> Option<Self> {
        let files = files
            .clone()
            .with_handlers(last_good.config.clone()?)
            .ok()?;
        let Checked {
            config,
            programs,
            problems,
            warnings,
        } = check(&files);
        let config = config?;
        let of_ledger = |version: &str| kept(reader, version);
        let choice = Choice::new(&config, None, &last_good.decisions, &of_ledger);
        let mut of_choice = Report::default();
        let chosen = choice.of_all_as_before(programs, &mut of_choice);
        Some(Self {
            config,
            chosen,
            of_choice,
            problems,
            warnings,
        })
    }

    fn runs(&self, name: &str) -> bool {
        let mut handlers = self.config.handlers.iter().zip(&self.chosen);
        handlers.any(|(it, chosen)| *it.name == *name && chosen.program.is_ok())
    }

    /// Why the handlers.toml of the files leaves this one in force.
    pub(super) fn refuses(&self, file: &str, after: &Config, chosen: &[Chosen]) -> Option<String> {
        refuses_rename(&self.config, after)
            .or_else(|| refuses_loss(file, after, chosen, &|name| self.runs(name)))
    }
}

/// What is chosen for the handlers of files that were checked.
pub(super) fn chosen(
    config: &Config,
    checked: &Checked,
    last_good: &LastGood,
    reader: &Reader,
    report: &mut Report,
) -> Vec<Chosen> {
    let of_ledger = |version: &str| kept(reader, version);
    let choice = Choice::new(config, None, &last_good.decisions, &of_ledger);
    choice.of_all(checked.programs.clone(), report)
}

/// What a reload of files that are good in themselves would still find wrong, with what this ledger holds.
pub fn refused(
    files: &Files,
    checked: &Checked,
    reader: &Reader,
) -> Result<Vec<String>, ReadError> {
    let Some(config) = &checked.config else {
        return Ok(Vec::new());
    };
    let last_good = LastGood::load(reader)?;
    let mut report = Report::default();
    let chosen = chosen(config, checked, &last_good, reader, &mut report);
    let before = Before::of(files, &last_good, reader);
    let why = before.and_then(|it| it.refuses(&files.name, config, &chosen));
    Ok(match why {
        Some(it) => vec![it],
        None => report.problems,
    })
}
