//! The ledger's laws, on a real file.

use super::decision::{Choice, Chosen, Decision, Matching, Needs};
use super::desk::Desk;
use super::folder::Folder;
use super::request::*;
use super::sqlite::read::Reader;
use super::*;
use crate::clock::UnixMillis;
use crate::event::{Envelope, Event};
use crate::record::{Change, Read, RecordKey, RecordedChange};
use crate::run::{Lane, State};
use bytes::Bytes;

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
async fn what_an_operator_took_is_fenced() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    scene
        .order(Order::Drop {
            run: run(1),
            at: NOW,
        })
        .await
        .unwrap();
    assert_eq!(
        scene.commit(run(1), &[], &[("x", 0, "{}")]).await,
        Applied::Fenced
    );
    assert_eq!(
        scene.count("SELECT count(*) FROM runs_done WHERE state = 'dropped'"),
        1
    );
}

#[tokio::test]
async fn a_dead_run_is_retried_with_a_new_epoch_and_its_attempts_again() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    let postpone = Postpone {
        claim: Claim {
            id: run(1),
            epoch: 0,
        },
        state: State::Dead,
        due_at: None,
        why: "x".into(),
        needs: None,
        attempts: 12,
        attempt: Some(report()),
    };
    assert_eq!(
        scene.opened.ledger.postpone(postpone).await.unwrap(),
        Applied::Done
    );
    assert_eq!(scene.commit(run(1), &[], &[]).await, Applied::Fenced);
    let retried = scene.order(retry(run(1))).await.unwrap();
    assert_eq!(retried, Ordered::Done { affected: 1 });
    let found = scene.reader().open_run(run(1)).unwrap().unwrap();
    assert_eq!(
        (found.claim.epoch, found.attempts, found.forgiven),
        (2, 12, 12)
    );
    let unknown = scene.order(retry(RunId(99))).await.unwrap();
    assert!(matches!(unknown, Ordered::NotFound(_)));
}

#[tokio::test]
async fn who_knows_a_run_as_it_was_before_it_waited_can_do_nothing_to_it() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    let postpone = || Postpone {
        claim: Claim {
            id: run(1),
            epoch: 0,
        },
        state: State::Waiting,
        due_at: Some(UnixMillis(0)),
        why: "x".into(),
        needs: None,
        attempts: 1,
        attempt: Some(report()),
    };
    let ledger = &scene.opened.ledger;
    assert_eq!(ledger.postpone(postpone()).await, Ok(Applied::Done));
    assert_eq!(ledger.postpone(postpone()).await, Ok(Applied::Fenced));
    assert_eq!(scene.commit(run(1), &[], &[]).await, Applied::Fenced);
}

#[tokio::test]
async fn a_replay_waits_for_the_earlier_run_and_then_is_a_run_of_its_own() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    let planned = || {
        vec![PlannedRun {
            handler: "h".into(),
            lane: Lane(7),
            held: None,
        }]
    };
    let replay = || {
        scene.order(Order::Replay {
            event_seq: 1,
            runs: planned(),
            call_again: false,
        })
    };
    let refused = replay().await.unwrap_err().to_string();
    assert!(refused.contains("still open"), "{refused}");
    scene.commit(run(1), &[], &[]).await;
    assert_eq!(
        replay().await.unwrap(),
        Ordered::Runs(vec![RunId::of(1, 2)])
    );
    assert_eq!(
        scene
            .reader()
            .open_run(RunId::of(1, 2))
            .unwrap()
            .unwrap()
            .replay,
        1
    );
}

