//! Calls, written down before they are sent and when they are answered.

use super::super::Applied;
use super::super::request::{Intent, Settle};
use super::commit::{are_current, is_held_by};
use super::writer::{ApplyError, Applying, Tables};
use rusqlite::params;

/// Writes a call down, unless what the script has read is stale or the run is no longer the caller's. A call that is
/// sent again has its row already, which then says so.
pub(super) fn intent(tables: &mut Tables, it: &Intent) -> Applying<Applied> {
    if !is_held_by(&tables.connection, it.claim)? {
        return Ok(Applied::Fenced);
    }
    if !are_current(&tables.connection, &it.reads)? {
        return Ok(Applied::Stale);
    }
    let entry = &it.entry;
    tables
        .connection
        .prepare_cached(
            "INSERT INTO journal (run, number, state, service, method, url, request, content, idempotency_key,
               version, now, seen, intended_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
             ON CONFLICT (run, number) DO UPDATE SET state = ?3, version = ?10, now = ?11, seen = ?12",
        )?
        .execute(params![
            it.claim.id.0,
            entry.number,
            entry.state.as_str(),
            entry.service,
            entry.method,
            entry.url,
            entry.request,
            entry.content,
            entry.idempotency_key,
            entry.version,
            entry.now.0,
            entry.seen,
            entry.intended_at.0,
        ])?;
    Ok(Applied::Done)
}

/// Writes down what became of a call. It stands even when the run was taken away meanwhile: it happened.
pub(super) fn settle(tables: &mut Tables, it: &Settle) -> Applying<Applied> {
    let answer = it
        .answer
        .as_ref()
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| ApplyError::Refused(error.to_string()))?;
    tables
        .connection
        .prepare_cached(
            "UPDATE journal SET state = ?3, answered_at = ?4, answer = ?5 WHERE run = ?1 AND number = ?2",
        )?
        .execute(params![it.claim.id.0, it.number, it.state.as_str(), it.at.0, answer])?;
    Ok(if is_held_by(&tables.connection, it.claim)? {
        Applied::Done
    } else {
        Applied::Fenced
    })
}
