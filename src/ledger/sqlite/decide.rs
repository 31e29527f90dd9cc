//! An operator's word on a dead run whose calls cannot go on by themselves: checked, written down, put into force.

use super::super::Ordered;
use super::super::decision::{Choice, Decision, Needs};
use super::once;
use super::order::not_open;
use super::writer::{ApplyError, Applying, Tables};
use crate::clock::UnixMillis;
use crate::run::RunId;
use rusqlite::{Connection, OptionalExtension, params};

/// The most decisions about one run that are kept.
const DECISIONS_MAX: i64 = 1000;

/// A dead run, and what it waits for.
struct Dead {
    why: String,
    needs: Option<Needs>,
    /// The earliest call that may have been sent and has no answer.
    unanswered: Option<i64>,
    /// The run that took such a call over: what it needs is said there.
    given_to: Option<RunId>,
    /// The call whose answer an operator gave last.
    answered_by_hand: Option<i64>,
}

/// Writes a decision down, or says why it does not fit the run.
pub(super) fn decide(tables: &Tables, run: RunId, it: &Decision) -> Applying<Result<(), String>> {
    let connection = &tables.connection;
    let dead = match dead_run(tables, run)? {
        Ok(it) => it,
        Err(why) => return Ok(Err(why)),
    };
    let call = match call_of(run, &dead, &it.choice) {
        Ok(it) => it,
        Err(why) => return Ok(Err(why)),
    };
    let answer = match &it.choice {
        Choice::Settle { answer } => Some(
            serde_json::to_string(answer)
                .map_err(|error| ApplyError::Refused(error.to_string()))?,
        ),
        Choice::Reuse | Choice::Again | Choice::Resend => None,
    };
    end_decisions(connection, run, it.at)?;
    let number: i64 = connection
        .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM decisions WHERE run = ?1")?
        .query_row([run.0], |row| row.get(0))?;
    if number > DECISIONS_MAX {
        return Ok(Err(format!(
            "{DECISIONS_MAX} decisions about run {run} were written down, which is the limit; `hookyard runs drop {run}` ends it"
        )));
    }
    connection
        .prepare_cached(
            "INSERT INTO decisions (run, number, choice, call, through, decided_by, decided_at, over_at)
             VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(number), 0) FROM journal WHERE run = ?1), ?5, ?6, ?7)",
        )?
        .execute(params![
            run.0,
            number,
            it.choice.name().as_str(),
            call,
            it.by,
            it.at.0,
            // What is about one call stands with that call from now on.
            call.map(|_| it.at.0),
        ])?;
    if let Some(call) = call {
        mark(connection, run, call, answer.as_deref(), it.at)?;
    }
    Ok(Ok(()))
}

/// Decisions count no longer: the run was given up, or another retry began.
pub(super) fn end_decisions(
    connection: &Connection,
    run: RunId,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE decisions SET over_at = max(?2, decided_at) WHERE run = ?1 AND over_at IS NULL",
        )?
        .execute([run.0, at.0])?;
    // One that the retry did not come to use: who allowed it then may not know what has happened since.
    connection
        .prepare_cached("UPDATE journal SET decided = NULL WHERE run = ?1 AND decided = 'resend'")?
        .execute([run.0])?;
    Ok(())
}

/// Which call the choice is about, if about one; or why it does not fit.
fn call_of(run: RunId, dead: &Dead, choice: &Choice) -> Result<Option<i64>, String> {
    let Dead {
        why,
        needs,
        unanswered,
        given_to,
        answered_by_hand,
    } = dead;
    if let (Choice::Resend | Choice::Settle { .. }, None, Some(to)) = (choice, unanswered, given_to)
    {
        return Err(format!(
            "the call that run {run} waits for was taken over by run {to}: decide there, then a plain `hookyard runs retry {run}` goes on"
        ));
    }
    match (choice, needs) {
        (Choice::Reuse | Choice::Again, Some(Needs::CallsChanged)) => Ok(None),
        (Choice::Reuse | Choice::Again, Some(Needs::OutcomeUnknown { .. }) | None) => Err(format!(
            "run {run} is not dead because its calls changed, but: {why}"
        )),
        (Choice::Resend, Some(Needs::OutcomeUnknown { call })) => {
            Ok(Some(unanswered.unwrap_or(*call)))
        }
        (Choice::Resend, Some(Needs::CallsChanged) | None) => Err(format!(
            "no call of run {run} waits to be allowed to be sent again: a plain `hookyard runs retry {run}` does what is safe. It is dead because: {why}"
        )),
        (Choice::Settle { .. }, _) => match unanswered.or(*answered_by_hand) {
            Some(call) => Ok(Some(call)),
            None => Err(format!(
                "every call of run {run} was answered, so there is none to settle. It is dead because: {why}"
            )),
        },
    }
}

