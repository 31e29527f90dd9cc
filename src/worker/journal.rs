//! Which call of an earlier attempt a call of this one is. Pure; nothing is sent or stored here.

use crate::call::Request;
use crate::ledger::decision::{ChoiceName, Matching};
use crate::ledger::request::{CallState, JournalEntry};
use crate::ledger::sent_by::SentBy;
use crate::services::Prepared;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The most calls of one run that are kept.
pub(super) const JOURNAL_CALLS_MAX: usize = 4096;
/// The most bytes that one run's calls may have, with all answers. The last answer may go beyond it by its own size.
pub(super) const JOURNAL_SIZE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The calls of a run so far, and which of them this attempt has come by.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// Shared with the call that is on its way.
    entries: Vec<Arc<JournalEntry>>,
    /// The content of the call of this attempt that each of them was found to be.
    taken_by: Vec<Option<String>>,
    /// How many of the entries are of earlier attempts: the first ones.
    earlier: usize,
    attempt: SentBy,
    matching: Matching,
    size_bytes: usize,
}

/// A call, as it is compared with those of before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub service: &'a str,
    pub method: &'a str,
    /// As the script wrote it.
    pub path: &'a str,
    pub url: &'a str,
    pub body: Option<&'a str>,
    /// Its name, if it is made once over all runs.
    pub once: Option<&'a str>,
    pub version: &'a str,
}

/// What a call is to the journal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Match {
    /// Answered for good: this is the answer, and nothing is sent.
    Settled(Found),
    /// Not settled: the stored bytes go out again with the stored key.
    Again(Found),
    /// Not made before, or not so that it counts.
    New { decided: Option<ChoiceName> },
    /// More than one call of before may be the one that is meant, or the one that is meant was taken for another.
    CallsChanged,
}

/// The earlier call that a call is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub entry: JournalEntry,
    /// The script says something else now.
    pub differs: bool,
    /// The operator's choice without which it would not have been found.
    pub decided: Option<ChoiceName>,
}

/// Where a call is found: the entry's place in the list, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    At(usize),
    Nowhere,
    Uncertain,
}

impl Journal {
    pub(super) fn new(entries: Vec<JournalEntry>, matching: Matching) -> Self {
        Self {
            taken_by: vec![None; entries.len()],
            earlier: entries.len(),
            attempt: SentBy::only(
                entries
                    .iter()
                    .map(|it| it.sent_by.last())
                    .max()
                    .unwrap_or(0)
                    + 1,
            ),
            size_bytes: entries.iter().map(size_bytes).sum(),
            entries: entries.into_iter().map(Arc::new).collect(),
            matching,
        }
    }

    /// Finds the call that this one is. It counts as come by once it is [`put`](Self::put).
    pub(super) fn peek(&self, asked: &Asked<'_>) -> Match {
        let content = asked.content();
        let place = self.place(asked, &content, self.matching);
        let usual = self.place(asked, &content, Matching::Usual);
        let decided = match self.matching {
            Matching::Usual => None,
            Matching::Reuse => Some(ChoiceName::Reuse),
            Matching::Again { .. } => Some(ChoiceName::Again),
        }
        .filter(|_| place != usual);
        let at = match place {
            Place::Nowhere => return Match::New { decided },
            Place::Uncertain => return Match::CallsChanged,
            Place::At(at) => at,
        };
        let entry = JournalEntry::clone(&self.entries[at]);
        let found = |decided| Found {
            differs: !asked.is_what(&entry, &content),
            decided,
            entry: entry.clone(),
        };
        match entry.state {
            CallState::Settled => Match::Settled(found(decided.or(entry.decided))),
            CallState::Intended | CallState::Unsettled if !asked.has_name_of(&entry) => {
                match self.matching {
                    Matching::Reuse => Match::Again(found(decided)),
                    Matching::Again { through } if entry.number <= through => Match::New {
                        decided: Some(ChoiceName::Again),
                    },
                    Matching::Usual | Matching::Again { .. } => Match::CallsChanged,
                }
            }
            CallState::Intended | CallState::Unsettled => Match::Again(found(decided)),
            CallState::Refused | CallState::Unsent => Match::New { decided },
        }
    }