#[tokio::test]
async fn one_bad_request_in_a_commit_does_not_fail_its_neighbours() {
    let scene = Scene::new();
    let bad = Order::KeepVersion {
        hash: "h".into(),
        script: "s".into(),
        sources: "{}".into(),
        at: NOW,
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
async fn a_call_is_in_the_journal_before_it_is_sent_and_after_it_is_answered() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    let claim = Claim {
        id: run(1),
        epoch: 0,
    };
    let entry = JournalEntry {
        number: 1,
        state: CallState::Intended,
        service: "s".into(),
        method: "POST".into(),
        url: "http://s/x".into(),
        path: Some("/x".into()),
        request: "{}".into(),
        content: "c".into(),
        idempotency_key: "k".into(),
        version: "v1".into(),
        now: NOW,
        seen: None,
        intended_at: NOW,
        answered_at: None,
        answer: None,
        decided: None,
    };
    let intent = |reads| Intent {
        claim,
        entry: entry.clone(),
        reads,
    };
    let stale = Read {
        key: RecordKey {
            collection: "c".into(),
            id: "i".into(),
        },
        version: 3,
    };
    assert_eq!(
        scene
            .opened
            .ledger
            .intent(intent(vec![stale]))
            .await
            .unwrap(),
        Applied::Stale
    );
    assert_eq!(scene.reader().journal(run(1)).unwrap(), []);
    assert_eq!(
        scene.opened.ledger.intent(intent(vec![])).await.unwrap(),
        Applied::Done
    );
    assert_eq!(
        scene.reader().journal(run(1)).unwrap(),
        std::slice::from_ref(&entry)
    );
    let answer = crate::call::Answer {
        status: 201,
        headers: std::collections::BTreeMap::new(),
        text: "{}".into(),
        body_missing: None,
    };
    let settle = Settle {
        claim,
        number: 1,
        state: CallState::Settled,
        answer: Some(answer.clone()),
        at: NOW,
    };
    assert_eq!(
        scene.opened.ledger.settle(settle).await.unwrap(),
        Applied::Done
    );
    let found = scene.reader().journal(run(1)).unwrap().remove(0);
    assert_eq!(
        (found.state, found.answer),
        (CallState::Settled, Some(answer))
    );
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

#[test]
fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new(dir.path());
    let connection = rusqlite::Connection::open(folder.database()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let refused = sqlite::open(&folder, &[], Desk::new())
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(refused.contains("newer hookyard (schema 99"), "{refused}");
}

/// A run with one call that is written down and has no answer.
async fn with_an_intended_call(scene: &Scene) -> Claim {
    scene.accept("evt_1", &["h"]).await;
    let claim = Claim {
        id: run(1),
        epoch: 0,
    };
    let entry = JournalEntry {
        number: 1,
        state: CallState::Intended,
        service: "s".into(),
        method: "POST".into(),
        url: "http://s/x".into(),
        path: Some("/x".into()),
        request: "{}".into(),
        content: "c".into(),
        idempotency_key: "k".into(),
        version: "v1".into(),
        now: NOW,
        seen: None,
        intended_at: NOW,
        answered_at: None,
        answer: None,
        decided: None,
    };
    let intent = Intent {
        claim,
        entry,
        reads: vec![],
    };
    let ledger = &scene.opened.ledger;
    assert_eq!(ledger.intent(intent).await, Ok(Applied::Done));
    claim
}

fn settle(claim: Claim, state: CallState) -> Settle {
    Settle {
        claim,
        number: 1,
        state,
        answer: None,
        at: NOW,
    }
}

#[tokio::test]
async fn a_late_answer_of_an_attempt_that_was_taken_away_unsettles_nothing() {
    let scene = Scene::new();
    let old = with_an_intended_call(&scene).await;
    let hold = |why| Order::Hold {
        handler: "h".into(),
        why,
    };
    scene.order(hold(Some("x".into()))).await.unwrap();
    scene.order(hold(None)).await.unwrap();
    let new = Claim { epoch: 2, ..old };
    let ledger = &scene.opened.ledger;
    let state = || scene.reader().journal(run(1)).unwrap()[0].state;
    // Somebody else is sending the call: what it was not is not the old attempt's to say.
    let late = ledger.settle(settle(old, CallState::Refused)).await;
    assert_eq!((late, state()), (Ok(Applied::Fenced), CallState::Intended));
    let done = ledger.settle(settle(new, CallState::Settled)).await;
    assert_eq!((done, state()), (Ok(Applied::Done), CallState::Settled));
    for late in [CallState::Unsettled, CallState::Unsent, CallState::Settled] {
        ledger.settle(settle(old, late)).await.unwrap();
        assert_eq!(state(), CallState::Settled);
    }
}

#[tokio::test]
async fn a_call_that_never_left_leaves_no_trace() {
    let scene = Scene::new();
    let claim = with_an_intended_call(&scene).await;
    let unsent = settle(claim, CallState::Unsent);
    scene.opened.ledger.settle(unsent).await.unwrap();
    assert_eq!(scene.reader().journal(run(1)).unwrap(), []);
}

#[tokio::test]
async fn a_decision_counts_until_the_run_is_given_up_again() {
    let scene = Scene::new();
    let claim = with_an_intended_call(&scene).await;
    let dead = |epoch, needs| Postpone {
        claim: Claim { epoch, ..claim },
        state: State::Dead,
        due_at: None,
        why: "x".into(),
        needs: Some(needs),
        attempts: 1,
        attempt: Some(report()),
    };
    let decide = |choice| Order::Retry {
        run: run(1),
        decision: Some(Decision {
            choice,
            by: "alice".into(),
            at: NOW,
        }),
    };
    let ledger = &scene.opened.ledger;
    let refused = scene.order(decide(Choice::Again)).await.unwrap();
    assert!(matches!(refused, Ordered::NotFound(why) if why.contains("is ready")));
    ledger.postpone(dead(0, Needs::CallsChanged)).await.unwrap();
    scene.order(decide(Choice::Again)).await.unwrap();
    let matching = || scene.reader().matching(run(1)).unwrap();
    assert_eq!(matching(), Matching::Again { through: 1 });
    let unknown = Needs::OutcomeUnknown { call: 1 };
    ledger.postpone(dead(2, unknown)).await.unwrap();
    assert_eq!(matching(), Matching::Usual);
    scene.order(decide(Choice::Resend)).await.unwrap();
    let decided = || scene.reader().journal(run(1)).unwrap()[0].decided;
    assert_eq!(decided(), Some(Chosen::Resend));
    ledger.postpone(dead(4, unknown)).await.unwrap();
    assert_eq!(decided(), None);
    let decisions = scene.reader().decisions(run(1)).unwrap();
    assert!(
        decisions
            .iter()
            .all(|it| it.over_at.is_some() && it.decided_by == "alice")
    );
    assert_eq!(decisions.len(), 2);
}

#[test]
fn a_ledger_of_the_first_version_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new(dir.path());
    let connection = rusqlite::Connection::open(folder.database()).unwrap();
    connection
        .execute_batch(include_str!("sqlite/migrations/0001.sql"))
        .unwrap();
    connection
        .execute_batch(
            "PRAGMA user_version = 1;
             INSERT INTO runs_open VALUES (10001, 'h', 1, 'dead', NULL, 3, 0, 0, 0, 'calls changed: more than one');
             INSERT INTO attempts VALUES (10001, 1, 5, 1, 1, 'dead', 'v1', NULL, NULL);
             INSERT INTO journal VALUES (10001, 1, 'settled', 's', 'POST', 'http://s/x', '{}', 'c', 'k', 'v1', 5, NULL, 5, 6, NULL);",
        )
        .unwrap();
    drop(connection);
    let opened = sqlite::open(&folder, &[], Desk::new()).unwrap();
    opened.ledger.close();
    opened.threads.join();
    let reader = Reader::open(&folder).unwrap();
    let entry = reader.journal(RunId(10_001)).unwrap().remove(0);
    assert_eq!((entry.path, entry.decided), (None, None));
    assert!(reader.attempts(RunId(10_001)).unwrap()[0].calls.is_none());
    let connection = rusqlite::Connection::open(folder.database()).unwrap();
    let needs: String = connection
        .query_row("SELECT needs FROM runs_open", [], |row| row.get(0))
        .unwrap();
    assert_eq!(needs, "calls_changed");
}
