//! `hookyard records history`

use super::found;
use crate::cli::out::{Out, word};
use crate::cli::table::BOLD;
use crate::cli::times::{now, when};
use crate::cli::why::changed;
use crate::cli::{Places, look};
use crate::ledger::sqlite::list::ChangeRow;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;

#[derive(Args)]
pub(in crate::cli) struct History {
    collection: String,
    id: String,
    /// At most so many changes
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// Print JSON, one change a line
    #[arg(long)]
    json: bool,
}

/// A change, and what made it, as `records history --json` prints them.
#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    change: ChangeRow,
    event_id: Option<String>,
    handler: Option<String>,
}

impl History {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let reader = look::open(places)?;
        found(places, &reader, &self.collection, &self.id)?;
        let mut out = Out::open();
        for change in reader.record_history(&self.collection, &self.id, self.limit)? {
            let run = match change.run {
                Some(it) => reader.run_row(it)?,
                None => None,
            };
            let (event_id, handler) = run.map(|it| (it.event_id, it.handler)).unzip();
            let it = Explained {
                change,
                event_id,
                handler,
            };
            if self.json {
                out.json(&it)?;
            } else {
                print_change(&mut out, &it)?;
            }
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print_change(out: &mut Out, it: &Explained) -> anyhow::Result<()> {
    let change = &it.change;
    let by = match (change.run, &it.handler, &it.event_id) {
        (Some(run), Some(handler), Some(event)) => {
            format!("run {run} of `{handler}`, event {}", word(event))
        }
        (Some(run), _, _) => format!("run {run}, which is past its retention"),
        (None, _, _) => "by hand".to_owned(),
    };
    out.line(format_args!(
        "{BOLD}version {}{BOLD:#}  {}  {by}",
        change.version,
        when(change.at, now())
    ))?;
    for line in changed(change) {
        out.line(format_args!("  {line}"))?;
    }
    Ok(())
}
