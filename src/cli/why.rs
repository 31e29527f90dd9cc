//! `hookyard why`: all that happened to an event.

mod calls;
mod timeline;

pub(super) use calls::{notes as call_notes, said_of};
pub(super) use timeline::{changed, failed, logged};

use super::out::Out;
use super::times::now;
use super::{Places, events, look};
use crate::ledger::sqlite::list::{AttemptRow, CallRow, ChangeRow, DecisionRow, EventRow, RunRow};
use crate::ledger::sqlite::read::Reader;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Why {
    #[arg(value_name = "EVENT_ID")]
    id: String,
    /// Only the event of this scope
    #[arg(long)]
    scope: Option<String>,
    /// Print JSON, one document an event
    #[arg(long)]
    json: bool,
}

/// An event and what came of it; the names are those of the tables.
#[derive(Serialize)]
struct Story {
    event: EventRow,
    runs: Vec<RunStory>,
}

/// A run and what it did.
#[derive(Serialize)]
struct RunStory {
    run: RunRow,
    /// In the order in which they began.
    attempts: Vec<AttemptRow>,
    journal: Vec<CallRow>,
    decisions: Vec<DecisionRow>,
    record_changes: Vec<ChangeRow>,
}

impl Why {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let reader = look::open(places)?;
        let mut out = Out::open();
        for (number, event) in look::events(&reader, &self.id, self.scope.as_deref())?
            .into_iter()
            .enumerate()
        {
            let story = story(&reader, event)?;
            if self.json {
                out.json(&story)?;
                continue;
            }
            if number > 0 {
                out.line("")?;
            }
            events::head(&mut out, &story.event)?;
            if story.runs.is_empty() {
                out.line("")?;
                out.line(nothing_ran(&story.event))?;
            }
            for it in &story.runs {
                out.line("")?;
                for line in timeline::lines(it, now()) {
                    out.line(line)?;
                }
            }
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn nothing_ran(event: &EventRow) -> &'static str {
    match event.unreadable {
        Some(_) => {
            "no handler gets a payload that is no event; it is kept as it came (events show --body)"
        }
        None => {
            "no handler took it: none had a pattern for its type when it came (replay --handler runs one now)"
        }
    }
}

fn story(reader: &Reader, event: EventRow) -> anyhow::Result<Story> {
    let mut runs = Vec::new();
    for run in reader.runs_of_event(event.seq)? {
        let record_changes = match run.finished_at {
            Some(at) => reader.changes_of_run(run.id, at)?,
            None => Vec::new(),
        };
        runs.push(RunStory {
            attempts: reader.attempts(run.id)?,
            journal: reader.calls(run.id)?,
            decisions: reader.decisions(run.id)?,
            record_changes,
            run,
        });
    }
    Ok(Story { event, runs })
}
