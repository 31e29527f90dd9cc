//! `hookyard services`

use super::Places;
use super::operate::operate;
use super::out::{Out, excerpt, word};
use super::table::Table;
use super::times::{ago, now};
use crate::clock::UnixMillis;
use crate::control::{Command, Reply};
use crate::services::{Health, RateUse, ServiceStatus};
use anyhow::bail;
use clap::Args;
use comfy_table::{Cell, Color};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args)]
pub(super) struct Services {
    /// Print JSON, one document a line
    #[arg(long)]
    json: bool,
}

impl Services {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let services = match operate(places, &Command::Services)? {
            Reply::Services(it) => it,
            Reply::Refused(why) => bail!("{why}"),
            it @ (Reply::Done { .. }
            | Reply::Runs(_)
            | Reply::Reloaded(_)
            | Reply::Moved { .. }
            | Reply::Status { .. }) => {
                bail!("unexpected answer: {it:?}")
            }
        };
        let mut out = Out::open();
        if self.json {
            for it in &services {
                out.json(it)?;
            }
        } else if services.is_empty() {
            out.line("handlers.toml names no services")?;
        } else {
            table(&services, now()).print(&mut out)?;
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn table(services: &[ServiceStatus], now: UnixMillis) -> Table {
    let header = [
        "service",
        "host",
        "state",
        "since",
        "next look",
        "calls",
        "waiting",
        "rate",
        "last error",
    ];
    let mut table = Table::new(&header).right(&[6]);
    for it in services {
        let time = |at: Option<UnixMillis>| at.map(|it| ago(it, now)).unwrap_or_default();
        let last_error = it.last_error.as_ref();
        table.row([
            Cell::new(word(&it.name)),
            Cell::new(word(&it.host)),
            state_cell(it.state),
            Cell::new(time(it.since)),
            Cell::new(time(it.next_look_at)),
            Cell::new(format!(
                "{} of {}",
                it.calls_in_flight, it.calls_at_once_max
            )),
            Cell::new(it.calls_waiting + it.runs_waiting),
            Cell::new(it.rate.map(rate).unwrap_or_default()),
            Cell::new(
                last_error
                    .map(|it| format!("{}: {}", ago(it.at, now), excerpt(&it.message)))
                    .unwrap_or_default(),
            ),
        ]);
    }
    table
}

/// `3 of 20 in 1s`
fn rate(it: RateUse) -> String {
    let per = humantime::format_duration(Duration::from_millis(it.per_ms));
    format!("{} of {} in {per}", it.used, it.calls_max)
}

fn state_cell(state: Health) -> Cell {
    let cell = Cell::new(state.as_str());
    match state {
        Health::Closed => cell.fg(Color::Green),
        Health::Open => cell.fg(Color::Red),
        Health::HalfOpen => cell.fg(Color::Yellow),
    }
}
