//! `hookyard records`

use super::{
    documents, host, invoice, names, post, refused, run_with, said, settled,
    with_and_without_a_host,
};
use serde_json::{Value, json};

#[test]
fn a_record_is_a_document_with_its_id_version_and_time() {
    let (host, _books) = host();
    post(&host, &invoice("in_2"));
    post(&host, &invoice("in_1"));
    settled(&host);
    with_and_without_a_host(host, |host| {
        let rows = documents(host, &["records", "list", "invoices"]);
        assert_eq!(
            names(&rows[0]),
            ["collection", "id", "version", "body", "updated_at"]
        );
        assert_eq!(rows[0]["id"], "in_1");
        assert_eq!(
            rows[1]["body"],
            json!({ "status": "paid", "booking": "b_1" })
        );
        assert_eq!(
            documents(host, &["records", "list", "invoices", "--limit", "1"]).len(),
            1
        );
        assert_eq!(
            documents(host, &["records", "get", "invoices", "in_1"])[0],
            rows[0]
        );
        let collections = documents(host, &["records", "collections"]);
        assert_eq!(
            collections[1],
            json!({ "collection": "invoices", "records": 2 })
        );
        let complaint = refused(host, &["records", "get", "invoices", "in_9"]);
        assert!(
            complaint.contains("there is no record `in_9` in `invoices`"),
            "{complaint}"
        );
    });
}

#[test]
fn records_are_set_and_removed_by_hand_and_history_says_by_whom() {
    let (host, _books) = host();
    let it = invoice("in_1");
    post(&host, &it);
    settled(&host);
    with_and_without_a_host(host, |host| {
        said(
            host,
            &[
                "records",
                "set",
                "invoices",
                "in_1",
                "{\"status\":\"void\"}",
            ],
        );
        let from_input = run_with(
            &mut host.command(&["records", "set", "invoices", "in_1", "-"]),
            "{\"n\": 1.10}",
        );
        assert_eq!(from_input.code, Some(0), "{from_input:?}");
        said(host, &["records", "remove", "invoices", "in_1"]);
        let complaint = refused(host, &["records", "get", "invoices", "in_1"]);
        assert!(complaint.contains("was removed"), "{complaint}");
        refused(host, &["records", "remove", "invoices", "in_1"]);
        refused(host, &["records", "set", "invoices", "in_1", "[1]"]);
        let history = documents(host, &["records", "history", "invoices", "in_1"]);
        assert_eq!(history[0]["after"], Value::Null);
        assert_eq!(history[1]["after"], json!({ "n": 1.1 }));
        assert_eq!(history[2]["handler"], Value::Null);
        let first = history.last().unwrap();
        assert_eq!(
            (&first["version"], &first["handler"]),
            (&json!(1), &json!("paid"))
        );
        assert_eq!(first["event_id"], it.id.as_str());
        let told = said(host, &["records", "history", "invoices", "in_1"]);
        assert!(told.contains("by hand") && told.contains(&it.id), "{told}");
    });
}

#[test]
fn what_is_exported_is_imported_again_the_same() {
    let (host, _books) = host();
    let bodies = [
        (
            "cus_1",
            json!({ "name": "Zoë, \"the\" first", "note": "two\nlines" }),
        ),
        (
            "=cus_2",
            json!({ "name": "=HYPERLINK(\"https://evil.example\")", "@note": "'=北京" }),
        ),
    ];
    for (id, body) in &bodies {
        said(&host, &["records", "set", "people", id, &body.to_string()]);
    }
    with_and_without_a_host(host, |host| {
        for format in ["json", "csv"] {
            let exported = said(host, &["records", "export", "people", "--format", format]);
            for (id, _) in &bodies {
                said(host, &["records", "remove", "people", id]);
            }
            let import = ["records", "import", "people", "-", "--format", format];
            let imported = run_with(&mut host.command(&import), &exported);
            assert_eq!(
                imported.out, "2 records imported into `people`\n",
                "{imported:?}"
            );
            for (id, body) in &bodies {
                assert_eq!(
                    host.ledger().record("people", id).as_ref(),
                    Some(body),
                    "{format}"
                );
            }
        }
    });
}

