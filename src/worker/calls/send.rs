//! A call on its way: its turn at the service, written down before it is sent and when it is answered.

use super::super::attempt::Attempt;
use super::super::outcome::{calls_changed, outcome_unknown, state_after};
use super::super::past::seen_with;
use super::super::wire::{NoTurn, turn};
use super::{Ask, Call, Called, failed, named};
use crate::call::Request;
use crate::ledger::decision::Needs;
use crate::ledger::note::{CallNote, Did};
use crate::ledger::request::{CallState, Intent, JournalEntry, Settle};
use crate::ledger::{Applied, Ledger, LedgerError};
use crate::record::Read;
use crate::services::{CallError, Sent, Turn};
use std::sync::Arc;
use std::time::Duration;

/// Between two tries to write down an answer on a full disk.
const PAUSE_WITHOUT_ROOM: Duration = Duration::from_millis(200);

/// Sends a call that changes nothing.
pub(super) async fn ask(attempt: &Attempt, call: Box<Ask>) -> Called {
    attempt.end_turn_alone();
    let turn = match turn(attempt, &call.request).await {
        Ok(it) => it,
        Err(why) => return no_turn(attempt, call.request, why),
    };
    let wire = &attempt.shared.wire;
    let Sent { outcome, not_now } = wire.send(attempt, turn, &call.prepared, None).await;
    if let Some(it) = not_now {
        return Called::PutOff(it);
    }
    match outcome {
        Ok(answer) => {
            attempt.sight().answered(call.request, Ok(answer));
            Called::Answered
        }
        Err(error) => failed(attempt, call.request, &error),
    }
}

/// Writes the call down, sends it, writes down what became of it.
pub(super) async fn send(attempt: &Attempt, call: Box<Call>, reads: &[Read]) -> Called {
    let (call, turn) = match begin(attempt, call, reads).await {
        Ok(it) => it,
        Err(it) => return it,
    };
    let key = Some(call.entry.idempotency_key.as_str());
    let wire = &attempt.shared.wire;
    let sent = wire.send(attempt, turn, &call.prepared, key).await;
    end(attempt, call, sent).await
}

/// Waits for the call's turn, and writes it down.
async fn begin(
    attempt: &Attempt,
    mut call: Box<Call>,
    reads: &[Read],
) -> Result<(Box<Call>, Turn), Called> {
    if let Some(dead) = give_up_unknown(attempt, &call) {
        return Err(dead);
    }
    // First the turn: what is written down is about to be sent.
    let turn = match turn(attempt, &call.request).await {
        Ok(it) => it,
        Err(why) => return Err(no_turn(attempt, call.request, why)),
    };
    // That may have taken longer than the service keeps keys.
    if let Some(dead) = give_up_unknown(attempt, &call) {
        return Err(dead);
    }
    let new = std::mem::take(&mut attempt.sight().seen);
    let entry = Arc::make_mut(&mut call.entry);
    if call.before.is_none() {
        entry.intended_at = attempt.shared.clock.now();
    }
    entry.seen = seen_with(entry, &attempt.version, attempt.now(), new);
    entry.state = CallState::Intended;
    entry.sent_by = entry.sent_by.and(attempt.sight().journal.attempt());
    entry.version = attempt.version.to_string();
    entry.now = attempt.now();
    call.word = entry.decided.take();
    let intent = Intent {
        claim: attempt.run.claim,
        entry: entry.clone(),
        reads: reads.to_vec(),
        once: call.once,
    };
    match attempt.shared.ledger.intent(intent).await {
        Ok(Applied::Done) => attempt.end_turn_alone(),
        // Another run has the call of a name that this script says no more: to look again would change nothing.
        Ok(Applied::Stale) if call.once.is_none() && call.entry.once.is_some() => {
            return Err(Called::Dead {
                why: calls_changed(attempt.run.claim.id, &call.request),
                needs: Some(Needs::CallsChanged),
            });
        }
        Ok(Applied::Stale) => {
            attempt.keep_turn(turn);
            return Err(Called::Stale);
        }
        Ok(Applied::Fenced) => return Err(Called::Fenced),
        Err(_) => return Err(Called::Unwritten),
    }
    let mut sight = attempt.sight();
    sight.journal.put(call.entry.clone(), &call.content);
    drop(sight);
    Ok((call, turn))
}

/// Writes down what became of it.
async fn end(attempt: &Attempt, call: Box<Call>, sent: Sent) -> Called {
    let Sent {
        outcome: sent,
        not_now,
    } = sent;
    let mut entry = JournalEntry::clone(&call.entry);
    let state = state_after(&sent, &call.request, call.before, call.word);
    let answer = sent.as_ref().ok().cloned();
    if state != CallState::Unsettled || answer.is_some() {
        entry.answer = answer.clone();
    }
    entry.state = state;
    if let Err(CallError::Refused { .. } | CallError::NotSent { .. }) = sent {
        // Nobody has used it yet.
        entry.decided = call.word;
    }
    let settle = Settle {
        claim: attempt.run.claim,
        number: entry.number,
        state,
        answer,
        decided: entry.decided,
        once: named::key_of(&entry),
        at: attempt.shared.clock.now(),
    };
    let written = write_down(&attempt.shared.ledger, settle).await;
    if let Some(name) = &entry.once {
        attempt.shared.once.has_ended(&entry.service, name);
    }
    match written {
        Ok(Applied::Done | Applied::Stale) => {}
        Ok(Applied::Fenced) => return Called::Fenced,
        Err(_) => return Called::Unwritten,
    }
    let did = match call.before {
        None => Did::New,
        Some(_) => Did::SentAgain,
    };
    let told = CallNote {
        number: (state != CallState::Unsent).then_some(entry.number),
        became: Some(state),
        status: sent.as_ref().ok().map(|it| it.status),
        differs: call.differs,
        decided: call.decided,
        run: call.taken_from,
        ..CallNote::of(&call.request, did)
    };
    {
        let mut sight = attempt.sight();
        sight.tell(told);
        if state == CallState::Unsent {
            sight.journal.take_out(entry.number);
        } else {
            sight.journal.put(entry, &call.content);
        }
    }
    if let Some(it) = not_now {
        return Called::PutOff(it);
    }
    match sent {
        Ok(answer) => {
            attempt.sight().answered(call.request, Ok(answer));
            Called::Answered
        }
        Err(error) => failed(attempt, call.request, &error),
    }
}

/// Ends the run if nobody knows whether the call arrived and sending it again could do it twice.
fn give_up_unknown(attempt: &Attempt, call: &Call) -> Option<Called> {
    call.before?;
    let entry = &call.entry;
    let services = &attempt.in_force.config.services;
    let service = services.iter().find(|it| *it.name == *entry.service);
    let (run, now) = (attempt.run.claim.id, attempt.shared.clock.now());
    let why = outcome_unknown(run, entry, service, now)?;
    attempt.sight().tell(CallNote {
        number: Some(entry.number),
        differs: call.differs,
        decided: call.decided,
        run: call.taken_from,
        ..CallNote::of(&call.request, Did::OutcomeUnknown)
    });
    let needs = Some(Needs::OutcomeUnknown { call: entry.number });
    Some(Called::Dead { why, needs })
}

fn no_turn(attempt: &Attempt, request: Request, why: NoTurn) -> Called {
    match why {
        NoTurn::NotNow(it) => Called::PutOff(it),
        NoTurn::Stopping => Called::Unwritten,
        NoTurn::Failed(error) => failed(attempt, request, &error),
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
