//! `hookyard records import`: everything is looked at before the first record is written.

use super::Format;
use super::by_hand::{done, object};
use crate::cli::Places;
use crate::cli::operate::Operations;
use crate::cli::out::{Out, word};
use crate::config::no_collection;
use crate::control::{Command, RecordByHand};
use crate::record::{RECORD_NAME_BYTES_MAX, RECORD_SIZE_BYTES_MAX};
use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
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
/// file the column `id` names the record and every other column becomes a text field; an empty cell makes no field.
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

/// What may stand in a line; a misspelt `boddy` must not pass in silence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    collection: Option<String>,
    id: String,
    #[serde(borrow)]
    body: &'a RawValue,
    #[serde(rename = "version")]
    _version: Option<i64>,
    #[serde(rename = "updated_at")]
    _updated_at: Option<i64>,
}

fn from_json(collection: &str, text: &str) -> Result<Vec<RecordByHand>, String> {
    let mut records = Collected::new(collection);
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let it: Line<'_> = serde_json::from_str(line).map_err(|error| {
            // Each line is parsed alone: the place that the error knows is one in the line.
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            format!(
                "line {number}, column {}: {what}; a line is {{\"id\":…,\"body\":{{…}}}}",
                error.column()
            )
        })?;
        if let Some(other) = it.collection.filter(|it| it != collection) {
            return Err(format!(
                "line {number}: it is a record of `{other}`, not of `{collection}`"
            ));
        }
        let body = object(it.body.get()).map_err(|why| {
            format!(
                "line {number}: the body of `{}` cannot be taken: {why}",
                word(&it.id)
            )
        })?;
        records.add(number, it.id, body)?;
    }
    Ok(records.records)
}

fn from_csv(collection: &str, text: &str) -> Result<Vec<RecordByHand>, String> {
    if let Some(line) = open_quote(text) {
        return Err(format!(
            "line {line}: a `\"` opens a cell there and none closes it; within such a cell write `\"\"` for a `\"`"
        ));
    }
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| why(&error))?.clone();
    if let [it] = header.iter().collect::<Vec<_>>()[..]
        && it.contains(';')
    {
        return Err("line 1: the cells are divided by `;`; save it as CSV with `,`".into());
    }
    if let Some(at) = header.iter().position(str::is_empty) {
        return Err(format!(
            "line 1: column {} has no name; name it, or take the column out",
            at + 1
        ));
    }
    let Some(id_at) = header.iter().position(|it| it == "id") else {
        return Err("line 1: no column is named `id`; it says which record a line is".into());
    };
    let mut names: Vec<&str> = header.iter().collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|it| it[0] == it[1]) {
        return Err(format!("line 1: two columns are named `{}`", twice[0]));
    }
    let mut records = Collected::new(collection);
    for row in reader.records() {
        let row = row.map_err(|error| why(&error))?;
        let number = row.position().map_or(0, csv::Position::line);
        let fields: Map<String, Value> = header
            .iter()
            .zip(row.iter())
            .enumerate()
            .filter(|(at, (_, value))| *at != id_at && !value.is_empty())
            .map(|(_, (name, value))| (name.to_owned(), value.into()))
            .collect();
        records.add(
            number,
            row[id_at].to_owned(),
            Value::Object(fields).to_string(),
        )?;
    }
    Ok(records.records)
}

/// The line of a quote that opens a cell and is never closed: all that follows would be one cell.
fn open_quote(text: &str) -> Option<u64> {
    let mut opened = None;
    let mut is_cell_start = true;
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(it) = chars.next() {
        line += u64::from(it == '\n');
        match (it, opened) {
            ('"', Some(_)) if chars.peek() == Some(&'"') => {
                chars.next();
            }
            ('"', Some(_)) => opened = None,
            ('"', None) if is_cell_start => opened = Some(line),
            _ => {}
        }
        is_cell_start = opened.is_none() && matches!(it, ',' | '\n' | '\r');
    }
    opened
}

fn why(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => format!(
            "line {}: it has {len} cells, the first line names {expected_len}",
            pos.as_ref().map_or(0, csv::Position::line)
        ),
        _ => error.to_string(),
    }
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
mod tests {
    use super::*;

    type Parsed = Result<Vec<RecordByHand>, String>;

