//! What is told of such calls, what an edit does to them, and what a replay does.

use super::{BOOK, BOTH, SOON, counting, done, host, post, told};
use crate::support::{FakeService, eventually};
use std::time::Duration;

#[test]
fn why_says_whose_answer_it_is_and_that_the_body_was_another() {
    let service = FakeService::start();
    counting(&service, Duration::ZERO);
    let host = host(&service, "", BOOK);
    let first = post(&host, BOTH[0]);
    done(&host, 1);
    let second = post(&host, BOTH[1]);
    done(&host, 2);
    assert_eq!(service.asked().len(), 1);
    let story = told(&host, &["why", &first], true);
    assert!(
        story.contains("/paid/in_1, once `paid-in_1`  settled"),
        "{story}"
    );
    let story = told(&host, &["why", &second], true);
    let part = "call  POST /paid/in_1, once `paid-in_1`  answered by run 10001's call, not sent, matched by its name although its method, path or body differs";
    assert!(story.contains(part), "{story}");
    let json = told(&host, &["why", &second, "--json"], true);
    for part in [
        "\"did\":\"from_other_run\"",
        "\"run\":10001",
        "\"once\":\"paid-in_1\"",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
}

#[test]
fn a_replay_gets_the_answer_of_before_and_calls_again_only_what_its_own_event_called() {
    let service = FakeService::start();
    counting(&service, Duration::ZERO);
    let host = host(&service, "", BOOK);
    let first = post(&host, BOTH[0]);
    done(&host, 1);
    let second = post(&host, BOTH[1]);
    done(&host, 2);
    told(&host, &["replay", &first], true);
    done(&host, 3);
    told(&host, &["replay", &second, "--call-again"], true);
    done(&host, 4);
    assert_eq!(service.asked().len(), 1);
    told(&host, &["replay", &first, "--call-again"], true);
    done(&host, 5);
    assert_eq!(service.times_by_key().len(), 2, "a call of its own");
    // And that one is the answer from now on.
    told(&host, &["replay", &second], true);
    done(&host, 6);
    assert_eq!(service.asked().len(), 2);
    super::booked(&host, 2);
}

#[test]
fn an_edit_that_gives_a_call_a_name_does_not_make_it_again() {
    let service = FakeService::start();
    counting(&service, Duration::ZERO);
    let before = BOOK.replace(", #{ once: `paid-${invoice.id}` }", "") + "\nthrow \"not yet\";";
    assert!(!before.contains("once"), "{before}");
    let host = host(&service, "", &before);
    let event = post(&host, BOTH[0]);
    let ledger = host.ledger();
    eventually(SOON, || ledger.number("SELECT count(*) FROM attempts") > 0);
    host.save("scripts/book.rhai", BOOK);
    told(&host, &["reload"], true);
    done(&host, 1);
    assert_eq!(service.asked().len(), 1);
    let story = told(&host, &["why", &event], true);
    assert!(story.contains("answered from the journal"), "{story}");
}
