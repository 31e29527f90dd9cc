//! What runs do to records, and in which order.

use super::super::course::Course;
use super::super::files::script_of;
use crate::run::RunId;
use serde_json::Value;
use std::collections::BTreeMap;

impl Course {
    /// Each run that is done has had its effect once, and no other has had any. What handlers may only read nobody has
    /// changed but an operator.
    pub(super) fn check_effects(&mut self) {
        let records = self
            .life()
            .looks
            .texts("SELECT collection, id, body FROM records");
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for (id, run) in &self.facts.runs {
            if run.ended.as_deref() == Some("done") {
                let event = self.id_of(RunId(*id).event_seq());
                let about = format!("{} {event}", script_of(&run.handler));
                *expected.entry(about).or_default() += 1;
            }
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
                "settings" => {
                    let by_hand = 1..=self.facts.rate;
                    assert!(by_hand.contains(&body["n"].as_i64().unwrap()), "{body}");
                }
                "lists" => {}
                other => panic!("a record of {other}"),
            }
        }
        if found != expected {
            panic!(
                "effects {found:?}, and the runs that are done {expected:?}\n{}",
                self.told()
            );
        }
        assert_eq!(total, expected.values().sum::<i64>(), "the sum of all");
    }

    /// Runs of a lane take effect in the order of acceptance. A dead one lets the others of its lane pass, unless it
    /// blocks.
    pub(super) fn check_order(&mut self) {
        let lists = self
            .life()
            .looks
            .texts("SELECT id, body FROM records WHERE collection = 'lists'");
        for it in &lists {
            let body: Value = serde_json::from_str(&it[1]).unwrap();
            let seen = body["seen"].as_array().unwrap();
            let seq_of = |id: &Value| {
                let found = self.facts.events.iter().find(|it| it.1.0 == *id);
                *found.unwrap().0
            };
            let in_turn: Vec<i64> = seen
                .iter()
                .map(seq_of)
                .filter(|seq| !self.may_be_late(*seq, &it[0]))
                .collect();
            let script = &it[0];
            let overtaken = in_turn.iter().enumerate().find(|(at, late)| {
                let mut before = in_turn[..*at].iter();
                before.any(|it| late < &it && self.share_a_lane(*it, **late, script))
            });
            if let Some((at, late)) = overtaken {
                panic!(
                    "{script}: {late} comes after {:?}\n{}",
                    &in_turn[..at],
                    self.told()
                );
            }
        }
    }

    /// Whether an event's effect may come later than its acceptance says.
    fn may_be_late(&self, seq: i64, script: &str) -> bool {
        let facts = &self.facts;
        let was_dead = |it: &i64| RunId(*it).event_seq() == seq;
        facts.replayed.contains(&seq)
            || facts.moved.contains(&seq)
            || (script == "first" && facts.ever_dead.iter().any(was_dead))
    }

    /// Whether two events were in one lane of a script's handler all the time.
    fn share_a_lane(&self, one: i64, other: i64, script: &str) -> bool {
        let [one, other] = [one, other].map(|seq| {
            let runs = self.facts.runs.range(RunId::range_of(seq));
            let mut its = runs.filter(|(_, it)| script_of(&it.handler) == script);
            (
                its.next().map(|it| &it.1.handler),
                &self.sent[self.id_of(seq)],
            )
        });
        let same_object = one.1.object == other.1.object;
        let same_customer = one.1.customer == other.1.customer;
        let same_value = match script {
            "first" => same_object,
            _ if self.facts.was_reordered => same_object && same_customer,
            _ => same_customer,
        };
        one.0 == other.0 && same_value
    }
}
