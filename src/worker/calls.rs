//! Making a call for a script: written down before it is sent, and when it is answered.

mod named;
mod send;

use super::attempt::Attempt;
use super::journal::{Asked, Found, Match};
use super::outcome::calls_changed;
use crate::call::Request;
use crate::ledger::decision::{ChoiceName, Needs};
use crate::ledger::once::OnceIntent;
use crate::ledger::request::{CallState, JournalEntry};
use crate::record::Read;
use crate::run::RunId;
use crate::script::WorldError;
use crate::services::{CallError, KeyParts, NotNow, Prepared, idempotency_key, once_key};
use named::{Named, TakeOver};
use std::sync::Arc;

pub(super) use named::UnderWay;

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

/// What is to be done about a call.
pub(super) enum Plan {
    /// Nothing is sent.
    Told(Called),
    /// It changes nothing, and is not written down.
    Ask(Box<Ask>),
    Send(Box<Call>),
    TakeOver(Box<TakeOver>),
}

/// A call that is about to be sent, and changes nothing.
pub(super) struct Ask {
    request: Request,
    prepared: Prepared,
}

/// A call that is about to be written down and sent.
pub(super) struct Call {
    request: Request,
    content: String,
    prepared: Prepared,
    entry: Arc<JournalEntry>,
    /// What it was, when it is sent again.
    before: Option<CallState>,
    differs: bool,
    decided: Option<ChoiceName>,
    /// The operator's word on its entry, until it is sent.
    word: Option<ChoiceName>,
    /// Of a call with a name.
    once: Option<OnceIntent>,
    /// The run from which it is taken over.
    taken_from: Option<RunId>,
}

/// Does what was planned. Whatever waits for a service waits here, thousands at once: it holds what it needs, and in one
/// place.
pub(super) async fn make(attempt: &Attempt, plan: Plan, reads: &[Read]) -> Called {
    match plan {
        Plan::Told(it) => it,
        Plan::Ask(it) => send::ask(attempt, it).await,
        Plan::Send(it) => send::send(attempt, it, reads).await,
        Plan::TakeOver(it) => match named::take_over(attempt, it, reads).await {
            Ok(it) => send::send(attempt, it, reads).await,
            Err(it) => it,
        },
    }
}

/// Finds out what is to be done about the call that a pass ended with.
pub(super) fn plan(attempt: &Attempt, request: Request) -> Plan {
    let prepared = match attempt.in_force.services.prepare(&request) {
        Ok(it) => it,
        Err(error) => return Plan::Told(failed(attempt, request, &error)),
    };
    if !request.method.changes_something() {
        return Plan::Ask(Box::new(Ask { request, prepared }));
    }
    let asked = Asked::of(&request, &prepared, &attempt.version);
    let content = asked.content();
    let known = attempt.sight().journal.peek(&asked);
    let (own, decided) = match known {
        // The pass would have been given it; one that appears now was not there for it.
        Match::Settled(_) => return Plan::Told(Called::Stale),
        Match::CallsChanged => {
            return Plan::Told(Called::Dead {
                why: calls_changed(attempt.run.claim.id, &request),
                needs: Some(Needs::CallsChanged),
            });
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
        return named::plan(attempt, request, asked);
    }
    match own {
        Some(found) => again(request, content, found, None),
        None => {
            let new = New {
                prepared,
                content,
                decided,
                once: None,
            };
            make_new(attempt, request, new)
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

fn make_new(attempt: &Attempt, request: Request, new: New) -> Plan {
    let is_full = attempt.sight().journal.is_full();
    if let Some(message) = is_full {
        return Plan::Told(failed(attempt, request, &CallError::Refused { message }));
    }
    match new_entry(attempt, &request, &new) {
        Ok(entry) => {
            let New {
                prepared,
                content,
                decided,
                once,
            } = new;
            Plan::Send(Box::new(Call {
                request,
                content,
                prepared,
                entry: Arc::new(entry),
                before: None,
                differs: false,
                decided,
                word: None,
                once,
                taken_from: None,
            }))
        }
        Err(why) => Plan::Told(Called::Dead { why, needs: None }),
    }
}

/// Sends a call again, word for word as it went out before: the service may have kept it under its key.
fn again(request: Request, content: String, found: Found, once: Option<OnceIntent>) -> Plan {
    let Found {
        mut entry,
        differs,
        decided,
    } = found;
    // One of before the script said so has the name from now on.
    entry.once = request.once.clone().or(entry.once);
    let Ok(prepared) = serde_json::from_str::<Prepared>(&entry.request) else {
        let why = format!("call {} of the journal cannot be read", entry.number);
        return Plan::Told(Called::Dead { why, needs: None });
    };
    Plan::Send(Box::new(Call {
        request,
        content,
        prepared,
        before: Some(entry.state),
        differs,
        decided: decided.or(entry.decided),
        word: None,
        entry: Arc::new(entry),
        once,
        taken_from: None,
    }))
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
        sent_by: sight.journal.attempt(),
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
