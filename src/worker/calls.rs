//! Making a call for a script: written down before it is sent, and when it is answered.

mod named;

use super::attempt::Attempt;
use super::journal::{Asked, Found, Match};
use super::outcome::{calls_changed, outcome_unknown, state_after};
use super::past::seen_with;
use super::wire::{NoTurn, turn};
use crate::call::{Answer, Request};
use crate::ledger::decision::{ChoiceName, Needs};
use crate::ledger::note::{CallNote, Did};
use crate::ledger::once::OnceIntent;
use crate::ledger::request::{CallState, Intent, JournalEntry, Settle};
use crate::ledger::{Applied, Ledger, LedgerError};
use crate::record::Read;
use crate::run::RunId;
use crate::script::WorldError;
use crate::services::{CallError, KeyParts, NotNow, Prepared, Sent, idempotency_key, once_key};
use named::Named;
use std::time::Duration;

pub(super) use named::UnderWay;

/// Between two tries to write down an answer on a full disk.
const PAUSE_WITHOUT_ROOM: Duration = Duration::from_millis(200);

/// What became of making a call.
pub(super) enum Called {
    /// The script's next pass gets an answer, or an error in its place.
    Answered,
    /// A record that the script has read was changed, or the call of this name stands otherwise than was seen; nothing was
    /// sent.
    Stale,
    /// Another run may be making the call of this name right now.
    UnderWay(UnderWay),
    /// The run was taken away.
    Fenced,
    /// The ledger could not write the call down, or the host stops; nothing was sent.
    Unwritten,
    /// The run waits until its service is well or has room, and spends no attempt.
    PutOff(NotNow),
    /// The run cannot go on, unless an operator decides what it needs.
    Dead { why: String, needs: Option<Needs> },
}

/// A call that is about to be written down and sent.
struct Call {
    request: Request,
    content: String,
    prepared: Prepared,
    entry: JournalEntry,
    /// What it was, when it is sent again.
    before: Option<CallState>,
    differs: bool,
    decided: Option<ChoiceName>,
    /// Of a call with a name.
    once: Option<OnceIntent>,
    /// The run from which it is taken over.
    taken_from: Option<RunId>,
}

