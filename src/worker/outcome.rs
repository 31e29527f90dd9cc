//! What an answer makes of its call, and when nobody can know what became of one. Pure.

use crate::call::{Answer, Request};
use crate::clock::UnixMillis;
use crate::config;
use crate::ledger::decision::ChoiceName;
use crate::ledger::request::{CallState, JournalEntry};
use crate::run::RunId;
use crate::services::CallError;

/// What a sending makes of its call; `before`: what it was, when it was sent before; `word`: what an operator has said
/// of it since.
pub(super) fn state_after(
    sent: &Result<Answer, CallError>,
    request: &Request,
    before: Option<CallState>,
    word: Option<ChoiceName>,
) -> CallState {
    let is_unknown = before == Some(CallState::Intended) && word != Some(ChoiceName::Resend);
    // An earlier sending may have taken effect, whatever came of it: then a new call in its place could do it twice.
    let is_open = is_unknown || before == Some(CallState::Unsettled);
    match sent {
        Ok(answer) if answer.is_accepted_by(request) => CallState::Settled,
        Ok(answer)
            if is_refusal(answer.status) && (!is_open || tells_of_earlier(answer.status)) =>
        {
            CallState::Refused
        }
        Ok(_) if is_unknown => CallState::Intended,
        Ok(_) => CallState::Unsettled,
        // A call that never left leaves things as they were: an earlier sending of it may still have arrived.
        Err(CallError::Refused { .. } | CallError::NotSent { .. }) => {
            before.unwrap_or(CallState::Unsent)
        }
        Err(CallError::OutcomeUnknown { .. }) => CallState::Intended,
    }
}

/// Whether this sending did nothing, and sending it again would come to the same: a refusal, or the word that what is
/// asked for is elsewhere. Other redirects are what many answer when they have done their work.
fn is_refusal(status: u16) -> bool {
    match status {
        301 | 307 | 308 => true,
        408 | 409 | 425 | 429 => false,
        _ => (400..=499).contains(&status),
    }
}

/// Whether a service says by this status that the very same call, with its key, had not taken effect before either: it
/// has looked at the call, and refuses it. A service that is ill, or somebody on the way to it, has not looked.
fn tells_of_earlier(status: u16) -> bool {
    is_refusal(status)
        && !matches!(
            status,
            301 | 307 | 308 | 401 | 403 | 404 | 405 | 407 | 421 | 423 | 426
        )
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
    let answer = match &entry.answer {
        None => "no answer came".to_owned(),
        Some(it) => format!(
            "the answer {} that came when it was sent again does not tell whether it took effect the first time",
            it.status
        ),
    };
    Some(format!(
        "outcome unknown: {} {} to `{}` was written down at {} and {answer}; {because}. Look at the service, then: \
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

    fn after(status: u16, before: Option<CallState>, word: Option<ChoiceName>) -> CallState {
        let request = Request {
            service: "books".into(),
            method: Method::Post,
            path: "/x".into(),
            headers: BTreeMap::new(),
            body: None,
            accept: vec![418],
            once: None,
        };
        let answer = Answer {
            status,
            headers: BTreeMap::new(),
            text: String::new(),
            body_missing: Some("it was cut".into()),
            has_bad_utf8: false,
        };
        state_after(&Ok(answer), &request, before, word)
    }

    #[test]
    fn only_a_refusal_ends_a_call_that_was_not_made() {
        for status in [200, 201, 204, 418] {
            assert_eq!(after(status, None, None), CallState::Settled, "{status}");
        }
        for status in [101, 302, 303, 408, 409, 425, 429, 500, 502, 503, 600, 999] {
            assert_eq!(after(status, None, None), CallState::Unsettled, "{status}");
        }
        for status in [301, 307, 308, 400, 401, 403, 404, 422] {
            assert_eq!(after(status, None, None), CallState::Refused, "{status}");
        }
    }

    /// A 500 can come after the work was done, and a 502 from somebody who does not know.
    #[test]
    fn what_failed_stays_the_same_call_until_an_answer_tells_of_it() {
        let failed = |status| after(status, Some(CallState::Unsettled), None);
        for status in [200, 204, 418] {
            assert_eq!(failed(status), CallState::Settled, "{status}");
        }
        for status in [301, 302, 401, 403, 404, 408, 409, 425, 429, 500, 503] {
            assert_eq!(failed(status), CallState::Unsettled, "{status}");
        }
        for status in [400, 402, 410, 413, 422] {
            assert_eq!(failed(status), CallState::Refused, "{status}");
        }
    }

    /// It may have taken effect: a new call in its place could do it twice.
    #[test]
    fn what_was_never_answered_stays_unknown_until_an_answer_tells_of_it() {
        let unknown = |status| after(status, Some(CallState::Intended), None);
        for status in [200, 204, 418] {
            assert_eq!(unknown(status), CallState::Settled, "{status}");
        }
        for status in [301, 401, 403, 404, 408, 409, 425, 429, 500, 503] {
            assert_eq!(unknown(status), CallState::Intended, "{status}");
        }
        for status in [400, 402, 410, 413, 422] {
            assert_eq!(unknown(status), CallState::Refused, "{status}");
        }
        // Somebody has looked, and it had not taken effect.
        let resent = |status| after(status, Some(CallState::Intended), Some(ChoiceName::Resend));
        assert_eq!(resent(503), CallState::Unsettled);
        assert_eq!(resent(404), CallState::Refused);
    }
}
