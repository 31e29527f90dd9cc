//! The example `dunning`.

use super::*;
use crate::support::PATH;

const FOLDER: &str = "examples/dunning";
const HOUR_S: i64 = 3600;

fn failed(attempt: i64, seconds_ago: i64) -> Event {
    event("invoice.payment_failed", "in_1")
        .created(now_s() - seconds_ago)
        .with("customer", "cus_1")
        .with("customer_email", "a@example.com")
        .with("number", "A-0001")
        .with("currency", "eur")
        .with("amount_due", 1999)
        .with("attempt_count", attempt)
}

fn paid() -> Event {
    event("invoice.paid", "in_1")
}

fn service() -> FakeService {
    let service = FakeService::start();
    service.always(Reaction::answer(
        200,
        "{\"message_id\":\"m_1\",\"ticket_id\":\"t_1\"}",
    ));
    service
}

fn paths(service: &FakeService) -> Vec<String> {
    service.asked().into_iter().map(|it| it.path).collect()
}

#[test]
fn letters_get_firmer_and_the_third_goes_with_a_ticket() {
    let service = service();
    let host = host(FOLDER, &service);
    let old = 2 * HOUR_S;
    all(
        &host,
        PATH,
        &[
            failed(1, old),
            failed(2, old),
            failed(3, old),
            failed(4, old),
        ],
    );
    assert_eq!(
        paths(&service),
        ["/messages", "/messages", "/messages", "/tickets"]
    );
    let first: Value = serde_json::from_str(&service.asked()[0].body).unwrap();
    assert!(first["text"].as_str().unwrap().contains("19.99 EUR"));
    let record = host.ledger().record("dunning", "in_1").unwrap();
    assert_eq!(
        (&record["level"], &record["ticket"], &record["owed"]),
        (
            &json!(3),
            &json!("t_1"),
            &json!({ "amount": 1999, "currency": "eur" })
        )
    );
}

#[test]
fn who_pays_within_the_hour_gets_no_letter() {
    let service = service();
    let host = host(FOLDER, &service);
    host.post(&failed(1, 0));
    let ledger = host.ledger();
    let waiting = "SELECT count(*) FROM runs_open WHERE state = 'waiting'";
    eventually(SOON, || ledger.number(waiting) == 1);
    host.post(&paid());
    eventually(SOON, || ledger.done_runs() == 1);
    // The hour is over.
    let run = ledger.number("SELECT id FROM runs_open").to_string();
    assert!(
        host.command(&["runs", "retry", &run])
            .status()
            .unwrap()
            .success()
    );
    at_rest(&host);
    assert_eq!(
        ledger.number("SELECT count(*) FROM runs_done WHERE state = 'skipped'"),
        1
    );
    assert!(service.asked().is_empty());
}

#[test]
fn a_failure_that_comes_after_the_payment_brings_no_letter() {
    let service = service();
    let host = host(FOLDER, &service);
    all(&host, PATH, &[paid(), failed(2, 2 * HOUR_S)]);
    assert!(service.asked().is_empty());
    assert_eq!(
        host.ledger().record("dunning", "in_1").unwrap()["closed_by"],
        "invoice.paid"
    );
}

#[test]
fn a_help_desk_that_is_down_does_not_send_a_letter_again() {
    let service = service();
    service.next([
        Reaction::answer(200, "{\"message_id\":\"m_1\"}"),
        Reaction::answer(503, "down").header("retry-after", "1"),
    ]);
    let host = host(FOLDER, &service);
    all(&host, PATH, &[failed(3, 2 * HOUR_S)]);
    assert_eq!(paths(&service), ["/messages", "/tickets", "/tickets"]);
}
