//! `hookyard records import`: everything is looked at before the first record is written.

mod lines;
mod table;

use self::lines::from_json;
use self::table::from_csv;
use super::Format;
use super::by_hand::done;
use crate::cli::Places;
use crate::cli::operate::Operations;
use crate::cli::out::{Out, word};
use crate::config::no_collection;
use crate::control::{Command, RecordByHand};
use crate::record::{RECORD_NAME_BYTES_MAX, RECORD_SIZE_BYTES_MAX};
use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::process::ExitCode;

/// The most bytes of a file: it is held in memory until all of it is looked at.
const FILE_SIZE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// What one command carries. As JSON within JSON it can double, and a command has at most 8 MiB.
const BYTES_AT_ONCE: usize = 2 * 1024 * 1024;
const RECORDS_AT_ONCE: usize = 500;

/// A line of a JSON file is `{"id":…,"body":{…}}`, or what `records list --json` and `records export` print. In a CSV
/// file the column `id` names the record and every other column becomes a text field; an empty cell makes no field, and
/// the `'` that an export puts in front of what looks like a formula is taken off.
#[derive(Args)]
pub(in crate::cli) struct Import {
    collection: String,
    /// The file, or `-` for standard input
    file: String,
    /// By default what the file's name says, else JSON
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl Import {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        if let Some(why) = no_collection(&self.collection) {
            bail!("{why}; nothing was imported");
        }
        let text = read(&self.file)?;
        let format = self
            .format
            .unwrap_or(match self.file.to_lowercase().ends_with(".csv") {
                true => Format::Csv,
                false => Format::Json,
            });
        let records = match format {
            Format::Json => from_json(&self.collection, &text),
            Format::Csv => from_csv(&self.collection, &text),
        };
        let records =
            records.map_err(|why| anyhow!("{}: {why}; nothing was imported", name(&self.file)))?;
        let mut operations = Operations::new(places)?;
        let mut written = 0;
        for records in batches(records) {
            let reply = operations.carry_out(&Command::SetRecords { records })?;
            written += match done(reply) {
                Err(why) if written > 0 => {
                    return Err(why.context(format!("{written} records were imported before")));
                }
                it => it?,
            };
        }
        let mut out = Out::open();
        out.line(format_args!(
            "{written} records imported into `{}`",
            self.collection
        ))?;
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The file, for a message.
fn name(file: &str) -> &str {
    if file == "-" { "standard input" } else { file }
}

fn read(file: &str) -> anyhow::Result<String> {
    let source: Box<dyn Read> = match file {
        "-" => Box::new(std::io::stdin()),
        path => Box::new(File::open(path).with_context(|| format!("cannot open `{path}`"))?),
    };
    let mut bytes = Vec::new();
    source
        .take(FILE_SIZE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", name(file)))?;
    ensure!(
        bytes.len() as u64 <= FILE_SIZE_BYTES_MAX,
        "{} has more than {FILE_SIZE_BYTES_MAX} bytes; import it in parts",
        name(file)
    );
    let Ok(text) = String::from_utf8(bytes) else {
        bail!("{} is not UTF-8; save it as UTF-8", name(file))
    };
    // Spreadsheets put a mark before the text.
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

/// Records that are good, and where each was found.
struct Collected<'a> {
    collection: &'a str,
    records: Vec<RecordByHand>,
    lines: HashMap<String, u64>,
}

impl<'a> Collected<'a> {
    fn new(collection: &'a str) -> Self {
        Self {
            collection,
            records: Vec::new(),
            lines: HashMap::new(),
        }
    }

    fn add(&mut self, line: u64, id: String, body: String) -> Result<(), String> {
        if id.is_empty() || id.len() > RECORD_NAME_BYTES_MAX {
            return Err(format!(
                "line {line}: an id has 1 to {RECORD_NAME_BYTES_MAX} bytes, this has {}",
                id.len()
            ));
        }
        if body.len() > RECORD_SIZE_BYTES_MAX {
            return Err(format!(
                "line {line}: a body has at most {RECORD_SIZE_BYTES_MAX} bytes, this has {}",
                body.len()
            ));
        }
        if let Some(before) = self.lines.insert(id.clone(), line) {
            return Err(format!(
                "line {line}: record `{}` stands on line {before} already",
                word(&id)
            ));
        }
        self.records.push(RecordByHand {
            collection: self.collection.into(),
            id,
            body: Some(body),
        });
        Ok(())
    }
}

/// Cuts records into what one command carries.
fn batches(records: Vec<RecordByHand>) -> Vec<Vec<RecordByHand>> {
    let mut batches: Vec<Vec<RecordByHand>> = Vec::new();
    let mut bytes = 0;
    for it in records {
        let more = it.body.as_ref().map_or(0, String::len) + it.id.len() + it.collection.len();
        bytes += more;
        match batches.last_mut() {
            Some(last) if last.len() < RECORDS_AT_ONCE && bytes <= BYTES_AT_ONCE => last.push(it),
            Some(_) | None => {
                bytes = more;
                batches.push(vec![it]);
            }
        }
    }
    batches
}
#[cfg(test)]
mod tests;
