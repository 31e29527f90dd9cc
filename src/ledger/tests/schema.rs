//! Schemas of earlier and later versions of this program.

use super::*;
use crate::ledger::sent_by::SentBy;

/// As they are in the program, in order; each test below begins after one of them.
const MIGRATIONS: [&str; 5] = [
    include_str!("../sqlite/migrations/0001.sql"),
    include_str!("../sqlite/migrations/0002.sql"),
    include_str!("../sqlite/migrations/0003.sql"),
    include_str!("../sqlite/migrations/0004.sql"),
    include_str!("../sqlite/migrations/0005.sql"),
];

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

/// A folder as an earlier version left it: with a run that waits, and one that is dead and has made a call.
#[tokio::test]
async fn a_ledger_of_every_earlier_schema_is_brought_up_to_date() {
    for version in 1..MIGRATIONS.len() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        let connection = rusqlite::Connection::open(folder.database()).unwrap();
        for sql in &MIGRATIONS[..version] {
            connection.execute_batch(sql).unwrap();
        }
        connection
            .pragma_update(None, "user_version", version as i64)
            .unwrap();
        connection
            .execute_batch(
                "INSERT INTO runs_open (id, handler, lane, state, due_at, attempts, forgiven, epoch, replay, why) VALUES
                   (10001, 'h', 1, 'waiting', 5, 1, 0, 1, 0, 'x'),
                   (20001, 'h', 2, 'dead', NULL, 3, 0, 0, 0, 'calls changed: more than one'),
                   (30001, 'h', 3, 'dead', NULL, 3, 0, 0, 0, 'outcome unknown: POST'),
                   (40001, 'h', 4, 'dead', NULL, 3, 0, 0, 0, 'it failed');
                 INSERT INTO attempts (run, number, started_at, took_ms, engine_us, outcome, version, error, log)
                   VALUES (20001, 1, 5, 1, 1, 'dead', 'v1', NULL, NULL);
                 INSERT INTO journal (run, number, state, service, method, url, request, content, idempotency_key,
                   version, now, seen, intended_at, answered_at, answer) VALUES
                   (20001, 1, 'settled', 's', 'POST', 'http://s/x', '{}', 'c', 'k', 'v1', 5, NULL, 5, 6, NULL);",
            )
            .unwrap();
        if version >= 4 {
            // Since then a run says itself what it waits for.
            connection
                .execute_batch(
                    "UPDATE runs_open SET needs = 'calls_changed' WHERE id = 20001;
                     UPDATE runs_open SET needs = 'outcome_unknown' WHERE id = 30001;",
                )
                .unwrap();
        }
        drop(connection);
        let opened = open_in(dir.path());
        let reader = Reader::open(&folder).unwrap();
        assert_eq!(
            reader
                .waiting_runs((UnixMillis(0), RunId(0)), 10)
                .unwrap()
                .len(),
            1,
            "from {version}"
        );
        assert!(reader.waiting_for_services().unwrap().is_empty());
        let entry = reader.journal(RunId(20_001)).unwrap().remove(0);
        assert_eq!((entry.path, entry.decided), (None, None));
        assert_eq!(
            (entry.once, entry.given_to, entry.sent_by),
            (None, None, SentBy::only(1))
        );
        assert_eq!(reader.once("s", "x", run(1)).unwrap(), None);
        assert!(reader.attempts(RunId(20_001)).unwrap()[0].calls.is_none());
        opened.ledger.close();
        opened.threads.join();
        let connection = rusqlite::Connection::open(folder.database()).unwrap();
        let mut needs = connection
            .prepare("SELECT needs FROM runs_open ORDER BY id")
            .unwrap();
        let needs: Vec<Option<String>> = needs
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let expected = [None, Some("calls_changed"), Some("outcome_unknown"), None];
        assert_eq!(needs, expected.map(|it| it.map(str::to_owned)));
    }
}