/// Makes the call that a pass ended with.
pub(super) async fn make(attempt: &Attempt, request: Request, reads: &[Read]) -> Called {
    let prepared = match attempt.in_force.services.prepare(&request) {
        Ok(it) => it,
        Err(error) => return failed(attempt, request, &error),
    };
    if !request.method.changes_something() {
        attempt.end_turn_alone();
        let turn = match turn(attempt, &request).await {
            Ok(it) => it,
            Err(why) => return no_turn(attempt, request, why),
        };
        let wire = &attempt.shared.wire;
        let Sent { outcome, not_now } = wire.send(attempt, turn, &prepared, None).await;
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
    let asked = Asked::of(&request, &prepared, &attempt.version);
    let content = asked.content();
    let known = attempt.sight().journal.peek(&asked);
    let (own, decided) = match known {
        // The pass would have been given it; one that appears now was not there for it.
        Match::Settled(_) => return Called::Stale,
        Match::CallsChanged => {
            return Called::Dead {
                why: calls_changed(attempt.run.claim.id, &request),
                needs: Some(Needs::CallsChanged),
            };
        }
        Match::New { decided } => (None, decided),
        Match::Again(found) => (Some(found), None),
    };
    if request.once.is_some() {
        let asked = Named {
            prepared,
            content,
            own,
            decided,
        };
        return named::make(attempt, request, asked, reads).await;
    }
    match own {
        Some(found) => again(attempt, request, content, found, None, reads).await,
        None => {
            let new = New {
                prepared,
                content,
                decided,
                once: None,
            };
            make_new(attempt, request, new, reads).await
        }
    }
}

/// What a call is that was not made before.
struct New {
    prepared: Prepared,
    content: String,
    decided: Option<ChoiceName>,
    once: Option<OnceIntent>,
}

async fn make_new(attempt: &Attempt, request: Request, new: New, reads: &[Read]) -> Called {
    let is_full = attempt.sight().journal.is_full();
    if let Some(message) = is_full {
        return failed(attempt, request, &CallError::Refused { message });
    }
    match new_entry(attempt, &request, &new) {
        Ok(entry) => {
            let New {
                prepared,
                content,
                decided,
                once,
            } = new;
            let call = Call {
                request,
                content,
                prepared,
                entry,
                before: None,
                differs: false,
                decided,
                once,
                taken_from: None,
            };
            send(attempt, call, reads).await
        }
        Err(why) => Called::Dead { why, needs: None },
    }
}

/// Sends a call again, word for word as it went out before: the service may have kept it under its key.
async fn again(
    attempt: &Attempt,
    request: Request,
    content: String,
    found: Found,
    once: Option<OnceIntent>,
    reads: &[Read],
) -> Called {
    let Found {
        mut entry,
        differs,
        decided,
    } = found;
    // One of before the script said so has the name from now on.
    entry.once = request.once.clone().or(entry.once);
    let Ok(prepared) = serde_json::from_str::<Prepared>(&entry.request) else {
        let why = format!("call {} of the journal cannot be read", entry.number);
        return Called::Dead { why, needs: None };
    };
    let call = Call {
        request,
        content,
        prepared,
        before: Some(entry.state),
        differs,
        decided: decided.or(entry.decided),
        entry,
        once,
        taken_from: None,
    };
    send(attempt, call, reads).await
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

fn new_entry(attempt: &Attempt, request: &Request, new: &New) -> Result<JournalEntry, String> {
    let New {
        prepared,
        content,
        once,
        decided: _,
    } = new;
    let Some(event) = attempt.event() else {
        return Err("its event is not at hand".into());
    };
    let sight = attempt.sight();
    let idempotency_key = match (&request.once, once) {
        (Some(name), Some(it)) => once_key(&prepared.service, name, it.generation),
        (Some(_), None) | (None, _) => idempotency_key(&KeyParts {
            scope: &event.scope,
            event_id: &event.envelope.id,
            handler: &attempt.run.handler,
            replay_number: u64::try_from(attempt.run.replay).unwrap_or(0),
            call: prepared,
            nth: sight.journal.count_of(content) + 1,
            generation: sight.journal.generation(content),
        }),
    };
    Ok(JournalEntry {
        number: sight.journal.next_number(),
        state: CallState::Intended,
        service: prepared.service.clone(),
        method: prepared.method.as_str().into(),
        url: prepared.url.clone(),
        path: Some(request.path.clone()),
        request: serde_json::to_string(prepared).map_err(|it| it.to_string())?,
        content: content.clone(),
        idempotency_key,
        version: attempt.version.to_string(),
        now: attempt.now(),
        seen: None,
        intended_at: attempt.shared.clock.now(),
        answered_at: None,
        answer: None,
        decided: None,
        once: request.once.clone(),
        given_to: None,
    })
}

/// Writes the call down, sends it, writes down what became of it.
async fn send(attempt: &Attempt, call: Call, reads: &[Read]) -> Called {
    if let Some(dead) = give_up_unknown(attempt, &call) {
        return dead;
    }
    // First the turn: what is written down is about to be sent.
    let turn = match turn(attempt, &call.request).await {
        Ok(it) => it,
        Err(why) => return no_turn(attempt, call.request, why),
    };
    // That may have taken longer than the service keeps keys.
    if let Some(dead) = give_up_unknown(attempt, &call) {
        return dead;
    }
    let Call {
        request,
        content,
        prepared,
        mut entry,
        before,
        differs,
        decided,
        once,
        taken_from,
    } = call;
    if before.is_none() {
        entry.intended_at = attempt.shared.clock.now();
    }
    let ledger = &attempt.shared.ledger;
    let new = std::mem::take(&mut attempt.sight().seen);
    entry.seen = seen_with(&entry, &attempt.version, attempt.now(), new);
    entry.state = CallState::Intended;
    entry.version = attempt.version.to_string();
    entry.now = attempt.now();
    let word = entry.decided.take();
    let intent = Intent {
        claim: attempt.run.claim,
        entry: entry.clone(),
        reads: reads.to_vec(),
        once,
    };
    match ledger.intent(intent).await {
        Ok(Applied::Done) => attempt.end_turn_alone(),
        Ok(Applied::Stale) => {
            attempt.keep_turn(turn);
            return Called::Stale;
        }
        Ok(Applied::Fenced) => return Called::Fenced,
        Err(_) => return Called::Unwritten,
    }
    attempt.sight().journal.put(entry.clone(), &content);

    let key = Some(entry.idempotency_key.as_str());
    let Sent {
        outcome: sent,
        not_now,
    } = attempt
        .shared
        .wire
        .send(attempt, turn, &prepared, key)
        .await;
    let state = state_after(&sent, &request, before, word);
    let answer = sent.as_ref().ok().cloned();
    if state != CallState::Unsettled || answer.is_some() {
        entry.answer = answer.clone();
    }
    entry.state = state;
    if let Err(CallError::Refused { .. } | CallError::NotSent { .. }) = sent {
        // Nobody has used it yet.
        entry.decided = word;
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
    let written = write_down(ledger, settle).await;
    if let Some(name) = &entry.once {
        attempt.shared.once.has_ended(&entry.service, name);
    }
    match written {
        Ok(Applied::Done | Applied::Stale) => {}
        Ok(Applied::Fenced) => return Called::Fenced,
        Err(_) => return Called::Unwritten,
    }
    let did = match before {
        None => Did::New,
        Some(_) => Did::SentAgain,
    };
    let told = CallNote {
        number: (state != CallState::Unsent).then_some(entry.number),
        became: Some(state),
        status: sent.as_ref().ok().map(|it| it.status),
        differs,
        decided,
        run: taken_from,
        ..CallNote::of(&request, did)
    };
    {
        let mut sight = attempt.sight();
        sight.tell(told);
        if state == CallState::Unsent {
            sight.journal.take_out(entry.number);
        } else {
            sight.journal.put(entry, &content);
        }
    }
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
