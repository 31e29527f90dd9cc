//! The laws of calls, over histories made at random: scripts, faults at every step, edits, decisions of operators.
//!
//! All is real but the network and the clock: attempts, passes on a script thread, matching, ledger.

mod script;
pub(super) mod service;

use super::Shared;
use super::attempt::attempt;
use super::engines::Engines;
use super::wire::Wire;
use crate::clock::{Clock, ManualClock, UnixMillis};
use crate::config::{self, Config, Limits};
use crate::event::{Envelope, Event};
use crate::in_force::{Current, InForce};
use crate::ledger::decision::{Choice, Decision};
use crate::ledger::desk::Desk;
use crate::ledger::folder::Folder;
use crate::ledger::request::{Accept, CallState, Order, PlannedRun};
use crate::ledger::running::Running;
use crate::ledger::sqlite::read::Reader;
use crate::ledger::{self, Ledger, Ordered};
use crate::record::RecordKey;
use crate::run::{Lane, RunId};
use crate::script::{Engine, Grants, Sources};
use crate::services::Services;
use arc_swap::ArcSwap;
use bytes::Bytes;
use proptest::test_runner::{Config as Runs, TestCaseError, TestRunner};
use script::{History, Line, Step};
use service::Model;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

const HISTORIES: u32 = 300;
const HISTORIES_MANY: u32 = 10_000;
/// Attempts without any fault within which every run must come to its end.
const ATTEMPTS_TO_THE_END_MAX: usize = 60;
const HANDLERS: &str = r#"
[endpoints.stripe]
path = "/hooks"
signing_secrets = ["whsec_x"]
[services.books]
url = "https://books.example.com/api"
idempotency = "24h"
[services.mail]
url = "https://mail.example.com"
idempotency = "none"
[handlers.h]
events = ["invoice.paid"]
script = "scripts/h.rhai"
records = ["counts", "lines"]
services = ["books", "mail"]
retry = { attempts = 100, first = "1s", max = "1s" }
"#;

/// What all histories share: a ledger, a script thread, a clock.
struct World {
    shared: Arc<Shared>,
    model: Arc<Model>,
    clock: Arc<ManualClock>,
    engine: Arc<Engine>,
    config: Config,
    services: Services,
    dictionary: ledger::compress::Dictionary,
    folder: Folder,
    _dir: tempfile::TempDir,
}

/// One history on its way.
struct Course<'a> {
    world: &'a World,
    reader: Reader,
    run: RunId,
    event: String,
    script: Vec<Line>,
    list: Vec<&'static str>,
    /// The most times that any attempt asked for a call.
    asked: BTreeMap<String, u32>,
    /// The script or what it reads has changed since the beginning.
    is_changed: bool,
    waited_hours: u32,
}

type Checked = Result<(), TestCaseError>;

#[test]
fn no_history_makes_a_settled_call_again_or_loses_or_doubles_a_change() {
    check(HISTORIES);
}

#[test]
#[ignore = "takes minutes"]
fn no_history_of_very_many_does_either() {
    check(HISTORIES_MANY);
}

fn check(histories: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(async { World::open() });
    let mut runner = TestRunner::new(Runs {
        cases: histories,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Runs::default()
    });
    let went = runner.run(&script::a_history(), |history| {
        runtime.block_on(world.go_through(history))
    });
    world.shared.engines.close();
    if let Err(why) = went {
        panic!("{why}");
    }
}

