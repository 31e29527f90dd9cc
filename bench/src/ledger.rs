//! How far the host is, read from its ledger by a read-only connection.

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) struct LedgerView {
    connection: Connection,
}

impl LedgerView {
    /// `data` is the data folder.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let path = data.join("ledger.db");
        let connection = Connection::open_with_flags(&path, flags)
            .with_context(|| path.display().to_string())?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(Self { connection })
    }

    /// Runs that are not finished. The table is small.
    pub(crate) fn open_runs(&self) -> Result<u64> {
        self.number("SELECT count(*) FROM runs_open")
    }

    /// Runs that are finished. Reads a whole index: not for use while measuring.
    pub(crate) fn done_runs(&self) -> Result<u64> {
        self.number("SELECT count(*) FROM runs_done")
    }

    /// Failed attempts, and finished or dead runs that did not end well.
    pub(crate) fn failures(&self) -> Result<(u64, u64)> {
        let attempts = self.number("SELECT count(*) FROM attempts WHERE outcome = 'failed'")?;
        let dead = self.number(
            "SELECT (SELECT count(*) FROM runs_open WHERE state = 'dead')
               + (SELECT count(*) FROM runs_done WHERE state <> 'done')",
        )?;
        Ok((attempts, dead))
    }

    /// Runs that were put off until their service is well.
    pub(crate) fn put_off_runs(&self) -> Result<u64> {
        self.number(
            "SELECT count(*) FROM runs_open WHERE waits_for IS NOT NULL AND state = 'waiting'",
        )
    }

    /// Changes with each commit of another connection, and costs next to nothing.
    pub(crate) fn data_version(&self) -> Result<u64> {
        self.number("PRAGMA data_version")
    }

    /// Everything that was created, as text: two ledgers of one schema say the same.
    pub(crate) fn schema(&self) -> Result<String> {
        let sql = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// A record's JSON text.
    pub(crate) fn record(&self, collection: &str, id: &str) -> Result<Option<String>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT body FROM records WHERE collection = ?1 AND id = ?2")?;
        let body: Option<Option<String>> = statement
            .query_row(params![collection, id], |row| row.get(0))
            .optional()?;
        Ok(body.flatten())
    }

    /// Whether a record's id begins so.
    pub(crate) fn has_record(&self, collection: &str, id_prefix: &str) -> Result<bool> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM records WHERE collection = ?1 AND id >= ?2 AND id < ?3)";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(
            params![collection, id_prefix, format!("{id_prefix}~")],
            |row| row.get(0),
        )?)
    }

    pub(crate) fn count_records(&self, collection: &str, id_prefix: &str) -> Result<u64> {
        let sql = "SELECT count(*) FROM records WHERE collection = ?1 AND id >= ?2 AND id < ?3";
        let end = format!("{id_prefix}~");
        let count: i64 =
            self.connection
                .query_row(sql, params![collection, id_prefix, end], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// Waits until no run is open.
    pub(crate) fn wait_until_idle(&self, bound: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let open = self.open_runs()?;
            if open == 0 {
                return Ok(());
            }
            ensure!(
                start.elapsed() < bound,
                "{open} runs are still open after {bound:?}"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn number(&self, sql: &str) -> Result<u64> {
        let mut statement = self
            .connection
            .prepare_cached(sql)
            .context(sql.to_owned())?;
        let it: i64 = statement.query_row([], |row| row.get(0))?;
        Ok(it.cast_unsigned())
    }
}
