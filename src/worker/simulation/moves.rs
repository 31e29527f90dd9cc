//! The moves that a seed makes.

use super::course::{Course, ROUNDS_TO_THE_END_MAX, Sent};
use super::facts::Acknowledged;
use super::files::MOODS;
use super::life::Log;
use super::model::{FATES, Fate};
use crate::event::Event;
use crate::ledger::request::Accept;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Often nothing waits for what is tried.
const TRIES_MAX: usize = 5;
const EVENTS_MAX: usize = 14;
/// Below the time for which dedupe keys are kept.
const HOURS_MAX: u64 = 34 * 24;

impl Course {
    /// One that changes something, if some tries come to one.
    pub(super) fn make_a_move(&mut self) {
        for _ in 0..TRIES_MAX {
            let has_happened = match self.random.below(100) {
                0..9 => self.deliver(),
                9..30 => self.commit(),
                30..53 => self.turn(),
                53..70 => self.answer(),
                70..78 => self.pass(),
                78..88 => self.operate(),
                88..96 => self.change(),
                _ => self.end(),
            };
            if has_happened {
                return;
            }
        }
    }

    fn deliver(&mut self) -> bool {
        let known: Vec<String> = self.sent.keys().cloned().collect();
        if EVENTS_MAX <= known.len() || (!known.is_empty() && self.random.one_in(4)) {
            let id = self.random.of(&known).clone();
            self.note("deliver again", &id);
            self.accept(&id);
            return true;
        }
        let id = format!("evt_{:02}", known.len() + 1);
        let mood = if self.is_about_calls && !self.random.one_in(4) {
            "calls"
        } else {
            *self.random.of(&MOODS)
        };
        let (object, customer) = (self.random.below(3), self.random.below(2));
        let body = format!(
            "{{\"id\":\"{id}\",\"type\":\"invoice.paid\",\"created\":1700000000,\"data\":{{\"object\":{{\"id\":\"in_{object}\",\"customer\":\"cus_{customer}\",\"mood\":\"{mood}\"}}}}}}"
        );
        self.note("deliver", format!("{id} in_{object} cus_{customer} {mood}"));
        self.sent.insert(
            id.clone(),
            Sent {
                mood,
                object,
                customer,
                body: Bytes::from(body),
            },
        );
        self.accept(&id);
        true
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
        let planned = accept
            .runs
            .iter()
            .map(|it| it.handler.to_string())
            .collect();
        let is_held = accept.runs.iter().any(|it| it.held.is_some());
        life.runtime.spawn(async move {
            if let Ok(receipt) = ledger.accept(accept).await {
                // As ingress does.
                if is_held && in_force.is_outdated(&current) {
                    held_late.notify_one();
                }
                let mut acknowledged = acknowledged.lock().unwrap();
                let it = acknowledged.entry(id.clone()).or_insert(Acknowledged {
                    seq: receipt.event_seq,
                    planned: Vec::new(),
                });
                assert_eq!(
                    it.seq, receipt.event_seq,
                    "{id} is another event the second time"
                );
                if !receipt.is_duplicate {
                    it.planned = planned;
                }
            }
        });
    }

    fn change(&mut self) -> bool {
        if self.random.one_in(5) {
            self.look_at_the_files(false);
        } else {
            self.edit();
        }
        true
    }

    fn commit(&mut self) -> bool {
        match self.random.below(30) {
            0 => {
                let some = self.life().commit_on_a_full_disk();
                if some {
                    self.note("full disk", "");
                }
                some
            }
            1 => {
                let some = self.life().writer.commit_without_a_sync();
                self.note("failed sync", some);
                self.life().settle();
                let chance = self.random.next();
                self.ends(&Log::Torn(chance));
                true
            }
            _ => {
                let some = self.life().commit();
                if some {
                    self.note("commit", "");
                }
                some
            }
        }
    }

    fn turn(&mut self) -> bool {
        let ends_within = self.random.one_in(60);
        let some = self.life().turn(ends_within);
        if !some {
            return false;
        }
        if ends_within {
            self.note("killed in a turn", "");
            self.facts.kills += 1;
            self.ends(&Log::Whole);
        } else {
            self.note("turn", "");
        }
        true
    }

    fn answer(&mut self) -> bool {
        let waiting = self.services.borrow().waiting();
        if waiting == 0 {
            return false;
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
        true
    }

    fn pass(&mut self) -> bool {
        if self.random.one_in(6) {
            let hours = *self.random.of(&[1, 6, 30, 60]);
            if HOURS_MAX < self.facts.hours_passed + hours {
                return false;
            }
            self.note("hours pass", hours);
            self.facts.hours_passed += hours;
            self.life().pass(Duration::from_secs(hours * 3600));
        } else {
            let time_ms = *self.random.of(&[1, 100, 1_000, 5_000, 60_000, 300_000]);
            self.note("a moment passes", time_ms);
            self.life().pass(Duration::from_millis(time_ms));
        }
        true
    }

    /// The process ends, one way or another.
    fn end(&mut self) -> bool {
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
            _ => return false,
        }
        true
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
        if !self.life().has_stopped() {
            panic!("the host does not stop: {}", self.told());
        }
        self.life().ledger.close();
        self.life().commit();
        self.life().settle();
        self.ends(&Log::Whole);
    }
}
