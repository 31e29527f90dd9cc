//! What an attempt takes over from those before it: an unchanged script is to ask for the same calls, so it sees the same
//! `now()` and the same answers of GETs as the attempts that made them, up to the last of them. Pure.

use super::journal::{Journal, is_forgotten};
use crate::call::{Answer, Request};
use crate::clock::UnixMillis;
use crate::ledger::request::JournalEntry;

/// The answers of GETs, with what was asked, as an intent keeps them.
pub(super) type Seen = Vec<(Request, Answer)>;

/// What is taken over.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// What `now()` says; none when nothing is taken over.
    pub now: Option<UnixMillis>,
    answers: Seen,
}

impl Past {
    /// What calls that count tell of the attempts of this script version. After a call that was refused the world is
    /// looked at anew: otherwise the same would be refused for ever.
    pub(super) fn of(entries: &[JournalEntry], version: &str) -> Self {
        let own = || entries.iter().filter(|it| it.version == version);
        let Some(last) = own().rfind(|it| !is_forgotten(it)) else {
            return Self::default();
        };
        let answers = own()
            // Those that took nothing over looked at another world.
            .filter(|it| it.now == last.now)
            .filter_map(|it| it.seen.as_deref())
            .filter_map(|it| serde_json::from_str::<Seen>(it).ok())
            .flatten()
            .collect();
        Self {
            now: Some(last.now),
            answers,
        }
    }

    /// The answer that an earlier attempt was given to this question; none once all calls of before have been come by.
    pub(super) fn answer(
        &mut self,
        request: &Request,
        journal: &Journal,
        version: &str,
    ) -> Option<Answer> {
        if journal.is_past(version) {
            self.answers.clear();
        }
        let at = self.answers.iter().position(|(it, _)| it == request)?;
        Some(self.answers.remove(at).1)
    }
}

/// What an entry keeps of what was seen, when its call is sent again: for the same world more, else only what is new.
pub(super) fn seen_with(
    entry: &JournalEntry,
    version: &str,
    now: UnixMillis,
    new: Seen,
) -> Option<String> {
    let mut seen: Seen = entry
        .seen
        .as_deref()
        .filter(|_| entry.version == version && entry.now == now)
        .and_then(|it| serde_json::from_str(it).ok())
        .unwrap_or_default();
    seen.extend(new);
    if seen.is_empty() {
        None
    } else {
        serde_json::to_string(&seen).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Method;
    use crate::ledger::decision::Matching;
    use crate::ledger::request::CallState;
    use crate::ledger::sent_by::SentBy;
    use std::collections::BTreeMap;

    fn get(path: &str) -> Request {
        Request {
            service: "books".into(),
            method: Method::Get,
            path: path.into(),
            headers: BTreeMap::new(),
            body: None,
            accept: vec![],
            once: None,
        }
    }

    fn seen(path: &str, text: &str) -> (Request, Answer) {
        let answer = Answer {
            status: 200,
            headers: BTreeMap::new(),
            text: text.into(),
            body_missing: None,
            has_bad_utf8: false,
        };
        (get(path), answer)
    }

    fn entry(number: i64, state: CallState, now: i64, seen: Seen) -> JournalEntry {
        JournalEntry {
            number,
            sent_by: SentBy::only(1),
            state,
            service: "books".into(),
            method: "POST".into(),
            url: "http://b/x".into(),
            path: Some("/x".into()),
            request: String::new(),
            content: format!("content {number}"),
            idempotency_key: String::new(),
            version: "v1".into(),
            now: UnixMillis(now),
            seen: serde_json::to_string(&seen).ok(),
            intended_at: UnixMillis(0),
            answered_at: None,
            answer: None,
            decided: None,
            once: None,
            given_to: None,
        }
    }

    /// What an attempt sees that asks these questions before its calls, and the last one after them.
    #[track_caller]
    fn check(entries: Vec<JournalEntry>, version: &str, asks: &[&str], expected: &[&str]) {
        let mut past = Past::of(&entries, version);
        let mut journal = Journal::new(entries.clone(), Matching::Usual);
        let mut found = Vec::new();
        for (at, path) in asks.iter().enumerate() {
            if at + 1 == asks.len() {
                entries
                    .iter()
                    .for_each(|it| journal.put(it.clone(), &it.content));
            }
            let answer = past.answer(&get(path), &journal, version);
            found.push(answer.map_or("fresh".to_owned(), |it| it.text));
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn an_unchanged_script_sees_what_was_seen_up_to_its_last_call_and_no_further() {
        let all = || {
            vec![
                entry(
                    1,
                    CallState::Settled,
                    7,
                    vec![seen("/a", "1"), seen("/a", "2")],
                ),
                entry(2, CallState::Unsettled, 7, vec![seen("/b", "3")]),
            ]
        };
        check(
            all(),
            "v1",
            &["/a", "/a", "/b", "/a"],
            &["1", "2", "3", "fresh"],
        );
        // It did not ask /b: what was seen then is old by now.
        check(all(), "v1", &["/a", "/b"], &["1", "fresh"]);
        check(all(), "v2", &["/a", "/a"], &["fresh", "fresh"]);
        assert_eq!(Past::of(&all(), "v1").now, Some(UnixMillis(7)));
    }

    #[test]
    fn after_a_refusal_the_world_is_looked_at_anew() {
        let refused = || entry(1, CallState::Refused, 7, vec![seen("/a", "1")]);
        check(vec![refused()], "v1", &["/a", "/a"], &["fresh", "fresh"]);
        let later = entry(2, CallState::Settled, 9, vec![seen("/a", "2")]);
        check(vec![refused(), later], "v1", &["/a", "/a"], &["2", "fresh"]);
    }

    #[test]
    fn a_call_that_is_sent_again_keeps_what_was_seen_before_it() {
        let call = entry(1, CallState::Intended, 7, vec![seen("/a", "1")]);
        let texts = |it: Option<String>| -> Vec<String> {
            let seen: Seen = serde_json::from_str(&it.unwrap()).unwrap();
            seen.into_iter().map(|(_, it)| it.text).collect()
        };
        let new = || vec![seen("/b", "2")];
        assert_eq!(
            texts(seen_with(&call, "v1", UnixMillis(7), new())),
            ["1", "2"]
        );
        assert_eq!(texts(seen_with(&call, "v2", UnixMillis(8), new())), ["2"]);
    }
}
