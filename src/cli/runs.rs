//! `hookyard runs`

mod calls;
mod retry;

use super::known::Known;
use super::move_runs::MoveRuns;
use super::operate::Operations;
use super::out::{Out, clean, excerpt, word};
use super::table::{BOLD, Table, fields, state_cell, state_style};
use super::times::{ago, now, since, when};
use super::{Places, complain, look, remark};
use crate::clock::UnixMillis;
use crate::config::Pattern;
use crate::control::{Command, Reply};
use crate::ledger::sqlite::list::{RunFilter, RunRow};
use crate::reload::short;
use crate::run::{RunId, State};
use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use comfy_table::Cell;
use serde::Serialize;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum Runs {
    /// List runs, those of the newest events first
    List(List),
    /// Show a run and its calls
    Show(Show),
    /// Have dead or waiting runs begin again now, with the calls that were answered staying answered
    Retry(retry::Retry),
    /// Finish open runs without effect
    Drop(Ids),
    /// Have a handler do the open runs of one that is gone, after it was renamed say
    Move(MoveRuns),
}

/// `--version` asks for runs here, not for the program's own.
#[derive(Args)]
#[command(disable_version_flag = true)]
pub(super) struct List {
    /// Only those in this state
    #[arg(long, value_parser = state_parser())]
    state: Option<State>,
    /// Only those of this handler
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// Only of events of this type, such as `invoice.paid` or `invoice.*`
    #[arg(long = "type", value_name = "PATTERN", value_parser = look::pattern)]
    kind: Option<Pattern>,
    /// Only of events that came since then, such as `2h` or `2026-01-31T12:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<UnixMillis>,
    /// Only with an attempt on this version of their script, or on those that begin so
    #[arg(long = "version", value_name = "VERSION")]
    of_version: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = look::limit)]
    limit: usize,
    /// Print JSON, one run a line
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Show {
    #[arg(value_name = "RUN", value_parser = look::run)]
    id: i64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A run and its calls, as `runs show --json` prints them.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    run: &'a RunRow,
    calls: &'a [calls::Call],
}

#[derive(Args)]
pub(super) struct Ids {
    #[arg(value_name = "RUN", required = true, value_parser = look::run)]
    ids: Vec<i64>,
}

fn state_parser() -> impl TypedValueParser<Value = State> {
    PossibleValuesParser::new(State::ALL.map(State::as_str))
        .try_map(|it| State::parse(&it).ok_or("no state of a run"))
}

impl Runs {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(it) => it.run(places),
            Self::Show(it) => it.run(places),
            Self::Retry(it) => it.run(places),
            Self::Move(it) => it.run(places),
            Self::Drop(it) => it.each(places, "is dropped", |run| Command::DropRun { run }),
        }
    }
}

impl List {
    fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let reader = look::open(places)?;
        let rows = reader.list_runs(&RunFilter {
            state: self.state,
            handler: self.handler.clone(),
            kind: self.kind.clone(),
            since: self.since,
            version: self.of_version.clone(),
            limit: self.limit,
        })?;
        if rows.is_empty() {
            let known = Known::of(places, &reader)?;
            self.handler.iter().try_for_each(|it| known.handler(it))?;
            self.kind.iter().try_for_each(|it| known.kind(it))?;
            let version = self.of_version.as_deref();
            version.map_or(Ok(()), |it| known.version(it))?;
        }
        let mut out = Out::open();
        if self.json {
            for it in &rows {
                out.json(it)?;
            }
        } else {
            table(&rows).print(&mut out)?;
        }
        out.finish()?;
        if !self.json && rows.len() == self.limit {
            remark(&format!(
                "the first {}; there may be more: --limit",
                rows.len()
            ));
        }
        let held = rows.iter().find(|it| it.state == State::Held.as_str());
        if let Some(held) = held.filter(|_| !self.json) {
            remark(&format!(
                "`hookyard runs show {}` says what its run waits for",
                held.id
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Show {
    fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let reader = look::open(places)?;
        let run = reader.run_row(RunId(self.id))?.with_context(|| {
            format!(
                "there is no run {}; `hookyard runs list` shows the runs",
                self.id
            )
        })?;
        let calls = calls::of_run(&reader.calls(run.id)?, &reader.attempts(run.id)?);
        let mut out = Out::open();
        if self.json {
            out.json(&Shown {
                run: &run,
                calls: &calls,
            })?;
        } else {
            head(&mut out, &run)?;
            if !calls.is_empty() {
                out.line("")?;
                calls::table(&calls).print(&mut out)?;
            }
        }
        out.finish()?;
        if !self.json {
            remark(&format!(
                "`hookyard why {}` tells how it came to this",
                run.event_id
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Ids {
    /// Each of them; one that cannot be done does not keep the others.
    fn each(
        &self,
        places: &Places,
        done: &str,
        command: impl Fn(i64) -> Command,
    ) -> anyhow::Result<ExitCode> {
        let mut operations = Operations::new(places)?;
        let mut out = Out::open();
        let mut code = ExitCode::SUCCESS;
        for id in &self.ids {
            match operations.carry_out(&command(*id))? {
                Reply::Done { .. } | Reply::Runs(_) => out.line(format_args!("run {id} {done}"))?,
                Reply::Refused(why) => {
                    complain(&why);
                    code = ExitCode::FAILURE;
                }
                it @ (Reply::Reloaded(_)
                | Reply::Moved { .. }
                | Reply::Services(_)
                | Reply::Status { .. }) => {
                    anyhow::bail!("unexpected answer: {it:?}")
                }
            }
        }
        out.finish()?;
        Ok(code)
    }
}

pub(super) fn table(rows: &[RunRow]) -> Table {
    let now = now();
    let header = [
        "run", "state", "handler", "type", "event", "attempts", "when", "why",
    ];
    let mut table = Table::new(&header).right(&[0, 5]);
    for it in rows {
        table.row([
            Cell::new(it.id),
            state_cell(&it.state),
            Cell::new(&it.handler),
            Cell::new(word(&it.kind)),
            Cell::new(word(&it.event_id)),
            Cell::new(it.attempts),
            Cell::new(moment_of(it, now)),
            Cell::new(excerpt(it.why.as_deref().unwrap_or_default())),
        ]);
    }
    table
}

/// When a run finished, or when it is due.
fn moment_of(it: &RunRow, now: UnixMillis) -> String {
    match (it.finished_at, it.due_at) {
        (Some(at), _) => when(at, now),
        (None, Some(at)) => format!("due {}", ago(at, now)),
        (None, None) => String::new(),
    }
}

/// What a run is and how it stands.
fn head(out: &mut Out, it: &RunRow) -> anyhow::Result<()> {
    let now = now();
    let state = state_style(&it.state);
    out.line(format_args!(
        "{BOLD}run {}{BOLD:#}  {state}{}{state:#}",
        it.id, it.state
    ))?;
    fields(
        out,
        &[
            ("why", it.why.as_deref().map(clean)),
            ("handler", Some(it.handler.clone())),
            (
                "event",
                Some(format!("{} {}", word(&it.event_id), word(&it.kind))),
            ),
            ("attempts", Some(it.attempts.to_string())),
            ("replay", (it.replay > 0).then(|| it.replay.to_string())),
            ("due", it.due_at.map(|at| when(at, now))),
            ("finished", it.finished_at.map(|at| when(at, now))),
            (
                "version",
                it.version.as_deref().map(|it| short(it).to_owned()),
            ),
        ],
    )
}
