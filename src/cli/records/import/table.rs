//! Records from a CSV file.

use super::Collected;
use crate::cli::records::cells::from_cell;
use crate::control::RecordByHand;
use serde_json::{Map, Value};

pub(super) fn from_csv(collection: &str, text: &str) -> Result<Vec<RecordByHand>, String> {
    if let Some(line) = open_quote(text) {
        return Err(format!(
            "line {line}: a `\"` opens a cell there and none closes it; within such a cell write `\"\"` for a `\"`"
        ));
    }
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| why(&error))?.clone();
    let header: Vec<&str> = header.iter().map(from_cell).collect();
    if let [it] = header[..]
        && it.contains(';')
    {
        return Err("line 1: the cells are divided by `;`; save it as CSV with `,`".into());
    }
    if let Some(at) = header.iter().position(|it| it.is_empty()) {
        return Err(format!(
            "line 1: column {} has no name; name it, or take the column out",
            at + 1
        ));
    }
    let Some(id_at) = header.iter().position(|it| *it == "id") else {
        return Err("line 1: no column is named `id`; it says which record a line is".into());
    };
    let mut names = header.clone();
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
            .map(|(_, (name, value))| ((*name).to_owned(), from_cell(value).into()))
            .collect();
        records.add(
            number,
            from_cell(&row[id_at]).to_owned(),
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
