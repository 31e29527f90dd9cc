//! `hookyard events`

use super::known::Known;
use super::out::{Out, excerpt, word};
use super::table::{BOLD, Table, fields};
use super::times::{now, since, when};
use super::{Places, look, remark, runs};
use crate::clock::UnixMillis;
use crate::config::Pattern;
use crate::ledger::sqlite::list::{EventFilter, EventRow, RunRow};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use comfy_table::Cell;
use serde::Serialize;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum Events {
    /// List events, the newest first
    List(List),
    /// Show an event and its runs
    Show(Show),
}

#[derive(Args)]
pub(super) struct List {
    /// Only of this type, such as `invoice.paid` or `invoice.*`
    #[arg(long = "type", value_name = "PATTERN", value_parser = look::pattern)]
    kind: Option<Pattern>,
    /// Only what was posted to this endpoint
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// Only what came since then, such as `2h` or `2026-01-31T12:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<UnixMillis>,
    /// Only payloads that are no events
    #[arg(long)]
    unreadable: bool,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = look::limit)]
    limit: usize,
    /// Print JSON, one event a line
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Show {
    #[arg(value_name = "EVENT_ID")]
    id: String,
    /// Write the payload's bytes exactly as they came, and nothing else
    #[arg(long, conflicts_with = "json")]
    body: bool,
    /// Which one, when the id is known in several scopes
    #[arg(long)]
    scope: Option<String>,
    /// Print JSON, one event a line
    #[arg(long)]
    json: bool,
}

/// An event and its runs, as `events show --json` prints them.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    event: &'a EventRow,
    runs: &'a [RunRow],
}

impl Events {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(it) => it.run(places),
            Self::Show(it) => it.run(places),
        }
    }
}

impl List {
    fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let reader = look::open(places)?;
        let rows = reader.list_events(&EventFilter {
            kind: self.kind.clone(),
            endpoint: self.endpoint.clone(),
            since: self.since,
            only_unreadable: self.unreadable,
            limit: self.limit,
        })?;
        if rows.is_empty() {
            let known = Known::of(places, &reader)?;
            self.kind.iter().try_for_each(|it| known.kind(it))?;
            self.endpoint.iter().try_for_each(|it| known.endpoint(it))?;
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
        Ok(ExitCode::SUCCESS)
    }
}

fn table(rows: &[EventRow]) -> Table {
    let now = now();
    let mut table =
        Table::new(&["received", "event", "type", "endpoint", "about", "bytes"]).right(&[5]);
    for it in rows {
        let kind = match &it.unreadable {
            Some(why) => format!("unreadable: {}", excerpt(why)),
            None => word(&it.kind),
        };
        table.row([
            Cell::new(when(it.received_at, now)),
            Cell::new(word(&it.id)),
            Cell::new(kind),
            Cell::new(&it.endpoint),
            Cell::new(word(it.object_id.as_deref().unwrap_or_default())),
            Cell::new(it.size_bytes),
        ]);
    }
    table
}

impl Show {
    fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let mut reader = look::open(places)?;
        let events = look::events(&reader, &self.id, self.scope.as_deref())?;
        let mut out = Out::open();
        if self.body {
            let [event] = events.as_slice() else {
                bail!(
                    "event `{}` is in the scopes {}: say which one with --scope",
                    self.id,
                    look::scopes(&events)
                );
            };
            let stored = reader
                .event(event.seq)?
                .context("the event was deleted at this moment")?;
            out.bytes(&stored.body)?;
            out.finish()?;
            return Ok(ExitCode::SUCCESS);
        }
        for (number, event) in events.iter().enumerate() {
            let runs = reader.runs_of_event(event.seq)?;
            if self.json {
                out.json(&Shown { event, runs: &runs })?;
                continue;
            }
            if number > 0 {
                out.line("")?;
            }
            head(&mut out, event)?;
            out.line("")?;
            if runs.is_empty() {
                out.line("no handler took it")?;
            } else {
                runs::table(&runs).print(&mut out)?;
            }
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What an event is and how it came.
pub(super) fn head(out: &mut Out, it: &EventRow) -> anyhow::Result<()> {
    let now = now();
    out.line(format_args!(
        "{BOLD}{}{BOLD:#}  {}",
        word(&it.id),
        word(&it.kind)
    ))?;
    let text = |it: &Option<String>| it.as_deref().map(word);
    let mode = it
        .livemode
        .map(|live| if live { "live" } else { "test" }.to_owned());
    fields(
        out,
        &[
            ("unreadable", text(&it.unreadable)),
            ("about", text(&it.object_id)),
            ("happened", Some(when(it.created_at, now))),
            ("received", Some(when(it.received_at, now))),
            (
                "endpoint",
                Some(format!(
                    "{} (signing secret {} matched)",
                    it.endpoint, it.secret_number
                )),
            ),
            ("scope", (it.scope != it.endpoint).then(|| it.scope.clone())),
            ("mode", mode),
            ("account", text(&it.account)),
            ("context", text(&it.context)),
            ("API version", text(&it.api_version)),
            ("payload", Some(format!("{} bytes", it.size_bytes))),
            ("number", Some(it.seq.to_string())),
        ],
    )
}
