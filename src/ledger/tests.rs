//! The ledger's laws, on a real file.

use super::desk::Desk;
use super::folder::Folder;
use super::request::*;
use super::sqlite::read::{BlockedByDead, Reader};
use super::version_decision::VersionDecision;
use super::*;
use crate::clock::UnixMillis;
use crate::event::{Envelope, Event};
use crate::record::{Change, Read, RecordKey, RecordedChange};
use crate::run::{Lane, State};
use bytes::Bytes;

mod calls;
mod once;
mod runs;
mod schema;
mod versions;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// An open ledger in a folder of its own.
struct Scene {
    dir: tempfile::TempDir,
    opened: Opened,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let opened = open_in(dir.path());
        Self { dir, opened }
    }

    fn reader(&self) -> Reader {
        Reader::open(&Folder::new(self.dir.path())).unwrap()
    }

    /// Closes the ledger as a host does, and opens it again.
    async fn reopen(self) -> Self {
        let Self { dir, opened } = self;
        opened.ledger.close();
        tokio::task::spawn_blocking(move || opened.threads.join())
            .await
            .unwrap();
        let opened = open_in(dir.path());
        Self { dir, opened }
    }

    async fn accept(&self, id: &str, handlers: &[&str]) -> Receipt {
        self.accept_at(id, "stripe", "stripe", handlers).await
    }

    async fn accept_at(&self, id: &str, endpoint: &str, scope: &str, handlers: &[&str]) -> Receipt {
        let body = Bytes::from(format!("{{\"id\":\"{id}\"}}"));
        let envelope = Envelope {
            id: id.into(),
            kind: "a.b".into(),
            created: NOW,
            ..Envelope::default()
        };
        let packed = self.opened.dictionary.pack(&body).unwrap();
        let event = Event {
            envelope,
            endpoint: endpoint.into(),
            scope: scope.into(),
            received_at: NOW,
            secret_number: 1,
            body,
        };
        let runs = handlers
            .iter()
            .map(|it| PlannedRun {
                handler: (*it).into(),
                lane: Lane(7),
                held: None,
            })
            .collect();
        self.opened
            .ledger
            .accept(Accept {
                event: Arc::new(event),
                packed,
                runs,
            })
            .await
            .unwrap()
    }

    async fn commit(
        &self,
        run: RunId,
        reads: &[(&str, i64)],
        changes: &[(&str, i64, &str)],
    ) -> Applied {
        let key = |id: &str| RecordKey {
            collection: "things".into(),
            id: id.into(),
        };
        let commit = Commit {
            claim: Claim { id: run, epoch: 0 },
            handler: "h".into(),
            state: State::Done,
            why: None,
            replay: 0,
            reads: reads
                .iter()
                .map(|(id, version)| Read {
                    key: key(id),
                    version: *version,
                })
                .collect(),
            changes: changes
                .iter()
                .map(|(id, base_version, after)| {
                    RecordedChange::from(Change {
                        key: key(id),
                        base_version: *base_version,
                        before: None,
                        after: Some((*after).into()),
                        newest_event_at: None,
                    })
                })
                .collect(),
            attempt: report(),
            at: NOW,
        };
        self.opened.ledger.commit(commit).await.unwrap()
    }

    async fn order(&self, order: Order) -> Result<Ordered, LedgerError> {
        self.opened.ledger.order(order).await
    }

    fn count(&self, sql: &str) -> i64 {
        let path = Folder::new(self.dir.path()).database();
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn open_in(path: &std::path::Path) -> Opened {
    let desk = Desk::new();
    tokio::spawn(desk.clone().attend());
    let samples: Vec<String> = (0..100)
        .map(|it| format!("{{\"id\": \"evt_{it}\"}}"))
        .collect();
    let folder = Folder::new(path);
    sqlite::open(&folder, &samples, desk).unwrap()
}

fn report() -> AttemptReport {
    AttemptReport {
        number: 1,
        started_at: NOW,
        took_ms: 1,
        engine_us: 20,
        outcome: "done",
        error: None,
        log: None,
        calls: None,
        version: "v1".into(),
    }
}

fn retry(run: RunId) -> Order {
    Order::Retry {
        run,
        decision: None,
    }
}

fn run(event_seq: i64) -> RunId {
    RunId::of(event_seq, 1)
}

#[tokio::test]
async fn a_receipt_means_that_the_event_is_there_byte_for_byte() {
    let scene = Scene::new();
    let receipt = scene.accept("evt_1", &["h"]).await;
    assert!(!receipt.is_duplicate);
    let event = scene.reader().event(receipt.event_seq).unwrap().unwrap();
    assert_eq!(event.body, "{\"id\":\"evt_1\"}");
    assert_eq!(
        scene.reader().event_seqs("evt_1").unwrap(),
        [receipt.event_seq]
    );
    let runs = scene.reader().ready_runs(RunId::default(), 10).unwrap();
    assert_eq!(
        runs.iter().map(|it| it.claim.id).collect::<Vec<_>>(),
        [run(1)]
    );
}

#[tokio::test]
async fn a_duplicate_is_told_and_makes_nothing_even_after_a_restart() {
    let scene = Scene::new();
    let first = scene.accept("evt_1", &["h"]).await;
    let again = scene.accept("evt_1", &["h"]).await;
    assert_eq!(
        (again.event_seq, again.is_duplicate),
        (first.event_seq, true)
    );
    let scene = scene.reopen().await;
    assert!(scene.accept("evt_1", &["h"]).await.is_duplicate);
    assert_eq!(scene.count("SELECT count(*) FROM events"), 1);
    assert_eq!(scene.count("SELECT count(*) FROM runs_open"), 1);
}

#[tokio::test]
async fn one_id_in_two_scopes_is_two_events() {
    let scene = Scene::new();
    assert!(!scene.accept_at("evt_1", "a", "a", &[]).await.is_duplicate);
    assert!(!scene.accept_at("evt_1", "b", "b", &[]).await.is_duplicate);
    assert_eq!(scene.reader().event_seqs("evt_1").unwrap(), [1, 2]);
}

#[tokio::test]
async fn a_second_endpoint_of_one_scope_makes_only_the_runs_that_are_lacking() {
    let scene = Scene::new();
    scene.accept_at("evt_1", "account", "both", &["a"]).await;
    assert!(
        scene
            .accept_at("evt_1", "connect", "both", &["a", "b"])
            .await
            .is_duplicate
    );
    let handlers: Vec<String> = scene
        .reader()
        .ready_runs(RunId::default(), 10)
        .unwrap()
        .iter()
        .map(|it| it.handler.to_string())
        .collect();
    assert_eq!(handlers, ["a", "b"]);
}

#[tokio::test]
async fn a_commit_changes_records_and_ends_its_run_once() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    assert_eq!(
        scene
            .commit(run(1), &[("x", 0)], &[("x", 0, "{\"n\":1}")])
            .await,
        Applied::Done
    );
    assert_eq!(
        scene.commit(run(1), &[], &[("x", 1, "{\"n\":2}")]).await,
        Applied::Fenced
    );
    let record = scene.reader().record("things", "x").unwrap().unwrap();
    assert_eq!(
        (record.version, record.body.as_deref()),
        (1, Some("{\"n\":1}"))
    );
    assert_eq!(scene.count("SELECT count(*) FROM runs_open"), 0);
    assert_eq!(
        scene.count("SELECT count(*) FROM runs_done WHERE state = 'done'"),
        1
    );
    assert_eq!(scene.count("SELECT count(*) FROM record_changes"), 1);
}

