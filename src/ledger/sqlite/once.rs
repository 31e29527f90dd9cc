//! Calls that are made once over all runs. Their rows are written in the transactions of their journal entries.

use super::super::once::{OnceCall, OnceIntent, Standing};
use super::super::request::{CallState, JournalEntry, Settle};
use super::read::Reader;
use crate::clock::UnixMillis;
use crate::run::{RunId, State};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;

/// A row whose owner is still open is looked at again after this.
const KEPT_FOR_ITS_OWNER: Duration = Duration::from_secs(24 * 60 * 60);

/// What [`standing`] reads, for the run that asks in `?3`.
macro_rules! standing_columns {
    () => {
        "run, number, state, generation, (SELECT state FROM runs_open WHERE id = run),
         (SELECT 1 FROM runs_open WHERE id = run AND needs = 'outcome_unknown'
          AND coalesce(needs_call, number) = number),
         EXISTS (SELECT 1 FROM runs_open AS owner JOIN runs_open AS asks ON asks.id = ?3
          WHERE owner.id = run AND asks.id < owner.id AND asks.handler = owner.handler AND asks.lane = owner.lane)"
    };
}

impl Reader {
    /// The call of this name at a service, as it stands for a run that asks for it.
    pub fn once(
        &self,
        service: &str,
        name: &str,
        asks: RunId,
    ) -> rusqlite::Result<Option<OnceCall>> {
        self.connection
            .prepare_cached(concat!(
                "SELECT ",
                standing_columns!(),
                ", path, request, content, idempotency_key, intended_at, answer
                 FROM once WHERE service = ?1 AND name = ?2"
            ))?
            .query_row(params![service, name, asks.0], |row| {
                let answer: Option<String> = row.get(12)?;
                Ok(OnceCall {
                    standing: standing(row)?,
                    path: row.get(7)?,
                    request: row.get(8)?,
                    content: row.get(9)?,
                    idempotency_key: row.get(10)?,
                    intended_at: UnixMillis(row.get(11)?),
                    answer: answer.and_then(|it| serde_json::from_str(&it).ok()),
                })
            })
            .optional()
    }
}

/// Whether the call still stands for this run as it did when the intent was decided.
pub(super) fn is_as_expected(
    connection: &Connection,
    service: &str,
    name: &str,
    run: RunId,
    intent: &OnceIntent,
) -> rusqlite::Result<bool> {
    let found = connection
        .prepare_cached(concat!(
            "SELECT ",
            standing_columns!(),
            " FROM once WHERE service = ?1 AND name = ?2"
        ))?
        .query_row(params![service, name, run.0], standing)
        .optional()?;
    Ok(found == intent.expected)
}

/// The call is this run's from now on, as this entry has it; what was written down of it elsewhere counts no longer.
pub(super) fn intend(
    connection: &Connection,
    run: RunId,
    entry: &JournalEntry,
    name: &str,
    intent: &OnceIntent,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO once (service, name, run, number, state, generation, path, request, content,
               idempotency_key, intended_at, kept_from)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            entry.service,
            name,
            run.0,
            entry.number,
            entry.state.as_str(),
            intent.generation,
            entry.path,
            entry.request,
            entry.content,
            entry.idempotency_key,
            entry.intended_at.0,
            intent.at.0,
        ])?;
    if let Some(before) = intent.expected.filter(|it| it.owner != run) {
        connection
            .prepare_cached(
                "UPDATE journal SET given_to = ?3 WHERE run = ?1 AND number = ?2 AND state <> 'settled'",
            )?
            .execute([before.owner.0, before.number, run.0])?;
    }
    // Of a run before this one, whose calls it goes on from.
    connection
        .prepare_cached(
            "UPDATE journal SET given_to = ?1 WHERE run = ?1 AND service = ?2 AND once = ?3 AND number <> ?4
               AND state IN ('intended', 'unsettled')",
        )?
        .execute(params![run.0, entry.service, name, entry.number])?;
    Ok(())
}

