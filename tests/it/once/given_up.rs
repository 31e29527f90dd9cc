//! What its owner makes no more: made anew after a refusal, taken over after a failure, decided by somebody when nobody
//! knows.

use super::{BOOK, BOTH, SOON, asked_keys_and_bodies, booked, counting, done, host, post, told};
use crate::support::{FakeService, Host, Reaction, eventually};
use std::time::Duration;

/// Waits until a run is dead, and returns its id and why.
#[track_caller]
fn dead(host: &Host, run: i64) -> String {
    let ledger = host.ledger();
    let why = || {
        ledger.texts(&format!(
            "SELECT why FROM runs_open WHERE state = 'dead' AND id = {run}"
        ))
    };
    eventually(SOON, || why().len() == 1);
    why().remove(0)
}

const FIRST: i64 = 10_001;
const SECOND: i64 = 20_001;

#[test]
fn after_a_refusal_the_second_makes_the_call_with_a_key_of_its_own() {
    let service = FakeService::start();
    counting(&service, Duration::ZERO);
    service.next([Reaction::answer(422, "no")]);
    // The first gives up at once.
    let script = format!("try {{ {BOOK} }} catch (why) {{ fail(\"given up\"); }}");
    let host = host(&service, "", &script);
    post(&host, BOTH[0]);
    dead(&host, FIRST);
    post(&host, BOTH[1]);
    done_but_dead(&host);
    let asked = asked_keys_and_bodies(&service);
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0].0, asked[1].0);
    assert_eq!(asked[1].1, "{\"told_by\":\"invoice.payment_succeeded\"}");
    // The first gets the second's answer.
    told(&host, &["runs", "retry", &FIRST.to_string()], true);
    done(&host, 2);
    assert_eq!(service.asked().len(), 2);
    booked(&host, 1);
}

#[track_caller]
fn done_but_dead(host: &Host) {
    let ledger = host.ledger();
    eventually(SOON, || ledger.done_runs() == 1 && ledger.open_runs() == 1);
}

#[test]
fn an_answered_failure_of_a_dead_owner_is_taken_over_with_its_bytes_and_its_key() {
    let service = FakeService::start();
    counting(&service, Duration::ZERO);
    service.next([Reaction::answer(503, "busy")]);
    let script = format!("try {{ {BOOK} }} catch (why) {{ fail(\"given up\"); }}");
    let host = host(&service, "", &script);
    post(&host, BOTH[0]);
    dead(&host, FIRST);
    let event = post(&host, BOTH[1]);
    done_but_dead(&host);
    let asked = asked_keys_and_bodies(&service);
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0], asked[1], "the same bytes, with the same key");
    let story = told(&host, &["why", &event], true);
    for part in [
        "once `paid-in_1`",
        "taken over from run 10001, sent again with the same key, settled, matched by its name although its method, path or body differs",
    ] {
        assert!(story.contains(part), "{part} in {story}");
    }
    told(&host, &["runs", "retry", &FIRST.to_string()], true);
    done(&host, 2);
    assert_eq!(service.asked().len(), 2);
    booked(&host, 1);
}

/// The first run's call was cut off at a service that ignores keys, and the first is dead.
fn unknown(service: &FakeService) -> Host {
    counting(service, Duration::ZERO);
    service.next([Reaction::default().cut_after(0)]);
    let host = host(service, "idempotency = \"none\"", BOOK);
    post(&host, BOTH[0]);
    let why = dead(&host, FIRST);
    assert!(why.starts_with("outcome unknown: POST"), "{why}");
    host
}

#[test]
fn what_nobody_knows_of_a_dropped_owner_waits_for_a_word_with_whoever_comes_next_which_lets_all_go_on()
 {
    for (choice, sendings) in [
        (&["--settle", "200", "--body", "answer.json"][..], 1),
        (&["--resend"], 2),
    ] {
        let service = FakeService::start();
        let host = unknown(&service);
        host.save("answer.json", "{\"id\":1}");
        told(&host, &["runs", "drop", &FIRST.to_string()], true);
        post(&host, BOTH[1]);
        let why = dead(&host, SECOND);
        assert!(why.starts_with("outcome unknown: POST"), "{why}");
        assert_eq!(service.asked().len(), 1);
        let second = SECOND.to_string();
        told(&host, &[&["runs", "retry", &second], choice].concat(), true);
        done(&host, 2);
        // The next one is told by the event's replay: the dropped run's event, too, is booked as this booking.
        let event = host
            .ledger()
            .texts("SELECT id FROM events WHERE seq = 1")
            .remove(0);
        told(&host, &["replay", &event], true);
        done(&host, 3);
        assert_eq!(service.asked().len(), sendings);
        booked(&host, 1);
    }
}

#[test]
fn a_word_about_a_call_is_said_once_and_who_waits_for_it_meanwhile_says_so() {
    let service = FakeService::start();
    let host = unknown(&service);
    post(&host, BOTH[1]);
    let ledger = host.ledger();
    let why = "waits for run 10001, which is dead until somebody says what became of the call `paid-in_1`";
    eventually(SOON, || {
        ledger.texts("SELECT why FROM runs_open WHERE state = 'waiting' AND due_at IS NOT NULL")
            == [why]
    });
    told(
        &host,
        &["runs", "retry", &FIRST.to_string(), "--resend"],
        true,
    );
    done(&host, 2);
    assert_eq!(service.asked().len(), 2);
    booked(&host, 1);
}

#[test]
fn a_late_answer_of_a_dropped_owner_is_the_answer_of_whoever_took_its_call_over() {
    let service = FakeService::start();
    counting(&service, Duration::from_secs(3));
    let host = host(&service, "idempotency = \"none\"", BOOK);
    post(&host, BOTH[0]);
    eventually(SOON, || service.asked().len() == 1);
    told(&host, &["runs", "drop", &FIRST.to_string()], true);
    post(&host, BOTH[1]);
    // Nobody knows yet.
    dead(&host, SECOND);
    let ledger = host.ledger();
    eventually(SOON, || {
        ledger.number("SELECT count(*) FROM once WHERE state = 'settled'") == 1
    });
    told(&host, &["runs", "retry", &SECOND.to_string()], true);
    eventually(SOON, || ledger.open_runs() == 0);
    assert_eq!(service.asked().len(), 1);
    let record = ledger.record("booked", BOTH[1]);
    assert_eq!(record, Some(serde_json::json!({ "booking": 1 })));
}