#[tokio::test]
async fn a_commit_on_an_old_read_changes_nothing_and_keeps_the_run() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    scene.accept("evt_2", &["h"]).await;
    scene.commit(run(1), &[], &[("x", 0, "{}")]).await;
    assert_eq!(
        scene.commit(run(2), &[("x", 0)], &[("y", 0, "{}")]).await,
        Applied::Stale
    );
    assert_eq!(scene.reader().record("things", "y").unwrap(), None);
    assert_eq!(
        scene.commit(run(2), &[("x", 1)], &[("y", 0, "{}")]).await,
        Applied::Done
    );
}

#[tokio::test]
async fn one_bad_request_in_a_commit_does_not_fail_its_neighbours() {
    let scene = Scene::new();
    let bad = Order::DecideVersions {
        decisions: vec![VersionDecision::Keep {
            version: "h".into(),
            script: "s".into(),
            sources: "{}".into(),
            at: NOW,
        }],
    };
    // A text where an integer belongs is refused by the table.
    let bad_record = Order::SetRecord {
        key: RecordKey {
            collection: "c".into(),
            id: "none".into(),
        },
        body: None,
        at: NOW,
    };
    let (a, b, c) = tokio::join!(
        scene.accept("evt_1", &["h"]),
        scene.order(bad_record),
        scene.order(bad)
    );
    assert!(!a.is_duplicate);
    assert!(matches!(b.unwrap(), Ordered::NotFound(_)));
    c.unwrap();
}

