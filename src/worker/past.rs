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
