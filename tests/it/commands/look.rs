//! Commands that look: events, runs, why, sql.

use super::{
    IN_TIME, customer, documents, host, invoice, names, post, refused, run, said, settled,
    with_and_without_a_host,
};
use crate::support::{PATH, SECRET, event, eventually, now_s, sign};
use serde_json::json;
use std::io::Read;
use std::process::Stdio;

#[test]
fn events_are_listed_the_newest_first_with_the_names_of_their_table() {
    let (host, _books) = host();
    let (first, second) = (invoice("in_1"), customer("cus_1"));
    post(&host, &first);
    post(&host, &second);
    settled(&host);
    with_and_without_a_host(host, |host| {
        let rows = documents(host, &["events", "list"]);
        let ids: Vec<&str> = rows.iter().filter_map(|it| it["id"].as_str()).collect();
        assert_eq!(ids, [&second.id, &first.id]);
        let columns =
            "SELECT name FROM pragma_table_info('events') WHERE name NOT IN ('body', 'dictionary')";
        assert_eq!(names(&rows[0]), host.ledger().texts(columns));
        assert_eq!(rows[1]["object_id"], "in_1");
        assert_eq!(rows[1]["size_bytes"], first.body().len());
        let count = |args: &[&str]| documents(host, &[&["events", "list"], args].concat()).len();
        assert_eq!(count(&["--type", "invoice.*"]), 1);
        assert_eq!(count(&["--type", "customer.created"]), 1);
        assert_eq!(count(&["--type", "charge.*"]), 0);
        assert_eq!(count(&["--limit", "1"]), 1);
        assert_eq!(count(&["--since", "1h"]), 2);
        assert_eq!(count(&["--since", "2999-01-01"]), 0);
        let table = said(host, &["events", "list"]);
        assert!(table.starts_with("received"), "{table}");
        assert_eq!(table.lines().count(), 3, "{table}");
        assert!(!table.contains('\x1b'), "{table}");
    });
}

#[test]
fn the_body_of_an_event_is_written_byte_for_byte_and_nothing_else() {
    let (host, _books) = host();
    let unreadable = b"\xef\xbb\xbf{\"id\": \xff\x00}\r\n".to_vec();
    let signature = sign(SECRET, now_s(), &unreadable);
    let answer = host.client().post_signed(PATH, &signature, &unreadable);
    assert_eq!(answer.unwrap().status, 200);
    let large = event("file.created", "file_1").with("text", "Zoë 北京 ".repeat(20_000));
    let small = event("file.created", "file_2").with("n", json!(1.10));
    post(&host, &large);
    post(&host, &small);
    settled(&host);
    with_and_without_a_host(host, |host| {
        let unreadable_id = &documents(host, &["events", "list", "--unreadable"])[0]["id"];
        for (id, body) in [
            (unreadable_id.as_str().unwrap(), &unreadable),
            (&large.id, &large.body()),
            (&small.id, &small.body()),
        ] {
            let show = host.command(&["events", "show", id, "--body"]).output();
            assert!(show.unwrap().stdout == *body, "{id} is another one");
        }
        let complaint = refused(host, &["events", "show", "evt_none"]);
        assert!(
            complaint.contains("there is no event `evt_none`"),
            "{complaint}"
        );
    });
}

#[test]
fn an_event_is_shown_with_its_runs() {
    let (host, _books) = host();
    let it = invoice("in_1");
    post(&host, &it);
    settled(&host);
    with_and_without_a_host(host, |host| {
        let shown = said(host, &["events", "show", &it.id]);
        for part in [
            &it.id,
            "invoice.paid",
            "in_1",
            "signing secret 1 matched",
            "done",
            "paid",
        ] {
            assert!(shown.contains(part), "{part} is not in\n{shown}");
        }
        let document = &documents(host, &["events", "show", &it.id])[0];
        assert_eq!(document["type"], "invoice.paid");
        assert_eq!(document["runs"][0]["state"], "done");
    });
}