    fn place(&self, asked: &Asked<'_>, content: &str, matching: Matching) -> Place {
        // One name is one call, whatever it says and however often it is asked for.
        if let Some(at) = self.named(asked) {
            return Place::At(at);
        }
        let remembered = |at: &usize| {
            let it = &self.entries[*at];
            !is_forgotten(it) && asked.is_to_where(it) && asked.may_be(it, content)
        };
        let all: Vec<usize> = (0..self.entries.len()).filter(remembered).collect();
        let is_same = |at: &&usize| asked.is_what(&self.entries[**at], content);
        let is_free = |at: &&usize| self.taken_by[**at].is_none();
        // Sent by a later attempt, maybe in its place, unless there was an attempt that sent them one beside the other.
        let is_since = |it: &JournalEntry, other: &JournalEntry| {
            it.sent_by.last() > other.sent_by.last() && !self.is_beside(&it.content, &other.content)
        };
        // Another call was made since this one failed: sent again, both would happen.
        let replaced_by = |at: usize| {
            let it = &self.entries[at];
            // Most are settled, of loops that are long.
            if it.state != CallState::Unsettled {
                return None;
            }
            let mut since = all.iter().filter(is_free).copied();
            since.find(|other| is_since(&self.entries[*other], it))
        };
        let at_unless_replaced = |at: usize| match (replaced_by(at), matching) {
            (None, _) | (Some(_), Matching::Again { .. }) => Place::At(at),
            (Some(other), Matching::Reuse) => Place::At(other),
            (Some(_), Matching::Usual) => Place::Uncertain,
        };
        if let Some(at) = all.iter().filter(is_free).find(is_same) {
            return at_unless_replaced(*at);
        }
        // This very call was made before, and its entry has served for another one: sent again it would happen twice.
        let is_lost = |at: &&usize| {
            let taken = self.taken_by[**at].as_deref();
            taken.is_some_and(|it| it != content)
        };
        if let Some(at) = all.iter().filter(is_lost).find(is_same) {
            return match matching {
                Matching::Reuse => Place::At(*at),
                Matching::Usual | Matching::Again { .. } => Place::Uncertain,
            };
        }
        // This very call was made before, and those of it that are left were refused: it is made anew, and is none of the
        // others, unless a later attempt has made one in its place.
        let come_by = self.taken_by.iter().flatten();
        let come_by = come_by.filter(|it| *it == content).count() as u64;
        let kept = all.iter().filter(|at| **at < self.earlier).filter(is_same);
        let is_made_anew = come_by < self.generation(content) + kept.count() as u64;
        let refused = self.last_refused(content).filter(|_| is_made_anew);
        let after = match matching {
            Matching::Usual | Matching::Reuse => 0,
            Matching::Again { through } => through,
        };
        let left = || {
            all.iter().filter(is_free).filter(|at| {
                let it = &self.entries[**at];
                it.number > after && refused.is_none_or(|refused| is_since(it, refused))
            })
        };
        // An unchanged script that says something else now, because the world changed: it is the same call.
        if let Some(at) = left().find(|at| self.entries[**at].version == asked.version) {
            return at_unless_replaced(*at);
        }
        // After a failure that was answered, an edited script may say something else.
        let meant: Vec<usize> = left()
            .filter(|at| self.entries[**at].state != CallState::Unsettled)
            .copied()
            .collect();
        match (meant.as_slice(), matching) {
            ([], _) => Place::Nowhere,
            ([at], _) | ([at, ..], Matching::Reuse) => Place::At(*at),
            (_, Matching::Usual | Matching::Again { .. }) => Place::Uncertain,
        }
    }

    fn named(&self, asked: &Asked<'_>) -> Option<usize> {
        let name = asked.once?;
        self.entries.iter().rposition(|it| {
            !is_forgotten(it) && it.service == asked.service && it.once.as_deref() == Some(name)
        })
    }

    /// Whether a call of this name is among those that were answered for good.
    pub(super) fn has_settled_by_name(&self, asked: &Asked<'_>) -> bool {
        self.named(asked)
            .is_some_and(|at| self.entries[at].state == CallState::Settled)
    }

    /// Adds a call that was just written down, or replaces it by what became of it. This attempt has come by it, with a
    /// call of this content.
    pub(super) fn put(&mut self, entry: impl Into<Arc<JournalEntry>>, content: &str) {
        let entry = entry.into();
        let content = Some(content.to_owned());
        self.size_bytes += size_bytes(&entry);
        match self.entries.iter().position(|it| it.number == entry.number) {
            Some(at) => {
                self.size_bytes -= size_bytes(&self.entries[at]);
                self.entries[at] = entry;
                self.taken_by[at] = content;
            }
            None => {
                self.entries.push(entry);
                self.taken_by.push(content);
            }
        }
    }

    /// Takes a call out that never left: it leaves no trace.
    pub(super) fn take_out(&mut self, number: i64) {
        if let Some(at) = self.entries.iter().position(|it| it.number == number) {
            self.size_bytes -= size_bytes(&self.entries[at]);
            self.entries.remove(at);
            self.taken_by.remove(at);
        }
    }

    /// The number that the run's next call gets.
    pub(super) fn next_number(&self) -> i64 {
        self.entries.last().map_or(1, |it| it.number + 1)
    }

    /// Which attempt this is, among those of the run that wrote down a call.
    pub(super) fn attempt(&self) -> SentBy {
        self.attempt
    }

