//! A record: a JSON document with an id, in a collection.

use crate::clock::UnixMillis;

/// The most bytes that a record's JSON text may have.
pub const RECORD_SIZE_BYTES_MAX: usize = 256 * 1024;
/// The most bytes that a collection's name or a record's id may have.
pub const RECORD_NAME_BYTES_MAX: usize = 255;

/// Which record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    pub collection: String,
    pub id: String,
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
