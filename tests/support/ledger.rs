//! The ledger seen from outside, read only, as a BI tool would.

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// An open read-only connection. Drop it before the host starts again: after an unclean end the host wants the file alone.
pub struct LedgerView {
    connection: Connection,
}

impl LedgerView {
    /// `data` is the data folder. `None` while there is no ledger in it yet.
    pub fn open(data: &Path) -> Option<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(data.join("ledger.db"), flags).ok()?;
        connection
            .busy_timeout(Duration::from_secs(5))
            .expect("any time is fine");
        Some(Self { connection })
    }

    /// Goes on seeing the ledger as it is now, until dropped: no checkpoint gets past it meanwhile.
    pub fn hold_view(&self) {
        self.connection
            .execute_batch("BEGIN")
            .expect("no transaction is open");
        self.open_runs();
    }

    /// A query for one number.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        self.connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap_or_else(|it| panic!("{sql}: {it}"))
    }

    /// A query for one column of text.
    #[track_caller]
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let mut statement = self
            .connection
            .prepare(sql)
            .unwrap_or_else(|it| panic!("{sql}: {it}"));
        let rows = statement
            .query_map([], |row| row.get(0))
            .unwrap_or_else(|it| panic!("{sql}: {it}"));
        rows.map(|it| it.unwrap_or_else(|it| panic!("{sql}: {it}")))
            .collect()
    }

    /// The record's JSON; `None` when there is none or it was removed.
    pub fn record(&self, collection: &str, id: &str) -> Option<Value> {
        let sql = "SELECT body FROM records WHERE collection = ?1 AND id = ?2";
        let body: Option<Option<String>> = self
            .connection
            .query_row(sql, params![collection, id], |row| row.get(0))
            .optional()
            .unwrap_or_else(|it| panic!("{sql}: {it}"));
        body.flatten()
            .map(|it| serde_json::from_str(&it).expect("a record's body is JSON"))
    }

    /// Runs that are not finished: the small table.
    pub fn open_runs(&self) -> i64 {
        self.number("SELECT count(*) FROM runs_open")
    }

    pub fn done_runs(&self) -> i64 {
        self.number("SELECT count(*) FROM runs_done")
    }

    pub fn events(&self) -> i64 {
        self.number("SELECT count(*) FROM events")
    }

    /// SQLite's own look at the whole file: `ok`, or what is wrong.
    pub fn integrity(&self) -> String {
        self.texts("PRAGMA integrity_check").join("\n")
    }
}
