//! The course of one seed: moves at random, then none but good ones until all has come to its end.

use super::Counts;
use super::life::{Life, Log};
use super::model::{self, FATES, Fate, Services};
use super::random::Random;
use super::scripts::{HANDLERS, MOODS, Version, Versions};
use crate::clock::UnixMillis;
use crate::event::Event;
use crate::ledger::request::{Accept, Order};
use crate::run::RunId;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MOVES_MAX: usize = 90;
const EVENTS_MAX: usize = 14;
/// Rounds without faults within which everything must have come to its end.
const ROUNDS_TO_THE_END_MAX: usize = 400;
const BEGINNING: UnixMillis = UnixMillis(1_700_000_000_000);

pub(super) const KINDS: [&str; 18] = [
    "deliver",
    "deliver again",
    "commit",
    "full disk",
    "failed sync",
    "turn",
    "killed in a turn",
    "well answered",
    "badly answered",
    "a moment passes",
    "hours pass",
    "retry",
    "drop",
    "replay",
    "reload",
    "kill",
    "power cut",
    "stop",
];

/// What Stripe sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) mood: &'static str,
    body: Bytes,
}

pub(super) struct Course {
    pub(super) random: Random,
    pub(super) services: Rc<RefCell<Services>>,
    versions: Rc<Versions>,
    pub(super) version: Version,
    folder: tempfile::TempDir,
    lives: usize,
    pub(super) life: Option<Life>,
    pub(super) sent: BTreeMap<String, Sent>,
    /// Events that were answered 200, with their numbers.
    pub(super) acknowledged: Arc<Mutex<BTreeMap<String, i64>>>,
    pub(super) facts: Facts,
    pub(super) counts: Counts,
    trace: Vec<String>,
    is_told: bool,
}

/// What has happened, as far as it can justify what is found.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) ever_dead: BTreeSet<i64>,
    pub(super) replayed: BTreeSet<i64>,
    /// Replays that call again, by event.
    pub(super) called_again: BTreeMap<i64, u32>,
    pub(super) was_broken: bool,
    pub(super) was_gone: bool,
    pub(super) kills: u32,
    pub(super) hours_passed: u64,
}

thread_local! {
    static VERSIONS: Rc<Versions> = Rc::new(Versions::new());
}