impl World {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        let desk = Desk::new();
        tokio::spawn(desk.clone().attend());
        let opened = ledger::open(&folder, &crate::catalog::all_samples(), desk).unwrap();
        let config = config::parse(HANDLERS, "handlers.toml", &|_| Err(String::new())).unwrap();
        let services = Services::new(&config.services).unwrap();
        let clock = Arc::new(ManualClock::at(UnixMillis(1_700_000_000_000)));
        let model = Arc::new(Model::new(clock.clone()));
        let (running, _) = Running::open(&folder.running()).unwrap();
        let running = Arc::new(running);
        let (engines, _) = Engines::start(1, &folder, running.clone()).unwrap();
        let none = InForce::new(config.clone(), services.clone(), vec![Err("none".into())]);
        let shared = Arc::new(Shared {
            current: Current::new(ArcSwap::from_pointee(none)),
            ledger: opened.ledger,
            clock: clock.clone(),
            engines,
            running,
            wire: Wire::Model(model.clone()),
        });
        Self {
            shared,
            model,
            clock,
            engine: Engine::new(&Limits::default()),
            config,
            services,
            dictionary: opened.dictionary,
            folder,
            _dir: dir,
        }
    }

    fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    async fn go_through(&self, history: History) -> Checked {
        self.model.begin();
        let event = format!("evt_{}", uuid::Uuid::new_v4().simple());
        let mut course = Course {
            world: self,
            reader: Reader::open(&self.folder).unwrap(),
            run: self.accept(&event).await,
            event,
            script: history.script,
            list: Vec::new(),
            asked: BTreeMap::new(),
            is_changed: false,
            waited_hours: 0,
        };
        for name in history.list {
            course.grow(name).await;
        }
        course.is_changed = false;
        for step in &history.steps {
            course.step(step).await?;
        }
        course.come_to_the_end(history.is_second).await
    }

    async fn accept(&self, id: &str) -> RunId {
        let body = Bytes::from(format!("{{\"id\":\"{id}\",\"type\":\"invoice.paid\"}}"));
        let envelope = Envelope {
            id: id.into(),
            kind: "invoice.paid".into(),
            created: self.clock.now(),
            ..Envelope::default()
        };
        let accept = Accept {
            packed: self.dictionary.pack(&body).unwrap(),
            event: Arc::new(Event {
                envelope,
                endpoint: "stripe".into(),
                scope: "stripe".into(),
                received_at: self.clock.now(),
                secret_number: 1,
                body,
            }),
            runs: vec![PlannedRun {
                handler: "h".into(),
                lane: Lane(1),
                held: None,
            }],
        };
        let receipt = self.ledger().accept(accept).await.unwrap();
        RunId::of(receipt.event_seq, 1)
    }
}