#[test]
fn runs_are_listed_and_filtered() {
    let (host, _books) = host();
    post(&host, &invoice("in_1"));
    post(&host, &invoice("in_2"));
    post(&host, &customer("cus_1"));
    settled(&host);
    with_and_without_a_host(host, |host| {
        let rows = documents(host, &["runs", "list"]);
        assert_eq!(rows.len(), 3);
        let expected = [
            "id",
            "event_id",
            "type",
            "handler",
            "state",
            "attempts",
            "replay",
            "due_at",
            "finished_at",
            "version",
            "why",
        ];
        assert_eq!(names(&rows[0]), expected);
        let states = |args: &[&str]| -> Vec<String> {
            let rows = documents(host, &[&["runs", "list"], args].concat());
            rows.iter()
                .map(|it| it["state"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(states(&["--state", "dead"]), ["dead"]);
        assert_eq!(states(&["--state", "done"]), ["done", "done"]);
        assert_eq!(states(&["--state", "ready", "--limit", "100"]), [""; 0]);
        assert_eq!(states(&["--handler", "customers"]), ["dead"]);
        assert_eq!(states(&["--type", "invoice.*", "--limit", "1"]), ["done"]);
        let dead = &documents(host, &["runs", "list", "--state", "dead"])[0];
        assert_eq!(dead["why"], "the gate is shut for cus_1");
        let id = dead["id"].to_string();
        let mut shown = documents(host, &["runs", "show", &id]).remove(0);
        assert_eq!(shown["calls"].take(), serde_json::json!([]));
        shown.as_object_mut().unwrap().remove("calls");
        assert_eq!(shown, *dead);
        assert!(said(host, &["runs", "show", &id]).contains("the gate is shut for cus_1"));
    });
}

#[test]
fn why_tells_the_log_the_call_and_what_changed() {
    let (host, _books) = host();
    let it = invoice("in_1");
    post(&host, &it);
    settled(&host);
    with_and_without_a_host(host, |host| {
        let story = said(host, &["why", &it.id]);
        for part in [
            "handler `paid`",
            "attempt 1",
            "log line 2: booking in_1",
            "/invoices/in_1  settled",
            "answered 200",
            "Idempotency-Key",
            "invoices/in_1  new → version 1",
            "booking: \"b_1\"",
            "counts/all",
        ] {
            assert!(story.contains(part), "{part} is not in\n{story}");
        }
        let document = &documents(host, &["why", &it.id])[0];
        let run = &document["runs"][0];
        assert_eq!(document["event"]["id"], it.id.as_str());
        assert_eq!(run["journal"][0]["state"], "settled");
        assert_eq!(run["record_changes"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn why_shows_the_line_that_failed() {
    let (host, _books) = host();
    let it = customer("cus_1");
    post(&host, &it);
    settled(&host);
    let story = said(&host, &["why", &it.id]);
    for part in [
        "dead",
        "the gate is shut for cus_1",
        "--> scripts/customers.rhai:2:",
        "2 | if records(\"gate\").get(\"open\") == ()",
    ] {
        assert!(story.contains(part), "{part} is not in\n{story}");
    }
    let unheard = event("charge.succeeded", "ch_1");
    post(&host, &unheard);
    let story = said(&host, &["why", &unheard.id]);
    assert!(story.contains("no handler took it"), "{story}");
}

#[test]
fn sql_reads_everything_and_changes_nothing() {
    let (host, _books) = host();
    let it = invoice("in_1");
    post(&host, &it);
    settled(&host);
    with_and_without_a_host(host, |host| {
        let query = "SELECT id, type, body(dictionary, size_bytes, body) AS body FROM events";
        let row = &documents(host, &["sql", query])[0];
        assert_eq!(names(row), ["id", "type", "body"]);
        assert_eq!(row["id"], it.id.as_str());
        assert_eq!(row["body"], String::from_utf8(it.body()).unwrap().as_str());
        let amount = "SELECT body(dictionary, size_bytes, body) ->> '$.data.object.amount_paid' AS amount FROM events";
        assert_eq!(said(host, &["sql", amount]), "amount\n  1200\n");
        let from_input = super::run_with(&mut host.command(&["sql", "--json"]), "SELECT 1 AS n");
        assert_eq!(from_input.out, "{\"n\":1}\n");
        for query in [
            "DELETE FROM records",
            "DROP TABLE events",
            "PRAGMA journal_mode = DELETE",
            "ATTACH DATABASE 'x' AS x",
            "SELECT nothing FROM events",
        ] {
            refused(host, &["sql", query]);
        }
        assert_eq!(documents(host, &["sql", "SELECT * FROM records"]).len(), 2);
    });
}

#[test]
fn a_reader_that_has_seen_enough_ends_a_command_quietly() {
    let (host, _books) = host();
    let query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT i FROM n";
    let mut command = host.command(&["sql", query, "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut begin = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"{\"i\":1}\n");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"");
}

#[test]
fn trigger_posts_what_the_handler_takes() {
    let (host, books) = host();
    let line = said(&host, &["trigger", "invoice.paid", "--count", "3"]);
    assert_eq!(
        line.lines().filter(|it| it.starts_with("200")).count(),
        3,
        "{line}"
    );
    eventually(IN_TIME, || books.asked().len() == 3);
    let unknown = run(&mut host.command(&["trigger", "invoice.payed"]));
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.complaint.contains("did you mean `invoice.paid`?"),
        "{unknown:?}"
    );
}

#[test]
fn an_id_from_outside_neither_breaks_a_line_nor_turns_its_direction() {
    let (host, _books) = host();
    let mut it = customer("cus_1");
    it.id = "evt_\u{202e}1\nevt_2".into();
    it.json["id"] = it.id.clone().into();
    post(&host, &it);
    let listed = said(&host, &["events", "list"]);
    assert!(listed.contains("evt_\\u{202e}1\\nevt_2"), "{listed}");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let story = said(&host, &["why", &it.id]);
    assert!(story.starts_with("evt_\\u{202e}1\\nevt_2  "), "{story}");
}

#[test]
fn an_id_that_is_too_long_is_not_told_as_none() {
    let (host, _books) = host();
    let mut it = customer("cus_1");
    it.json["id"] = "x".repeat(70_000).into();
    post(&host, &it);
    let listed = said(&host, &["events", "list", "--unreadable"]);
    assert!(
        listed.contains("its `id` is empty or has more than 512 bytes"),
        "{listed}"
    );
}

#[test]
fn a_name_that_nothing_knows_is_refused_with_the_nearest_one_and_an_empty_list_is_not() {
    let (host, _books) = host();
    post(&host, &event("invoice.brand_new", "in_1"));
    with_and_without_a_host(host, |host| {
        for (command, told) in [
            (
                &["events", "list", "--type", "invoices.*"][..],
                "Stripe has no event type `invoices.*`; did you mean `invoice.*`?",
            ),
            (
                &["events", "list", "--endpoint", "stirpe"],
                "there is no endpoint `stirpe`: did you mean `stripe`?",
            ),
            (
                &["runs", "list", "--type", "invoice.payed"],
                "Stripe has no event type `invoice.payed`; did you mean `invoice.paid`?",
            ),
            (
                &["runs", "list", "--handler", "piad"],
                "there is no handler `piad`: did you mean `paid`?",
            ),
            (
                &["runs", "list", "--version", "0zz"],
                "no script version begins with `0zz`",
            ),
            (
                &["versions", "piad"],
                "there is no handler `piad`: did you mean `paid`?",
            ),
        ] {
            let complaint = refused(host, command);
            assert!(complaint.contains(told), "{command:?}: {complaint}");
            let json = [command, &["--json"]].concat();
            assert!(refused(host, &json).contains(told), "{command:?}");
        }
        for command in [
            &["events", "list", "--type", "charge.*"][..],
            &["events", "list", "--endpoint", "stripe", "--unreadable"],
            &["runs", "list", "--handler", "paid"],
            &["runs", "list", "--type", "invoice.paid"],
            // Stripe may have it by now: one came.
            &["runs", "list", "--type", "invoice.brand_new"],
        ] {
            assert_eq!(documents(host, command).len(), 0, "{command:?}");
        }
    });
    let (host, _books) = self::host();
    let it = run(&mut host.command(&["events", "list", "--limit", "0"]));
    assert_eq!(it.code, Some(2), "{it:?}");
}