/// Whether nobody but this run has the call of a name that its script does not say any more: by this entry, or by that of
/// a run from whose calls it goes on.
pub(super) fn is_own(
    connection: &Connection,
    service: &str,
    name: &str,
    run: RunId,
    entry: &JournalEntry,
) -> rusqlite::Result<bool> {
    let others = connection
        .prepare_cached(
            "SELECT 1 FROM once WHERE service = ?1 AND name = ?2 AND (state = 'settled' OR NOT (run = ?3 AND number = ?4
               OR idempotency_key = ?5 AND run NOT IN (SELECT id FROM runs_open WHERE id = once.run)))",
        )?
        .exists(params![
            service,
            name,
            run.0,
            entry.number,
            entry.idempotency_key
        ])?;
    Ok(!others)
}

/// Such a call goes out again: whoever asks for its name waits for it.
pub(super) fn intend_own(
    connection: &Connection,
    run: RunId,
    entry: &JournalEntry,
    name: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO once (service, name, run, number, state, generation, path, request, content, idempotency_key,
               intended_at, kept_from)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?10)
             ON CONFLICT DO UPDATE SET run = ?3, number = ?4, state = ?5",
        )?
        .execute(params![
            entry.service,
            name,
            run.0,
            entry.number,
            entry.state.as_str(),
            entry.path,
            entry.request,
            entry.content,
            entry.idempotency_key,
            entry.intended_at.0,
        ])?;
    Ok(())
}

/// What became of the call. Only its owner says so, unless it took effect: then it is settled, whoever sent it.
pub(super) fn end(
    connection: &Connection,
    it: &Settle,
    answer: Option<&str>,
) -> rusqlite::Result<()> {
    let Some(key) = &it.once else { return Ok(()) };
    let call = params![key.service, key.name, it.claim.id.0, it.number];
    match it.state {
        // It never left: as if it had not been made, and its key is the next one's.
        CallState::Unsent => {
            connection
                .prepare_cached(
                    "DELETE FROM once WHERE service = ?1 AND name = ?2 AND run = ?3 AND number = ?4
                       AND state = 'intended' AND generation = 0",
                )?
                .execute(call)?;
            connection
                .prepare_cached(
                    "UPDATE once SET state = 'refused', generation = generation - 1
                     WHERE service = ?1 AND name = ?2 AND run = ?3 AND number = ?4 AND state = 'intended'",
                )?
                .execute(call)?;
        }
        CallState::Intended | CallState::Unsettled | CallState::Refused => {
            connection
                .prepare_cached(
                    "UPDATE once SET state = ?6, answered_at = ?7, kept_from = ?7
                     WHERE service = ?1 AND name = ?2 AND idempotency_key = ?3 AND run = ?4 AND number = ?5
                       AND state <> 'settled'",
                )?
                .execute(params![
                    key.service,
                    key.name,
                    key.idempotency_key,
                    it.claim.id.0,
                    it.number,
                    it.state.as_str(),
                    it.at.0,
                ])?;
        }
        CallState::Settled => {
            let owner: Option<(i64, i64)> = connection
                .prepare_cached(
                    "UPDATE once SET state = 'settled', answered_at = ?4, answer = ?5, kept_from = ?4
                     WHERE service = ?1 AND name = ?2 AND idempotency_key = ?3 AND state <> 'settled'
                     RETURNING run, number",
                )?
                .query_row(
                    params![
                        key.service,
                        key.name,
                        key.idempotency_key,
                        it.at.0,
                        answer
                    ],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            // It was taken over meanwhile.
            if let Some(owner) = owner.filter(|it_is| *it_is != (it.claim.id.0, it.number)) {
                settle_there(connection, owner, answer, it.at)?;
            }
        }
    }
    Ok(())
}

/// What is settled for one is settled for whoever has the call now.
fn settle_there(
    connection: &Connection,
    owner: (i64, i64),
    answer: Option<&str>,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE journal SET state = 'settled', answered_at = ?3, answer = ?4
             WHERE run = ?1 AND number = ?2 AND state <> 'settled'",
        )?
        .execute(params![owner.0, owner.1, at.0, answer])?;
    Ok(())
}

