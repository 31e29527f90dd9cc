//! Script versions of handlers, as they are decided about: pins, canaries, what is in force.

use super::super::Ordered;
use super::super::stuck::Stuck;
use super::super::version_decision::{CanaryOutcome, VersionDecision};
use super::writer::{Applying, Tables};
use crate::clock::UnixMillis;
use crate::run::RunId;
use rusqlite::{Connection, OptionalExtension, params};

/// What the keys of `meta` begin with that name the versions in force.
pub(super) const IN_FORCE: &str = "last_good_version/";
/// What those begin with that name the runs of a handler that got stuck.
pub(super) const STUCK: &str = "stuck/";

pub(super) fn decide_versions(tables: &Tables, decisions: &[VersionDecision]) -> Applying<Ordered> {
    for it in decisions {
        step(&tables.connection, it)?;
    }
    Ok(Ordered::Done {
        affected: decisions.len(),
    })
}

fn step(connection: &Connection, decision: &VersionDecision) -> rusqlite::Result<()> {
    match decision {
        VersionDecision::Keep {
            version,
            script,
            sources,
            at,
        } => run(
            connection,
            "INSERT OR IGNORE INTO script_versions (hash, script, sources, stored_at) VALUES (?1, ?2, ?3, ?4)",
            params![version, script, sources, at.0],
        ),
        VersionDecision::Saved {
            handler,
            version,
            at,
        } => saved(connection, handler, version, *at),
        VersionDecision::InForce {
            handler,
            version,
            at,
        } => in_force(connection, handler, version, *at),
        VersionDecision::Pin {
            handler,
            version: Some(version),
            at,
        } => run(
            connection,
            "INSERT OR REPLACE INTO pins (handler, version, pinned_at) VALUES (?1, ?2, ?3)",
            params![handler, version, at.0],
        ),
        VersionDecision::Pin {
            handler,
            version: None,
            ..
        } => run(connection, "DELETE FROM pins WHERE handler = ?1", [handler]),
        VersionDecision::BeginCanary {
            handler,
            version,
            at,
        } => {
            end_canary(connection, handler, *at)?;
            saved(connection, handler, version, *at)?;
            run(
                connection,
                "INSERT INTO canaries (handler, version, began_at) VALUES (?1, ?2, ?3)",
                params![handler, version, at.0],
            )
        }
        VersionDecision::EndCanary {
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
            end_canary(connection, handler, *at)
        }
        VersionDecision::Tried {
            handler,
            version,
            run,
            outcome,
        } => tried(connection, handler, version, *run, *outcome),
        VersionDecision::Stuck {
            handler,
            version,
            run,
        } => note_stuck(connection, handler, version, *run),
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

fn end_canary(connection: &Connection, handler: &str, at: UnixMillis) -> rusqlite::Result<()> {
    // Until now runs ran on it: as long as their events are kept, it is.
    run(
        connection,
        "UPDATE handler_versions SET last_at = ?2
         WHERE handler = ?1 AND version = (SELECT version FROM canaries WHERE handler = ?1)",
        params![handler, at.0],
    )?;
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
    if matches!(outcome, CanaryOutcome::Failed | CanaryOutcome::Ill) {
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

fn note_stuck(
    connection: &Connection,
    handler: &str,
    version: &str,
    id: RunId,
) -> rusqlite::Result<()> {
    let key = format!("{STUCK}{handler}");
    let known: Option<String> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([&key], |row| row.get(0))
        .optional()?;
    let known = known.and_then(|it| serde_json::from_str(&it).ok());
    let mut stuck: Stuck = known.unwrap_or_default();
    stuck.note(id, version);
    // Numbers and a text are always JSON.
    let value = serde_json::to_string(&stuck).unwrap_or_default();
    run(
        connection,
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
        params![key, value],
    )
}

/// An operator lets the handler of this run go on, which he has tried again, if it is held because its script got stuck.
pub(super) fn forget_stuck(connection: &Connection, id: RunId) -> rusqlite::Result<bool> {
    let forgotten = connection
        .prepare_cached(
            "DELETE FROM meta WHERE key = (SELECT ?2 || handler FROM runs_open
               WHERE id = ?1 AND state IN ('dead', 'waiting', 'held'))",
        )?
        .execute(params![id.0, STUCK])?;
    Ok(forgotten > 0)
}

fn run(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(values).map(drop)
}