#[test]
fn an_import_with_a_mistake_writes_nothing() {
    let (host, _books) = host();
    let lines = "{\"id\":\"a\",\"body\":{}}\n{\"id\":\"b\",\"boddy\":{}}\n";
    let it = run_with(
        &mut host.command(&["records", "import", "people", "-"]),
        lines,
    );
    assert_eq!(it.code, Some(1));
    assert!(
        it.complaint.contains("line 2") && it.complaint.contains("nothing was imported"),
        "{it:?}"
    );
    let none = "SELECT count(*) AS n FROM records";
    assert_eq!(documents(&host, &["sql", none])[0]["n"], 0);
}

#[test]
fn a_large_import_goes_in_whole() {
    let (host, _books) = host();
    let lines: String = (0..3_000)
        .map(|it| format!("{{\"id\":\"r_{it:05}\",\"body\":{{\"n\":{it}}}}}\n"))
        .collect();
    let it = run_with(
        &mut host.command(&["records", "import", "people", "-"]),
        &lines,
    );
    assert_eq!(it.out, "3000 records imported into `people`\n", "{it:?}");
    let exported = said(&host, &["records", "export", "people"]);
    assert_eq!(exported.lines().count(), 3_000);
}

#[test]
fn what_is_written_by_hand_is_taken_up_to_each_bound_and_refused_beyond_it() {
    const NAME_BYTES_MAX: usize = 255;
    const BODY_BYTES_MAX: usize = 256 * 1024;
    let name = |bytes: usize| "ü".repeat(bytes / 2) + &"x".repeat(bytes % 2);
    let body = |bytes: usize| format!("{{\"x\":\"{}\"}}", "\\\"".repeat((bytes - 8) / 2));
    let (host, _books) = host();
    with_and_without_a_host(host, |host| {
        let set = |collection: &str, id: &str, body: &str| {
            let args = ["records", "set", collection, id, "-"];
            run_with(&mut host.command(&args), body)
        };
        let (longest, too_long) = (name(NAME_BYTES_MAX), name(NAME_BYTES_MAX + 1));
        let (largest, too_large) = (body(BODY_BYTES_MAX), body(BODY_BYTES_MAX + 2));
        let (collection, no_collection) = ("x".repeat(64), "x".repeat(65));
        // An editor ends a file with a line break, which is no part of the record.
        let it = set(&collection, &longest, &format!("{largest}\n"));
        assert_eq!(it.code, Some(0), "{:.300}", it.complaint);
        let kept = host.ledger().record(&collection, &longest).unwrap();
        assert_eq!(kept, serde_json::from_str::<Value>(&largest).unwrap());
        for (collection, id, body, why) in [
            (
                no_collection.as_str(),
                "a",
                "{}",
                "cannot be the name of a collection: write 1 to 64 of",
            ),
            (
                "people",
                &too_long,
                "{}",
                "a record's id has 1 to 255 bytes, `ü",
            ),
            ("", "a", "{}", "a collection's name has 1 to 255 bytes"),
            ("people", "", "{}", "a record's id has 1 to 255 bytes"),
            (
                "people",
                "a",
                &too_large,
                "has more than 262144 bytes, which is the limit",
            ),
        ] {
            let it = set(collection, id, body);
            assert_eq!(it.code, Some(1));
            assert!(it.complaint.contains(why), "{:.300}", it.complaint);
        }

        let import = |file: &str, text: &str| {
            host.save(file, text);
            run_with(
                &mut host.command(&["records", "import", "people", file]),
                "",
            )
        };
        let line = |id: &str, body: &str| format!("{{\"id\":\"{id}\",\"body\":{body}}}\n");
        // A cell becomes a field of a body.
        let row = |id: &str, bytes: usize| format!("{id},{}\n", "y".repeat(bytes - 8));
        let good = [
            ("a.jsonl", line(&longest, "{}") + &line("b", &largest)),
            (
                "a.csv",
                format!("id,x\n{longest},1\n") + &row("b", BODY_BYTES_MAX),
            ),
        ];
        for (file, text) in &good {
            let it = import(file, text);
            assert_eq!(it.out, "2 records imported into `people`\n", "{it:.300?}");
        }
        let bad = [
            ("b.jsonl", line("n", "{}") + &line(&too_long, "{}")),
            ("b.jsonl", line("n", "{}") + &line("c", &too_large)),
            ("b.csv", format!("id,x\n{too_long},1\n")),
            ("b.csv", "id,x\n".to_owned() + &row("c", BODY_BYTES_MAX + 1)),
        ];
        for (at, (file, text)) in bad.iter().enumerate() {
            let it = import(file, text);
            let why = [
                "an id has 1 to 255 bytes, this has 256",
                "a body has at most 262144 bytes, this has 26214",
            ][at % 2];
            assert_eq!(it.code, Some(1));
            let expected = format!("{file}: line 2: {why}");
            assert!(it.complaint.contains(&expected), "{:.300}", it.complaint);
            assert!(it.complaint.contains("; nothing was imported"));
        }
        assert_eq!(host.ledger().record("people", "n"), None);
        let it = run_with(
            &mut host.command(&["records", "import", &no_collection, "a.jsonl"]),
            "",
        );
        assert_eq!(it.code, Some(1));
        assert!(
            it.complaint.contains("cannot be the name of a collection"),
            "{:.300}",
            it.complaint
        );
    });
}

