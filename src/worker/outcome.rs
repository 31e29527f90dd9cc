//! What an answer makes of its call, and when nobody can know what became of one. Pure.

use crate::call::{Answer, Request};
use crate::clock::UnixMillis;
use crate::config;
use crate::ledger::decision::ChoiceName;
use crate::ledger::request::{CallState, JournalEntry};
use crate::run::RunId;
use crate::services::CallError;

/// What a sending makes of its call; `before`: what it was, when it was sent before.
pub(super) fn state_after(
    sent: &Result<Answer, CallError>,
    request: &Request,
    before: Option<CallState>,
) -> CallState {
    match sent {
        Ok(answer) if answer.is_accepted_by(request) => CallState::Settled,
        Ok(answer) => match answer.status {
            408 | 409 | 425 | 429 | 500..=599 => CallState::Unsettled,
            _ => CallState::Refused,
        },
        // A call that never left leaves things as they were: an earlier sending of it may still have arrived.
        Err(CallError::Refused { .. } | CallError::NotSent { .. }) => {
            before.unwrap_or(CallState::Unsent)
        }
        Err(CallError::OutcomeUnknown { .. }) => CallState::Intended,
    }
}

/// Why a call that was never answered must not be sent again, if so. `service`: as it is in force; none when it is gone.
pub(super) fn outcome_unknown(
    run: RunId,
    entry: &JournalEntry,
    service: Option<&config::Service>,
    now: UnixMillis,
) -> Option<String> {
    if entry.state != CallState::Intended || entry.decided == Some(ChoiceName::Resend) {
        return None;
    }
    let because = match service?.idempotency {
        None => {
            "the service ignores idempotency keys, so sending it again could do it twice".to_owned()
        }
        Some(kept) if entry.intended_at.after(kept) < now => format!(
            "that was longer ago than the service keeps idempotency keys ({}), so sending it again could do it twice",
            humantime::format_duration(kept)
        ),
        Some(_) => return None,
    };
    Some(format!(
        "outcome unknown: {} {} to `{}` was written down at {} and no answer came; {because}. Look at the service, then: \
         `hookyard runs retry {run} --settle 200` if it has taken effect, `hookyard runs retry {run} --resend` if it has not",
        entry.method, entry.url, entry.service, entry.intended_at
    ))
}

/// Why a run with this call cannot go on.
pub(super) fn calls_changed(run: RunId, request: &Request) -> String {
    format!(
        "calls changed: {} {} to `{}` may be a call that this run made before, and which one is not certain. `hookyard why` \
         shows them. Then: `hookyard runs retry {run} --reuse` if it is one of them (the earlier answers are used, in order), \
         `hookyard runs retry {run} --again` if it is to be made as well",
        request.method.as_str(),
        request.path,
        request.service
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Method;
    use std::collections::BTreeMap;

    #[test]
    fn only_answers_that_may_change_leave_a_call_open() {
        let request = Request {
            service: "books".into(),
            method: Method::Post,
            path: "/x".into(),
            headers: BTreeMap::new(),
            body: None,
            accept: vec![404],
            once: None,
        };
        let after = |status| {
            let answer = Answer {
                status,
                headers: BTreeMap::new(),
                text: String::new(),
                body_missing: Some("it was cut".into()),
                has_bad_utf8: false,
            };
            state_after(&Ok(answer), &request, None)
        };
        for status in [200, 201, 204, 404] {
            assert_eq!(after(status), CallState::Settled, "{status}");
        }
        for status in [408, 409, 425, 429, 500, 502, 503] {
            assert_eq!(after(status), CallState::Unsettled, "{status}");
        }
        for status in [301, 400, 401, 403, 422] {
            assert_eq!(after(status), CallState::Refused, "{status}");
        }
    }
}