/// The run, if it is dead; else why nothing can be decided about it.
fn dead_run(tables: &Tables, run: RunId) -> Applying<Result<Dead, String>> {
    type Found = (String, Option<String>, Option<String>, Option<i64>);
    let found: Option<Found> = tables
        .connection
        .prepare_cached("SELECT state, why, needs, needs_call FROM runs_open WHERE id = ?1")?
        .query_row([run.0], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((state, why, needs, call)) = found else {
        return match not_open(tables, run)? {
            Ordered::NotFound(why) => Ok(Err(why)),
            it @ (Ordered::Done { .. } | Ordered::Runs(_)) => {
                Err(ApplyError::Refused(format!("unexpected: {it:?}")))
            }
        };
    };
    if state != "dead" {
        return Ok(Err(format!(
            "run {run} is {state}: there is nothing to decide unless it is dead"
        )));
    }
    let unanswered: Option<i64> = tables
        .connection
        .prepare_cached(
            "SELECT min(number) FROM journal WHERE run = ?1 AND state = 'intended' AND given_to IS NULL",
        )?
        .query_row([run.0], |row| row.get(0))?;
    let answered_by_hand: Option<i64> = tables
        .connection
        .prepare_cached(
            "SELECT number FROM journal WHERE run = ?1 AND state = 'settled' AND decided = 'settle'
             ORDER BY answered_at DESC, number DESC LIMIT 1",
        )?
        .query_row([run.0], |row| row.get(0))
        .optional()?;
    let needs = match (needs.as_deref(), call.or(unanswered)) {
        (Some("calls_changed"), _) => Some(Needs::CallsChanged),
        (Some("outcome_unknown"), Some(call)) => Some(Needs::OutcomeUnknown { call }),
        _ => None,
    };
    // The one that the run stopped at, if it is still open.
    let stopped_at = match call {
        Some(call) => tables
            .connection
            .prepare_cached(
                "SELECT number FROM journal WHERE run = ?1 AND number = ?2 AND state = 'intended' AND given_to IS NULL",
            )?
            .query_row([run.0, call], |row| row.get(0))
            .optional()?,
        None => None,
    };
    let given_to: Option<i64> = tables
        .connection
        .prepare_cached(
            "SELECT max(given_to) FROM journal WHERE run = ?1 AND state = 'intended' AND given_to <> run",
        )?
        .query_row([run.0], |row| row.get(0))?;
    Ok(Ok(Dead {
        given_to: given_to.map(RunId),
        why: why.unwrap_or_default(),
        needs,
        unanswered: stopped_at.or(unanswered),
        answered_by_hand,
    }))
}

/// With an answer the call is settled; without one it may go out once more.
fn mark(
    connection: &Connection,
    run: RunId,
    call: i64,
    answer: Option<&str>,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    match answer {
        Some(answer) => {
            connection
                .prepare_cached(
                    "UPDATE journal SET state = 'settled', answered_at = ?3, answer = ?4, decided = 'settle'
                     WHERE run = ?1 AND number = ?2 AND (state = 'intended' OR decided = 'settle')",
                )?
                .execute(params![run.0, call, at.0, answer])?;
            once::settle_by_hand(connection, run, call, answer, at)?;
        }
        None => {
            connection
                .prepare_cached(
                    "UPDATE journal SET decided = 'resend' WHERE run = ?1 AND number = ?2 AND state = 'intended'",
                )?
                .execute([run.0, call])?;
        }
    }
    Ok(())
}
