//! `hookyard sql`

use super::out::{Out, first_line};
use super::table::Table;
use super::{Places, look, remark};
use crate::ledger::sqlite::sql::{SqlAnswer, SqlValue};
use anyhow::{Context, ensure};
use clap::Args;
use comfy_table::Cell;
use serde_json::{Map, Value};
use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

/// The most bytes of a query.
const QUERY_SIZE_BYTES_MAX: u64 = 1024 * 1024;
/// Rows of a table, unless --limit says otherwise.
const TABLE_ROWS_MAX: usize = 1000;

/// The tables are: events, runs_open, runs_done, attempts, journal, records, record_changes, script_versions.
/// Times are Unix milliseconds. body(dictionary, size_bytes, body) gives the text of a row of events.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Sql {
    /// The query; without it, it is read from standard input
    query: Option<String>,
    /// At most so many rows; 1000 for a table, all with --json
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// How long the query may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Print JSON, one row a line
    #[arg(long)]
    json: bool,
}

impl Sql {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let mut reader = look::open_bounded(places, self.timeout)?;
        reader.allow_sql()?;
        let query = match &self.query {
            Some(it) => it.clone(),
            None => from_input()?,
        };
        ensure!(
            !query.trim().is_empty(),
            "the query is empty; write for example `SELECT count(*) FROM events`"
        );
        let rows_max = self.limit.unwrap_or(if self.json {
            usize::MAX
        } else {
            TABLE_ROWS_MAX
        });
        let answer = reader.sql(&query, rows_max, self.timeout)?;
        // From here on the ledger is not needed: whoever reads our output may take his time.
        drop(reader);
        let mut out = Out::open();
        if self.json {
            for row in &answer.rows {
                out.json(&document(&answer.columns, row))?;
            }
        } else {
            table(&answer).print(&mut out)?;
        }
        out.finish()?;
        if answer.has_more {
            remark(&format!(
                "the first {rows_max} rows; there are more: --limit"
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn from_input() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(QUERY_SIZE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .context("the query cannot be read from standard input")?;
    ensure!(
        text.len() as u64 <= QUERY_SIZE_BYTES_MAX,
        "the query has more than {QUERY_SIZE_BYTES_MAX} bytes"
    );
    Ok(text)
}

fn table(answer: &SqlAnswer) -> Table {
    let header: Vec<&str> = answer.columns.iter().map(String::as_str).collect();
    let is_number = |at: &usize| {
        let mut values = answer.rows.iter().map(|row| &row[*at]);
        values.all(|it| {
            matches!(
                it,
                SqlValue::Integer(_) | SqlValue::Real(_) | SqlValue::Null
            )
        })
    };
    let right: Vec<usize> = (0..header.len()).filter(is_number).collect();
    let mut table = Table::new(&header).right(&right);
    for row in &answer.rows {
        table.row(row.iter().map(|it| Cell::new(cell(it))));
    }
    table
}

fn cell(value: &SqlValue) -> String {
    match value {
        SqlValue::Null => String::new(),
        SqlValue::Integer(it) => it.to_string(),
        SqlValue::Real(it) => it.to_string(),
        SqlValue::Text(it) => first_line(it),
        SqlValue::Blob(it) => format!("({} bytes)", it.len()),
    }
}

fn document(columns: &[String], row: &[SqlValue]) -> Map<String, Value> {
    columns.iter().cloned().zip(row.iter().map(json)).collect()
}

/// Bytes become hexadecimal text; JSON knows none.
fn json(value: &SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(it) => (*it).into(),
        SqlValue::Real(it) => (*it).into(),
        SqlValue::Text(it) => it.as_str().into(),
        SqlValue::Blob(it) => hex::encode(it).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_document_with_the_names_of_the_columns() {
        let columns = ["n", "x", "t", "b", "z"].map(str::to_owned);
        let row = [
            SqlValue::Integer(i64::MAX),
            SqlValue::Real(0.5),
            SqlValue::Text("a\nb".into()),
            SqlValue::Blob(vec![1, 255]),
            SqlValue::Null,
        ];
        let text = serde_json::to_string(&document(&columns, &row)).unwrap();
        assert_eq!(
            text,
            r#"{"n":9223372036854775807,"x":0.5,"t":"a\nb","b":"01ff","z":null}"#
        );
    }

    #[test]
    fn a_cell_is_one_line() {
        assert_eq!(cell(&SqlValue::Text("a\nb".into())), "a …");
        assert_eq!(cell(&SqlValue::Blob(vec![0; 3])), "(3 bytes)");
    }
}
