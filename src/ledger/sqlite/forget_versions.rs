//! Script versions that nobody needs any more are forgotten, a bite at a time. Those stay that are in force, pinned or
//! tried, the newest of each handler, and for a time those that were in use; whoever asks keeps those in memory and those
//! of open runs.

use super::super::Ordered;
use super::decide_versions::IN_FORCE;
use super::read::Reader;
use super::writer::{Applying, Tables};
use crate::clock::UnixMillis;
use crate::run::RunId;
use rusqlite::params;
use std::collections::HashSet;

/// The newest versions of a handler that are kept, however old they are.
pub const NEWEST_KEPT: usize = 20;
/// The most versions that one bite forgets.
pub const VERSIONS_PER_BITE: usize = 20;
/// Versions that one look finds; the next one finds more.
const FOUND_MAX: usize = 10_000;

/// A version of a handler, by the handler's name and the version's hash.
pub type VersionOf = (String, String);

/// Of `handler_versions AS it`: last in use before ?1, and nothing is decided about it.
const IS_OVER: &str = "max(saved_at, coalesce(first_at, 0), coalesce(last_at, 0), coalesce(rolled_back_at, 0)) < ?1
    AND NOT EXISTS (SELECT 1 FROM meta WHERE key = ?2 || it.handler AND value = it.version)
    AND NOT EXISTS (SELECT 1 FROM pins WHERE pins.handler = it.handler AND pins.version = it.version)
    AND NOT EXISTS (SELECT 1 FROM canaries WHERE canaries.handler = it.handler AND canaries.version = it.version)";

/// Forgets those of these versions about which nothing is decided meanwhile.
pub(super) fn forget_versions(
    tables: &Tables,
    versions: &[VersionOf],
    before: UnixMillis,
) -> Applying<Ordered> {
    let mut affected = 0;
    for (handler, version) in versions {
        affected += tables
            .connection
            .prepare_cached(&format!(
                "DELETE FROM handler_versions AS it WHERE {IS_OVER} AND handler = ?3 AND version = ?4"
            ))?
            .execute(params![before.0, IN_FORCE, handler, version])?;
        tables
            .connection
            .prepare_cached(
                "DELETE FROM script_versions WHERE hash = ?1
                   AND NOT EXISTS (SELECT 1 FROM handler_versions WHERE version = ?1)",
            )?
            .execute([version])?;
    }
    Ok(Ordered::Done { affected })
}

impl Reader {
    /// Versions that were last in use before this time, beyond the newest of each handler.
    pub fn versions_that_are_over(&self, before: UnixMillis) -> rusqlite::Result<Vec<VersionOf>> {
        self.connection
            .prepare_cached(&format!(
                "SELECT handler, version FROM (
                   SELECT *, row_number() OVER (PARTITION BY handler ORDER BY saved_at DESC, version) AS place
                   FROM handler_versions) AS it
                 WHERE place > ?3 AND {IS_OVER} ORDER BY saved_at LIMIT ?4"
            ))?
            .query_map(
                params![
                    before.0,
                    IN_FORCE,
                    NEWEST_KEPT as i64,
                    FOUND_MAX as i64
                ],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .collect()
    }

    /// Adds the versions that the next open runs have run on; gives the last of these runs, none after all of them.
    pub fn versions_of_open_runs(
        &self,
        after: RunId,
        limit: i64,
        versions: &mut HashSet<String>,
    ) -> rusqlite::Result<Option<RunId>> {
        const RUNS: &str = "SELECT id FROM runs_open WHERE id > ?1 ORDER BY id LIMIT ?2";
        let values = [after.0, limit];
        let mut on = self.connection.prepare_cached(&format!(
            "SELECT version FROM attempts WHERE run IN ({RUNS})
             UNION SELECT version FROM journal WHERE run IN ({RUNS})"
        ))?;
        for it in on.query_map(values, |row| row.get(0))? {
            versions.insert(it?);
        }
        let last: Option<i64> = self
            .connection
            .prepare_cached(&format!("SELECT max(id) FROM ({RUNS})"))?
            .query_row(values, |row| row.get(0))?;
        Ok(last.map(RunId))
    }
}
