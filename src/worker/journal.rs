//! Which call of an earlier attempt a call of this one is. Pure; nothing is sent or stored here.

use crate::call;
use crate::ledger::request::{CallState, JournalEntry};
use sha2::{Digest, Sha256};

/// The calls of a run so far, and which of them this attempt has come by.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    entries: Vec<JournalEntry>,
    used: Vec<bool>,
}

/// What a call is to the journal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Match {
    /// Answered for good: this is the answer, and nothing is sent.
    Settled(JournalEntry),
    /// Not settled: the stored bytes go out again with the stored key.
    Again(JournalEntry),
    /// Not made before.
    New,
    /// The script was edited, and several calls of before may be the one that is meant.
    CallsChanged,
}

impl Journal {
    pub(super) fn new(entries: Vec<JournalEntry>) -> Self {
        let used = vec![false; entries.len()];
        Self { entries, used }
    }

    /// The number that the run's next call gets.
    pub(super) fn next_number(&self) -> i64 {
        self.entries.last().map_or(1, |it| it.number + 1)
    }

    /// How often a call with this content was refused or never left: part of the next one's key.
    pub(super) fn generation(&self, content: &str) -> u64 {
        self.entries
            .iter()
            .filter(|it| it.content == content && is_forgotten(it))
            .count() as u64
    }

    /// How many calls with this content came before: part of a new one's key.
    pub(super) fn count_of(&self, content: &str) -> u64 {
        self.entries
            .iter()
            .filter(|it| it.content == content && !is_forgotten(it))
            .count() as u64
    }

    /// Finds the call that this one is. It counts as come by once it is [`put`](Self::put).
    pub(super) fn peek(
        &self,
        request: &call::Request,
        url: &str,
        content: &str,
        version: &str,
    ) -> Match {
        let candidates: Vec<usize> = (0..self.entries.len())
            .filter(|at| {
                let it = &self.entries[*at];
                !self.used[*at]
                    && !is_forgotten(it)
                    && it.service == request.service
                    && it.method == request.method.as_str()
                    && it.url == url
            })
            .collect();
        let same_content = candidates
            .iter()
            .find(|at| self.entries[**at].content == content);
        let same_version = candidates
            .iter()
            .find(|at| self.entries[**at].version == version);
        let found = match (same_content, same_version) {
            (Some(at), _) => *at,
            // An unchanged script that says something else now, because the world changed: it is the same call.
            (None, Some(at)) => *at,
            (None, None) => {
                // After a failure that was answered, an edited script may say something else.
                let meant: Vec<usize> = candidates
                    .into_iter()
                    .filter(|at| self.entries[*at].state != CallState::Unsettled)
                    .collect();
                match meant.as_slice() {
                    [] => return Match::New,
                    [at] => *at,
                    _ => return Match::CallsChanged,
                }
            }
        };
        let entry = self.entries[found].clone();
        match entry.state {
            CallState::Settled => Match::Settled(entry),
            CallState::Intended | CallState::Unsettled => Match::Again(entry),
            CallState::Refused | CallState::Unsent => Match::New,
        }
    }

    /// Adds a call that was just written down, or replaces it by what became of it. This attempt has come by it.
    pub(super) fn put(&mut self, entry: JournalEntry) {
        match self.entries.iter().position(|it| it.number == entry.number) {
            Some(at) => {
                self.entries[at] = entry;
                self.used[at] = true;
            }
            None => {
                self.entries.push(entry);
                self.used.push(true);
            }
        }
    }
}

/// Refused, or never sent: the next attempt makes a new call.
fn is_forgotten(entry: &JournalEntry) -> bool {
    match entry.state {
        CallState::Refused | CallState::Unsent => true,
        CallState::Intended | CallState::Settled | CallState::Unsettled => false,
    }
}

