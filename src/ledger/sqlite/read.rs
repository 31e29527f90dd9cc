//! Looking into the ledger: connections of their own, which never write.

mod bounded;
mod runs;

use self::bounded::Bounded;
use super::super::compress::Dictionary;
use super::super::folder::Folder;
use super::seen::{LOW_BITS, MERGED_THROUGH, PROBES_MAX, low_bits};
use super::{OpenError, migrate};
use crate::clock::UnixMillis;
use crate::event::{Envelope, Event};
use crate::record::{Record, RecordKey};
use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use runs::{BlockedByDead, WaitingForService};

/// Why something could not be read.
pub use rusqlite::Error as ReadError;

/// A connection that reads. One a thread.
pub struct Reader {
    pub(super) connection: Bounded,
    dictionaries: HashMap<i64, Dictionary>,
    /// When the view of the ledger that is held was taken, if one is.
    view_since: Option<Instant>,
}

/// How long a reader of the host may take: a long one keeps the log from starting anew.
const QUERY_TIME_MAX: Duration = Duration::from_secs(5);

/// How long one view may serve turn after turn, for the same reason.
const VIEW_AGE_MAX: Duration = Duration::from_millis(50);

impl Reader {
    /// Opens the ledger of a folder for reading.
    pub fn open(folder: &Folder) -> Result<Self, OpenError> {
        Self::open_bounded(folder, QUERY_TIME_MAX)
    }

