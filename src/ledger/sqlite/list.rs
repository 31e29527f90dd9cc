//! Lists for people and their tools: rows with the names that the tables give their columns, newest first.
//!
//! A list may have to look at every row of a large ledger. It does so in bites, each a short query of its own: a long
//! query would keep the log from starting anew.

mod events;
mod records;
mod runs;
mod versions;

pub use events::{EventFilter, EventRow};
pub use records::{ChangeRow, CollectionRow, RecordRow};
pub use runs::{AttemptRow, CallRow, DecisionRow, RunFilter, RunRow};
pub use versions::{HANDLERS_IN_FORCE, VersionRow, VersionState};

use super::read::Reader;
use crate::clock::UnixMillis;
use crate::config::Pattern;
use rusqlite::OptionalExtension;
use serde_json::value::RawValue;

/// How many events one bite of a search looks at.
const EVENTS_PER_BITE: i64 = 20_000;

impl Reader {
    /// The numbers of the oldest and the newest event, when there are events.
    fn event_range(&self) -> rusqlite::Result<Option<(i64, i64)>> {
        self.connection
            .prepare_cached("SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)")?
            .query_row([], |row| {
                let range: (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
                Ok(range.0.zip(range.1))
            })
    }

    /// The numbers to search, the newest bite first: those of the events that came since a time.
    fn bites(&self, since: Option<UnixMillis>) -> rusqlite::Result<Vec<(i64, i64)>> {
        let Some((oldest, newest)) = self.event_range()? else {
            return Ok(Vec::new());
        };
        let first = match since {
            Some(at) => first_since(oldest, newest, at, |seq| self.received_at(seq))?,
            None => oldest,
        };
        Ok(bites(first, newest))
    }

    /// When the first event from this number on was received.
    fn received_at(&self, seq: i64) -> rusqlite::Result<Option<UnixMillis>> {
        self.connection
            .prepare_cached("SELECT received_at FROM events WHERE seq >= ?1 ORDER BY seq LIMIT 1")?
            .query_row([seq], |row| row.get(0).map(UnixMillis))
            .optional()
    }
}

fn bites(first: i64, last: i64) -> Vec<(i64, i64)> {
    let mut bites = Vec::new();
    let mut end = last;
    while end >= first {
        let start = first.max(end - EVENTS_PER_BITE + 1);
        bites.push((start, end));
        end = start - 1;
    }
    bites
}

/// The first number whose time is not before `at`, for times that rise with numbers; one past `last` when there is none.
fn first_since(
    mut low: i64,
    last: i64,
    at: UnixMillis,
    time_of: impl Fn(i64) -> rusqlite::Result<Option<UnixMillis>>,
) -> rusqlite::Result<i64> {
    let mut high = last + 1;
    while low < high {
        let middle = low + (high - low) / 2;
        match time_of(middle)? {
            Some(time) if time < at => low = middle + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

/// A pattern as the queries take it: the whole type, or what it begins with.
fn as_parameters(pattern: Option<&Pattern>) -> (Option<&str>, Option<&str>) {
    match pattern {
        None | Some(Pattern::All) => (None, None),
        Some(Pattern::Exact(kind)) => (Some(kind), None),
        Some(Pattern::Prefix(start)) => (None, Some(start)),
    }
}

/// JSON text of a column as JSON, on one line; as a text when it is no JSON.
fn json(text: Option<String>) -> Option<Box<RawValue>> {
    // A line break in JSON text stands between its parts and never in a string.
    let text = text?.replace(['\n', '\r'], " ");
    match RawValue::from_string(text.clone()) {
        Ok(it) => Some(it),
        Err(_) => serde_json::value::to_raw_value(&text).ok(),
    }
}

#[cfg(test)]
mod tests;
