//! Records, and how they came to be what they are.

use super::super::read::Reader;
use super::{first_since, json};
use crate::clock::UnixMillis;
use crate::run::RunId;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::value::RawValue;

/// How far from where its time says a run's change is looked for: `at` is taken before the commit, and clocks are set.
const CHANGES_AROUND: i64 = 100_000;

/// A row of `records`; one that was removed has no body.
#[derive(Clone, Debug, Serialize)]
pub struct RecordRow {
    pub collection: String,
    pub id: String,
    pub version: i64,
    pub body: Option<Box<RawValue>>,
    pub updated_at: UnixMillis,
}

/// A row of `record_changes`.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeRow {
    pub id: i64,
    /// Nothing: by hand.
    pub run: Option<RunId>,
    pub collection: String,
    pub record_id: String,
    pub version: i64,
    /// The fields that changed, as they were; nothing when the record was made.
    pub before: Option<Box<RawValue>>,
    /// The fields that changed, as they are now; nothing when the record was removed.
    pub after: Option<Box<RawValue>>,
    pub at: UnixMillis,
    pub previous: Option<i64>,
}

/// A collection, and how many records it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CollectionRow {
    pub collection: String,
    pub records: i64,
}

impl Reader {
    /// Records of a collection by id, from the one after `after`; removed ones are left out.
    pub fn list_records(
        &self,
        collection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> rusqlite::Result<Vec<RecordRow>> {
        self.connection
            .prepare_cached(
                "SELECT collection, id, version, body, updated_at FROM records
                 WHERE collection = ?1 AND id > coalesce(?2, '') AND body IS NOT NULL ORDER BY id LIMIT ?3",
            )?
            .query_map(params![collection, after, i64::try_from(limit).unwrap_or(i64::MAX)], record_row)?
            .collect()
    }

    /// A record as it stands; a removed one has no body.
    pub fn record_row(&self, collection: &str, id: &str) -> rusqlite::Result<Option<RecordRow>> {
        self.connection
            .prepare_cached(
                "SELECT collection, id, version, body, updated_at FROM records WHERE collection = ?1 AND id = ?2",
            )?
            .query_row([collection, id], record_row)
            .optional()
    }

    /// The collections that have records.
    pub fn list_collections(&self) -> rusqlite::Result<Vec<CollectionRow>> {
        self.connection
            .prepare_cached(
                "SELECT collection, count(*) FROM records WHERE body IS NOT NULL GROUP BY collection ORDER BY 1",
            )?
            .query_map([], |row| Ok(CollectionRow { collection: row.get(0)?, records: row.get(1)? }))?
            .collect()
    }

    /// The collections that have or had records.
    pub fn collections_ever(&self) -> rusqlite::Result<Vec<String>> {
        // Leaps from one to the next: the records between them are not looked at.
        self.connection
            .prepare_cached(
                "WITH RECURSIVE found(name) AS (
                   SELECT min(collection) FROM records
                   UNION ALL SELECT (SELECT min(collection) FROM records WHERE collection > name) FROM found
                   WHERE name IS NOT NULL)
                 SELECT name FROM found WHERE name IS NOT NULL",
            )?
            .query_map([], |row| row.get(0))?
            .collect()
    }

    /// A record's changes, the newest first.
    pub fn record_history(
        &self,
        collection: &str,
        id: &str,
        limit: usize,
    ) -> rusqlite::Result<Vec<ChangeRow>> {
        let mut next: Option<i64> = self
            .connection
            .prepare_cached("SELECT last_change FROM records WHERE collection = ?1 AND id = ?2")?
            .query_row([collection, id], |row| row.get(0))
            .optional()?;
        let mut query = self.connection.prepare_cached(
            "SELECT id, run, collection, record_id, version, before, after, at, previous FROM record_changes
             WHERE id = ?1",
        )?;
        let mut changes = Vec::new();
        while let Some(change) = next
            && changes.len() < limit
        {
            // The oldest may be past their retention.
            let Some(row) = query.query_row([change], change_row).optional()? else {
                break;
            };
            next = row.previous.filter(|it| *it < row.id);
            changes.push(row);
        }
        Ok(changes)
    }

    /// What a run changed when it finished at this time.
    ///
    /// An index by run would cost a page or more a commit, for a question that people ask now and then. Changes are
    /// numbered in the order of commits, so the time says where they are.
    pub fn changes_of_run(
        &self,
        run: RunId,
        finished_at: UnixMillis,
    ) -> rusqlite::Result<Vec<ChangeRow>> {
        let range: (Option<i64>, Option<i64>) = self
            .connection
            .prepare_cached(
                "SELECT (SELECT min(id) FROM record_changes), (SELECT max(id) FROM record_changes)",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some((oldest, newest)) = range.0.zip(range.1) else {
            return Ok(Vec::new());
        };
        let place = first_since(oldest, newest, finished_at, |id| {
            self.connection
                .prepare_cached("SELECT at FROM record_changes WHERE id >= ?1 ORDER BY id LIMIT 1")?
                .query_row([id], |row| row.get(0).map(UnixMillis))
                .optional()
        })?;
        self.connection
            .prepare_cached(
                "SELECT id, run, collection, record_id, version, before, after, at, previous FROM record_changes
                 WHERE id BETWEEN ?2 AND ?3 AND run = ?1 ORDER BY id",
            )?
            .query_map([run.0, place - CHANGES_AROUND, place + CHANGES_AROUND], change_row)?
            .collect()
    }
}

fn record_row(row: &Row<'_>) -> rusqlite::Result<RecordRow> {
    Ok(RecordRow {
        collection: row.get(0)?,
        id: row.get(1)?,
        version: row.get(2)?,
        body: json(row.get(3)?),
        updated_at: UnixMillis(row.get(4)?),
    })
}

fn change_row(row: &Row<'_>) -> rusqlite::Result<ChangeRow> {
    Ok(ChangeRow {
        id: row.get(0)?,
        run: row.get::<_, Option<i64>>(1)?.map(RunId),
        collection: row.get(2)?,
        record_id: row.get(3)?,
        version: row.get(4)?,
        before: json(row.get(5)?),
        after: json(row.get(6)?),
        at: UnixMillis(row.get(7)?),
        previous: row.get(8)?,
    })
}
