//! The course of one seed: moves at random, then none but good ones until all has come to its end.

use super::Counts;
use super::facts::{Acknowledged, Facts};
use super::files::{Files, Name};
use super::life::{Life, Log};
use super::model::{self, Fate, Services};
use super::random::Random;
use crate::clock::UnixMillis;
use crate::control::Command;
use crate::run::RunId;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MOVES_MAX: usize = 90;
/// Rounds without faults within which everything must have come to its end.
pub(super) const ROUNDS_TO_THE_END_MAX: usize = 400;
const BEGINNING: UnixMillis = UnixMillis(1_700_000_000_000);

pub(super) const KINDS: [&str; 31] = [
    "deliver",
    "deliver again",
    "commit",
    "full disk",
    "failed sync",
    "turn",
    "killed in a turn",
    "killed at the start",
    "well answered",
    "badly answered",
    "a moment passes",
    "hours pass",
    "retry",
    "reuse",
    "again",
    "resend",
    "settle",
    "drop",
    "replay",
    "replay that calls again",
    "pin",
    "unpin",
    "move runs",
    "write a record",
    "save",
    "reload",
    "look at the files",
    "kill",
    "power cut",
    "stop",
    "no fault any more",
];

/// Moves for which several others come first.
pub(super) const RARE: [&str; 6] = ["reuse", "again", "resend", "settle", "unpin", "stop"];

/// What some of the seeds come to.
pub(super) const SEEN: [&str; 13] = [
    "seen held",
    "seen dead",
    "seen calls changed",
    "seen outcome unknown",
    "seen moved",
    "seen deleted",
    "seen rolled back",
    "seen tried and done",
    "seen tried and failed",
    "seen tried and guilty",
    "seen tried and excused",
    "seen tried and ill",
    "seen tried and doubtful",
];

/// What Stripe sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) mood: &'static str,
    pub(super) object: usize,
    pub(super) customer: usize,
    pub(super) body: Bytes,
}

pub(super) struct Course {
    pub(super) random: Random,
    pub(super) services: Rc<RefCell<Services>>,
    pub(super) files: Files,
    /// Most events of this seed ask for several calls, and most saves change what these say.
    pub(super) is_about_calls: bool,
    folder: tempfile::TempDir,
    lives: usize,
    pub(super) life: Option<Life>,
    pub(super) sent: BTreeMap<String, Sent>,
    /// Events that were answered 200.
    pub(super) acknowledged: Arc<Mutex<BTreeMap<String, Acknowledged>>>,
    pub(super) facts: Facts,
    pub(super) counts: Counts,
    trace: Vec<String>,
    is_told: bool,
    has_faults: bool,
}

impl Course {
    pub(super) fn new(seed: u64, is_told: bool) -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let mut random = Random::new(seed);
        let mut it = Self {
            services: model::install(),
            files: Files::first(&mut random),
            is_about_calls: random.one_in(4),
            random,
            folder: folder.unwrap(),
            lives: 0,
            life: None,
            sent: BTreeMap::new(),
            acknowledged: Arc::default(),
            facts: Facts::default(),
            counts: Counts::new(),
            trace: Vec::new(),
            is_told,
            has_faults: true,
        };
        std::fs::create_dir(it.path(0)).unwrap();
        it.save();
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
            "SELECT run, number, state, decided, given_to, idempotency_key, request FROM journal",
            "SELECT 'once', name, run, number, state, generation, idempotency_key FROM once",
            "SELECT run, number, started_at, outcome, substr(version, 1, 12), error FROM attempts",
            "SELECT 'canary', handler, substr(version, 1, 12), began_at FROM canaries",
            "SELECT 'pin', handler, substr(version, 1, 12), pinned_at FROM pins",
            "SELECT 'in force', key, substr(value, 1, 12) FROM meta WHERE key LIKE 'last_good_version/%'",
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

    /// Lets all that is ready run.
    pub(super) fn settle(&mut self) {
        self.life().settle();
    }

    fn files_folder(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    pub(super) fn save(&mut self) {
        self.facts.saved(&self.files);
        self.files.save(&self.files_folder());
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

    /// A start: nothing is delivered until what is in force is kept.
    pub(super) fn begin(&mut self, now: UnixMillis) {
        let (folder, files) = (self.path(self.lives), self.files_folder());
        let life = Life::start(&folder, &files, now);
        self.life = life.or_else(|| {
            // It tells what is wrong and ends; somebody mends that.
            self.files.is_torn = false;
            self.save();
            Life::start(&folder, &files, now)
        });
        self.check_start();
        while !self.life().is_ready() {
            if self.has_faults && self.random.one_in(30) {
                self.note("killed at the start", "");
                return self.ends(&Log::Whole);
            }
            self.life().commit();
            self.settle();
        }
        assert!(self.life().go(), "a host that can write does not start");
    }

    /// No faults any more: all that is open comes to its end.
    fn come_to_the_end(&mut self) {
        self.has_faults = false;
        self.files.mend();
        self.note("no fault any more", format!("{:?}", self.files));
        self.save();
        for round in 0..ROUNDS_TO_THE_END_MAX {
            if round % 20 == 0 {
                self.put_in_order();
            }
            self.settle();
            self.do_all_that_waits();
            self.settle();
            self.check();
            if round % 4 == 3 {
                self.look_at_the_files(false);
                self.life().pass(Duration::from_secs(600));
            }
            let open = self
                .life()
                .looks
                .texts("SELECT id FROM runs_open WHERE state != 'dead'");
            let is_over = open.is_empty() && self.services.borrow().waiting() == 0;
            if is_over && 4 < round {
                return;
            }
        }
        panic!("this does not come to its end: {}", self.told());
    }

    /// As an operator would: calls that others wait for are settled, pins are taken back, runs of a handler that is gone go to the one that there is, and dead
    /// ones that block their lanes are dropped.
    fn put_in_order(&mut self) {
        self.settle_what_others_wait_for();
        for handler in ["first", "second", "third"] {
            self.command(Command::Rollback {
                handler: handler.into(),
                version: None,
            });
        }
        let (from, to) = match self.files.name {
            Name::Second | Name::Gone => ("third", "second"),
            Name::Third => ("second", "third"),
        };
        let dropped = self.life().looks.texts(&format!(
            "SELECT id FROM runs_open AS this WHERE (state = 'dead' AND handler <> 'first') OR (handler = '{from}' AND EXISTS (
               SELECT 1 FROM (SELECT id, handler FROM runs_open UNION ALL SELECT id, handler FROM runs_done) AS other
               WHERE other.handler = '{to}' AND other.id / 10000 = this.id / 10000))"
        ));
        self.ask_to_move(from, to);
        for it in dropped {
            self.ask_to_drop(RunId(it[0].parse().unwrap()));
        }
    }
}
