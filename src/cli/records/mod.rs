//! `hookyard records`

mod by_hand;
mod cells;
mod export;
mod history;
mod import;

use super::exact::pretty;
use super::known::Known;
use super::out::{Out, clean, excerpt, word};
use super::table::{BOLD, DIM, Table};
use super::times::{now, when};
use super::{Places, look, remark};
use crate::ledger::sqlite::list::RecordRow;
use crate::ledger::sqlite::read::Reader;
use anyhow::{bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Cell;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum Records {
    /// List the collections
    Collections(Collections),
    /// List the records of a collection, by id
    List(List),
    /// Show a record
    Get(One),
    /// Show what changed a record, the newest first
    History(history::History),
    /// Write a record by hand, whole
    Set(by_hand::Set),
    /// Remove a record by hand
    Remove(by_hand::Remove),
    /// Write records from a file, each whole
    Import(import::Import),
    /// Print all records of a collection
    Export(export::Export),
}

#[derive(Args)]
pub(super) struct Collections {
    /// Print JSON, one collection a line
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct List {
    collection: String,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = look::limit)]
    limit: usize,
    /// Print JSON, one record a line
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct One {
    collection: String,
    id: String,
    /// Print JSON on one line
    #[arg(long)]
    json: bool,
}

/// How records lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// JSON lines: `{"id":…,"body":{…}}`
    Json,
    /// A line of names, one of them `id`, then a line a record
    Csv,
}

impl Records {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        match self {
            Self::Collections(it) => it.run(places),
            Self::List(it) => it.run(places),
            Self::Get(it) => it.run(places),
            Self::History(it) => it.run(places),
            Self::Set(it) => it.run(places),
            Self::Remove(it) => it.run(places),
            Self::Import(it) => it.run(places),
            Self::Export(it) => it.run(places),
        }
    }
}

impl Collections {
    fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let rows = look::open(places)?.list_collections()?;
        let mut out = Out::open();
        let mut table = Table::new(&["collection", "records"]).right(&[1]);
        for it in &rows {
            if self.json {
                out.json(it)?;
            } else {
                table.row([Cell::new(word(&it.collection)), Cell::new(it.records)]);
            }
        }
        if !self.json {
            table.print(&mut out)?;
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let reader = look::open(places)?;
        let mut out = Out::open();
        let now = now();
        let mut table = Table::new(&["id", "version", "changed", "body"]).right(&[1]);
        let mut count = 0;
        must_be_known(places, &reader, &self.collection)?;
        each_record(&reader, &self.collection, self.limit, |it| {
            count += 1;
            if self.json {
                return out.json(&it);
            }
            table.row([
                Cell::new(word(&it.id)),
                Cell::new(it.version),
                Cell::new(when(it.updated_at, now)),
                Cell::new(excerpt(body_of(&it))),
            ]);
            Ok(())
        })?;
        if !self.json {
            table.print(&mut out)?;
        }
        out.finish()?;
        if !self.json && count == self.limit {
            remark(&format!("the first {count}; there may be more: --limit"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A collection of which there is nothing may be mistyped.
fn must_be_known(places: &Places, reader: &Reader, collection: &str) -> anyhow::Result<()> {
    if reader.list_records(collection, None, 1)?.is_empty() {
        Known::of(places, reader)?.collection(collection)?;
    }
    Ok(())
}

/// Goes through a collection in short queries: however slow the output is, no query stays open.
fn each_record(
    reader: &Reader,
    collection: &str,
    limit: usize,
    mut see: impl FnMut(RecordRow) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    const RECORDS_AT_ONCE: usize = 200;
    let mut after: Option<String> = None;
    let mut lacking = limit;
    while lacking > 0 {
        let wanted = lacking.min(RECORDS_AT_ONCE);
        let rows = reader.list_records(collection, after.as_deref(), wanted)?;
        let Some(last) = rows.last() else { break };
        after = Some(last.id.clone());
        lacking -= rows.len();
        let is_end = rows.len() < wanted;
        for it in rows {
            see(it)?;
        }
        if is_end {
            break;
        }
    }
    Ok(())
}

fn body_of(row: &RecordRow) -> &str {
    row.body.as_ref().map_or("", |it| it.get())
}

impl One {
    fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let reader = look::open(places)?;
        let row = found(places, &reader, &self.collection, &self.id)?;
        ensure!(
            row.body.is_some(),
            "record `{}` of `{}` was removed at {}; `hookyard records history` tells by what",
            word(&self.id),
            self.collection,
            when(row.updated_at, now())
        );
        let mut out = Out::open();
        if self.json {
            out.json(&row)?;
        } else {
            out.line(format_args!(
                "{BOLD}{}/{}{BOLD:#}  {DIM}version {}, changed {}{DIM:#}",
                word(&row.collection),
                word(&row.id),
                row.version,
                when(row.updated_at, now())
            ))?;
            out.line(clean(&pretty(body_of(&row))))?;
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn found(
    places: &Places,
    reader: &Reader,
    collection: &str,
    id: &str,
) -> anyhow::Result<RecordRow> {
    if let Some(it) = reader.record_row(collection, id)? {
        return Ok(it);
    }
    must_be_known(places, reader, collection)?;
    bail!(
        "there is no record `{}` in `{}`; `hookyard records list {1}` shows what there is",
        word(id),
        word(collection)
    )
}