#[tokio::test]
async fn retention_deletes_what_is_finished_and_old_and_gives_no_number_twice() {
    let scene = Scene::new();
    for (id, handlers) in [("evt_1", &["h"][..]), ("evt_2", &["h"]), ("evt_3", &[])] {
        scene.accept(id, handlers).await;
    }
    scene.commit(run(1), &[], &[("x", 0, "{}")]).await;
    let later = NOW.after(std::time::Duration::from_secs(1));
    scene
        .order(Order::Prune {
            events_before: later,
            dedupe_before: NOW,
        })
        .await
        .unwrap();
    // evt_2 has an open run.
    assert_eq!(scene.count("SELECT group_concat(seq) = '2' FROM events"), 1);
    assert_eq!(scene.count("SELECT count(*) FROM attempts"), 0);
    assert!(scene.reader().record("things", "x").unwrap().is_some());
    let scene = scene.reopen().await;
    assert!(scene.accept("evt_3", &[]).await.is_duplicate);
    assert_eq!(scene.accept("evt_4", &[]).await.event_seq, 4);
}

#[tokio::test]
async fn retention_goes_on_until_nothing_old_is_left_in_any_table() {
    let scene = Scene::new();
    let ids: Vec<String> = (0..700).map(|it| it.to_string()).collect();
    let changes: Vec<(&str, i64, &str)> = ids.iter().map(|it| (&**it, 0, "{}")).collect();
    scene.accept("evt_1", &["h"]).await;
    scene.commit(run(1), &[], &changes).await;
    let later = NOW.after(std::time::Duration::from_secs(1));
    let prune = async || {
        let order = Order::Prune {
            events_before: later,
            dedupe_before: later,
        };
        scene.order(order).await.unwrap()
    };
    while prune().await != (Ordered::Done { affected: 0 }) {}
    for table in ["events", "seen", "record_changes"] {
        let rows = scene.count(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(rows, 0, "rows of `{table}` that are left");
    }
}

#[tokio::test]
async fn the_log_begins_anew_under_a_steady_load() {
    let scene = Scene::new();
    let body = Bytes::from(
        (0..200_000u32)
            .flat_map(|it| it.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect::<Vec<_>>(),
    );
    for number in 0..200 {
        let envelope = Envelope {
            id: format!("evt_{number}"),
            kind: "a.b".into(),
            created: NOW,
            ..Envelope::default()
        };
        let packed = scene.opened.dictionary.pack(&body).unwrap();
        let event = Event {
            envelope,
            endpoint: "e".into(),
            scope: "e".into(),
            received_at: NOW,
            secret_number: 1,
            body: body.clone(),
        };
        scene
            .opened
            .ledger
            .accept(Accept {
                event: Arc::new(event),
                packed,
                runs: vec![],
            })
            .await
            .unwrap();
    }
    let log = scene.dir.path().join("ledger.db-wal");
    let size_bytes = std::fs::metadata(log).unwrap().len();
    assert!(
        size_bytes < 130 * 1024 * 1024,
        "the log has {size_bytes} bytes after 160 MB of bodies"
    );
}
