//! The end of an attempt: record changes, the run's state and the attempt's report, all or nothing.

use super::super::Applied;
use super::super::decision::Needs;
use super::super::request::{AttemptReport, Claim, Commit, Postpone};
use super::decide::end_decisions;
use super::writer::{Applying, Tables};
use crate::clock::UnixMillis;
use crate::record::{Read, RecordKey, RecordedChange};
use crate::run::{RunId, State};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// Finishes a run, unless a record that it read has changed or the run is no longer the caller's.
pub(super) fn commit(tables: &mut Tables, it: &Commit) -> Applying<Applied> {
    let Some(mut last_changes) = current(&tables.connection, &it.reads)? else {
        return Ok(if is_held_by(&tables.connection, it.claim)? {
            Applied::Stale
        } else {
            Applied::Fenced
        });
    };
    let taken = tables
        .connection
        .prepare_cached(
            "DELETE FROM runs_open WHERE id = ?1 AND epoch = ?2 AND state IN ('ready', 'waiting')",
        )?
        .execute([it.claim.id.0, it.claim.epoch])?;
    if taken == 0 {
        return Ok(Applied::Fenced);
    }
    for change in &it.changes {
        let last_change = last_changes.remove(&change.change.key);
        apply_change(tables, Some(it.claim.id), change, last_change, it.at)?;
    }
    tables
        .connection
        .prepare_cached(
            "INSERT INTO runs_done (id, handler, state, attempts, replay, finished_at, version, why)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            it.claim.id.0,
            it.handler,
            it.state.as_str(),
            it.attempt.number,
            it.replay,
            it.at.0,
            it.attempt.version,
            it.why,
        ])?;
    report(&tables.connection, it.claim.id, &it.attempt)?;
    Ok(Applied::Done)
}

/// Keeps a run open in another state. The new epoch fences whoever still knows it as it was: in a lane that it has left.
pub(super) fn postpone(tables: &mut Tables, it: &Postpone) -> Applying<Applied> {
    let taken = tables
        .connection
        .prepare_cached(
            "UPDATE runs_open SET state = ?3, due_at = ?4, why = ?5, attempts = ?6, waits_for = ?7, needs = ?8,
               needs_call = ?9,
               epoch = epoch + 1
             WHERE id = ?1 AND epoch = ?2 AND state IN ('ready', 'waiting')",
        )?
        .execute(params![
            it.claim.id.0,
            it.claim.epoch,
            it.state.as_str(),
            it.due_at.map(|at| at.0),
            it.why,
            it.attempts,
            it.waits_for,
            it.needs.map(Needs::as_str),
            it.needs.and_then(Needs::call),
        ])?;
    if taken == 0 {
        return Ok(Applied::Fenced);
    }
    if it.state == State::Dead {
        let ended_at = it.attempt.as_ref().map(|it| it.started_at.0 + it.took_ms);
        end_decisions(
            &tables.connection,
            it.claim.id,
            UnixMillis(ended_at.unwrap_or(0)),
        )?;
    }
    if let Some(attempt) = &it.attempt {
        report(&tables.connection, it.claim.id, attempt)?;
    }
    Ok(Applied::Done)
}

/// The last change of each record that was read, if there was any; `None` when one no longer has the version that was
/// read.
pub(super) fn current<'a>(
    connection: &Connection,
    reads: &'a [Read],
) -> rusqlite::Result<Option<HashMap<&'a RecordKey, i64>>> {
    let mut last_changes = HashMap::with_capacity(reads.len());
    for read in reads {
        let found = standing(connection, &read.key)?;
        if found.map_or(0, |(version, _)| version) != read.version {
            return Ok(None);
        }
        if let Some((_, change)) = found {
            last_changes.insert(&read.key, change);
        }
    }
    Ok(Some(last_changes))
}

/// Whether the run is still open and the caller's.
pub(super) fn is_held_by(connection: &Connection, claim: Claim) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM runs_open WHERE id = ?1 AND epoch = ?2 AND state IN ('ready', 'waiting')")?
        .exists([claim.id.0, claim.epoch])
}

/// A record's version, and its newest row of `record_changes`.
fn standing(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<(i64, i64)>> {
    connection
        .prepare_cached(
            "SELECT version, last_change FROM records WHERE collection = ?1 AND id = ?2",
        )?
        .query_row([&key.collection, &key.id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
}

/// Writes a record and its entry in the history. Looks for the record's last change when that is not known.
pub(super) fn apply_change(
    tables: &mut Tables,
    run: Option<RunId>,
    recorded: &RecordedChange,
    last_change: Option<i64>,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    let RecordedChange { change, from, to } = recorded;
    let id = tables.next.change;
    tables.next.change += 1;
    let key = &change.key;
    let version = change.base_version + 1;
    let previous = match last_change {
        None if change.base_version > 0 => standing(&tables.connection, key)?.map(|it| it.1),
        it => it,
    };
    tables
        .connection
        .prepare_cached(
            "INSERT INTO records (collection, id, version, body, updated_at, newest_event_at, last_change)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (collection, id) DO UPDATE SET version = ?3, body = ?4, updated_at = ?5,
               newest_event_at = ?6, last_change = ?7",
        )?
        .execute(params![
            key.collection,
            key.id,
            version,
            change.after,
            at.0,
            change.newest_event_at.map(|it| it.0),
            id,
        ])?;
    tables
        .connection
        .prepare_cached(
            "INSERT INTO record_changes (id, run, collection, record_id, version, before, after, at, previous)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            id,
            run.map(|it| it.0),
            key.collection,
            key.id,
            version,
            from,
            to,
            at.0,
            previous,
        ])?;
    Ok(())
}

fn report(connection: &Connection, run: RunId, it: &AttemptReport) -> rusqlite::Result<()> {
    // A number comes twice when an attempt that did not count is followed by another: the newer one is of interest.
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO attempts (run, number, started_at, took_ms, engine_us, outcome, version, error, log,
               calls)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            run.0,
            it.number,
            it.started_at.0,
            it.took_ms,
            it.engine_us,
            it.outcome,
            it.version,
            it.error,
            it.log,
            it.calls,
        ])?;
    Ok(())
}

/// Takes an open run out, finished without effect.
pub(super) fn drop_run(tables: &mut Tables, run: RunId, at: UnixMillis) -> rusqlite::Result<bool> {
    let moved = tables
        .connection
        .prepare_cached(
            "INSERT INTO runs_done (id, handler, state, attempts, replay, finished_at, version, why)
             SELECT id, handler, ?2, attempts, replay, ?3, NULL, why FROM runs_open WHERE id = ?1",
        )?
        .execute(params![run.0, State::Dropped.as_str(), at.0])?;
    tables
        .connection
        .prepare_cached("DELETE FROM runs_open WHERE id = ?1")?
        .execute([run.0])?;
    Ok(moved == 1)
}
