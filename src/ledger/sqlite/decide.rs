//! Script versions of handlers, as they are decided about: pins, canaries, what is in force.

use super::super::Ordered;
use super::super::decision::{CanaryOutcome, CanaryRun, Decision, Decisions, Score};
use super::read::Reader;
use super::writer::{Applying, Tables};
use crate::clock::UnixMillis;
use crate::run::RunId;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::hash::Hash;

/// What the keys of `meta` begin with that name the versions in force.
const IN_FORCE: &str = "last_good_version/";

pub(super) fn decide(tables: &Tables, decisions: &[Decision]) -> Applying<Ordered> {
    for it in decisions {
        step(&tables.connection, it)?;
    }
    Ok(Ordered::Done {
        affected: decisions.len(),
    })
}

fn step(connection: &Connection, decision: &Decision) -> rusqlite::Result<()> {
    match decision {
        Decision::Keep {
            version,
            script,
            sources,
            at,
        } => run(
            connection,
            "INSERT OR IGNORE INTO script_versions (hash, script, sources, stored_at) VALUES (?1, ?2, ?3, ?4)",
            params![version, script, sources, at.0],
        ),
        Decision::Saved {
            handler,
            version,
            at,
        } => saved(connection, handler, version, *at),
        Decision::InForce {
            handler,
            version,
            at,
        } => in_force(connection, handler, version, *at),
        Decision::Pin {
            handler,
            version: Some(version),
            at,
        } => run(
            connection,
            "INSERT OR REPLACE INTO pins (handler, version, pinned_at) VALUES (?1, ?2, ?3)",
            params![handler, version, at.0],
        ),
        Decision::Pin {
            handler,
            version: None,
            ..
        } => run(connection, "DELETE FROM pins WHERE handler = ?1", [handler]),
        Decision::BeginCanary {
            handler,
            version,
            at,
        } => {
            end_canary(connection, handler)?;
            saved(connection, handler, version, *at)?;
            run(
                connection,
                "INSERT INTO canaries (handler, version, began_at) VALUES (?1, ?2, ?3)",
                params![handler, version, at.0],
            )
        }
        Decision::EndCanary {
            handler,
            rolled_back,
            at,
        } => {
            if let Some(why) = rolled_back {
                run(
                    connection,
                    "UPDATE handler_versions SET rolled_back_at = ?2, why = ?3 WHERE handler = ?1
                       AND version = (SELECT version FROM canaries WHERE handler = ?1)",
                    params![handler, at.0, why],
                )?;
            }
            end_canary(connection, handler)
        }
        Decision::Tried {
            handler,
            version,
            run,
            outcome,
        } => tried(connection, handler, version, *run, *outcome),
    }
}

fn saved(
    connection: &Connection,
    handler: &str,
    version: &str,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    run(
        connection,
        "INSERT OR IGNORE INTO handler_versions (handler, version, saved_at) VALUES (?1, ?2, ?3)",
        params![handler, version, at.0],
    )
}

fn in_force(
    connection: &Connection,
    handler: &str,
    version: &str,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    let key = format!("{IN_FORCE}{handler}");
    saved(connection, handler, version, at)?;
    run(
        connection,
        "UPDATE handler_versions SET last_at = ?3 WHERE handler = ?1 AND version <> ?4
           AND version = (SELECT value FROM meta WHERE key = ?2)",
        params![handler, key, at.0, version],
    )?;
    run(
        connection,
        "UPDATE handler_versions SET first_at = coalesce(first_at, ?3), rolled_back_at = NULL, why = NULL
         WHERE handler = ?1 AND version = ?2",
        params![handler, version, at.0],
    )?;
    run(
        connection,
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
        params![key, version],
    )
}

fn end_canary(connection: &Connection, handler: &str) -> rusqlite::Result<()> {
    run(
        connection,
        "DELETE FROM canary_runs WHERE handler = ?1",
        [handler],
    )?;
    run(
        connection,
        "DELETE FROM canaries WHERE handler = ?1",
        [handler],
    )
}

fn tried(
    connection: &Connection,
    handler: &str,
    version: &str,
    id: RunId,
    outcome: CanaryOutcome,
) -> rusqlite::Result<()> {
    let is_tried = connection
        .prepare_cached("SELECT 1 FROM canaries WHERE handler = ?1 AND version = ?2")?
        .exists([handler, version])?;
    if outcome == CanaryOutcome::Failed {
        // The attempt was not the run's fault: it does not count against its retries.
        run(
            connection,
            "UPDATE runs_open SET forgiven = forgiven + 1 WHERE id = ?1
               AND NOT EXISTS (SELECT 1 FROM canary_runs WHERE handler = ?2 AND run = ?1)",
            params![id.0, handler],
        )?;
    }
    if !is_tried {
        return Ok(());
    }
    run(
        connection,
        "INSERT OR REPLACE INTO canary_runs (handler, run, outcome) VALUES (?1, ?2, ?3)",
        params![handler, id.0, outcome.as_str()],
    )
}

fn run(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

impl Reader {
    /// All that is decided about versions.
    pub fn decisions(&self) -> rusqlite::Result<Decisions> {
        let in_force = format!(
            "SELECT substr(key, {}), value FROM meta WHERE substr(key, 1, {}) = '{IN_FORCE}'",
            IN_FORCE.len() + 1,
            IN_FORCE.len()
        );
        Ok(Decisions {
            in_force: self.map(&in_force, |row| Ok((row.get(0)?, row.get(1)?)))?,
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
        })
    }

    /// Whether the ledger has noted that the handler has this version.
    pub fn knows_version(&self, handler: &str, version: &str) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM handler_versions WHERE handler = ?1 AND version = ?2")?
            .exists([handler, version])
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
                Some(CanaryOutcome::Failed) => CanaryRun::FailedThere,
                Some(CanaryOutcome::Done | CanaryOutcome::Guilty | CanaryOutcome::Excused)
                | None => CanaryRun::NotIts,
            });
        }
        let last: Option<String> = self
            .connection
            .prepare_cached(
                "SELECT version FROM attempts WHERE run = ?1 ORDER BY started_at DESC, number DESC LIMIT 1",
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
