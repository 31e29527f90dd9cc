//! Lists over a real file, whose rows are written here by hand.

use super::*;
use crate::ledger::desk::Desk;
use crate::ledger::folder::Folder;
use crate::run::{RunId, State};

struct Scene {
    _dir: tempfile::TempDir,
    connection: rusqlite::Connection,
    reader: Reader,
}

impl Scene {
    /// A ledger without rows.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        let opened = super::super::open(&folder, &[], Desk::new()).unwrap();
        opened.ledger.close();
        opened.threads.join();
        let connection = rusqlite::Connection::open(folder.database()).unwrap();
        connection
            .pragma_update(None, "synchronous", "OFF")
            .unwrap();
        let reader = Reader::open(&folder).unwrap();
        Self {
            _dir: dir,
            connection,
            reader,
        }
    }

    fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    /// An event, received as many seconds after the beginning of time as its number says.
    fn event(&self, seq: i64, kind: &str) {
        let unreadable = if kind.is_empty() {
            "'it is not JSON'"
        } else {
            "NULL"
        };
        self.run(&format!(
            "INSERT INTO events (seq, id, scope, endpoint, type, created_at, received_at, livemode, secret_number,
               unreadable, size_bytes, dictionary, body)
             VALUES ({seq}, 'evt_{seq}', 'stripe', 'stripe', '{kind}', 0, {seq} * 1000, 0, 1, {unreadable}, 10, 1, x'00')"
        ));
    }

    fn open_run(&self, id: i64, handler: &str, state: &str) {
        self.run(&format!(
            "INSERT INTO runs_open (id, handler, lane, state, attempts, forgiven, epoch, replay) VALUES ({id}, '{handler}', 7, '{state}', 1, 0, 0, 0)"
        ));
    }

    fn done_run(&self, id: i64, handler: &str, state: &str) {
        self.run(&format!(
            "INSERT INTO runs_done (id, handler, state, attempts, replay, finished_at, version)
             VALUES ({id}, '{handler}', '{state}', 1, 0, 5000, 'v1')"
        ));
    }

    #[track_caller]
    fn check_events(&self, filter: EventFilter, expected: &[i64]) {
        let filter = EventFilter {
            limit: if filter.limit == 0 { 50 } else { filter.limit },
            ..filter
        };
        let rows = self.reader.list_events(&filter).unwrap();
        assert_eq!(rows.iter().map(|it| it.seq).collect::<Vec<_>>(), expected);
    }

    #[track_caller]
    fn check_runs(&self, filter: RunFilter, expected: &[i64]) {
        let filter = RunFilter {
            limit: if filter.limit == 0 { 50 } else { filter.limit },
            ..filter
        };
        let rows = self.reader.list_runs(&filter).unwrap();
        assert_eq!(rows.iter().map(|it| it.id.0).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn an_empty_ledger_gives_empty_lists() {
    let scene = Scene::new();
    scene.check_events(EventFilter::default(), &[]);
    scene.check_runs(RunFilter::default(), &[]);
    assert!(scene.reader.list_collections().unwrap().is_empty());
    assert!(
        scene
            .reader
            .changes_of_run(RunId(10_001), UnixMillis(0))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn events_are_listed_the_newest_first_by_type_time_and_whether_they_can_be_read() {
    let scene = Scene::new();
    for (seq, kind) in [
        (1, "invoice.paid"),
        (2, "invoice.payment_failed"),
        (3, ""),
        (4, "customer.created"),
    ] {
        scene.event(seq, kind);
    }
    let all = EventFilter::default;
    scene.check_events(all(), &[4, 3, 2, 1]);
    scene.check_events(EventFilter { limit: 2, ..all() }, &[4, 3]);
    scene.check_events(
        EventFilter {
            kind: Some(Pattern::Exact("invoice.paid".into())),
            ..all()
        },
        &[1],
    );
    scene.check_events(
        EventFilter {
            kind: Some(Pattern::Prefix("invoice.".into())),
            ..all()
        },
        &[2, 1],
    );
    scene.check_events(
        EventFilter {
            kind: Some(Pattern::All),
            ..all()
        },
        &[4, 3, 2, 1],
    );
    scene.check_events(
        EventFilter {
            since: Some(UnixMillis(2_500)),
            ..all()
        },
        &[4, 3],
    );
    scene.check_events(
        EventFilter {
            since: Some(UnixMillis(9_999)),
            ..all()
        },
        &[],
    );
    scene.check_events(
        EventFilter {
            only_unreadable: true,
            ..all()
        },
        &[3],
    );
    scene.check_events(
        EventFilter {
            endpoint: Some("other".into()),
            ..all()
        },
        &[],
    );
}

#[test]
fn a_search_goes_through_all_bites_until_it_has_enough() {
    let scene = Scene::new();
    for seq in [1, EVENTS_PER_BITE, EVENTS_PER_BITE + 1, 3 * EVENTS_PER_BITE] {
        scene.event(seq, "a.b");
        scene.done_run(RunId::of(seq, 1).0, "h", "done");
    }
    let seqs = [3 * EVENTS_PER_BITE, EVENTS_PER_BITE + 1, EVENTS_PER_BITE, 1];
    scene.check_events(EventFilter::default(), &seqs);
    scene.check_events(
        EventFilter {
            limit: 3,
            ..EventFilter::default()
        },
        &seqs[..3],
    );
    scene.check_runs(
        RunFilter {
            limit: 3,
            ..RunFilter::default()
        },
        &seqs.map(|it| RunId::of(it, 1).0)[..3],
    );
}

#[test]
fn bites_cover_every_number_once() {
    assert_eq!(bites(5, 4), []);
    assert_eq!(bites(7, 7), [(7, 7)]);
    let covered: i64 = bites(3, 2 * EVENTS_PER_BITE + 5)
        .iter()
        .map(|(first, last)| last - first + 1)
        .sum();
    assert_eq!(covered, 2 * EVENTS_PER_BITE + 3);
}

#[test]
fn runs_of_both_tables_are_one_list() {
    let scene = Scene::new();
    for (seq, kind) in [(1, "invoice.paid"), (2, "customer.created")] {
        scene.event(seq, kind);
    }
    scene.done_run(10_001, "paid", "done");
    scene.open_run(10_002, "tell", "dead");
    scene.open_run(20_001, "tell", "ready");
    let all = RunFilter::default;
    scene.check_runs(all(), &[20_001, 10_002, 10_001]);
    scene.check_runs(
        RunFilter {
            state: Some(State::Dead),
            ..all()
        },
        &[10_002],
    );
    scene.check_runs(
        RunFilter {
            state: Some(State::Done),
            ..all()
        },
        &[10_001],
    );
    scene.check_runs(
        RunFilter {
            handler: Some("tell".into()),
            ..all()
        },
        &[20_001, 10_002],
    );
    scene.check_runs(
        RunFilter {
            kind: Some(Pattern::Prefix("invoice.".into())),
            ..all()
        },
        &[10_002, 10_001],
    );
    scene.check_runs(
        RunFilter {
            since: Some(UnixMillis(2_000)),
            ..all()
        },
        &[20_001],
    );
    let of_event = scene.reader.runs_of_event(1).unwrap();
    assert_eq!(
        of_event
            .iter()
            .map(|it| it.state.as_str())
            .collect::<Vec<_>>(),
        ["done", "dead"]
    );
    assert_eq!(
        scene
            .reader
            .run_row(RunId(20_001))
            .unwrap()
            .unwrap()
            .event_id,
        "evt_2"
    );
    assert_eq!(scene.reader.run_row(RunId(30_001)).unwrap(), None);
}

#[test]
fn a_row_has_the_names_of_its_tables_columns() {
    let scene = Scene::new();
    scene.event(1, "a.b");
    scene.done_run(10_001, "h", "done");
    scene.run("INSERT INTO records VALUES ('c', 'r', 2, '{\n\"x\": 1.10}', 7, NULL, 1)");
    let event = serde_json::to_string(&scene.reader.event_row(1).unwrap()).unwrap();
    assert!(event.starts_with(r#"{"seq":1,"id":"evt_1","scope":"stripe","endpoint":"stripe","type":"a.b","created_at":0"#), "{event}");
    let run = serde_json::to_string(&scene.reader.run_row(RunId(10_001)).unwrap()).unwrap();
    assert_eq!(
        run,
        r#"{"id":10001,"event_id":"evt_1","type":"a.b","handler":"h","state":"done","attempts":1,"replay":0,"due_at":null,"finished_at":5000,"version":"v1","why":null}"#
    );
    let record = serde_json::to_string(&scene.reader.record_row("c", "r").unwrap()).unwrap();
    assert_eq!(
        record,
        r#"{"collection":"c","id":"r","version":2,"body":{ "x": 1.10},"updated_at":7}"#
    );
}

#[test]
fn records_are_listed_by_id_without_the_removed_ones_and_page_by_page() {
    let scene = Scene::new();
    for id in ["a", "b", "d"] {
        scene.run(&format!(
            "INSERT INTO records VALUES ('c', '{id}', 1, '{{}}', 7, NULL, 1)"
        ));
    }
    scene.run("INSERT INTO records VALUES ('c', 'gone', 2, NULL, 7, NULL, 1)");
    let ids = |after: Option<&str>, limit| -> Vec<String> {
        scene
            .reader
            .list_records("c", after, limit)
            .unwrap()
            .into_iter()
            .map(|it| it.id)
            .collect()
    };
    assert_eq!(ids(None, 2), ["a", "b"]);
    assert_eq!(ids(Some("b"), 2), ["d"]);
    let collections = scene.reader.list_collections().unwrap();
    assert_eq!(
        collections,
        [CollectionRow {
            collection: "c".into(),
            records: 3
        }]
    );
}

#[test]
fn a_records_history_is_followed_back_to_what_is_left_of_it() {
    let scene = Scene::new();
    scene.run("INSERT INTO records VALUES ('c', 'r', 4, '{}', 7, NULL, 30)");
    for (id, previous) in [(30, 20), (20, 10)] {
        scene.run(&format!("INSERT INTO record_changes VALUES ({id}, NULL, 'c', 'r', 2, NULL, '{{}}', 5, {previous})"));
    }
    let ids = |limit| -> Vec<i64> {
        scene
            .reader
            .record_history("c", "r", limit)
            .unwrap()
            .into_iter()
            .map(|it| it.id)
            .collect()
    };
    assert_eq!(ids(50), [30, 20]);
    assert_eq!(ids(1), [30]);
    assert!(
        scene
            .reader
            .record_history("c", "none", 50)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_runs_changes_are_found_by_when_it_finished() {
    let scene = Scene::new();
    scene.run(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         INSERT INTO record_changes SELECT i, {} + i, 'c', 'r' || i, 1, NULL, '{{}}', i * 10, NULL FROM n",
        10_000
    ));
    // Two more, by one run, that were decided a moment before they were committed.
    scene.run("INSERT INTO record_changes VALUES (5001, 77, 'c', 'x', 1, NULL, '{}', 49000, NULL)");
    scene.run("INSERT INTO record_changes VALUES (5002, 77, 'c', 'y', 1, NULL, '{}', 49000, NULL)");
    let ids = |run, at| -> Vec<i64> {
        let rows = scene
            .reader
            .changes_of_run(RunId(run), UnixMillis(at))
            .unwrap();
        rows.into_iter().map(|it| it.id).collect()
    };
    assert_eq!(ids(10_007, 70), [7]);
    assert_eq!(ids(77, 49_000), [5001, 5002]);
    assert!(ids(78, 49_000).is_empty());
}

#[test]
fn attempts_come_in_the_order_in_which_they_began() {
    let scene = Scene::new();
    for (number, started_at) in [(1, 300), (2, 100), (3, 200)] {
        scene.run(&format!(
            "INSERT INTO attempts VALUES (10001, {number}, {started_at}, 1, 1, 'failed', 'v1', '{{\"message\":\"x\"}}', 'not JSON', NULL)"
        ));
    }
    let attempts = scene.reader.attempts(RunId(10_001)).unwrap();
    assert_eq!(
        attempts.iter().map(|it| it.number).collect::<Vec<_>>(),
        [2, 3, 1]
    );
    assert_eq!(
        attempts[0].error.as_ref().unwrap().get(),
        r#"{"message":"x"}"#
    );
    assert_eq!(attempts[0].log.as_ref().unwrap().get(), r#""not JSON""#);
}