/// Hash of what makes two calls the same.
pub(super) fn content_of(service: &str, method: &str, url: &str, body: Option<&str>) -> String {
    let mut hasher = Sha256::new();
    for part in [service, method, url, body.unwrap_or_default()] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// What an answer makes of its call.
pub(super) fn state_after(answer: &call::Answer, request: &call::Request) -> CallState {
    if answer.is_accepted_by(request) {
        return CallState::Settled;
    }
    match answer.status {
        408 | 409 | 425 | 429 | 500..=599 => CallState::Unsettled,
        _ => CallState::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMillis;
    use std::collections::BTreeMap;

    fn request(body: &str) -> call::Request {
        call::Request {
            service: "books".into(),
            method: call::Method::Post,
            path: "/x".into(),
            headers: BTreeMap::new(),
            body: Some(body.into()),
            accept: vec![],
        }
    }

    fn content(body: &str) -> String {
        content_of("books", "POST", "http://b/x", Some(body))
    }

    fn entry(number: i64, body: &str, state: CallState, version: &str) -> JournalEntry {
        JournalEntry {
            number,
            state,
            service: "books".into(),
            method: "POST".into(),
            url: "http://b/x".into(),
            request: String::new(),
            content: content(body),
            idempotency_key: format!("key-{number}"),
            version: version.into(),
            now: UnixMillis(0),
            seen: None,
            intended_at: UnixMillis(0),
            answered_at: None,
            answer: None,
        }
    }

    /// What the calls with these bodies, in this order, are to a journal.
    #[track_caller]
    fn check(entries: &[JournalEntry], version: &str, bodies: &[&str], expected: &[&str]) {
        let mut journal = Journal::new(entries.to_vec());
        let found: Vec<String> = bodies
            .iter()
            .map(
                |body| match journal.peek(&request(body), "http://b/x", &content(body), version) {
                    Match::Settled(it) => {
                        journal.put(it.clone());
                        format!("settled {}", it.number)
                    }
                    Match::Again(it) => {
                        journal.put(it.clone());
                        format!("again {}", it.number)
                    }
                    Match::New => "new".into(),
                    Match::CallsChanged => "changed".into(),
                },
            )
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_settled_call_is_never_made_again() {
        let settled = [entry(1, "a", CallState::Settled, "v1")];
        check(&settled, "v1", &["a", "b"], &["settled 1", "new"]);
        check(&settled, "v2", &["a"], &["settled 1"]);
    }

    #[test]
    fn equal_calls_match_one_for_one() {
        let twice = [
            entry(1, "a", CallState::Settled, "v1"),
            entry(2, "a", CallState::Intended, "v1"),
        ];
        check(
            &twice,
            "v1",
            &["a", "a", "a"],
            &["settled 1", "again 2", "new"],
        );
    }

    #[test]
    fn an_unchanged_script_that_says_something_else_means_its_next_call() {
        let one = [
            entry(1, "a", CallState::Settled, "v1"),
            entry(2, "b", CallState::Unsettled, "v1"),
        ];
        check(&one, "v1", &["x", "y"], &["settled 1", "again 2"]);
    }

    #[test]
    fn an_edited_script_means_the_one_call_that_is_left_or_an_operator_decides() {
        let one = [entry(1, "a", CallState::Settled, "v1")];
        check(&one, "v2", &["b"], &["settled 1"]);
        let two = [
            entry(1, "a", CallState::Settled, "v1"),
            entry(2, "b", CallState::Settled, "v1"),
        ];
        check(&two, "v2", &["c"], &["changed"]);
        check(&two, "v2", &["b", "c"], &["settled 2", "settled 1"]);
    }

    #[test]
    fn an_edited_script_may_say_something_else_after_an_answered_failure() {
        let failed = [entry(1, "a", CallState::Unsettled, "v1")];
        check(&failed, "v2", &["b"], &["new"]);
        check(&failed, "v2", &["a"], &["again 1"]);
    }

    #[test]
    fn a_refused_call_is_forgotten_and_the_next_has_a_new_generation() {
        let refused = [
            entry(1, "a", CallState::Refused, "v1"),
            entry(2, "a", CallState::Unsent, "v1"),
        ];
        check(&refused, "v1", &["a"], &["new"]);
        assert_eq!(Journal::new(refused.to_vec()).generation(&content("a")), 2);
    }

    #[test]
    fn only_answers_that_may_change_leave_a_call_open() {
        let after = |status| {
            let answer = call::Answer {
                status,
                headers: BTreeMap::new(),
                text: String::new(),
                body_missing: None,
            };
            state_after(
                &answer,
                &call::Request {
                    accept: vec![404],
                    ..request("a")
                },
            )
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