    /// How often a call with this content was refused: part of the next one's key.
    pub(super) fn generation(&self, content: &str) -> u64 {
        self.count(content, is_forgotten)
    }

    fn last_refused(&self, content: &str) -> Option<&JournalEntry> {
        let mut all = self.entries.iter().rev();
        all.find(|it| it.content == content && is_forgotten(it))
            .map(Arc::as_ref)
    }

    /// How many calls with this content came before: part of a new one's key.
    pub(super) fn count_of(&self, content: &str) -> u64 {
        self.count(content, |it| !is_forgotten(it))
    }

    /// Whether an attempt is known to have sent both.
    fn is_beside(&self, content: &str, other: &str) -> bool {
        let attempts_of = |content: &str| {
            let same = self.entries.iter().filter(|it| it.content == content);
            same.fold(SentBy::default(), |all, it| all.and(it.sent_by))
        };
        attempts_of(content).has_some_of(attempts_of(other))
    }

    fn count(&self, content: &str, counts: impl Fn(&JournalEntry) -> bool) -> u64 {
        let same = self.entries.iter().filter(|it| it.content == content);
        same.filter(|it| counts(it)).count() as u64
    }

    /// Whether this attempt has come by all calls of its script version that count.
    pub(super) fn is_past(&self, version: &str) -> bool {
        let mut all = self.entries.iter().zip(&self.taken_by);
        all.all(|(it, taken)| taken.is_some() || is_forgotten(it) || it.version != version)
    }

    /// What its calls and their answers take up, near enough.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Why no further call can be kept, if none can.
    pub(super) fn is_full(&self) -> Option<String> {
        let calls = self.entries.len();
        if calls >= JOURNAL_CALLS_MAX {
            return Some(format!(
                "this run has made {calls} calls in all its attempts, which is the limit; it makes no more"
            ));
        }
        (self.size_bytes >= JOURNAL_SIZE_BYTES_MAX).then(|| {
            format!(
                "the calls of this run and their answers have {} bytes, over the limit of {JOURNAL_SIZE_BYTES_MAX}; ask for less in each call, or divide the handler in two",
                self.size_bytes
            )
        })
    }
}

impl<'a> Asked<'a> {
    pub(super) fn of(request: &'a Request, prepared: &'a Prepared, version: &'a str) -> Self {
        Self {
            service: &request.service,
            method: request.method.as_str(),
            path: &request.path,
            url: &prepared.url,
            body: prepared.body.as_deref(),
            once: request.once.as_deref(),
            version,
        }
    }

    /// Hash of what makes two calls the same. The address of the service is no part of it: a service may move.
    pub(super) fn content(&self) -> String {
        content_of(self.service, self.method, self.path, self.body)
    }

    fn is_to_where(&self, entry: &JournalEntry) -> bool {
        let is_same_place = match &entry.path {
            Some(path) => path == self.path,
            None => entry.url == self.url,
        };
        is_same_place && entry.service == self.service && entry.method == self.method
    }

    /// Whether the entry may go out again for this call: others may ask for its name, and wait for it or take it over.
    fn has_name_of(&self, entry: &JournalEntry) -> bool {
        entry.once.is_none() || entry.once.as_deref() == self.once
    }

    /// Whether names leave it open that a call is this entry. In one version of a script two names are two calls, and a
    /// call with a name is none without one unless all that they say is the same; an edit may have changed that.
    fn may_be(&self, entry: &JournalEntry, content: &str) -> bool {
        if entry.version != self.version {
            return true;
        }
        match (self.once, &entry.once) {
            (None, None) => true,
            (Some(name), Some(of_entry)) => name == of_entry,
            (Some(_), None) | (None, Some(_)) => self.is_what(entry, content),
        }
    }

    fn is_what(&self, entry: &JournalEntry, content: &str) -> bool {
        match &entry.path {
            Some(_) => entry.content == content,
            None => entry.content == content_of(self.service, self.method, self.url, self.body),
        }
    }
}

/// Refused, never sent, or another run's by now: the next attempt makes a new call.
pub(super) fn is_forgotten(entry: &JournalEntry) -> bool {
    match entry.state {
        CallState::Refused | CallState::Unsent => true,
        CallState::Intended | CallState::Unsettled => entry.given_to.is_some(),
        CallState::Settled => false,
    }
}

fn content_of(service: &str, method: &str, place: &str, body: Option<&str>) -> String {
    let mut hasher = Sha256::new();
    for part in [service, method, place, body.unwrap_or_default()] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// What an entry takes up, near enough.
fn size_bytes(entry: &JournalEntry) -> usize {
    let answer = entry.answer.as_ref().map_or(0, |it| {
        let headers = it
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len());
        it.text.len() + headers.sum::<usize>()
    });
    let seen = entry.seen.as_ref().map_or(0, String::len);
    entry.url.len() + entry.request.len() + seen + answer
}

#[cfg(test)]
mod tests;