/// An operator said that a run's call has taken effect. So it has for all who have its name: also if the run goes on from
/// the calls of another, whose call it was and who is said by now not to have sent it.
pub(super) fn settle_by_hand(
    connection: &Connection,
    run: RunId,
    number: i64,
    answer: &str,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    let owner: Option<(i64, i64)> = connection
        .prepare_cached(
            "UPDATE once SET state = 'settled', answered_at = ?3, answer = ?4, kept_from = ?3
             FROM (SELECT service AS at_service, once AS its_name, idempotency_key AS its_key
                   FROM journal WHERE run = ?1 AND number = ?2 AND once IS NOT NULL)
             WHERE service = at_service AND name = its_name
               AND (run = ?1 AND number = ?2 OR idempotency_key = its_key AND state <> 'settled')
             RETURNING run, number",
        )?
        .query_row(params![run.0, number, at.0, answer], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some(owner) = owner {
        return settle_there(connection, owner, Some(answer), at);
    }
    connection
        .prepare_cached(
            "INSERT INTO once (service, name, run, number, state, generation, path, request, content, idempotency_key,
               intended_at, answered_at, answer, kept_from)
             SELECT service, once, run, number, 'settled', 0, path, request, content, idempotency_key,
               intended_at, ?3, ?4, ?3
             FROM journal WHERE run = ?1 AND number = ?2 AND once IS NOT NULL
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![run.0, number, at.0, answer])?;
    Ok(())
}

/// Calls of these runs of an event are to be made again: the next one of each name is a new call.
pub(super) fn forget(
    connection: &Connection,
    runs: std::ops::RangeInclusive<i64>,
    handler: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE once SET state = 'refused', answer = NULL WHERE (service, name) IN
               (SELECT service, once FROM journal WHERE run BETWEEN ?1 AND ?2 AND once IS NOT NULL)
               AND run IN (SELECT id FROM runs_done WHERE id BETWEEN ?1 AND ?2 AND handler = ?3)",
        )?
        .execute(params![runs.start(), runs.end(), handler])?;
    Ok(())
}

/// Deletes a bite of those that were last written before this; what an open run owns stays for now. Answers
/// how many there were.
pub(super) fn prune(
    connection: &Connection,
    before: UnixMillis,
    rows_max: i64,
) -> rusqlite::Result<usize> {
    type Found = (String, String, bool);
    let found: Vec<Found> = connection
        .prepare_cached(
            "SELECT service, name, EXISTS (SELECT 1 FROM runs_open WHERE id = run) FROM once
             WHERE kept_from < ?1 ORDER BY kept_from LIMIT ?2",
        )?
        .query_map([before.0, rows_max], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let count = found.len();
    for (service, name, is_open) in found {
        if is_open {
            // Out of the way of the others.
            connection
                .prepare_cached("UPDATE once SET kept_from = ?3 WHERE service = ?1 AND name = ?2")?
                .execute(params![service, name, before.after(KEPT_FOR_ITS_OWNER).0])?;
        } else {
            connection
                .prepare_cached("DELETE FROM once WHERE service = ?1 AND name = ?2")?
                .execute([service, name])?;
        }
    }
    Ok(count)
}

/// Reads `run, number, state, generation`, the state of the owner's run, whether that waits for a word about the call, and
/// whether it waits in its lane for the run that asks.
fn standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let state: String = row.get(2)?;
    let state = CallState::parse(&state).unwrap_or(CallState::Intended);
    let of_owner: Option<String> = row.get(4)?;
    let needs_word: Option<bool> = row.get(5)?;
    let is_behind: bool = row.get(6)?;
    let is_unanswered = state == CallState::Intended;
    let (may_go_on, is_dead) = match of_owner.as_deref().and_then(State::parse) {
        Some(State::Ready | State::Waiting) => (true, false),
        Some(State::Dead) => (false, true),
        Some(State::Held | State::Done | State::Skipped | State::Dropped) | None => (false, false),
    };
    Ok(Standing {
        owner: RunId(row.get(0)?),
        number: row.get(1)?,
        state,
        generation: row.get(3)?,
        is_under_way: is_unanswered && may_go_on && !is_behind,
        waits_for_word: is_unanswered && is_dead && needs_word == Some(true),
    })
}