impl Course {
    pub(super) fn new(seed: u64, is_told: bool) -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let mut it = Self {
            random: Random::new(seed),
            services: model::install(),
            versions: VERSIONS.with(Clone::clone),
            version: Version::Old,
            folder: folder.unwrap(),
            lives: 0,
            life: None,
            sent: BTreeMap::new(),
            acknowledged: Arc::default(),
            facts: Facts::default(),
            counts: Counts::new(),
            trace: Vec::new(),
            is_told,
        };
        std::fs::create_dir(it.path(0)).unwrap();
        it.begin(BEGINNING);
        it
    }

    pub(super) fn go(mut self) -> Counts {
        self.make_moves();
        self.come_to_the_end();
        self.counts
    }

    /// What the ledger says of what concerns runs, to be printed with a law that is broken.
    pub(super) fn told(&mut self) -> String {
        let looks = &self.life().looks;
        let mut told = String::new();
        for sql in [
            "SELECT id, handler, state, due_at, waits_for, attempts, epoch, why FROM runs_open",
            "SELECT id, handler, state, attempts, why FROM runs_done",
            "SELECT run, number, state, idempotency_key, request FROM journal",
        ] {
            for row in looks.texts(sql) {
                told += &format!("{}\n", row.join(" | "));
            }
        }
        told
    }

    pub(super) fn make_moves(&mut self) {
        let moves = 10 + self.random.below(MOVES_MAX - 10);
        for _ in 0..moves {
            self.make_a_move();
            self.settle();
            self.check();
        }
    }

    pub(super) fn into_trace(self) -> Vec<String> {
        self.trace
    }

    pub(super) fn life(&mut self) -> &mut Life {
        self.life.as_mut().unwrap()
    }

    fn path(&self, life: usize) -> PathBuf {
        self.folder.path().join(life.to_string())
    }

    fn note(&mut self, kind: &'static str, what: impl std::fmt::Display) {
        *self.counts.entry(kind).or_default() += 1;
        let now = self.life.as_ref().map_or(0, |it| it.now().0 - BEGINNING.0);
        let told = format!("{now:>10} ms  {kind} {what}");
        if self.is_told {
            println!("{told}");
        }
        self.trace.push(told);
    }

    fn make_a_move(&mut self) {
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

    /// An operator asks for something; it may come too late, or be refused.
    fn operate(&mut self) {
        let runs = self
            .life()
            .looks
            .texts("SELECT id FROM runs_open UNION ALL SELECT id FROM runs_done ORDER BY id");
        if runs.is_empty() {
            return;
        }
        let run: i64 = self.random.of(&runs)[0].parse().unwrap();
        let run = RunId(run);
        let at = self.life().now();
        let order = match self.random.below(4) {
            0 => {
                self.note("drop", run);
                Order::Drop { run, at }
            }
            1 => {
                let call_again = self.random.one_in(2);
                let seq = run.event_seq();
                self.note("replay", format!("{seq} {call_again}"));
                self.facts.replayed.insert(seq);
                if call_again {
                    *self.facts.called_again.entry(seq).or_default() += 1;
                }
                let life = self.life();
                let in_force = life.current.load_full();
                let event = life.looks.event(seq).unwrap().unwrap();
                let parsed = in_force.wanted.read(&event.body, event.received_at);
                Order::Replay {
                    event_seq: seq,
                    runs: in_force.plan(&parsed, "stripe", "stripe"),
                    call_again,
                }
            }
            _ => {
                self.note("retry", run);
                Order::Retry {
                    run,
                    decision: None,
                }
            }
        };
        self.order(order);
    }

    fn order(&mut self, order: Order) {
        let life = self.life();
        let (ledger, nudge) = (life.ledger.clone(), life.nudge.clone());
        let (current, held_late) = (life.current.clone(), life.held_late.clone());
        let in_force = current.load_full();
        life.runtime.spawn(async move {
            let _ = ledger.order(order).await;
            nudge.notify_one();
            // As the control socket does it.
            if in_force.is_outdated(&current) {
                held_late.notify_one();
            }
        });
    }

    fn reload(&mut self) {
        let all = [Version::Old, Version::New, Version::Broken, Version::Gone];
        let version = *self.random.of(&all);
        if !self.life().is_aligned() {
            // One reload at a time.
            return;
        }
        self.note("reload", format!("{version:?}"));
        self.put_in_force(version);
    }

    fn put_in_force(&mut self, version: Version) {
        self.version = version;
        self.facts.was_broken |= version == Version::Broken;
        self.facts.was_gone |= version == Version::Gone;
        let versions = self.versions.clone();
        let life = self.life();
        let services = life.current.load().services.clone();
        life.current
            .store(Arc::new(versions.in_force(version, &services)));
        self.align();
    }

    /// Lets all that is ready run; gives the orders of a reload again when that is asked for.
    fn settle(&mut self) {
        self.life().settle();
        let life = self.life();
        if life.is_aligned() && life.is_to_be_aligned.swap(false, Ordering::Relaxed) {
            self.align();
            self.life().settle();
        }
    }

    /// As a reload does it, and a start.
    fn align(&mut self) {
        let version = self.version;
        let mut orders = Vec::new();
        for handler in HANDLERS {
            let why = match version {
                Version::Gone if handler == "second" => Some("it is gone".to_owned()),
                Version::Broken => continue,
                Version::Old | Version::New | Version::Gone => None,
            };
            let looks = &self.life().looks;
            let runs = looks.runs_to_hold(handler, why.is_none(), RunId::default());
            let runs = runs.unwrap();
            if !runs.is_empty() {
                let handler = handler.into();
                orders.push(Order::Hold { handler, why, runs });
            }
        }
        self.life().align(orders);
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

    fn do_all_that_waits(&mut self) {
        while self.life().turn(false) {}
        let waiting = self.services.borrow().waiting();
        for _ in 0..waiting {
            let told = self.services.borrow_mut().answer(0, Fate::Well);
            self.note("well answered", told);
        }
        self.life().commit();
        // Calls take turns by the clock.
        self.life().pass(Duration::from_millis(200));
    }

    /// The next life begins on what this one leaves.
    fn ends(&mut self, log: &Log) {
        let life = self.life.take().unwrap();
        let now = life.now();
        self.lives += 1;
        // A power cut may take the file that names the running runs along.
        let keeps_running = match log {
            Log::Whole => true,
            Log::Torn(chance) => chance % 2 == 0,
        };
        let random = &mut self.random;
        self.services
            .borrow_mut()
            .host_ended(&mut || random.one_in(2));
        life.end(log, keeps_running, &self.path(self.lives));
        self.begin(now.after(Duration::from_secs(1)));
    }

    fn begin(&mut self, now: UnixMillis) {
        let in_force = self
            .versions
            .in_force(self.version, &self.versions.services());
        self.life = Some(Life::start(&self.path(self.lives), in_force, now));
        self.settle();
    }

    /// No faults any more: all that is open comes to its end.
    fn come_to_the_end(&mut self) {
        self.note("reload", "New, and no faults any more");
        while !self.life().is_aligned() {
            self.life().commit();
            self.settle();
        }
        self.put_in_force(Version::New);
        for round in 0..ROUNDS_TO_THE_END_MAX {
            self.settle();
            self.do_all_that_waits();
            self.settle();
            self.check();
            if round % 4 == 3 {
                self.life().pass(Duration::from_secs(600));
            }
            if round % 40 == 39 {
                // As an operator would: dead runs block their lanes.
                let dead = self
                    .life()
                    .looks
                    .texts("SELECT id FROM runs_open WHERE state = 'dead' AND handler = 'second'");
                for it in dead {
                    let run = RunId(it[0].parse().unwrap());
                    let at = self.life().now();
                    self.order(Order::Drop { run, at });
                }
            }
            let open = self
                .life()
                .looks
                .texts("SELECT id FROM runs_open WHERE state != 'dead'");
            if open.is_empty() && self.services.borrow().waiting() == 0 {
                return;
            }
        }
        let open = self
            .life()
            .looks
            .texts("SELECT id, handler, state, due_at, waits_for, attempts, why FROM runs_open");
        panic!("this does not come to its end: {open:#?}");
    }
}
