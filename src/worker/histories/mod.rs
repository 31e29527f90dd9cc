//! The laws of calls, over histories made at random: scripts, faults at every step, edits, decisions of operators.
//!
//! All is real but the network and the clock: attempts, passes on a script thread, matching, ledger.

mod course;
mod script;
pub(super) mod service;
mod shared;

use super::Shared;
use super::attempt::Once;
use super::engines::Engines;
use super::lost::Lost;
use super::wire::Wire;
use crate::clock::{Clock, ManualClock, UnixMillis};
use crate::config::{self, Config, Limits};
use crate::event::{Envelope, Event};
use crate::in_force::{Chosen, Current, InForce};
use crate::ledger::desk::Desk;
use crate::ledger::folder::Folder;
use crate::ledger::request::{Accept, PlannedRun};
use crate::ledger::running::Running;
use crate::ledger::sqlite::read::Reader;
use crate::ledger::{self, Ledger};
use crate::run::{Lane, RunId};
use crate::script::{Engine, Program};
use crate::services::Services;
use arc_swap::ArcSwap;
use bytes::Bytes;
use course::Course;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config as Runs, TestCaseError, TestRunner};
use script::History;
use service::Model;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

const HISTORIES: u32 = 300;
const HISTORIES_MANY: u32 = 10_000;
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

type Checked = Result<(), TestCaseError>;

#[test]
fn no_history_makes_a_settled_call_again_or_loses_or_doubles_a_change() {
    check_all(HISTORIES, script::a_history(), World::go_through);
}

#[test]
#[ignore = "takes minutes"]
fn no_history_of_very_many_does_either() {
    check_all(HISTORIES_MANY, script::a_history(), World::go_through);
}

fn check_all<S: Strategy>(
    histories: u32,
    made: S,
    go_through: impl AsyncFn(&World, S::Value) -> Checked,
) {
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
    let went = runner.run(&made, |history| {
        runtime.block_on(go_through(&world, history))
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
        let lost = Lost::new(1);
        let (engines, _) = Engines::start(1, &folder, running.clone(), lost.clone()).unwrap();
        let none = InForce::new(
            config.clone(),
            services.clone(),
            vec![chosen(Err("none".into()))],
        );
        let shared = Arc::new(Shared {
            turns: Arc::default(),
            current: Current::new(ArcSwap::from_pointee(none)),
            ledger: opened.ledger,
            clock: clock.clone(),
            engines,
            running,
            lost,
            put_off: Mutex::default(),
            stopping: CancellationToken::new(),
            reader: Arc::new(Mutex::new(Reader::open(&folder).unwrap())),
            tried: Arc::new(Notify::new()),
            held_late: Arc::default(),
            once: Once::with_patience(std::time::Duration::from_millis(1)),
            wire: Wire::Model(model.clone()),
            bodies_room: Arc::new(Semaphore::new(0)),
            sights_room: Arc::default(),
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
        let run = self.accept(&event).await;
        let mut course = Course::new(self, run, event.clone(), &event, history.script);
        for name in history.list {
            course.grow(name).await;
        }
        course.begin();
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

fn chosen(program: Result<Arc<Program>, String>) -> Chosen {
    Chosen {
        program,
        canary: None,
        saved: None,
    }
}
