//! The sample: an invoice that is paid, and accounting.

use super::*;
use crate::support::PATH;

fn paid(kind: &str) -> Event {
    event(kind, "in_1")
        .with("customer", "cus_1")
        .with("number", "A-0001")
        .with("currency", "eur")
        .with("amount_due", 1999)
        .with("amount_paid", 1999)
        .with(
            "parent",
            json!({ "type": "subscription_details", "subscription_details": { "subscription": "sub_1" } }),
        )
}

fn service() -> FakeService {
    let service = FakeService::start();
    service.always(Reaction::answer(200, "{\"booking_id\":\"bk_1\"}"));
    service
}

fn expected() -> Value {
    json!({
        "status": "paid",
        "customer": "cus_1",
        "subscription": "sub_1",
        "amount": 1999,
        "currency": "eur",
        "booking": "bk_1",
    })
}

#[test]
fn both_events_of_one_payment_mark_it_and_tell_accounting_once() {
    let service = service();
    let host = host("", &service);
    // At once, as Stripe sends them.
    for kind in ["invoice.payment_succeeded", "invoice.paid"] {
        assert_eq!(host.post(&paid(kind)).status, 200);
    }
    at_rest(&host);
    assert_eq!(host.ledger().record("invoices", "in_1"), Some(expected()));
    let asked = service.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/invoices/in_1/paid");
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(body["text"], "Invoice A-0001: 19.99 EUR");
}

#[test]
fn a_service_that_fails_first_is_told_once_all_the_same() {
    let service = service();
    service.next([Reaction::answer(503, "later").header("retry-after", "1")]);
    let host = host("", &service);
    all(
        &host,
        PATH,
        &[paid("invoice.paid"), paid("invoice.payment_succeeded")],
    );
    assert_eq!(host.ledger().record("invoices", "in_1"), Some(expected()));
    // Asked twice with one key: to the service it is one booking.
    let times = service.times_by_key();
    assert_eq!(times.values().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn an_invoice_of_2017_gives_the_same_record() {
    let service = service();
    let host = host("", &service);
    let mut old = event("invoice.payment_succeeded", "in_1")
        .with("customer", "cus_1")
        .with("currency", "eur")
        .with("amount_due", 1999)
        .with("paid", true)
        .with("subscription", "sub_1");
    old.json["api_version"] = json!("2017-08-15");
    all(&host, PATH, &[old]);
    assert_eq!(host.ledger().record("invoices", "in_1"), Some(expected()));
}

#[test]
fn a_free_trial_is_paid_and_nothing_is_booked() {
    let service = service();
    let host = host("", &service);
    let free = paid("invoice.paid")
        .with("amount_due", 0)
        .with("amount_paid", 0);
    all(&host, PATH, &[free]);
    let record = host.ledger().record("invoices", "in_1").unwrap();
    assert_eq!(
        (&record["status"], &record["amount"]),
        (&json!("paid"), &json!(0))
    );
    assert!(service.asked().is_empty());
}
