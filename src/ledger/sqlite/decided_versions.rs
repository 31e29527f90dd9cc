//! What is decided about script versions, read.

use super::super::version_decision::{CanaryOutcome, CanaryRun, Score, VersionDecisions};
use super::decide_versions::{IN_FORCE, STUCK};
use super::read::Reader;
use crate::run::RunId;
use rusqlite::{OptionalExtension, params};
use std::collections::HashMap;
use std::hash::Hash;

impl Reader {
    /// All that is decided about versions.
    pub fn version_decisions(&self) -> rusqlite::Result<VersionDecisions> {
        let of_meta = |prefix: &str| {
            format!(
                "SELECT substr(key, {}), value FROM meta WHERE substr(key, 1, {}) = '{prefix}'",
                prefix.len() + 1,
                prefix.len()
            )
        };
        Ok(VersionDecisions {
            in_force: self.map(&of_meta(IN_FORCE), |row| Ok((row.get(0)?, row.get(1)?)))?,
            pins: self.map("SELECT handler, version FROM pins", |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?,
            canaries: self.map("SELECT handler, version FROM canaries", |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?,
            rolled_back: self.map(
                "SELECT handler, version, coalesce(why, '') FROM handler_versions WHERE rolled_back_at IS NOT NULL",
                |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)),
            )?,
            stuck: self.map(&of_meta(STUCK), |row| {
                let runs: String = row.get(1)?;
                Ok((row.get(0)?, serde_json::from_str(&runs).unwrap_or_default()))
            })?,
        })
    }

    /// Whether the ledger has noted that the handler has this version.
    pub fn knows_version(&self, handler: &str, version: &str) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM handler_versions WHERE handler = ?1 AND version = ?2")?
            .exists([handler, version])
    }

    /// The handler of an open run, and whether runs of it are noted as stuck.
    pub fn handler_of(&self, run: RunId) -> rusqlite::Result<Option<(String, bool)>> {
        self.connection
            .prepare_cached(
                "SELECT handler, EXISTS (SELECT 1 FROM meta WHERE key = ?2 || handler) FROM runs_open WHERE id = ?1",
            )?
            .query_row(params![run.0, STUCK], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    }

    /// The versions of a handler whose hash begins so.
    pub fn versions_like(&self, handler: &str, start: &str) -> rusqlite::Result<Vec<String>> {
        self.connection
            .prepare_cached(
                "SELECT version FROM handler_versions WHERE handler = ?1 AND substr(version, 1, length(?2)) = ?2",
            )?
            .query_map([handler, start], |row| row.get(0))?
            .collect()
    }

    /// How the version does that is tried.
    pub fn canary_score(&self, handler: &str) -> rusqlite::Result<Score> {
        let count = |outcome: CanaryOutcome| {
            self.connection
                .prepare_cached(
                    "SELECT count(*) FROM canary_runs WHERE handler = ?1 AND outcome = ?2",
                )?
                .query_row([handler, outcome.as_str()], |row| row.get(0))
        };
        Ok(Score {
            done: count(CanaryOutcome::Done)?,
            failed: count(CanaryOutcome::Guilty)?,
            doubtful: count(CanaryOutcome::Doubtful)?,
        })
    }

    /// What a run has been through that a canary of this version would take.
    pub fn canary_run(
        &self,
        handler: &str,
        version: &str,
        run: RunId,
    ) -> rusqlite::Result<CanaryRun> {
        let outcome: Option<String> = self
            .connection
            .prepare_cached("SELECT outcome FROM canary_runs WHERE handler = ?1 AND run = ?2")?
            .query_row(params![handler, run.0], |row| row.get(0))
            .optional()?;
        if let Some(it) = outcome {
            return Ok(match CanaryOutcome::parse(&it) {
                Some(CanaryOutcome::Failed) => CanaryRun::FailedThere { at_service: false },
                Some(CanaryOutcome::Ill) => CanaryRun::FailedThere { at_service: true },
                Some(
                    CanaryOutcome::Done
                    | CanaryOutcome::Guilty
                    | CanaryOutcome::Excused
                    | CanaryOutcome::Doubtful,
                )
                | None => CanaryRun::NotIts,
            });
        }
        let last: Option<String> = self
            .connection
            .prepare_cached(
                // An attempt that a kill ended has no report, but its calls stand in the journal.
                "SELECT version FROM (
                   SELECT version, started_at AS at, number FROM attempts WHERE run = ?1
                   UNION ALL SELECT version, intended_at, number FROM journal WHERE run = ?1)
                 ORDER BY at DESC, number DESC LIMIT 1",
            )?
            .query_row([run.0], |row| row.get(0))
            .optional()?;
        Ok(match last {
            Some(it) if it != version => CanaryRun::NotIts,
            Some(_) | None => CanaryRun::Its,
        })
    }

    fn map<K: Eq + Hash, V>(
        &self,
        sql: &str,
        entry: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<(K, V)>,
    ) -> rusqlite::Result<HashMap<K, V>> {
        self.connection
            .prepare_cached(sql)?
            .query_map([], entry)?
            .collect()
    }
}
