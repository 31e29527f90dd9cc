//! What must hold after each move, by what the ledger says.

use super::course::Course;
use super::scripts::{ATTEMPTS_MAX, HANDLERS};
use crate::ledger::running::BLAME_MAX;
use crate::run::RunId;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

impl Course {
    pub(super) fn check(&mut self) {
        let events = self.check_events();
        self.check_open_runs(&events);
        self.check_effects(&events);
        self.check_order(&events);
        self.check_calls(&events);
    }

    /// What was acknowledged is there, under its number; nothing is there twice. Answers the events by their numbers.
    fn check_events(&mut self) -> BTreeMap<i64, String> {
        let rows = self.life().looks.texts("SELECT seq, id FROM events");
        let by_seq: BTreeMap<i64, String> = rows
            .into_iter()
            .map(|it| (number(&it[0]), it[1].clone()))
            .collect();
        let ids: BTreeSet<&String> = by_seq.values().collect();
        assert_eq!(ids.len(), by_seq.len(), "an event is stored twice");
        for (id, seq) in self.acknowledged.lock().unwrap().iter() {
            assert_eq!(by_seq.get(seq), Some(id), "an acknowledged event is lost");
        }
        for id in by_seq.values() {
            assert!(self.sent.contains_key(id), "{id} was never sent");
        }
        by_seq
    }

    /// Each run is where it is for a reason that the course gives.
    fn check_open_runs(&mut self, events: &BTreeMap<i64, String>) {
        let rows = self.life().looks.texts(
            "SELECT id, state, due_at, waits_for, attempts - forgiven, why, handler FROM runs_open",
        );
        for it in &rows {
            let id = number(&it[0]);
            let (state, due, waits_for, why) = (&it[1], &it[2], &it[3], &it[5]);
            let mood = self.sent[&events[&RunId(id).event_seq()]].mood;
            match state.as_str() {
                "ready" => {}
                "waiting" => {
                    assert!(due.is_empty() != waits_for.is_empty(), "{it:?}");
                    let calls = matches!(mood, "call" | "calls" | "mail" | "later");
                    assert!(waits_for.is_empty() || calls, "{it:?}");
                }
                "held" => {
                    let is_gone = self.facts.was_gone && it[6] == "second";
                    assert!(self.facts.was_broken || is_gone, "{it:?}");
                }
                "dead" => {
                    self.facts.ever_dead.insert(id);
                    let spent = number(&it[4]);
                    let is_justified = match why.as_str() {
                        "said so" => mood == "fail",
                        it if it.contains("attempts failed") => spent >= ATTEMPTS_MAX,
                        it if it.starts_with("outcome unknown") => {
                            mood == "mail" || self.facts.hours_passed >= 24
                        }
                        // An answer that it sends along is another when the script was edited.
                        it if it.starts_with("calls changed") => mood == "calls",
                        it if it.starts_with("the host ended") => self.facts.kills >= BLAME_MAX,
                        _ => false,
                    };
                    assert!(is_justified, "dead for no reason ({mood}): {it:?}");
                }
                other => panic!("an open run is {other}"),
            }
        }
    }

    /// Each run that is done has had its effect once, and no other has had any.
    fn check_effects(&mut self, events: &BTreeMap<i64, String>) {
        let looks = &self.life().looks;
        let done = looks.texts("SELECT id, handler FROM runs_done WHERE state = 'done'");
        let records = looks.texts("SELECT collection, id, body FROM records");
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for it in &done {
            let event = &events[&RunId(number(&it[0])).event_seq()];
            *expected.entry(format!("{} {event}", it[1])).or_default() += 1;
        }
        let mut found = BTreeMap::new();
        let mut total = 0;
        for it in &records {
            let body: Value = serde_json::from_str(&it[2]).unwrap();
            match it[0].as_str() {
                "effects" => {
                    found.insert(it[1].clone(), body["n"].as_i64().unwrap());
                }
                "totals" => total = body["n"].as_i64().unwrap(),
                _ => {}
            }
        }
        assert_eq!(found, expected, "effects, and the runs that are done");
        assert_eq!(total, expected.values().sum::<i64>(), "the sum of all");
    }

    /// Runs of a lane take effect in the order of acceptance. A dead one lets the others of its lane pass, unless it
    /// blocks.
    fn check_order(&mut self, events: &BTreeMap<i64, String>) {
        let by_id: BTreeMap<&String, i64> = events.iter().map(|(seq, id)| (id, *seq)).collect();
        let lists = self
            .life()
            .looks
            .texts("SELECT id, body FROM records WHERE collection = 'lists'");
        let facts = &self.facts;
        let may_be_late = |seq: i64, handler: &str| {
            let was_dead = |it: &i64| RunId(*it).event_seq() == seq;
            facts.replayed.contains(&seq)
                || (handler == HANDLERS[0] && facts.ever_dead.iter().any(was_dead))
        };
        for it in &lists {
            let handler = it[0].split(' ').next().unwrap();
            let body: Value = serde_json::from_str(&it[1]).unwrap();
            let seen = body["seen"].as_array().unwrap();
            let in_turn: Vec<i64> = seen
                .iter()
                .map(|it| by_id[&it.as_str().unwrap().to_owned()])
                .filter(|seq| !may_be_late(*seq, handler))
                .collect();
            if !in_turn.is_sorted() {
                panic!("lane {}: {in_turn:?}\n{}", it[0], self.told());
            }
        }
    }

    /// What the services have seen is lawful, and they did nothing twice.
    fn check_calls(&mut self, events: &BTreeMap<i64, String>) {
        let settled = self
            .life()
            .looks
            .texts("SELECT idempotency_key FROM journal WHERE state = 'settled'");
        let violation = self.services.borrow().violations.first().cloned();
        if let Some(it) = violation {
            panic!("{it}\n{}", self.told());
        }
        let told = self.told();
        let mut services = self.services.borrow_mut();
        services.settled(settled.into_iter().map(|mut it| it.remove(0)));
        for (about, times) in services.effects() {
            let event = about.split(' ').nth(1).unwrap();
            let seq = events.iter().find(|(_, id)| *id == event).map(|it| *it.0);
            let again = seq.and_then(|it| self.facts.called_again.get(&it));
            let allowed = 1 + again.copied().unwrap_or(0);
            assert!(
                times <= allowed,
                "{about} took effect {times} times\n{told}"
            );
        }
    }
}

fn number(text: &str) -> i64 {
    text.parse().unwrap()
}
