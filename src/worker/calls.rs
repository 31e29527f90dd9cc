//! Making a call for a script: written down before it is sent, and when it is answered.

use super::attempt::Attempt;
use super::journal::{Match, content_of, state_after};
use super::put_off;
use crate::call::{Answer, Request};
use crate::ledger::request::{CallState, Intent, JournalEntry, Settle};
use crate::ledger::{Applied, Ledger, LedgerError};
use crate::record::Read;
use crate::script::WorldError;
use crate::services::{CallError, Caller, KeyParts, NotNow, Prepared, Sent, Turn, idempotency_key};
use std::time::Duration;

/// Between two tries to write down an answer on a full disk.
const PAUSE_WITHOUT_ROOM: Duration = Duration::from_millis(200);

/// What became of making a call.
pub(super) enum Called {
    /// The script's next pass gets an answer, or an error in its place.
    Answered,
    /// A record that the script has read was changed; nothing was sent.
    Stale,
    /// The run was taken away.
    Fenced,
    /// The ledger could not write the call down, or the host stops; nothing was sent.
    Unwritten,
    /// The run waits until its service is well or has room, and spends no attempt.
    PutOff(NotNow),
    /// The run cannot go on.
    Dead(String),
}

/// Makes the call that a pass ended with.
pub(super) async fn make(attempt: &Attempt, request: Request, reads: &[Read]) -> Called {
    let prepared = match attempt.in_force.services.prepare(&request) {
        Ok(it) => it,
        Err(error) => return failed(attempt, request, &error),
    };
    if !request.method.changes_something() {
        let turn = match turn(attempt, &request).await {
            Ok(it) => it,
            Err(instead) => return instead,
        };
        let services = &attempt.in_force.services;
        let Sent { outcome, not_now } = services.send(turn, &prepared, None).await;
        if let Some(it) = not_now {
            return Called::PutOff(it);
        }
        return match outcome {
            Ok(answer) => {
                attempt.sight().answered(request, Ok(answer));
                Called::Answered
            }
            Err(error) => failed(attempt, request, &error),
        };
    }
    let content = content_of(
        &prepared.service,
        prepared.method.as_str(),
        &prepared.url,
        prepared.body.as_deref(),
    );
    let known = attempt
        .sight()
        .journal
        .peek(&request, &prepared.url, &content, &attempt.version);
    match known {
        // The pass would have been given it; one that appears now was not there for it.
        Match::Settled(_) => Called::Stale,
        Match::CallsChanged => {
            Called::Dead("calls changed: more than one earlier call could be this one".into())
        }
        Match::New => match new_entry(attempt, &prepared, content) {
            Ok(entry) => send(attempt, request, prepared, entry, None, reads).await,
            Err(why) => Called::Dead(why),
        },
        Match::Again(entry) => {
            if let Some(why) = outcome_unknown(attempt, &entry) {
                return Called::Dead(why);
            }
            // Word for word what went out before: the service may have kept it under this key.
            let Ok(stored) = serde_json::from_str::<Prepared>(&entry.request) else {
                return Called::Dead(format!(
                    "call {} of the journal cannot be read",
                    entry.number
                ));
            };
            let before = entry.state;
            send(attempt, request, stored, entry, Some(before), reads).await
        }
    }
}

/// Waits for a call's turn at its service, or says what becomes of the call instead. Calls of one handler that wait hold an
/// eighth of the runs in flight at most; half of these places are kept for runs that were put off, which are the older.
async fn turn(attempt: &Attempt, request: &Request) -> Result<Turn, Called> {
    let (run, shared) = (&attempt.run, &attempt.shared);
    let limits = &attempt.in_force.config.limits;
    let awake_max = put_off::awake_max(limits.runs_in_flight_max);
    let is_awake = shared.put_off().is_awake(run.claim.id);
    let caller = Caller {
        handler: run.handler.clone(),
        run: run.claim.id,
        waiting_max: awake_max * if is_awake { 2 } else { 1 },
    };
    let turn = tokio::select! {
        biased;
        turn = attempt.in_force.services.turn(request, &caller) => turn,
        () = shared.stopping.cancelled() => return Err(Called::Unwritten),
    };
    match turn {
        Ok(turn) => turn.map_err(Called::PutOff),
        Err(error) => Err(failed(attempt, request.clone(), &error)),
    }
}

/// Why a call that was never answered cannot be sent again, if it cannot.
fn outcome_unknown(attempt: &Attempt, entry: &JournalEntry) -> Option<String> {
    if entry.state != CallState::Intended {
        return None;
    }
    let service = attempt
        .in_force
        .config
        .services
        .iter()
        .find(|it| *it.name == *entry.service)?;
    let what = format!("{} {} to `{}`", entry.method, entry.url, entry.service);
    match service.idempotency {
        None => Some(format!(
            "outcome unknown: {what} was sent and no answer came; the service ignores idempotency keys, so sending it again could do it twice"
        )),
        Some(kept) if entry.intended_at.after(kept) < attempt.shared.clock.now() => Some(format!(
            "outcome unknown: {what} was sent and no answer came; that was longer ago than the service keeps idempotency keys ({kept:?})"
        )),
        Some(_) => None,
    }
}

