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
        ("cus_2", json!({ "name": "北京" })),
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
    assert_eq!(documents(&host, &["records", "list", "people"]).len(), 0);
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
fn a_collection_that_no_handler_can_be_given_takes_no_records_and_a_mistyped_one_is_told() {
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
    said(&host, &["records", "set", "invoices", "1", "{}"]);
    let it = run_with(&mut host.command(&["records", "list", "invoicse"]), "");
    let told = "there is no collection `invoicse`: did you mean `invoices`?";
    assert!(it.complaint.contains(told), "{it:?}");
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
