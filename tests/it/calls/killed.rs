//! Kill -9 at each step of a call. The service holds its answer, so that the kill lands exactly there.

use super::{SOON, bodies, dead, done, host, host_at, pay};
use crate::support::{Asked, ClosedService, FakeService, Faults, Reaction, eventually};
use serde_json::json;
use std::time::Duration;

const HELD: Duration = Duration::from_secs(20);
const TWO: &str = "let a = service(\"books\").post(\"/a\", #{ n: 1 });\nlet b = service(\"books\").post(\"/b\", #{ a: a.body.id });\n\
    records(\"booked\").set(\"it\", #{ a: a.body.id, b: b.body.id });";

/// A service that keeps the answer to each key, and holds those to this path while it is told to.
fn held(path: &'static str) -> FakeService {
    let service = FakeService::start();
    let mut held_once = false;
    service.react(move |asked: &Asked| {
        let answer = Reaction::answer(
            200,
            &json!({ "id": asked.headers["idempotency-key"] }).to_string(),
        );
        let holds = asked.path == path && !held_once;
        held_once |= holds;
        if holds { answer.after(HELD) } else { answer }
    });
    service
}

#[track_caller]
fn prove(service: &FakeService, host: &crate::support::Host, times: [usize; 2]) {
    done(host);
    let asked = service.asked();
    let of = |path: &str| -> Vec<(String, String)> {
        asked
            .iter()
            .filter(|it| it.path == path)
            .map(|it| (it.headers["idempotency-key"].clone(), it.body.clone()))
            .collect()
    };
    let (a, b) = (of("/a"), of("/b"));
    assert_eq!([a.len(), b.len()], times);
    for it in [&a, &b] {
        assert!(
            it.windows(2).all(|pair| pair[0] == pair[1]),
            "one call, two keys or bodies: {it:?}"
        );
    }
    assert_eq!(
        host.ledger().record("booked", "it"),
        Some(json!({ "a": a[0].0, "b": b[0].0 }))
    );
    assert_eq!(
        host.ledger().number("SELECT count(*) FROM record_changes"),
        1
    );
}

#[test]
fn killed_between_sending_and_the_answer_it_sends_the_same_again() {
    let service = held("/a");
    let mut host = host(&service, "", TWO);
    pay(&host);
    eventually(SOON, || service.asked().len() == 1);
    host.kill9();
    host.restart();
    prove(&service, &host, [2, 1]);
}

#[test]
fn killed_in_the_middle_of_a_replay_it_takes_what_is_settled_from_the_journal() {
    let service = held("/b");
    let mut host = host(&service, "", TWO);
    pay(&host);
    eventually(SOON, || service.asked().len() == 2);
    host.kill9();
    host.restart();
    prove(&service, &host, [1, 2]);
}

#[test]
fn killed_between_sending_and_the_answer_of_a_service_that_ignores_keys_it_asks_somebody() {
    let service = held("/a");
    let mut host = host(&service, "idempotency = \"none\"", TWO);
    pay(&host);
    eventually(SOON, || service.asked().len() == 1);
    host.kill9();
    host.restart();
    let why = dead(&host);
    assert!(why.starts_with("outcome unknown: POST"), "{why}");
    assert_eq!(bodies(&service), ["{\"n\":1}"]);
}

#[test]
fn killed_between_writing_down_and_sending_it_sends_once() {
    // The call is written down, and then waits for a connection.
    let service = ClosedService::bind();
    let mut host = host_at(
        &service.url(),
        "",
        "service(\"books\").post(\"/a\", #{ n: 1 });",
    );
    pay(&host);
    {
        let ledger = host.ledger();
        eventually(SOON, || {
            ledger.number("SELECT count(*) FROM journal WHERE state = 'intended'") == 1
        });
    }
    host.kill9();
    let service = service.open();
    host.restart();
    done(&host);
    assert_eq!(bodies(&service), ["{\"n\":1}"]);
}

#[test]
fn killed_between_the_answer_and_its_commit_it_sends_the_same_again() {
    let service = FakeService::start();
    let mut is_first = true;
    service.react(move |asked: &Asked| {
        let answer = Reaction::answer(
            200,
            &json!({ "id": asked.headers["idempotency-key"] }).to_string(),
        );
        let wait = if std::mem::take(&mut is_first) {
            1_000
        } else {
            0
        };
        answer.after(Duration::from_millis(wait))
    });
    let mut host = host(&service, "", TWO);
    let full = host.folder().join("full");
    let faults = Faults::none().full_while(&host.data(), &full);
    host.restart_with(&faults);
    pay(&host);
    eventually(SOON, || service.asked().len() == 1);
    // No room any more: the answer comes, and waits to be written down.
    std::fs::write(&full, "").unwrap();
    eventually(SOON, || host.log().contains("no space is left"));
    host.kill9();
    std::fs::remove_file(&full).unwrap();
    host.restart();
    prove(&service, &host, [2, 1]);
}