fn new_entry(
    attempt: &Attempt,
    prepared: &Prepared,
    content: String,
) -> Result<JournalEntry, String> {
    let Some(event) = attempt.event() else {
        return Err("its event is not at hand".into());
    };
    let request = serde_json::to_string(prepared).map_err(|it| it.to_string())?;
    let sight = attempt.sight();
    let idempotency_key = idempotency_key(&KeyParts {
        scope: &event.scope,
        event_id: &event.envelope.id,
        handler: &attempt.run.handler,
        replay_number: u64::try_from(attempt.run.replay).unwrap_or(0),
        call: prepared,
        nth: sight.journal.count_of(&content) + 1,
        generation: sight.journal.generation(&content),
    });
    Ok(JournalEntry {
        number: sight.journal.next_number(),
        state: CallState::Intended,
        service: prepared.service.clone(),
        method: prepared.method.as_str().into(),
        url: prepared.url.clone(),
        request,
        content,
        idempotency_key,
        version: attempt.version.to_string(),
        now: attempt.now(),
        seen: None,
        intended_at: attempt.shared.clock.now(),
        answered_at: None,
        answer: None,
    })
}

/// Writes the call down, sends it, writes down what became of it.
async fn send(
    attempt: &Attempt,
    request: Request,
    prepared: Prepared,
    mut entry: JournalEntry,
    before: Option<CallState>,
    reads: &[Read],
) -> Called {
    // First the turn: what is written down is about to be sent.
    let turn = match turn(attempt, &request).await {
        Ok(it) => it,
        Err(instead) => return instead,
    };
    let ledger = &attempt.shared.ledger;
    entry.state = CallState::Intended;
    entry.version = attempt.version.to_string();
    entry.now = attempt.now();
    let seen = std::mem::take(&mut attempt.sight().seen);
    entry.seen = if seen.is_empty() {
        None
    } else {
        serde_json::to_string(&seen).ok()
    };
    let intent = Intent {
        claim: attempt.run.claim,
        entry: entry.clone(),
        reads: reads.to_vec(),
    };
    match ledger.intent(intent).await {
        Ok(Applied::Done) => {}
        Ok(Applied::Stale) => return Called::Stale,
        Ok(Applied::Fenced) => return Called::Fenced,
        Err(_) => return Called::Unwritten,
    }
    attempt.sight().journal.put(entry.clone());

    let Sent {
        outcome: sent,
        not_now,
    } = attempt
        .in_force
        .services
        .send(turn, &prepared, Some(&entry.idempotency_key))
        .await;
    let (state, answer) = match &sent {
        Ok(answer) => (state_after(answer, &request), Some(answer.clone())),
        // A call that never left leaves things as they were: an earlier sending of it may still have arrived.
        Err(CallError::Refused { .. } | CallError::NotSent { .. }) => {
            (before.unwrap_or(CallState::Unsent), None)
        }
        Err(CallError::OutcomeUnknown { .. }) => (CallState::Intended, None),
    };
    entry.state = state;
    entry.answer = answer.clone();
    let settle = Settle {
        claim: attempt.run.claim,
        number: entry.number,
        state,
        answer,
        at: attempt.shared.clock.now(),
    };
    match write_down(ledger, settle).await {
        Ok(Applied::Done | Applied::Stale) => {}
        Ok(Applied::Fenced) => return Called::Fenced,
        Err(_) => return Called::Unwritten,
    }
    attempt.sight().journal.put(entry);
    if let Some(it) = not_now {
        return Called::PutOff(it);
    }
    match sent {
        Ok(answer) => {
            attempt.sight().answered(request, Ok::<Answer, _>(answer));
            Called::Answered
        }
        Err(error) => failed(attempt, request, &error),
    }
}

/// Writes down what became of a call. When the disk is full it waits for room: given up, a call that was answered would
/// be made again.
async fn write_down(ledger: &Ledger, settle: Settle) -> Result<Applied, LedgerError> {
    loop {
        match ledger.settle(settle.clone()).await {
            Err(LedgerError::DiskFull) => tokio::time::sleep(PAUSE_WITHOUT_ROOM).await,
            written => return written,
        }
    }
}

/// The script's next pass fails at this call, so that the error has the script's line.
fn failed(attempt: &Attempt, request: Request, error: &CallError) -> Called {
    let is_passing = match error {
        CallError::Refused { .. } => false,
        CallError::NotSent { .. } | CallError::OutcomeUnknown { .. } => true,
    };
    let message = error.message().to_owned();
    attempt.sight().answered(
        request,
        Err(WorldError {
            message,
            is_passing,
        }),
    );
    Called::Answered
}
