//! What has happened, as far as it can justify what is found.

use super::files::{Files, Name, Text, script_of};
use crate::clock::UnixMillis;
use crate::run::RunId;
use std::collections::{BTreeMap, BTreeSet};

/// What Stripe was answered about an event.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) seq: i64,
    /// Handlers that it was to be run by; known when this delivery stored it.
    pub(super) planned: Vec<String>,
}

/// A run, as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) handler: String,
    /// The one whose acceptance or replay made it.
    pub(super) made_for: String,
    /// None while it is open.
    pub(super) ended: Option<String>,
    /// Nothing of what was called before counts for it.
    pub(super) calls_anew: bool,
}

#[derive(Default)]
pub(super) struct Facts {
    /// Every event that was in the ledger after a move: its id, and when it came.
    pub(super) events: BTreeMap<i64, (String, UnixMillis)>,
    pub(super) runs: BTreeMap<i64, Seen>,
    /// When each pin was first seen: by handler and version.
    pub(super) pins: BTreeMap<(String, String), UnixMillis>,
    /// Versions that were rolled back, by handler.
    pub(super) rolled_back: BTreeSet<(String, String)>,
    /// Versions that somebody wanted to run whatever became of them before, by handler.
    pub(super) wanted: BTreeSet<(String, String)>,
    /// Scripts whose handlers ran without a canary at some time.
    pub(super) without_canary: BTreeSet<&'static str>,
    pub(super) ever_dead: BTreeSet<i64>,
    /// Events of which a run was moved.
    pub(super) moved: BTreeSet<i64>,
    /// What operators asked to move: from which handler to which. One may be carried out before its runs are first seen.
    pub(super) moves: BTreeSet<(String, String)>,
    pub(super) replayed: BTreeSet<i64>,
    /// Runs that operators asked to drop; their events may be over and deleted before a look sees it.
    pub(super) asked_to_drop: BTreeSet<i64>,
    /// How often an operator allowed that calls of an event are made once more.
    pub(super) allowed_again: BTreeMap<i64, u32>,
    /// Events of which an operator said that a call took effect, or is another one.
    pub(super) settled_by_hand: BTreeSet<i64>,
    pub(super) was_torn: bool,
    pub(super) was_narrow: bool,
    pub(super) was_gone: bool,
    pub(super) was_edited: bool,
    pub(super) was_reordered: bool,
    pub(super) kills: u32,
    pub(super) hours_passed: u64,
    /// What operators have written by hand, the last number.
    pub(super) rate: i64,
}

impl Facts {
    pub(super) fn saved(&mut self, files: &Files) {
        self.was_torn |= files
            .texts
            .iter()
            .any(|it| matches!(it, Text::Torn | Text::Greedy));
        self.was_edited |= files.texts.contains(&Text::Edited);
        self.was_narrow |= files.is_narrow;
        self.was_gone |= files.name != Name::Second;
        self.was_reordered |= !files.by_customer;
        for (script, has_canary) in ["first", "second"].into_iter().zip(files.canaries) {
            if !has_canary {
                self.without_canary.insert(script);
            }
        }
    }

    /// The versions that must not run, by handler. Who saves without a canary wants what he saves; where the version
    /// before does not fit the handler any more, the new one takes its place.
    pub(super) fn stay_rolled_back(&self) -> impl Iterator<Item = &(String, String)> {
        let all = self.rolled_back.difference(&self.wanted);
        all.filter(|(handler, _)| {
            !self.was_narrow && !self.without_canary.contains(script_of(handler))
        })
    }

    pub(super) fn allow_again(&mut self, seq: i64) {
        *self.allowed_again.entry(seq).or_default() += 1;
    }

    /// A run is there that was not there before the move.
    pub(super) fn see(&mut self, id: i64, handler: String, ended: Option<String>) {
        let before = self.runs.range(RunId::range_of(RunId(id).event_seq()));
        let mut before = before.filter(|it| *it.0 < id);
        let calls_anew = !before.any(|(_, it)| it.ended.is_some() && it.handler == handler);
        let it = Seen {
            made_for: handler.clone(),
            handler,
            ended,
            calls_anew,
        };
        self.runs.insert(id, it);
    }

    /// Whether a run that acceptance made for a handler is there. It may have been moved before it was first seen; then it
    /// is known from here on as the run that it is.
    pub(super) fn has_run(&mut self, seq: i64, handler: &str, planned: &[String]) -> bool {
        let range = RunId::range_of(seq);
        let mut runs = self.runs.range(range.clone());
        if runs.any(|it| it.1.made_for == handler) {
            return true;
        }
        let mut runs = self.runs.range_mut(range);
        let moved = runs.find(|(_, it)| {
            let asked = (handler.to_owned(), it.made_for.clone());
            self.moves.contains(&asked) && !planned.contains(&it.made_for)
        });
        let Some((_, it)) = moved else {
            return false;
        };
        it.made_for = handler.to_owned();
        self.moved.insert(seq);
        true
    }

    /// How many runs of an event may make each call, by the script that they run.
    pub(super) fn may_call(&self, seq: i64, script: &str) -> u32 {
        let runs = self.runs.range(RunId::range_of(seq));
        let runs = runs.filter(|(_, it)| it.calls_anew && script_of(&it.made_for) == script);
        let again = self.allowed_again.get(&seq).copied().unwrap_or(0);
        u32::try_from(runs.count()).unwrap() + again
    }
}
