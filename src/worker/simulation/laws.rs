//! What must hold after each move, by what the ledger says.

mod calls;
mod effects;
mod versions;

use super::course::Course;
use super::facts::Seen;
use super::files::{ATTEMPTS_MAX, EVENTS_KEPT_HOURS};
use crate::clock::UnixMillis;
use crate::ledger::running::BLAME_MAX;
use crate::run::RunId;
use std::collections::BTreeSet;

impl Course {
    pub(super) fn check(&mut self) {
        self.check_events();
        self.check_runs();
        self.check_open_runs();
        self.check_effects();
        self.check_order();
        self.check_calls();
        self.check_versions();
    }

    /// The id of an event, however long it has been gone.
    fn id_of(&self, seq: i64) -> &str {
        &self.facts.events[&seq].0
    }

    fn object_of(&self, seq: i64) -> String {
        format!("in_{}", self.sent[self.id_of(seq)].object)
    }

    pub(super) fn mood_of(&self, seq: i64) -> &'static str {
        self.sent[self.id_of(seq)].mood
    }

    /// What was acknowledged is there, under its number, until its time is over; nothing is there twice.
    fn check_events(&mut self) {
        let rows = self
            .life()
            .looks
            .texts("SELECT seq, id, received_at FROM events");
        let now = self.life().now();
        let mut ids = BTreeSet::new();
        let mut seqs = BTreeSet::new();
        for it in rows {
            let (seq, id) = (number(&it[0]), it[1].clone());
            assert!(self.sent.contains_key(&id), "{id} was never sent");
            assert!(ids.insert(id.clone()), "event {id} is stored twice");
            seqs.insert(seq);
            let received_at = UnixMillis(number(&it[2]));
            self.facts.events.insert(seq, (id, received_at));
        }
        for (id, it) in self.acknowledged.lock().unwrap().iter() {
            let (known, received_at) = &self.facts.events[&it.seq];
            assert_eq!(known, id, "an acknowledged event has another's number");
            let age_ms = now.0 - received_at.0;
            let is_over = EVENTS_KEPT_HOURS * 3_600_000 < age_ms.unsigned_abs();
            if !seqs.contains(&it.seq) {
                *self.counts.entry("seen deleted").or_default() += 1;
            }
            assert!(
                seqs.contains(&it.seq) || is_over,
                "the acknowledged event {id} is lost"
            );
        }
    }

    /// No run is lost, none comes twice, and what is done stays done until its event goes.
    fn check_runs(&mut self) {
        let looks = &self.life().looks;
        let open = looks.texts("SELECT id, handler, '' FROM runs_open ORDER BY id");
        let done = looks.texts("SELECT id, handler, state FROM runs_done ORDER BY id");
        let orphans = looks.texts(
            "SELECT id FROM runs_open WHERE NOT EXISTS (SELECT 1 FROM events WHERE seq = runs_open.id / 10000)",
        );
        if !orphans.is_empty() {
            panic!(
                "open runs without their event: {orphans:?}\n{}",
                self.told()
            );
        }
        let stored = looks.texts("SELECT seq FROM events");
        let stored: BTreeSet<i64> = stored.iter().map(|it| number(&it[0])).collect();
        let mut there = BTreeSet::new();
        for it in done.iter().chain(&open) {
            let (id, handler) = (number(&it[0]), it[1].clone());
            let ended = (!it[2].is_empty()).then(|| it[2].clone());
            if !there.insert(id) {
                panic!("run {id} is there twice\n{}", self.told());
            }
            let known = self.facts.runs.get(&id).cloned();
            let Some(known) = known else {
                self.facts.see(id, handler, ended);
                continue;
            };
            let was_ended = known.ended.is_some();
            if was_ended && (&known.ended, &known.handler) != (&ended, &handler) {
                panic!("run {id} was {known:?} and is {ended:?}\n{}", self.told());
            }
            if known.handler != handler {
                *self.counts.entry("seen moved").or_default() += 1;
                self.facts.moved.insert(RunId(id).event_seq());
            }
            let made_for = known.made_for;
            let now = Seen {
                handler,
                ended,
                made_for,
                ..known
            };
            self.facts.runs.insert(id, now);
        }
        for (id, it) in self.acknowledged.lock().unwrap().iter() {
            for handler in &it.planned {
                assert!(
                    self.facts.has_run(it.seq, handler, &it.planned),
                    "{id} was acknowledged and has no run of `{handler}`"
                );
            }
        }
        let is_lost = |it: &&i64| !there.contains(it) && stored.contains(&RunId(**it).event_seq());
        let lost = self.facts.runs.keys().find(is_lost).copied();
        if let Some(id) = lost {
            panic!("run {id} is lost\n{}", self.told());
        }
        let is_open = |it: &&i64| self.facts.runs[*it].ended.is_none() && !there.contains(it);
        let unjustified = |it: &&i64| is_open(it) && !self.facts.asked_to_drop.contains(*it);
        if let Some(id) = self.facts.runs.keys().find(unjustified) {
            panic!("run {id} was open, and is deleted");
        }
    }

    /// Each open run is where it is for a reason that the course gives.
    fn check_open_runs(&mut self) {
        let rows = self.life().looks.texts(
            "SELECT id, state, due_at, waits_for, attempts - forgiven, why, handler FROM runs_open",
        );
        for it in &rows {
            let id = number(&it[0]);
            let (state, due, waits_for, why) = (&it[1], &it[2], &it[3], &it[5]);
            let mood = self.mood_of(RunId(id).event_seq());
            let facts = &mut self.facts;
            match state.as_str() {
                "ready" => {}
                "waiting" => {
                    assert!(due.is_empty() != waits_for.is_empty(), "{it:?}");
                    let calls = matches!(mood, "call" | "calls" | "mail" | "named" | "later");
                    assert!(waits_for.is_empty() || calls, "{it:?}");
                }
                "held" => {
                    *self.counts.entry("seen held").or_default() += 1;
                    let is_gone = facts.was_gone && it[6] != "first";
                    let has_none = facts.was_torn || facts.was_narrow;
                    assert!(is_gone || has_none, "{it:?}");
                }
                "dead" => {
                    facts.ever_dead.insert(id);
                    let seen = match why.split([':', ' ']).next() {
                        Some("calls") => "seen calls changed",
                        Some("outcome") => "seen outcome unknown",
                        Some(_) | None => "seen dead",
                    };
                    *self.counts.entry(seen).or_default() += 1;
                    let spent = number(&it[4]);
                    let is_justified = match why.as_str() {
                        "said so" => mood == "fail",
                        it if it.contains("attempts failed") => spent >= ATTEMPTS_MAX,
                        it if it.starts_with("outcome unknown") => {
                            mood == "mail" || facts.hours_passed >= 24
                        }
                        // An answer that it sends along is another when the script was edited.
                        it if it.starts_with("calls changed") => {
                            let makes_calls = matches!(mood, "call" | "mail");
                            mood == "calls" || (facts.was_edited && makes_calls)
                        }
                        it if it.starts_with("the host ended") => facts.kills >= BLAME_MAX,
                        _ => false,
                    };
                    if !is_justified {
                        panic!("dead for no reason ({mood}): {it:?}\n{}", self.told());
                    }
                }
                other => panic!("an open run is {other}"),
            }
        }
    }
}

fn number(text: &str) -> i64 {
    text.parse().unwrap()
}
