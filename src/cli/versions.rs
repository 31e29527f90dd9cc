//! `hookyard versions`

use super::known::Known;
use super::out::{Out, clean, excerpt};
use super::table::Table;
use super::times::{now, when};
use super::{Places, look};
use crate::in_force::short;
use crate::ledger::sqlite::list::{VersionRow, VersionState};
use anyhow::bail;
use clap::Args;
use comfy_table::{Cell, Color};
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Versions {
    #[arg(value_name = "HANDLER")]
    handler: String,
    /// Print JSON, one version a line
    #[arg(long)]
    json: bool,
}

impl Versions {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let reader = look::open(places)?;
        let rows = reader.list_versions(&self.handler)?;
        if rows.is_empty() {
            Known::of(places, &reader)?.handler(&self.handler)?;
            bail!(
                "no version of the script of handler `{}` was ever seen by a host",
                self.handler
            );
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
        Ok(ExitCode::SUCCESS)
    }
}

fn table(rows: &[VersionRow]) -> Table {
    let now = now();
    let header = [
        "version",
        "state",
        "first in force",
        "last in force",
        "runs",
        "failed",
        "script",
        "why",
    ];
    let mut table = Table::new(&header).right(&[4, 5]);
    for it in rows {
        let first = it.first_at.map_or("never".into(), |at| when(at, now));
        let last = match (it.state, it.first_at) {
            (VersionState::InForce | VersionState::Pinned, _) => "now".into(),
            (_, None) => "never".into(),
            (_, Some(_)) => it.last_at.map_or_else(String::new, |at| when(at, now)),
        };
        table.row([
            Cell::new(short(&it.version)),
            state(it.state),
            Cell::new(first),
            Cell::new(last),
            Cell::new(it.runs),
            Cell::new(it.failed),
            Cell::new(clean(&it.script)),
            Cell::new(excerpt(it.why.as_deref().unwrap_or_default())),
        ]);
    }
    table
}

fn state(it: VersionState) -> Cell {
    let cell = Cell::new(it.as_str());
    match it {
        VersionState::InForce => cell.fg(Color::Green),
        VersionState::Pinned | VersionState::Canary => cell.fg(Color::Yellow),
        VersionState::RolledBack => cell.fg(Color::Red),
        VersionState::NotInForce => cell,
    }
}
