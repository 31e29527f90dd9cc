//! A call with a name, which is made once over all runs: made, left to another run, or taken over from it.

use super::super::attempt::Attempt;
use super::super::journal::Found;
use super::super::once::{Way, is_waited_for, way};
use super::super::past::seen_with;
use super::{Call, Called, New, Plan, again, failed, make_new};
use crate::call::Request;
use crate::clock::UnixMillis;
use crate::ledger::Applied;
use crate::ledger::decision::ChoiceName;
use crate::ledger::once::{OnceCall, OnceKey, Standing};
use crate::ledger::request::{CallState, Intent, JournalEntry};
use crate::record::Read;
use crate::run::RunId;
use crate::services::{CallError, Prepared};
use std::sync::Arc;

/// A call that another run is making, as far as is known.
pub(in crate::worker) struct UnderWay {
    pub service: String,
    pub name: String,
    pub owner: RunId,
    pub since: UnixMillis,
    /// It waits for somebody's word about the call.
    pub for_word: bool,
}

/// What a call with a name is to this run alone.
pub(super) struct Named {
    pub prepared: Prepared,
    pub content: String,
    /// The entry of its own journal that is to be sent again.
    pub own: Option<Found>,
    pub decided: Option<ChoiceName>,
}

/// What its row says is to be done about it, as the pass saw it.
pub(super) fn plan(attempt: &Attempt, request: Request, asked: Named) -> Plan {
    let Named {
        prepared,
        content,
        own,
        decided,
    } = asked;
    let row = attempt.sight().once.take();
    let name = request.once.clone().unwrap_or_default();
    let (run, now) = (attempt.run.claim.id, attempt.shared.clock.now());
    let standing = row.as_ref().map(|it| &it.standing);
    let entry = own.as_ref().map(|it| &it.entry);
    let intent = |generation| OnceCall::intent(row.as_ref(), generation, now);
    let services = &attempt.in_force.config.services;
    let service = services.iter().find(|it| *it.name == *request.service);
    let keys_kept = service.and_then(|it| it.idempotency);
    let is_waited_for = row
        .as_ref()
        .is_some_and(|it| is_waited_for(it.intended_at, keys_kept, now));
    match way(run, &name, entry, standing, is_waited_for) {
        Way::LookAgain => Plan::Told(Called::Stale),
        Way::Wait { owner, for_word } => Plan::Told(Called::UnderWay(UnderWay {
            service: request.service,
            name,
            owner,
            since: row.as_ref().map_or(now, |it| it.intended_at),
            for_word,
        })),
        Way::New { generation } => {
            let new = New {
                prepared,
                content,
                decided,
                once: Some(intent(generation)),
            };
            make_new(attempt, request, new)
        }
        Way::Own { generation } => {
            let once = Some(intent(generation));
            match own {
                Some(found) => again(request, content, found, once),
                None => Plan::Told(Called::Stale),
            }
        }
        Way::TakeOver => match row {
            Some(row) => Plan::TakeOver(Box::new(TakeOver {
                request,
                content,
                row,
            })),
            None => Plan::Told(Called::Stale),
        },
    }
}

/// A call that another run began and makes no more.
pub(in crate::worker) struct TakeOver {
    request: Request,
    content: String,
    row: OnceCall,
}

/// Goes on with such a call: its bytes, its key.
pub(super) async fn take_over(
    attempt: &Attempt,
    it: Box<TakeOver>,
    reads: &[Read],
) -> Result<Box<Call>, Called> {
    let TakeOver {
        request,
        content,
        row,
    } = *it;
    let is_full = attempt.sight().journal.is_full();
    if let Some(message) = is_full {
        let refused = CallError::Refused { message };
        return Err(failed(attempt, request, &refused));
    }
    let standing = row.standing;
    let Ok(prepared) = serde_json::from_str::<Prepared>(&row.request) else {
        let why = format!(
            "call {} of run {} cannot be read",
            standing.number, standing.owner
        );
        return Err(Called::Dead { why, needs: None });
    };
    let differs = row.content != content;
    let mut once = OnceCall::intent(Some(&row), standing.generation, attempt.shared.clock.now());
    let (number, sent_by) = {
        let journal = &attempt.sight().journal;
        (journal.next_number(), journal.attempt())
    };
    let mut entry = JournalEntry {
        number,
        sent_by,
        state: standing.state,
        service: prepared.service.clone(),
        method: prepared.method.as_str().into(),
        url: prepared.url.clone(),
        path: row.path,
        request: row.request,
        content: row.content,
        idempotency_key: row.idempotency_key,
        version: attempt.version.to_string(),
        now: attempt.now(),
        seen: None,
        intended_at: row.intended_at,
        answered_at: None,
        answer: None,
        decided: None,
        once: request.once.clone(),
        given_to: None,
    };
    if standing.state == CallState::Intended {
        // First it is this run's, and then that of whoever decides whether it may be sent.
        let new = std::mem::take(&mut attempt.sight().seen);
        entry.seen = seen_with(&entry, &attempt.version, attempt.now(), new);
        let intent = Intent {
            claim: attempt.run.claim,
            entry: entry.clone(),
            reads: reads.to_vec(),
            once: Some(once),
        };
        match attempt.shared.ledger.intent(intent).await {
            Ok(Applied::Done) => {}
            Ok(Applied::Stale) => return Err(Called::Stale),
            Ok(Applied::Fenced) => return Err(Called::Fenced),
            Err(_) => return Err(Called::Unwritten),
        }
        once.expected = Some(Standing {
            owner: attempt.run.claim.id,
            number: entry.number,
            is_under_way: true,
            waits_for_word: false,
            ..standing
        });
        attempt.sight().journal.put(entry.clone(), &content);
    }
    Ok(Box::new(Call {
        request,
        content,
        prepared,
        before: Some(entry.state),
        differs,
        decided: None,
        word: None,
        entry: Arc::new(entry),
        once: Some(once),
        taken_from: Some(standing.owner).filter(|it| *it != attempt.run.claim.id),
    }))
}

/// Which call of its name an answer to this entry is for.
pub(super) fn key_of(entry: &JournalEntry) -> Option<OnceKey> {
    Some(OnceKey {
        service: entry.service.clone(),
        name: entry.once.clone()?,
        idempotency_key: entry.idempotency_key.clone(),
    })
}