    /// Opens the ledger for reading; every query ends after `query_time_max`.
    pub fn open_bounded(folder: &Folder, query_time_max: Duration) -> Result<Self, OpenError> {
        let path = folder.database();
        let at = |cause| OpenError::Sqlite {
            path: path.display().to_string(),
            cause,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(at)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection
            .busy_timeout(Duration::from_secs(5))
            .map_err(at)?;
        migrate::refuse_other(&connection, &path)?;
        Ok(Self {
            connection: Bounded::new(connection, query_time_max).map_err(at)?,
            dictionaries: HashMap::new(),
            view_since: None,
        })
    }

    /// Looks at the ledger as it was at this moment or later, and goes on looking at the same view until it is too old
    /// for a later call of this, or for the log. What is read of a view is cached; each new one begins with nothing.
    pub fn see_since(&mut self, moment: Instant) -> rusqlite::Result<()> {
        let serves = |it: Instant| moment <= it && it.elapsed() < VIEW_AGE_MAX;
        if self.view_since.is_some_and(serves) {
            return Ok(());
        }
        self.let_go()?;
        // The view is taken with the first thing that is read: not before now.
        let now = Instant::now();
        self.connection.execute_batch("BEGIN")?;
        self.view_since = Some(now);
        Ok(())
    }

    /// The rows of a query, each value as text.
    #[cfg(test)]
    pub(crate) fn texts(&self, sql: &str) -> Vec<Vec<String>> {
        use rusqlite::types::ValueRef;
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let count = statement.column_count();
        let text = |it: ValueRef<'_>| match it {
            ValueRef::Null => String::new(),
            ValueRef::Integer(it) => it.to_string(),
            ValueRef::Real(it) => it.to_string(),
            ValueRef::Text(it) | ValueRef::Blob(it) => String::from_utf8_lossy(it).into_owned(),
        };
        let rows = statement.query_map([], |row| {
            (0..count).map(|at| row.get_ref(at).map(text)).collect()
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Holds no view any more: one that is held keeps the log from beginning anew.
    pub fn let_go(&mut self) -> rusqlite::Result<()> {
        if self.view_since.take().is_some() {
            self.connection.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    /// The event with this number.
    pub fn event(&mut self, seq: i64) -> rusqlite::Result<Option<Event>> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT id, scope, endpoint, type, created_at, received_at, livemode, account, context, api_version,
                   object_id, secret_number, unreadable, size_bytes, dictionary, body FROM events WHERE seq = ?1",
            )?
            .query_row([seq], |row| {
                let event = Event {
                    envelope: Envelope {
                        id: row.get(0)?,
                        kind: row.get(3)?,
                        created: UnixMillis(row.get(4)?),
                        livemode: row.get(6)?,
                        account: row.get(7)?,
                        context: row.get(8)?,
                        api_version: row.get(9)?,
                        object_id: row.get(10)?,
                        unreadable: row.get(12)?,
                    },
                    scope: text(row, 1)?,
                    endpoint: text(row, 2)?,
                    received_at: UnixMillis(row.get(5)?),
                    secret_number: row.get(11)?,
                    body: Bytes::new(),
                };
                Ok((event, row.get::<_, i64>(13)?, row.get::<_, i64>(14)?, row.get::<_, Vec<u8>>(15)?))
            })
            .optional()?;
        let Some((mut event, size_bytes, dictionary, packed)) = found else {
            return Ok(None);
        };
        event.body = self.unpack(dictionary, &packed, size_bytes)?;
        Ok(Some(event))
    }

    /// The numbers of the events with this id, one a scope.
    ///
    /// An index over ids would cost a cold page an event. The dedupe table is small, and its keys hold a hash of the id.
    pub fn event_seqs(&self, id: &str) -> rusqlite::Result<Vec<i64>> {
        let low = low_bits(id);
        self.connection
            .prepare_cached(
                "SELECT seq FROM events WHERE id = ?1 AND seq IN
                   (SELECT event_seq FROM seen WHERE (key & ?2) BETWEEN ?3 AND ?4)
                 UNION SELECT seq FROM events WHERE id = ?1 AND seq >
                   (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = ?5)
                 ORDER BY seq",
            )?
            .query_map(
                params![id, LOW_BITS, low, low + PROBES_MAX, MERGED_THROUGH],
                |row| row.get(0),
            )?
            .collect()
    }

    /// A record as it stands; a removed one has no body.
    pub fn record(&self, collection: &str, id: &str) -> rusqlite::Result<Option<Record>> {
        self.connection
            .prepare_cached(
                "SELECT collection, id, version, body, updated_at, newest_event_at FROM records
                 WHERE collection = ?1 AND id = ?2",
            )?
            .query_row([collection, id], record)
            .optional()
    }

    /// Records whose top-level fields have these values (JSON text), by id; nothing when they have more bytes together.
    pub fn find_records(
        &self,
        collection: &str,
        fields: &[(String, String)],
        limit: i64,
        size_bytes_max: usize,
    ) -> rusqlite::Result<Option<Vec<Record>>> {
        let mut sql = String::from(
            "SELECT collection, id, version, body, updated_at, newest_event_at FROM records
             WHERE collection = ?1 AND body IS NOT NULL",
        );
        let mut values: Vec<String> = vec![collection.to_owned()];
        for (field, value) in fields {
            // `->` gives JSON text, so that "1" and 1 stay apart; both sides go through SQLite's own writer.
            sql.push_str(&format!(
                " AND body -> ?{} = json(?{})",
                values.len() + 1,
                values.len() + 2
            ));
            values.push(format!("$.{}", serde_json::Value::from(field.as_str())));
            values.push(value.clone());
        }
        sql.push_str(&format!(" ORDER BY id LIMIT {limit}"));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut found = Vec::new();
        let mut size_bytes = 0;
        for it in statement.query_map(rusqlite::params_from_iter(values), record)? {
            let it = it?;
            size_bytes += it.body.as_ref().map_or(0, String::len);
            if size_bytes_max < size_bytes {
                return Ok(None);
            }
            found.push(it);
        }
        Ok(Some(found))
    }

    /// A stored script version: its path, and the JSON of its sources.
    pub fn script_version(&self, hash: &str) -> rusqlite::Result<Option<(String, String)>> {
        self.connection
            .prepare_cached("SELECT script, sources FROM script_versions WHERE hash = ?1")?
            .query_row([hash], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    }

    /// A value of `meta`.
    pub fn meta(&self, key: &str) -> rusqlite::Result<Option<String>> {
        self.connection
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()
    }

    fn unpack(
        &mut self,
        dictionary: i64,
        packed: &[u8],
        size_bytes: i64,
    ) -> rusqlite::Result<Bytes> {
        if !self.dictionaries.contains_key(&dictionary) {
            let bytes = self.connection.query_row(
                "SELECT bytes FROM dictionaries WHERE id = ?1",
                [dictionary],
                |row| row.get(0),
            )?;
            self.dictionaries
                .insert(dictionary, Dictionary::new(dictionary, bytes));
        }
        self.dictionaries[&dictionary]
            .unpack(packed, usize::try_from(size_bytes).unwrap_or(0))
            .map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(
                    packed.len(),
                    rusqlite::types::Type::Blob,
                    Box::new(error),
                )
            })
    }
}

pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        key: RecordKey {
            collection: row.get(0)?,
            id: row.get(1)?,
        },
        version: row.get(2)?,
        body: row.get(3)?,
        updated_at: UnixMillis(row.get(4)?),
        newest_event_at: row.get::<_, Option<i64>>(5)?.map(UnixMillis),
    })
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<str>> {
    row.get::<_, String>(column).map(Arc::from)
}
