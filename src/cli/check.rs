//! `hookyard check`: everything that a reload would check, with an exit code for continuous integration.

use super::out::{Out, clean};
use super::table::{GREEN, RED, YELLOW};
use super::{Places, look, remark};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::in_force::short;
use crate::reload::{self, Checked, Files, check};
use crate::script::Program;
use crate::services::Services;
use anyhow::anyhow;
use clap::Args;
use std::process::ExitCode;
use std::sync::Arc;

/// A handler's program, or what is wrong with it.
type Checkable = Result<Arc<Program>, Vec<Diagnostic>>;

#[derive(Args)]
pub(super) struct Check {
    /// Fail on warnings too
    #[arg(long)]
    deny_warnings: bool,
    /// Print findings as JSON, one a line
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let files = Files::read_in_time(&places.location()).map_err(|it| anyhow!(it))?;
        let checked = check(&files);
        let refused = refused(places, &files, &checked);
        let Checked {
            config,
            programs,
            mut problems,
            warnings,
        } = checked;
        problems.extend(refused);
        if let Some(config) = &config
            && let Err(error) = Services::new(&config.services)
        {
            let key = ("services", &*error.service, "url");
            problems.push(config.finding(&files.name, key, error.to_string()));
        }
        let mut out = Out::open();
        for it in problems.iter().chain(&warnings) {
            if self.json {
                out.json(it)?;
            } else {
                out.line(drawn(it))?;
                out.line("")?;
            }
        }
        let is_good = problems.is_empty() && (warnings.is_empty() || !self.deny_warnings);
        if !self.json {
            let found = found(problems.len(), warnings.len());
            match (&config, is_good) {
                (Some(config), true) => out.line(format_args!(
                    "{GREEN}good{GREEN:#}: {} with {} and {}{found}",
                    files.name,
                    counted(config.endpoints.len(), "endpoint"),
                    counted(config.handlers.len(), "handler"),
                ))?,
                (Some(_) | None, _) => out.line(format_args!("{RED}not good{RED:#}{found}"))?,
            }
        }
        out.finish()?;
        if !self.json
            && let Some(config) = &config
        {
            tell_decided(places, config, &programs);
        }
        Ok(if is_good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// What a reload would refuse all the same, by what is known of the time before. There need be no ledger.
fn refused(places: &Places, files: &Files, checked: &Checked) -> Vec<Diagnostic> {
    let looked = look::open(places).and_then(|it| Ok(reload::refused(files, checked, &it)?));
    let found = looked.unwrap_or_default().into_iter();
    found
        .map(|why| Diagnostic::of_file(&files.name, why))
        .collect()
}

/// A good file is not in force while its handler is pinned, and runs nothing while it is held because it got stuck. There
/// need be no ledger, and none that we know.
fn tell_decided(places: &Places, config: &Config, programs: &[Checkable]) {
    let Ok(decisions) = look::open(places).and_then(|it| Ok(it.version_decisions()?)) else {
        return;
    };
    for (it, program) in config.handlers.iter().zip(programs) {
        let pin = decisions.pins.get(&*it.name);
        if let Some(version) = pin {
            remark(&format!(
                "handler `{}` is pinned to version {} in {}: `hookyard rollback {} --off` lets its file count again",
                it.name,
                short(version),
                places.data.display(),
                it.name
            ));
        }
        let of_file = program.as_ref().ok().map(|it| it.version());
        let rolled_back = of_file.filter(|_| pin.is_none()).and_then(|version| {
            let key = (it.name.to_string(), version.to_owned());
            Some((version, decisions.rolled_back.get(&key)?))
        });
        if let Some((version, why)) = rolled_back.filter(|_| it.canary.is_some()) {
            remark(&format!(
                "handler `{}` does not run version {}, which {} holds: its canary rolled it back ({why}; in {}); save a better one",
                it.name,
                short(version),
                it.script,
                places.data.display()
            ));
        }
        if let (Some(stuck), Some(version)) = (
            decisions.stuck.get(&*it.name),
            pin.map(String::as_str).or(of_file),
        ) && let Some(why) = stuck.holds(&it.name, version, &it.script)
        {
            remark(&format!("{why} (in {})", places.data.display()));
        }
    }
}

/// A finding, its first word in the colour of its weight.
pub(super) fn drawn(it: &Diagnostic) -> String {
    drawn_text(&it.to_string())
}

/// The same for one that is text already.
pub(super) fn drawn_text(it: &str) -> String {
    let text = clean(it);
    for (kind, style) in [("error", RED), ("warning", YELLOW)] {
        if let Some(rest) = text.strip_prefix(kind).filter(|it| it.starts_with(':')) {
            return format!("{style}{kind}{style:#}{rest}");
        }
    }
    text
}

fn found(problems: usize, warnings: usize) -> String {
    let counts: Vec<String> = [(problems, "mistake"), (warnings, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| counted(count, what))
        .collect();
    if counts.is_empty() {
        String::new()
    } else {
        format!(": {}", counts.join(", "))
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_findings_reads_as_a_sentence() {
        assert_eq!(found(0, 0), "");
        assert_eq!(found(2, 1), ": 2 mistakes, 1 warning");
        assert_eq!(counted(0, "handler"), "0 handlers");
    }
}