impl Course<'_> {
    async fn step(&mut self, step: &Step) -> Checked {
        let place = |at: usize, len: usize| at.min(len.saturating_sub(1));
        match step {
            Step::Attempt { faults, ends_after } => {
                self.world.model.faults(faults);
                return self.attempt(*ends_after).await;
            }
            Step::Insert { at, line } => {
                let at = (*at).min(self.script.len());
                self.script.insert(at, line.clone());
                self.is_changed = true;
            }
            Step::Change { at, line } if !self.script.is_empty() => {
                let at = place(*at, self.script.len());
                self.script[at] = line.clone();
                self.is_changed = true;
            }
            Step::Remove { at } if !self.script.is_empty() => {
                self.script.remove(place(*at, self.script.len()));
                self.is_changed = true;
            }
            Step::Change { .. } | Step::Remove { .. } => {}
            Step::Grow { name } => self.grow(name).await,
            Step::WaitHours(hours) => {
                let now = self.world.clock.now();
                self.world
                    .clock
                    .set(UnixMillis(now.0 + i64::from(*hours) * 3_600_000));
                self.waited_hours += u32::from(*hours);
            }
            Step::Decide { is_second } => self.decide(*is_second).await?,
        }
        Ok(())
    }

    async fn grow(&mut self, name: &'static str) {
        let key = RecordKey {
            collection: "lines".into(),
            id: format!("{}-{name}", self.event),
        };
        let set = Order::SetRecord {
            key,
            body: Some(format!(
                "{{\"event\":\"{}\",\"what\":\"{name}\"}}",
                self.event
            )),
            at: self.world.clock.now(),
        };
        self.world.ledger().order(set).await.unwrap();
        if !self.list.contains(&name) {
            self.list.push(name);
        }
        self.is_changed = true;
    }

    /// An attempt as the worker makes it, on the script as it stands; the process may end in the middle.
    async fn attempt(&mut self, ends_after: Option<u8>) -> Checked {
        let world = self.world;
        world.clock.set(UnixMillis(world.clock.now().0 + 1_000));
        self.in_force();
        if self.state() == "done" || self.state() == "dead" {
            return Ok(());
        }
        for (content, times) in script::asked(&self.script, &self.list) {
            let most = self.asked.entry(content).or_default();
            *most = times.max(*most);
        }
        let run = self.reader.open_run(self.run).unwrap().unwrap();
        {
            let mut whole = pin!(attempt(world.shared.clone(), run, 0));
            let mut steps = 0;
            let until_it_ends = std::future::poll_fn(|context| {
                if ends_after.is_some_and(|it| it < steps) {
                    return Poll::Ready(());
                }
                steps += 1;
                whole.as_mut().poll(context).map(drop)
            });
            tokio::select! {
                biased;
                () = until_it_ends => {}
                () = world.model.crashed.notified() => {}
            }
        }
        // What the ledger was given before the end is done.
        let barrier = Order::SetMeta {
            key: "barrier".into(),
            value: String::new(),
        };
        world.ledger().order(barrier).await.unwrap();
        self.check()
    }

    fn in_force(&self) {
        let world = self.world;
        let grants = Grants {
            collections: world.config.handlers[0].records.clone(),
            services: world.config.handlers[0].services.clone(),
        };
        let mut sources = Sources::default();
        sources
            .0
            .insert("scripts/h.rhai".into(), script::text(&self.script));
        let program = world
            .engine
            .compile("scripts/h.rhai", &sources, &grants)
            .unwrap();
        let in_force = InForce::new(
            world.config.clone(),
            world.services.clone(),
            vec![Ok(Arc::new(program))],
        );
        world.shared.current.store(Arc::new(in_force));
    }

    fn state(&self) -> String {
        self.reader.run_row(self.run).unwrap().unwrap().state
    }

    fn why(&self) -> String {
        let row = self.reader.run_row(self.run).unwrap().unwrap();
        row.why.unwrap_or_default()
    }

    /// The laws, after each attempt.
    fn check(&self) -> Checked {
        let model = &self.world.model;
        let state = self.state();
        let fail = |why: String| {
            Err(TestCaseError::fail(format!(
                "{why}\n{}",
                script::text(&self.script)
            )))
        };
        if let Some(it) = model.violations().first() {
            return fail(it.clone());
        }
        let journal = self.reader.journal(self.run).unwrap();
        let settled = journal.iter().filter(|it| it.state == CallState::Settled);
        model.settled(settled.map(|it| it.idempotency_key.clone()));
        for (content, times) in model.effects() {
            let Some(most) = self.asked.get(&content) else {
                continue;
            };
            if times > *most {
                return fail(format!(
                    "{content} took effect {times} times and was asked for {most} times"
                ));
            }
        }
        let count = self.reader.record("counts", &self.event).unwrap();
        let count = count.map(|it| (it.version, it.body.unwrap_or_default()));
        let expected = (state == "done").then(|| (1, "{\"n\":1}".to_owned()));
        if count != expected {
            return fail(format!("a run that is {state} has counted {count:?}"));
        }
        let why = self.why();
        if state == "dead" && why.starts_with("calls changed") && !self.is_changed {
            return fail(format!("nothing was changed, and: {why}"));
        }
        let may_be_forgotten = self.waited_hours >= 24 || why.contains("`mail`");
        if state == "dead" && why.starts_with("outcome unknown") && !may_be_forgotten {
            return fail(format!("the service keeps its keys, and: {why}"));
        }
        Ok(())
    }

    /// An operator's retry of a dead run, with a choice that fits.
    async fn decide(&mut self, is_second: bool) -> Checked {
        if self.state() != "dead" {
            return Ok(());
        }
        let why = self.why();
        let choice = match (why.split(':').next().unwrap_or_default(), is_second) {
            ("calls changed", false) => Some(Choice::Again),
            ("calls changed", true) => Some(Choice::Reuse),
            ("outcome unknown", false) => {
                self.world.model.allow_resend();
                Some(Choice::Resend)
            }
            ("outcome unknown", true) => Some(Choice::Settle {
                answer: crate::call::Answer {
                    status: 200,
                    headers: BTreeMap::new(),
                    text: "{}".into(),
                    body_missing: None,
                },
            }),
            _ => None,
        };
        let decision = choice.map(|choice| Decision {
            choice,
            by: "somebody".into(),
            at: self.world.clock.now(),
        });
        let retry = Order::Retry {
            run: self.run,
            decision,
        };
        match self.world.ledger().order(retry).await {
            Ok(Ordered::Done { affected: 1 }) => Ok(()),
            other => Err(TestCaseError::fail(format!("{why}: {other:?}"))),
        }
    }

    /// Without faults and edits, and with an operator who decides what is asked of him, every run is done.
    async fn come_to_the_end(&mut self, is_second: bool) -> Checked {
        for _ in 0..ATTEMPTS_TO_THE_END_MAX {
            self.world.model.faults(&[]);
            self.decide(is_second).await?;
            self.attempt(None).await?;
            if self.state() == "done" {
                let most = self.world.model.effects_of_one_key_max();
                if most > 1 && self.waited_hours < 24 {
                    return Err(TestCaseError::fail(format!(
                        "one key took effect {most} times"
                    )));
                }
                return Ok(());
            }
        }
        Err(TestCaseError::fail(format!(
            "it does not come to its end: {}",
            self.why()
        )))
    }
}
