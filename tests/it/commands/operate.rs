//! Commands that change runs: by the running host, or without one for its next start.

use super::{
    IN_TIME, customer, documents, host, invoice, post, refused, run, run_of, said, settled,
};
use crate::support::eventually;
use serde_json::json;

#[test]
fn a_dead_run_is_retried_when_its_cause_is_gone() {
    let (host, _books) = host();
    let it = customer("cus_1");
    post(&host, &it);
    settled(&host);
    let run = run_of(&host, &it);
    said(&host, &["records", "set", "gate", "open", "{}"]);
    assert_eq!(
        said(&host, &["runs", "retry", &run]),
        format!("run {run} is ready again\n")
    );
    settled(&host);
    let record = host.ledger().record("customers", "cus_1");
    assert_eq!(record, Some(json!({ "email": "cus_1@example.com" })));
    let complaint = refused(&host, &["runs", "retry", &run]);
    assert!(
        complaint.contains(&format!("run {run} is done")),
        "{complaint}"
    );
}

#[test]
fn a_retry_without_a_host_is_done_at_its_next_start() {
    let (mut host, _books) = host();
    let it = customer("cus_1");
    post(&host, &it);
    settled(&host);
    let run = run_of(&host, &it);
    assert!(host.terminate().success());
    said(&host, &["records", "set", "gate", "open", "{}"]);
    said(&host, &["runs", "retry", &run]);
    host.restart();
    settled(&host);
    assert!(host.ledger().record("customers", "cus_1").is_some());
}

#[test]
fn a_dropped_run_is_finished_without_effect() {
    let (mut host, _books) = host();
    let (first, second) = (customer("cus_1"), customer("cus_2"));
    post(&host, &first);
    post(&host, &second);
    settled(&host);
    let (first, second) = (run_of(&host, &first), run_of(&host, &second));
    assert_eq!(
        said(&host, &["runs", "drop", &first]),
        format!("run {first} is dropped\n")
    );
    assert!(host.terminate().success());
    assert_eq!(
        said(&host, &["runs", "drop", &second]),
        format!("run {second} is dropped\n")
    );
    host.restart();
    let states = documents(&host, &["runs", "list", "--state", "dropped"]);
    assert_eq!(states.len(), 2);
    assert_eq!(host.ledger().open_runs(), 0);
}

#[test]
fn one_run_that_cannot_be_dropped_does_not_keep_the_others() {
    let (host, _books) = host();
    let it = customer("cus_1");
    post(&host, &it);
    settled(&host);
    let run_id = run_of(&host, &it);
    let it = run(&mut host.command(&["runs", "drop", "999999", &run_id]));
    assert_eq!(it.code, Some(1), "{it:?}");
    assert_eq!(it.out, format!("run {run_id} is dropped\n"));
    assert!(it.complaint.contains("there is no run 999999"), "{it:?}");
}

#[test]
fn a_replay_is_a_second_run_that_makes_no_answered_call_again() {
    let (mut host, books) = host();
    let it = invoice("in_1");
    post(&host, &it);
    settled(&host);
    let made = said(&host, &["replay", &it.id]);
    assert!(made.ends_with(" is made\n"), "{made}");
    settled(&host);
    let paid = |times: i64| Some(json!({ "paid": times }));
    assert_eq!(host.ledger().record("counts", "all"), paid(2));
    assert_eq!(books.asked().len(), 1);
    let story = said(&host, &["why", &it.id]);
    assert!(story.contains("replay 1"), "{story}");
    assert!(
        story.contains("answered from the journal, not sent again"),
        "{story}"
    );

    said(
        &host,
        &["replay", &it.id, "--handler", "paid", "--call-again"],
    );
    settled(&host);
    assert_eq!(host.ledger().record("counts", "all"), paid(3));
    assert_eq!(books.asked().len(), 2);
    assert_eq!(books.times_by_key().len(), 2);

    assert!(host.terminate().success());
    said(&host, &["replay", &it.id]);
    host.restart();
    settled(&host);
    assert_eq!(host.ledger().record("counts", "all"), paid(4));
    assert_eq!(books.asked().len(), 2);
    let runs = documents(&host, &["runs", "list"]);
    let replays: Vec<i64> = runs.iter().filter_map(|it| it["replay"].as_i64()).collect();
    assert_eq!(replays, [3, 2, 1, 0]);
}

#[test]
fn a_replay_of_an_event_whose_run_is_open_is_refused() {
    let (host, _books) = host();
    let it = customer("cus_1");
    post(&host, &it);
    settled(&host);
    let complaint = refused(&host, &["replay", &it.id]);
    assert!(complaint.contains("is still open"), "{complaint}");
    let complaint = refused(&host, &["replay", "evt_none"]);
    assert!(
        complaint.contains("there is no event evt_none"),
        "{complaint}"
    );
    let complaint = refused(&host, &["replay", &it.id, "--handler", "nobody"]);
    assert!(
        complaint.contains("there is no handler `nobody` in handlers.toml"),
        "{complaint}"
    );
}

#[test]
fn a_handler_gets_an_event_that_came_before_it_took_such() {
    let (host, _books) = host();
    let it = crate::support::event("invoice.voided", "in_9").with("amount_paid", 5);
    post(&host, &it);
    let complaint = refused(&host, &["replay", &it.id]);
    assert!(complaint.contains("--handler"), "{complaint}");
    said(&host, &["replay", &it.id, "--handler", "paid"]);
    eventually(IN_TIME, || {
        host.ledger().record("invoices", "in_9").is_some()
    });
}

#[test]
fn a_reload_needs_a_running_host() {
    let (mut host, _books) = host();
    assert_eq!(said(&host, &["reload"]), "good: nothing has changed\n");
    assert!(host.terminate().success());
    let complaint = refused(&host, &["reload"]);
    assert!(complaint.contains("no host runs"), "{complaint}");
}
