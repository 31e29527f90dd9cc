//! Calls, written down before they are sent and when they are answered.

use super::super::Applied;
use super::super::decision::ChoiceName;
use super::super::request::{CallState, Intent, Settle};
use super::commit::{current, is_held_by};
use super::once;
use super::writer::{ApplyError, Applying, Tables};
use crate::run::RunId;
use rusqlite::{Connection, params};

/// Writes a call down, unless it is settled, what the script has read is stale, or the run is no longer the caller's. A call that is
/// sent again has its row already, which then says so.
pub(super) fn intent(tables: &mut Tables, it: &Intent) -> Applying<Applied> {
    if !is_held_by(&tables.connection, it.claim)? {
        return Ok(Applied::Fenced);
    }
    if current(&tables.connection, &it.reads)?.is_none() {
        return Ok(Applied::Stale);
    }
    let entry = &it.entry;
    let named = entry.once.as_deref().zip(it.once.as_ref());
    if let Some((name, intent)) = named
        && !once::is_as_expected(
            &tables.connection,
            &entry.service,
            name,
            it.claim.id,
            intent,
        )?
    {
        return Ok(Applied::Stale);
    }
    // Its script has it no longer, and others may.
    let former = entry.once.as_deref().filter(|_| it.once.is_none());
    if let Some(name) = former
        && !once::is_own(&tables.connection, &entry.service, name, it.claim.id, entry)?
    {
        return Ok(Applied::Stale);
    }
    let written = tables
        .connection
        .prepare_cached(
            "INSERT INTO journal (run, number, state, service, method, url, request, content, idempotency_key,
               version, now, seen, intended_at, path, once, sent_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
             ON CONFLICT (run, number) DO UPDATE SET state = ?3, version = ?10, now = ?11, seen = ?12, decided = NULL,
                 once = ?15, sent_by = ?16
               WHERE journal.state <> 'settled'",
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
            entry.path,
            entry.once,
            entry.sent_by.0,
        ])?;
    if let Some((name, intent)) = named.filter(|_| written == 1) {
        once::intend(&tables.connection, it.claim.id, entry, name, intent)?;
    }
    if let Some(name) = former.filter(|_| written == 1) {
        once::intend_own(&tables.connection, it.claim.id, entry, name)?;
    }
    // Whoever would send a settled call has not seen the journal as it is.
    Ok(if written == 1 {
        Applied::Done
    } else {
        Applied::Stale
    })
}

/// Writes down what became of a call. That it took effect stands even when the run was taken away meanwhile; nothing
/// takes the place of that. Somebody else may be sending the same call: then he says what else became of it.
pub(super) fn settle(tables: &mut Tables, it: &Settle) -> Applying<Applied> {
    let answer = it
        .answer
        .as_ref()
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| ApplyError::Refused(error.to_string()))?;
    let connection = &tables.connection;
    let is_ours = is_held_by(connection, it.claim)?;
    let is_nobodys = || -> rusqlite::Result<bool> {
        let is_open = connection
            .prepare_cached("SELECT 1 FROM runs_open WHERE id = ?1")?
            .exists([it.claim.id.0])?;
        Ok(!is_open)
    };
    if is_ours || it.state == CallState::Settled || is_nobodys()? {
        once::end(connection, it, answer.as_deref())?;
        write_end(connection, it, answer.as_deref())?;
    }
    if !is_ours && it.state == CallState::Settled {
        settle_copies(connection, it, answer.as_deref())?;
    }
    Ok(if is_ours {
        Applied::Done
    } else {
        Applied::Fenced
    })
}

/// A run that was dropped while its call was on its way may have been replayed since: the call stands in the journal of
/// that run too, and must not be sent again there.
fn settle_copies(
    connection: &Connection,
    it: &Settle,
    answer: Option<&str>,
) -> rusqlite::Result<()> {
    let of_event = RunId::range_of(it.claim.id.event_seq());
    connection
        .prepare_cached(
            "UPDATE journal SET state = 'settled', answered_at = ?5, answer = ?6, decided = NULL
             WHERE run BETWEEN ?1 AND ?2 AND run > ?3 AND state <> 'settled' AND idempotency_key =
               (SELECT idempotency_key FROM journal WHERE run = ?3 AND number = ?4)",
        )?
        .execute(params![
            of_event.start(),
            of_event.end(),
            it.claim.id.0,
            it.number,
            it.at.0,
            answer,
        ])?;
    Ok(())
}

fn write_end(connection: &Connection, it: &Settle, answer: Option<&str>) -> rusqlite::Result<()> {
    match it.state {
        CallState::Unsent => connection
            .prepare_cached(
                "DELETE FROM journal WHERE run = ?1 AND number = ?2 AND state = 'intended'",
            )?
            .execute(params![it.claim.id.0, it.number])?,
        // Sent again in vain, it is what it was: with the answer that it had.
        CallState::Intended | CallState::Settled | CallState::Unsettled | CallState::Refused => {
            connection
                .prepare_cached(
                    "UPDATE journal SET state = ?3, answered_at = ?4, decided = coalesce(?6, decided),
                   answer = CASE ?3 WHEN 'unsettled' THEN coalesce(?5, answer) ELSE ?5 END
                 WHERE run = ?1 AND number = ?2 AND state <> 'settled'",
                )?
                .execute(params![
                    it.claim.id.0,
                    it.number,
                    it.state.as_str(),
                    it.at.0,
                    answer,
                    it.decided.map(ChoiceName::as_str),
                ])?
        }
    };
    Ok(())
}