#[test]
fn a_collection_that_no_handler_can_be_given_takes_no_records() {
    let (host, _books) = host();
    for name in ["ABC", "A B", "../x"] {
        let complaint = refused(&host, &["records", "set", name, "1", "{}"]);
        let cannot = format!("`{name}` cannot be the name of a collection");
        assert!(complaint.contains(&cannot), "{complaint}");
        let complaint = refused(&host, &["records", "import", name, "-"]);
        assert!(
            complaint.contains(&cannot) && !complaint.contains("0 records"),
            "{complaint}"
        );
    }
}

#[test]
fn a_collection_that_nothing_knows_is_refused_and_an_empty_one_is_not() {
    let (host, _books) = host();
    said(&host, &["records", "set", "old", "1", "{}"]);
    said(&host, &["records", "remove", "old", "1"]);
    with_and_without_a_host(host, |host| {
        let told = "there is no collection `invoicse`: did you mean `invoices`?";
        for command in [
            &["records", "list", "invoicse"][..],
            &["records", "list", "invoicse", "--json"],
            &["records", "export", "invoicse"],
            &["records", "get", "invoicse", "1"],
            &["records", "history", "invoicse", "1"],
        ] {
            let complaint = refused(host, command);
            assert!(complaint.contains(told), "{command:?}: {complaint}");
        }
        // A handler may use the one, the other had a record.
        assert_eq!(said(host, &["records", "list", "invoices", "--json"]), "");
        assert_eq!(said(host, &["records", "list", "old", "--json"]), "");
    });
}

#[test]
fn what_is_written_by_hand_is_told_on_one_line_whatever_its_id() {
    let (host, _books) = host();
    let id = "a\n\u{1b}[2J\u{202e}b";
    let set = said(&host, &["records", "set", "invoices", id, "{}"]);
    assert_eq!(set, "invoices/a\\n\\u{1b}[2J\\u{202e}b is written\n");
    let removed = said(&host, &["records", "remove", "invoices", id]);
    assert_eq!(removed, "invoices/a\\n\\u{1b}[2J\\u{202e}b is removed\n");
    let complaint = refused(&host, &["records", "get", "invoices", id]);
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
}

#[test]
fn a_record_is_shown_with_its_numbers_as_they_were_written() {
    let (host, _books) = host();
    let body = "{\"n\":123456789012345678901234567890,\"a\":1.10}";
    said(&host, &["records", "set", "invoices", "1", body]);
    let shown = said(&host, &["records", "get", "invoices", "1"]);
    assert!(
        shown.contains("\"n\": 123456789012345678901234567890,\n"),
        "{shown}"
    );
    let history = said(&host, &["records", "history", "invoices", "1"]);
    assert!(
        history.contains("n: 123456789012345678901234567890\n"),
        "{history}"
    );
}
