//! The course of one seed: moves at random, then none but good ones until all has come to its end.

use super::Counts;
use super::life::{Life, Log};
use super::model::{self, Fate, Services};
use super::random::Random;
use super::scripts::{HANDLERS, Version, Versions};
use crate::clock::UnixMillis;
use crate::ledger::request::Order;
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
/// Rounds without faults within which everything must have come to its end.
pub(super) const ROUNDS_TO_THE_END_MAX: usize = 400;
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
    pub(super) body: Bytes,
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

    pub(super) fn note(&mut self, kind: &'static str, what: impl std::fmt::Display) {
        *self.counts.entry(kind).or_default() += 1;
        let now = self.life.as_ref().map_or(0, |it| it.now().0 - BEGINNING.0);
        let told = format!("{now:>10} ms  {kind} {what}");
        if self.is_told {
            println!("{told}");
        }
        self.trace.push(told);
    }

    pub(super) fn put_in_force(&mut self, version: Version) {
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
    pub(super) fn settle(&mut self) {
        self.life().settle();
        let life = self.life();
        if life.is_aligned() && life.is_to_be_aligned.swap(false, Ordering::Relaxed) {
            self.align();
            self.life().settle();
        }
    }

    /// As a reload does it, and a start.
    pub(super) fn align(&mut self) {
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

    pub(super) fn do_all_that_waits(&mut self) {
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
    pub(super) fn ends(&mut self, log: &Log) {
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

    pub(super) fn begin(&mut self, now: UnixMillis) {
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
