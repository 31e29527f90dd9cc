//! What `hookyard runs show` tells of a run's calls.

use super::{dead, done, host, pay};
use crate::support::{FakeService, Host, Reaction};
use serde_json::{Value, json};

/// The only run, as text and as JSON.
fn shown(host: &Host) -> (String, Value) {
    let id = "SELECT id FROM runs_open UNION ALL SELECT id FROM runs_done";
    let id = host.ledger().number(id).to_string();
    let said = |args: &[&str]| {
        let it = host.command(args).output().unwrap();
        assert!(it.status.success(), "{it:?}");
        String::from_utf8(it.stdout).unwrap()
    };
    let json = said(&["runs", "show", &id, "--json"]);
    (
        said(&["runs", "show", &id]),
        serde_json::from_str(&json).unwrap(),
    )
}

#[test]
fn each_call_of_a_run_is_shown_with_what_was_answered_and_how_often_it_was_sent() {
    let service = FakeService::start();
    service.next([
        Reaction::answer(201, "{}"),
        Reaction::answer(500, "oops"),
        Reaction::answer(502, "oops"),
        Reaction::answer(200, "{}"),
    ]);
    let script = "let books = service(\"books\");\nbooks.post(\"/a\", #{ n: 1 });\nbooks.put(\"/b\", #{ n: 2 });";
    let host = host(&service, "", script);
    pay(&host);
    done(&host);
    let (text, json) = shown(&host);
    let call = |it: Value| {
        let names = [
            "number", "service", "method", "path", "state", "status", "tries",
        ];
        names.map(|name| it[name].clone())
    };
    let first = [
        json!(1),
        json!("books"),
        json!("POST"),
        json!("/a"),
        json!("settled"),
    ];
    assert_eq!(call(json["calls"][0].clone())[..5], first);
    assert_eq!(call(json["calls"][0].clone())[5..], [json!(201), json!(1)]);
    let second = [
        json!(2),
        json!("books"),
        json!("PUT"),
        json!("/b"),
        json!("settled"),
    ];
    assert_eq!(call(json["calls"][1].clone())[..5], second);
    assert_eq!(call(json["calls"][1].clone())[5..], [json!(200), json!(3)]);
    let note = json["calls"][1]["note"].as_str().unwrap();
    assert!(note.contains("sent again with the same key"), "{note}");
    let line = |path: &str| {
        let mut lines = text
            .lines()
            .map(|it| it.split_whitespace().collect::<Vec<_>>());
        lines
            .find(|it| it.contains(&path))
            .unwrap_or_else(|| panic!("{text}"))
    };
    assert_eq!(
        line("/a")[..7],
        ["1", "books", "POST", "/a", "settled", "201", "1"]
    );
    assert_eq!(
        line("/b")[..7],
        ["2", "books", "PUT", "/b", "settled", "200", "3"]
    );
}

#[test]
fn a_refused_call_is_shown_with_what_that_means() {
    let service = FakeService::start();
    service.always(Reaction::answer(422, "no"));
    let script = "try { service(\"books\").post(\"/a\", #{ n: 1 }); } catch { fail(\"no\"); }";
    let host = host(&service, "", script);
    pay(&host);
    assert_eq!(dead(&host), "no");
    let (text, json) = shown(&host);
    let [call] = json["calls"].as_array().unwrap().as_slice() else {
        panic!("{json}")
    };
    assert_eq!(
        (&call["state"], &call["status"]),
        (&json!("refused"), &json!(422))
    );
    let note = "forgotten: the next attempt makes a new call";
    assert_eq!(call["note"], note);
    assert!(text.contains(note), "{text}");
}