    #[track_caller]
    fn check(parsed: Parsed, expected: Result<&[(&str, &str)], &str>) {
        let found: Result<Vec<(String, String)>, String> = parsed.map(|all| {
            all.into_iter()
                .map(|it| (it.id, it.body.unwrap_or_default()))
                .collect()
        });
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<(&str, &str)> = found
                    .iter()
                    .map(|(a, b)| (a.as_str(), b.as_str()))
                    .collect();
                assert_eq!(found, expected);
            }
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn json_lines_are_taken_as_they_are_written_and_as_we_print_them() {
        let ours = "{\"collection\":\"c\",\"id\":\"b\",\"version\":3,\"body\":{\"x\":1.10},\"updated_at\":5}";
        check(
            from_json("c", &format!("{{\"id\":\"a\",\"body\":{{}}}}\n\n{ours}\n")),
            Ok(&[("a", "{}"), ("b", "{\"x\":1.10}")]),
        );
    }

    #[test]
    fn a_mistake_in_json_names_its_line() {
        let good = "{\"id\":\"a\",\"body\":{}}\n";
        check(
            from_json("c", &format!("{good}{{\"id\":\"b\",\"boddy\":{{}}}}")),
            Err("line 2, column"),
        );
        check(
            from_json("c", &format!("{good}{{\"id\":\"b\",\"body\":[]}}")),
            Err("line 2: the body of `b`"),
        );
        check(
            from_json("c", &format!("{good}{good}")),
            Err("line 2: record `a` stands on line 1"),
        );
        check(
            from_json("d", "{\"collection\":\"c\",\"id\":\"a\",\"body\":{}}"),
            Err("a record of `c`, not of `d`"),
        );
        check(
            from_json("c", "{\"id\":\"\",\"body\":{}}"),
            Err("line 1: an id has 1 to"),
        );
    }

    #[test]
    fn csv_columns_become_text_fields_and_empty_cells_none() {
        check(
            from_csv(
                "c",
                "name,id,note\r\nZoë,cus_1,\"a, \"\"b\"\"\"\r\nMax,cus_2,\r\n",
            ),
            Ok(&[
                ("cus_1", r#"{"name":"Zoë","note":"a, \"b\""}"#),
                ("cus_2", r#"{"name":"Max"}"#),
            ]),
        );
    }

    #[test]
    fn a_mistake_in_csv_names_its_line() {
        check(
            from_csv("c", "name,email\na,b\n"),
            Err("line 1: no column is named `id`"),
        );
        check(
            from_csv("c", "id,a,a\n1,2,3\n"),
            Err("line 1: two columns are named `a`"),
        );
        check(
            from_csv("c", "id,a\n1,2\n3\n"),
            Err("line 3: it has 1 cells, the first line names 2"),
        );
        check(
            from_csv("c", "id,a\n1,\"x\ny\"\n1,2\n"),
            Err("line 4: record `1` stands on line 2"),
        );
    }

    #[test]
    fn a_command_carries_a_bounded_number_of_records_and_bytes() {
        let record = |size: usize| RecordByHand {
            collection: "c".into(),
            id: "i".into(),
            body: Some("x".repeat(size)),
        };
        let lengths = |records: Vec<RecordByHand>| -> Vec<usize> {
            batches(records).iter().map(Vec::len).collect()
        };
        assert_eq!(lengths(vec![record(10); 1_001]), [500, 500, 1]);
        assert_eq!(lengths(vec![record(BYTES_AT_ONCE / 2); 3]), [1, 1, 1]);
        assert_eq!(lengths(vec![record(BYTES_AT_ONCE / 2 - 2); 3]), [2, 1]);
    }

    #[test]
    fn a_table_that_is_read_otherwise_than_it_was_meant_is_refused() {
        check(
            from_csv("c", "id,a\nx,\"open\ny,2\n"),
            Err("line 2: a `\"` opens a cell"),
        );
        check(from_csv("c", "id,\nx,1\n"), Err("column 2 has no name"));
        check(from_csv("c", "id;a\nx;1\n"), Err("divided by `;`"));
        check(
            from_csv("c", "id,a\nx,\"say \"\"hi\"\"\"\ny,5\" disk\n"),
            Ok(&[("x", r#"{"a":"say \"hi\""}"#), ("y", r#"{"a":"5\" disk"}"#)]),
        );
    }
}
