//! `hookyard reload`

use super::operate::operate;
use super::out::{Out, clean};
use super::table::{GREEN, RED, YELLOW};
use super::{Places, complain};
use crate::control::{Command, Reply};
use crate::reload::Report;
use anyhow::bail;
use std::process::ExitCode;

/// Exit code 1 when something that the files say could not come into force. What somebody decided against them (a pin, a
/// version that a canary rolled back) is told, and no mistake.
pub(super) fn run(places: &Places) -> anyhow::Result<ExitCode> {
    tell(operate(places, &Command::Reload)?)
}

/// What a reload, or whatever ended in one, has done.
pub(super) fn tell(reply: Reply) -> anyhow::Result<ExitCode> {
    let report = match reply {
        Reply::Reloaded(it) => it,
        Reply::Refused(why) => bail!("{why}"),
        it @ (Reply::Done { .. }
        | Reply::Runs(_)
        | Reply::Moved { .. }
        | Reply::Services(_)
        | Reply::Status { .. }) => {
            bail!("unexpected answer: {it:?}")
        }
    };
    let mut out = Out::open();
    print(&mut out, &report)?;
    out.finish()?;
    if report.problems.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    complain("not all that the files say is in force");
    Ok(ExitCode::FAILURE)
}

fn print(out: &mut Out, report: &Report) -> anyhow::Result<()> {
    for it in &report.problems {
        let text = clean(it);
        match text.strip_prefix("error:") {
            Some(rest) => out.line(format_args!("{RED}error{RED:#}:{rest}\n"))?,
            None => out.line(format_args!("{text}\n"))?,
        }
    }
    for it in &report.changes {
        out.line(clean(it))?;
    }
    for it in &report.decided {
        out.line(format_args!("{YELLOW}decided{YELLOW:#}: {}", clean(it)))?;
    }
    for it in &report.held {
        out.line(format_args!("{YELLOW}held{YELLOW:#}: {}", clean(it)))?;
    }
    for it in &report.needs_restart {
        out.line(format_args!(
            "{YELLOW}needs a restart to take effect{YELLOW:#}: {}",
            clean(it)
        ))?;
    }
    let news = [
        &report.changes,
        &report.needs_restart,
        &report.held,
        &report.decided,
    ];
    let has_news = news.iter().any(|it| !it.is_empty());
    if report.problems.is_empty() && !has_news {
        out.line(format_args!("{GREEN}good{GREEN:#}: nothing has changed"))?;
    }
    Ok(())
}
