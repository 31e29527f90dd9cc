//! The moves that a seed makes.

use super::course::{Course, ROUNDS_TO_THE_END_MAX, Sent};
use super::life::Log;
use super::model::{FATES, Fate};
use super::scripts::MOODS;
use crate::event::Event;
use crate::ledger::request::Accept;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

const EVENTS_MAX: usize = 14;

impl Course {
    pub(super) fn make_a_move(&mut self) {
        match self.random.below(100) {
            0..11 => self.deliver(),
            11..36 => self.commit(),
            36..61 => self.turn(),
            61..75 => self.answer(),
            75..83 => self.pass(),
            83..88 => self.operate(),
            88..92 => self.reload(),
            _ => self.end(),
        }
    }

    fn deliver(&mut self) {
        let known: Vec<String> = self.sent.keys().cloned().collect();
        if EVENTS_MAX <= known.len() || (!known.is_empty() && self.random.one_in(4)) {
            let id = self.random.of(&known).clone();
            self.note("deliver again", &id);
            return self.accept(&id);
        }
        let id = format!("evt_{:02}", known.len() + 1);
        let mood = *self.random.of(&MOODS);
        let (object, customer) = (self.random.below(3), self.random.below(2));
        let body = format!(
            "{{\"id\":\"{id}\",\"type\":\"invoice.paid\",\"created\":1700000000,\"data\":{{\"object\":{{\"id\":\"in_{object}\",\"customer\":\"cus_{customer}\",\"mood\":\"{mood}\"}}}}}}"
        );
        self.note("deliver", format!("{id} in_{object} cus_{customer} {mood}"));
        self.sent.insert(
            id.clone(),
            Sent {
                mood,
                body: Bytes::from(body),
            },
        );
        self.accept(&id);
    }

    fn accept(&mut self, id: &str) {
        let body = self.sent[id].body.clone();
        let acknowledged = self.acknowledged.clone();
        let life = self.life();
        let in_force = life.current.load_full();
        let parsed = in_force.wanted.read(&body, life.now());
        let runs = in_force.plan(&parsed, "stripe", "stripe");
        let accept = Accept {
            packed: life.dictionary.pack(&body).unwrap(),
            event: Arc::new(Event {
                envelope: parsed.envelope,
                endpoint: "stripe".into(),
                scope: "stripe".into(),
                received_at: life.now(),
                secret_number: 1,
                body,
            }),
            runs,
        };
        let (ledger, id) = (life.ledger.clone(), id.to_owned());
        let (current, held_late) = (life.current.clone(), life.held_late.clone());
        let is_held = accept.runs.iter().any(|it| it.held.is_some());
        life.runtime.spawn(async move {
            if let Ok(receipt) = ledger.accept(accept).await {
                // As ingress does.
                if is_held && in_force.is_outdated(&current) {
                    held_late.notify_one();
                }
                let before = acknowledged
                    .lock()
                    .unwrap()
                    .insert(id.clone(), receipt.event_seq);
                assert!(
                    before.is_none_or(|it| it == receipt.event_seq),
                    "{id} is another event the second time"
                );
            }
        });
    }

    fn commit(&mut self) {
        match self.random.below(30) {
            0 => {
                let some = self.life().commit_on_a_full_disk();
                self.note("full disk", some);
            }
            1 => {
                let some = self.life().writer.commit_without_a_sync();
                self.note("failed sync", some);
                self.life().settle();
                let chance = self.random.next();
                self.ends(&Log::Torn(chance));
            }
            _ => {
                let some = self.life().commit();
                self.note("commit", some);
            }
        }
    }

    fn turn(&mut self) {
        if self.random.one_in(60) {
            if self.life().turn(true) {
                self.note("killed in a turn", "");
                self.facts.kills += 1;
                self.ends(&Log::Whole);
            }
            return;
        }
        let some = self.life().turn(false);
        self.note("turn", some);
    }

    fn answer(&mut self) {
        let waiting = self.services.borrow().waiting();
        if waiting == 0 {
            return;
        }
        let at = self.random.below(waiting);
        let is_well = !self.random.one_in(3);
        let (kind, fate) = if is_well {
            ("well answered", Fate::Well)
        } else {
            ("badly answered", *self.random.of(&FATES[1..]))
        };
        let told = self.services.borrow_mut().answer(at, fate);
        self.note(kind, told);
    }

    fn pass(&mut self) {
        if self.random.one_in(6) {
            let hours = *self.random.of(&[1, 6, 30]);
            self.note("hours pass", hours);
            self.facts.hours_passed += hours;
            self.life().pass(Duration::from_secs(hours * 3600));
        } else {
            let time_ms = *self.random.of(&[1, 100, 1_000, 5_000, 60_000, 300_000]);
            self.note("a moment passes", time_ms);
            self.life().pass(Duration::from_millis(time_ms));
        }
    }

    /// The process ends, one way or another.
    fn end(&mut self) {
        match self.random.below(5) {
            0 | 1 => {
                self.note("kill", "");
                self.facts.kills += 1;
                self.ends(&Log::Whole);
            }
            2 => {
                self.note("power cut", "");
                let chance = self.random.next();
                self.ends(&Log::Torn(chance));
            }
            3 => self.stop(),
            _ => {}
        }
    }

    /// Attempts that have begun are finished, and what they came to is committed.
    fn stop(&mut self) {
        self.note("stop", "");
        self.life().begin_to_stop();
        for _ in 0..ROUNDS_TO_THE_END_MAX {
            self.life().settle();
            if self.life().has_stopped() {
                break;
            }
            self.do_all_that_waits();
        }
        assert!(self.life().has_stopped(), "the host does not stop");
        self.life().ledger.close();
        self.life().commit();
        self.life().settle();
        self.ends(&Log::Whole);
    }
}
