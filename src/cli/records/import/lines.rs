//! Records from a file with one JSON object a line.

use super::super::by_hand::object;
use super::Collected;
use crate::cli::out::word;
use crate::control::RecordByHand;
use serde::Deserialize;
use serde_json::value::RawValue;

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

pub(super) fn from_json(collection: &str, text: &str) -> Result<Vec<RecordByHand>, String> {
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
        let body = object(it.body.get(), &it.id).map_err(|why| {
            format!(
                "line {number}: the body of `{}` cannot be taken: {why}",
                word(&it.id)
            )
        })?;
        records.add(number, it.id, body)?;
    }
    Ok(records.records)
}
