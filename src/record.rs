//! A record: a JSON document with an id, in a collection.

use crate::clock::UnixMillis;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// The most bytes that a record's JSON text may have.
pub const RECORD_SIZE_BYTES_MAX: usize = 256 * 1024;
/// The most bytes that a collection's name or a record's id may have.
pub const RECORD_NAME_BYTES_MAX: usize = 255;

/// Why a text cannot be the body of the record with this id, if it cannot.
pub fn no_body(text: &str, id: &str) -> Option<String> {
    let error = match serde_json::from_str::<Map<String, Value>>(text) {
        // Scripts see a record's own id there: another one could never be read again.
        Ok(fields) => {
            fields.get("id").filter(|it| it.as_str() != Some(id))?;
            return Some(
                "its field `id` is not the id of the record; take it out, or keep it under another name".into(),
            );
        }
        Err(error) => error,
    };
    // The same, without looking at how large its numbers are.
    let is_object = serde_json::from_str::<HashMap<String, IgnoredAny>>(text).is_ok();
    Some(if is_object {
        format!("it holds a number that no script could read: {error}")
    } else {
        format!("it is no JSON object: {error}")
    })
}

/// Which record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    pub collection: String,
    pub id: String,
}

/// A collection that a handler was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    pub name: Arc<str>,
    pub access: Access,
}

/// What may be done with the records of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// Read and change.
    Write,
}

/// A name alone grants everything.
impl From<&str> for Granted {
    fn from(name: &str) -> Self {
        Self {
            name: name.into(),
            access: Access::Write,
        }
    }
}

/// A record as it stands in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub key: RecordKey,
    /// Counts the changes of this id, removals too, from 1; 0 is a record that never was.
    pub version: i64,
    /// JSON text of an object; `None` once the record was removed.
    pub body: Option<String>,
    pub updated_at: UnixMillis,
    /// `event.created` of the newest event that `update_if_newer` applied.
    pub newest_event_at: Option<UnixMillis>,
}

/// What an attempt wants to become of one record, all its changes of that record together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: RecordKey,
    /// The version that the script had read; the commit is refused when it is no longer that one.
    pub base_version: i64,
    /// JSON text as the script found it; `None` when there was no record.
    pub before: Option<String>,
    /// JSON text of the object to be; `None` removes the record.
    pub after: Option<String>,
    pub newest_event_at: Option<UnixMillis>,
}

/// A record that an attempt looked at, and which version it saw (0: there was none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub key: RecordKey,
    pub version: i64,
}

/// A change, and what the record's history keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedChange {
    pub change: Change,
    /// JSON of the top-level fields that changed, as they were; `None` when the record is new.
    pub from: Option<String>,
    /// JSON of the top-level fields that changed, as they are; `None` when the record is removed.
    pub to: Option<String>,
}

impl From<Change> for RecordedChange {
    fn from(change: Change) -> Self {
        let (from, to) = difference(change.before.as_deref(), change.after.as_deref());
        Self { change, from, to }
    }
}

/// The top-level fields in which two documents differ, as each of them has it.
fn difference(before: Option<&str>, after: Option<&str>) -> (Option<String>, Option<String>) {
    let (Some(old), Some(new)) = (before, after) else {
        return (before.map(str::to_owned), after.map(str::to_owned));
    };
    let parse = |text: &str| serde_json::from_str::<Map<String, Value>>(text);
    let (Ok(mut old), Ok(mut new)) = (parse(old), parse(new)) else {
        return (Some(old.to_owned()), Some(new.to_owned()));
    };
    old.retain(|key, value| match new.get(key) {
        Some(it) if it == value => {
            new.shift_remove(key);
            false
        }
        Some(_) | None => true,
    });
    (
        Some(Value::Object(old).to_string()),
        Some(Value::Object(new).to_string()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: Option<&str>, after: Option<&str>, expected: (Option<&str>, Option<&str>)) {
        let (old, new) = difference(before, after);
        assert_eq!((old.as_deref(), new.as_deref()), expected);
    }

    #[test]
    fn history_keeps_only_the_fields_that_changed() {
        check(
            Some(r#"{"a":1,"b":2,"gone":3}"#),
            Some(r#"{"a":1,"b":5,"new":{"x":1}}"#),
            (
                Some(r#"{"b":2,"gone":3}"#),
                Some(r#"{"b":5,"new":{"x":1}}"#),
            ),
        );
        check(None, Some(r#"{"a":1}"#), (None, Some(r#"{"a":1}"#)));
        check(Some(r#"{"a":1}"#), None, (Some(r#"{"a":1}"#), None));
    }
}
