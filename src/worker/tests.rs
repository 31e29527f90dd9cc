//! Laws of the watch over the script threads, on a real ledger. `hang_for_test` blocks its thread, as no native of a
//! script does.

use super::*;
use crate::clock::{ManualClock, SystemClock, UnixMillis};
use crate::event::{Envelope, Event};
use crate::ledger::desk::Desk;
use crate::ledger::request::{Accept, Order, PlannedRun};
use crate::ledger::sqlite::list::RunRow;
use crate::ledger::{self, Opened};
use crate::reload::{self, First, Location, Reloader};
use crate::run::{Lane, RunId};
use crate::script::CAME_BACK;
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Hangs at events of one type.
const HANGS: &str = "if event.type == \"stuck\" {\n  hang_for_test(event.ms);\n}";
const FOR_EVER_MS: i64 = 120_000;
/// Far more than a stuck thread takes to be found.
const IN_TIME: Duration = Duration::from_secs(60);

struct Scene {
    dir: tempfile::TempDir,
    opened: Option<Opened>,
    current: Current,
    lost: Arc<Lost>,
    reloader: Reloader,
    shutdown: CancellationToken,
    worker: tokio::task::JoinHandle<()>,
    events: i64,
}

impl Scene {
    /// Handlers `hangs` and `works`.
    async fn new(script_threads: usize) -> Self {
        Self::by(script_threads, Arc::new(SystemClock)).await
    }

