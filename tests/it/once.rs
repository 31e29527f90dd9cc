//! `#{ once: "…" }`: one call over two handlers, two events and every run of them.

mod given_up;
mod seen;

use crate::support::{Asked, FakeService, Host, HostSetup, PATH, Reaction, event, eventually};
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// Books a payment, and keeps what it was answered.
const BOOK: &str = "let invoice = event.data.object;\n\
    let answer = service(\"books\").post(`/paid/${invoice.id}`, #{ told_by: event.type }, #{ once: `paid-${invoice.id}` });\n\
    records(\"booked\").set(event.type, #{ booking: answer.body.id });";

const BOTH: [&str; 2] = ["invoice.paid", "invoice.payment_succeeded"];

/// A handler for each of the two events of a payment. `keys` is what else stands in the service's table.
fn setup(url: &str, keys: &str, script: &str) -> HostSetup {
    let mut config = format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [services.books]\nurl = \"{url}\"\nprivate_network = true\n{keys}\n\n"
    );
    for (name, kind) in ["paid", "succeeded"].iter().zip(BOTH) {
        config += &format!(
            "[handlers.{name}]\nevents = [\"{kind}\"]\nscript = \"scripts/book.rhai\"\nrecords = [\"booked\", \"lines\"]\n\
             services = [\"books\"]\nretry = {{ attempts = 20, first = \"100ms\", max = \"1s\" }}\n\n"
        );
    }
    HostSetup::new(&config).file("scripts/book.rhai", script)
}

fn host(service: &FakeService, keys: &str, script: &str) -> Host {
    setup(&service.url(), keys, script).start()
}

/// Posts one of the two events about an invoice; the event's id.
#[track_caller]
fn post(host: &Host, kind: &str) -> String {
    let it = event(kind, "in_1");
    assert_eq!(host.post(&it).status, 200);
    it.id
}

#[track_caller]
fn post_both(host: &Host) {
    for kind in BOTH {
        post(host, kind);
    }
}

#[track_caller]
fn done(host: &Host, runs: i64) {
    let ledger = host.ledger();
    eventually(SOON, || {
        ledger.done_runs() == runs && ledger.open_runs() == 0
    });
}

/// Answers with a number of its own for each key: the same one to the same key, as who honours keys does.
fn counting(service: &FakeService, delay: Duration) {
    let mut known = std::collections::HashMap::new();
    service.react(move |asked: &Asked| {
        let next = known.len() + 1;
        let id = *known
            .entry(asked.headers["idempotency-key"].clone())
            .or_insert(next);
        Reaction::answer(200, &json!({ "id": id }).to_string()).after(delay)
    });
}

/// Both events are booked, as the same booking.
#[track_caller]
fn booked(host: &Host, id: i64) {
    for kind in BOTH {
        let record = host.ledger().record("booked", kind);
        assert_eq!(record, Some(json!({ "booking": id })), "{kind}");
    }
}

/// What a command prints that must succeed, or complains of that must not.
#[track_caller]
fn told(host: &Host, args: &[&str], must_succeed: bool) -> String {
    let it = host.command(args).output().unwrap();
    assert_eq!(it.status.success(), must_succeed, "{args:?}: {it:?}");
    let text = if must_succeed { it.stdout } else { it.stderr };
    String::from_utf8(text).unwrap()
}

fn asked_keys_and_bodies(service: &FakeService) -> Vec<(String, String)> {
    let it = service.asked().into_iter();
    it.map(|it| (it.headers["idempotency-key"].clone(), it.body))
        .collect()
}

#[test]
fn two_events_at_the_same_moment_are_one_request_and_both_runs_get_its_answer() {
    let service = FakeService::start();
    counting(&service, Duration::from_millis(300));
    let host = host(&service, "", BOOK);
    post_both(&host);
    done(&host, 2);
    assert_eq!(service.asked().len(), 1);
    booked(&host, 1);
    // Who waited spent no attempt.
    assert_eq!(
        host.ledger().number("SELECT max(attempts) FROM runs_done"),
        1
    );
}

#[test]
fn who_waits_longer_than_a_moment_waits_in_the_ledger_and_says_for_whom() {
    let service = FakeService::start();
    counting(&service, Duration::from_secs(4));
    let host = host(&service, "", BOOK);
    post(&host, BOTH[0]);
    eventually(SOON, || service.asked().len() == 1);
    post(&host, BOTH[1]);
    let ledger = host.ledger();
    let why = || {
        ledger.texts("SELECT why FROM runs_open WHERE state = 'waiting' AND attempts = 0 AND due_at IS NOT NULL")
    };
    eventually(SOON, || {
        why() == ["waits for run 10001, which is making the call `paid-in_1`"]
    });
    done(&host, 2);
    assert_eq!(service.asked().len(), 1);
    booked(&host, 1);
    assert_eq!(ledger.number("SELECT count(*) FROM attempts"), 2);
}

#[test]
fn killed_between_the_intent_and_the_answer_of_its_owner_it_is_one_effect_all_the_same() {
    let service = FakeService::start();
    counting(&service, Duration::from_secs(2));
    let mut host = host(&service, "", BOOK);
    post_both(&host);
    eventually(SOON, || !service.asked().is_empty());
    host.kill9();
    counting(&service, Duration::ZERO);
    host.restart();
    done(&host, 2);
    let asked = asked_keys_and_bodies(&service);
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0], asked[1], "the same bytes, with the same key");
    booked(&host, 1);
}

#[test]
fn names_are_those_of_one_service_and_another_name_is_another_call() {
    let service = FakeService::start();
    let script = "let one = service(\"books\").post(\"/x\", #{}, #{ once: \"a\" });\n\
        service(\"ledger\").post(\"/x\", #{}, #{ once: \"a\" });\n\
        service(\"books\").post(\"/x\", #{}, #{ once: \"b\" });\n\
        service(\"books\").post(\"/y\", #{ other: true }, #{ once: \"a\" });\n\
        records(\"booked\").set(event.type, #{});";
    let setup = setup(&service.url(), "", script);
    let more = format!("url = \"{}\"\nprivate_network = true\n", service.url());
    let host = setup
        .changed(
            "[services.books]\n",
            &format!("[services.ledger]\n{more}\n[services.books]\n"),
        )
        .changed(
            "services = [\"books\"]",
            "services = [\"books\", \"ledger\"]",
        )
        .start();
    post_both(&host);
    done(&host, 2);
    assert_eq!(service.asked().len(), 3);
    assert_eq!(service.times_by_key().len(), 3);
}
