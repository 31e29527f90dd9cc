//! `hookyard records export`

use super::cells::to_cell;
use super::{Format, body_of, each_record, must_be_known};
use crate::cli::out::{Out, word};
use crate::cli::{Places, look};
use crate::ledger::sqlite::read::Reader;
use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::process::ExitCode;

/// JSON lines are what `records list --json` prints, and `records import` takes them. CSV has a column for every field
/// that some record has; what is not text stands there as JSON, and a text that a spreadsheet would take for a formula
/// has a `'` in front, which import takes off.
#[derive(Args)]
pub(in crate::cli) struct Export {
    collection: String,
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
}

impl Export {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let reader = look::open(places)?;
        must_be_known(places, &reader, &self.collection)?;
        let mut out = Out::open();
        match self.format {
            Format::Json => each_record(&reader, &self.collection, usize::MAX, |it| out.json(&it))?,
            Format::Csv => self.csv(&reader, &mut out)?,
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }

    /// Goes through the records twice: the first line needs to know the fields of all.
    fn csv(&self, reader: &Reader, out: &mut Out) -> anyhow::Result<()> {
        let mut names = BTreeSet::new();
        each_record(reader, &self.collection, usize::MAX, |it| {
            names.extend(fields(body_of(&it))?.into_iter().map(|(name, _)| name));
            Ok(())
        })?;
        // The record's own id stands in this column.
        names.remove("id");
        let head = std::iter::once("id").chain(names.iter().map(String::as_str));
        out.bytes(&line(head.map(to_cell))?)?;
        each_record(reader, &self.collection, usize::MAX, |it| {
            let fields = fields(body_of(&it))?;
            ensure!(
                fields
                    .keys()
                    .all(|name| name == "id" || names.contains(name)),
                "record `{}` was given a field while the records were printed; begin again",
                word(&it.id)
            );
            let cells = names
                .iter()
                .map(|name| fields.get(name).map(cell).unwrap_or_default());
            out.bytes(&line(std::iter::once(to_cell(&it.id)).chain(cells))?)
        })
    }
}

fn fields(body: &str) -> anyhow::Result<Map<String, Value>> {
    serde_json::from_str(body).context("a record's body cannot be read")
}

fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(it) => to_cell(it),
        Value::Null => Cow::Borrowed(""),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string().into()
        }
    }
}

fn line<'a>(cells: impl IntoIterator<Item = Cow<'a, str>>) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for it in cells {
        writer.write_field(it.as_bytes())?;
    }
    writer.write_record(None::<&[u8]>)?;
    Ok(writer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_or_json() {
        let text = |json: &str| cell(&serde_json::from_str(json).unwrap()).into_owned();
        assert_eq!(text("\"a\""), "a");
        assert_eq!(text("\"=a\""), "'=a");
        assert_eq!(text("12"), "12");
        assert_eq!(text("-1.5e-7"), "-1.5e-7");
        assert_eq!(text("{\"a\":[true]}"), "{\"a\":[true]}");
        assert_eq!(text("null"), "");
    }

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        assert_eq!(
            line(["a,b", "c\"d", "e"].map(Cow::Borrowed)).unwrap(),
            b"\"a,b\",\"c\"\"d\",e\n"
        );
    }
}