    /// The same by this clock.
    async fn by(script_threads: usize, clock: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("scripts")).unwrap();
        let config = format!(
            "[endpoints.stripe]\npath = \"/\"\nsigning_secrets = [\"whsec_1\"]\n\
             [limits]\nscript_threads = {script_threads}\nengine_time_max = \"1s\"\n\
             [handlers.hangs]\nevents = [\"*\"]\nscript = \"scripts/hangs.rhai\"\n\
             [handlers.works]\nevents = [\"*\"]\nscript = \"scripts/works.rhai\"\n"
        );
        write(dir.path(), "handlers.toml", &config);
        write(dir.path(), "scripts/hangs.rhai", HANGS);
        write(dir.path(), "scripts/works.rhai", "log.info(event.id);");
        let folder = Folder::new(dir.path().join("data"));
        let lock = folder.lock().unwrap();
        let desk = Desk::new();
        let opened = ledger::open(&folder, &[], desk.clone()).unwrap();
        tokio::spawn(desk.attend());
        let location = Location::new(dir.path().join("handlers.toml"));
        let reader = Reader::open(&folder).unwrap();
        let First {
            in_force,
            report,
            settled,
        } = reload::first(&location, &reader).unwrap();
        assert_eq!(report.problems, [""; 0]);
        let current: Current = Arc::new(ArcSwap::from_pointee(in_force));
        let worker = Worker::start(
            &folder,
            current.clone(),
            opened.ledger.clone(),
            opened.arrivals.clone(),
            clock.clone(),
        )
        .unwrap();
        let lost = worker.lost();
        let reloader = Reloader::new(
            location,
            current.clone(),
            opened.ledger.clone(),
            reader,
            clock,
            worker.nudge(),
        );
        reloader.settle_first(settled).await.unwrap();
        let shutdown = CancellationToken::new();
        let worker = tokio::spawn({
            let shutdown = shutdown.clone();
            async move {
                worker.run(shutdown).await;
                drop(lock);
            }
        });
        Self {
            dir,
            opened: Some(opened),
            current,
            lost,
            reloader,
            shutdown,
            worker,
            events: 0,
        }
    }

    /// Takes an event for a handler in; what its run became is asked for by the number that is returned.
    async fn accept(&mut self, handler: &str, kind: &str, ms: i64) -> i64 {
        let lane = Lane::own(handler, "stripe", &format!("evt_{}", self.events + 1));
        let run = PlannedRun {
            handler: handler.into(),
            lane,
            held: None,
        };
        self.accept_at("stripe", kind, ms, vec![run]).await
    }

    /// The same with so many runs of `works`, which are held.
    async fn accept_held(&mut self, count: i64) -> i64 {
        let run = |lane| PlannedRun {
            handler: "works".into(),
            lane: Lane(lane),
            held: Some("for a test".into()),
        };
        let runs = (1..=count).map(run).collect();
        self.accept_at("stripe", "fine", 0, runs).await
    }

    async fn accept_at(
        &mut self,
        endpoint: &str,
        kind: &str,
        ms: i64,
        runs: Vec<PlannedRun>,
    ) -> i64 {
        self.events += 1;
        let id = format!("evt_{}", self.events);
        let body = format!("{{\"id\":\"{id}\",\"type\":\"{kind}\",\"ms\":{ms}}}");
        let body = Bytes::from(body);
        let opened = self.opened.as_ref().unwrap();
        let accept = Accept {
            packed: opened.dictionary.pack(&body).unwrap(),
            event: Arc::new(Event {
                envelope: Envelope {
                    id: id.clone(),
                    kind: kind.into(),
                    created: UnixMillis(1_700_000_000_000),
                    ..Envelope::default()
                },
                endpoint: endpoint.into(),
                scope: "stripe".into(),
                received_at: UnixMillis(1_700_000_000_000),
                secret_number: 1,
                body,
            }),
            runs,
        };
        opened.ledger.accept(accept).await.unwrap().event_seq
    }

    fn reader(&self) -> Reader {
        Reader::open(&Folder::new(self.dir.path().join("data"))).unwrap()
    }

    fn run(&self, event: i64) -> RunRow {
        self.reader().runs_of_event(event).unwrap().remove(0)
    }

    /// Waits until the runs of these events are in these many of the states.
    async fn until(&self, events: &[i64], states: &[(&str, usize)]) {
        let began = Instant::now();
        loop {
            let found: Vec<String> = events.iter().map(|it| self.run(*it).state).collect();
            let count = |state: &str| found.iter().filter(|it| *it == state).count();
            if states.iter().all(|(state, wanted)| count(state) == *wanted) {
                return;
            }
            assert!(began.elapsed() < IN_TIME, "{found:?}, not {states:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn problems(&self) -> Vec<String> {
        self.lost.problems(&self.current.load())
    }

    /// The worker ends although threads are stuck.
    async fn end(mut self) {
        self.shutdown.cancel();
        tokio::time::timeout(IN_TIME, self.worker)
            .await
            .unwrap()
            .unwrap();
        let opened = self.opened.take().unwrap();
        opened.ledger.close();
        tokio::task::spawn_blocking(move || opened.threads.join())
            .await
            .unwrap();
    }
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

#[tokio::test]
async fn a_run_that_gets_stuck_is_dead_and_another_thread_goes_on() {
    let mut it = Scene::new(1).await;
    // Longer than is waited for, but not for ever: the thread comes back to find its place taken.
    let stuck = it.accept("hangs", "stuck", 6_000).await;
    let next = it.accept("works", "fine", 0).await;
    it.until(&[stuck, next], &[("dead", 1), ("done", 1)]).await;
    let run = it.run(stuck);
    let why = "the script got stuck in one step that took longer than 3s";
    assert!(
        run.why.as_ref().is_some_and(|it| it.starts_with(why)),
        "{run:?}"
    );
    let attempts = it.reader().attempts(run.id).unwrap();
    assert_eq!(attempts.len(), 1);
    assert!(
        attempts[0]
            .error
            .as_ref()
            .is_some_and(|it| it.to_string().contains("stuck"))
    );
    let [problem] = &it.problems()[..] else {
        panic!("{:?}", it.problems())
    };
    assert!(
        problem.starts_with("1 of at most 12 script threads are lost"),
        "{problem}"
    );

    let began = Instant::now();
    while CAME_BACK.load(Ordering::SeqCst) == 0 {
        assert!(began.elapsed() < IN_TIME);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let later = it.accept("hangs", "fine", 0).await;
    it.until(&[stuck, next, later], &[("dead", 1), ("done", 2)])
        .await;
    assert_eq!(it.problems().len(), 1);
    it.end().await;
}

#[tokio::test]
async fn three_stuck_runs_hold_their_handler_until_it_changes_and_harm_no_other() {
    let mut it = Scene::new(1).await;
    let mut events = Vec::new();
    for _ in 0..6 {
        events.push(it.accept("hangs", "stuck", FOR_EVER_MS).await);
    }
    // One after the other: with more threads others may have begun before the third one counts as stuck.
    it.until(&events, &[("dead", 3), ("held", 3)]).await;
    let works = it.accept("works", "fine", 0).await;
    it.until(&[works], &[("done", 1)]).await;
    events.push(it.accept("hangs", "fine", 0).await);
    it.until(&events, &[("dead", 3), ("held", 4)]).await;
    let why = it.run(events[6]).why.unwrap_or_default();
    assert!(
        why.starts_with(
            "handler `hangs` is held: change scripts/hangs.rhai, or `hookyard runs retry "
        ),
        "{why}"
    );
    assert_eq!(it.problems()[0], why);

    // A reload that finds nothing new changes nothing about it.
    it.reloader.reload(true).await;
    it.until(&events, &[("dead", 3), ("held", 4)]).await;
    write(it.dir.path(), "scripts/hangs.rhai", "log.info(\"better\");");
    let report = it.reloader.reload(true).await;
    assert!(report.is_changed, "{report:?}");
    it.until(&events, &[("dead", 3), ("done", 4)]).await;
    let [problem] = &it.problems()[..] else {
        panic!("{:?}", it.problems())
    };
    assert!(
        problem.contains("3 of at most 12 script threads"),
        "{problem}"
    );
    it.end().await;
}

#[tokio::test]
async fn all_open_runs_are_looked_at_again_when_the_clock_is_set_back() {
    let noon = UnixMillis(1_700_000_000_000);
    let clock = Arc::new(ManualClock::at(noon.after(Duration::from_secs(3600))));
    let mut it = Scene::by(1, clock.clone()).await;
    let first = it.accept("works", "fine", 0).await;
    it.until(&[first], &[("done", 1)]).await;
    // The look with which the worker began is over by then.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let released = it.accept_held(1).await;
    // The worker is not told of it, as of a run whose pause is over.
    let order = Order::Hold {
        handler: "works".into(),
        why: None,
        runs: vec![RunId::of(released, 1)],
    };
    it.opened
        .as_ref()
        .unwrap()
        .ledger
        .order(order)
        .await
        .unwrap();
    clock.set(noon);
    let next = it.accept("works", "fine", 0).await;
    it.until(&[released, next], &[("done", 2)]).await;
    it.end().await;
}

#[tokio::test]
async fn a_run_that_another_endpoint_adds_to_an_old_event_is_its_lanes_head_at_once() {
    let mut it = Scene::new(1).await;
    let old = it.accept_at("own", "fine", 0, vec![]).await;
    // Its run is held, in lane 1.
    it.accept_held(1).await;
    it.events = 0;
    let run = PlannedRun {
        handler: "works".into(),
        lane: Lane(1),
        held: None,
    };
    assert_eq!(it.accept_at("connect", "fine", 0, vec![run]).await, old);
    it.until(&[old], &[("done", 1)]).await;
    it.end().await;
}

#[tokio::test]
async fn runs_are_brought_in_line_however_many_looks_it_takes_to_see_them() {
    let mut it = Scene::new(1).await;
    let event = it.accept_held(1_500).await;
    let states = |state: &str| {
        let runs = it.reader().runs_of_event(event).unwrap();
        runs.iter().filter(|it| it.state == state).count()
    };
    assert_eq!(states("held"), 1_500);
    it.reloader.align_again().await.unwrap();
    assert_eq!(states("held"), 0);
    it.end().await;
}

#[tokio::test]
async fn the_process_has_to_end_when_too_many_threads_are_lost() {
    let it = Lost::new(2);
    for _ in 1..16 {
        assert!(it.thread());
        assert_eq!(it.why_used_up(), None);
    }
    assert!(!it.thread());
    it.used_up().await;
    assert!(
        it.why_used_up()
            .is_some_and(|it| it.contains("16 script threads"))
    );
}
