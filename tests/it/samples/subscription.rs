//! The sample: a subscription and the membership record.

use super::*;
use crate::support::PATH;

const KIND: &str = "customer.subscription.";

/// As API versions since 2025 write it: the period stands on the item, what was bought is a price.
fn new_shape(action: &str, at: i64, status: &str) -> Event {
    event(&format!("{KIND}{action}"), "sub_1")
        .created(at)
        .with("customer", "cus_1")
        .with("status", status)
        .with("cancel_at_period_end", false)
        .with(
            "items",
            json!({ "object": "list", "data": [
                { "id": "si_1", "price": { "id": "price_1" }, "current_period_end": 1_800_000_000 }
            ] }),
        )
}

/// As in 2017: the period stands on the subscription, and so does the plan.
fn old_shape(action: &str, at: i64, status: &str) -> Event {
    let mut it = event(&format!("{KIND}{action}"), "sub_1")
        .created(at)
        .with("customer", "cus_1")
        .with("status", status)
        .with("cancel_at_period_end", false)
        .with("current_period_end", 1_800_000_000)
        .with(
            "plan",
            json!({ "id": "price_1", "object": "plan", "amount": 999 }),
        );
    it.json["api_version"] = json!("2017-08-15");
    it
}

fn membership(host: &Host) -> Value {
    host.ledger().record("memberships", "sub_1").unwrap()
}

fn expected(status: &str, ended: bool) -> Value {
    json!({
        "customer": "cus_1",
        "status": status,
        "plan": "price_1",
        "paid_until": 1_800_000_000,
        "ends_at_period_end": false,
        "ended": ended,
    })
}

fn check(events: &[Event], expected: &Value) {
    let host = host("", &FakeService::start());
    all(&host, PATH, events);
    assert_eq!(membership(&host), *expected);
}

#[test]
fn its_record_follows_it_from_beginning_to_end() {
    check(
        &[
            new_shape("created", 100, "trialing"),
            new_shape("updated", 200, "active"),
        ],
        &expected("active", false),
    );
    check(
        &[
            new_shape("created", 100, "trialing"),
            new_shape("updated", 200, "active"),
            new_shape("deleted", 300, "canceled"),
        ],
        &expected("canceled", true),
    );
}

#[test]
fn a_state_of_before_that_comes_late_does_not_come_back() {
    check(
        &[
            new_shape("updated", 300, "past_due"),
            new_shape("created", 100, "trialing"),
            new_shape("updated", 200, "active"),
        ],
        &expected("past_due", false),
    );
}

#[test]
fn what_was_deleted_stays_deleted_whatever_comes_after_it() {
    check(
        &[
            new_shape("deleted", 300, "canceled"),
            new_shape("created", 100, "trialing"),
            // Even one that bears a later time.
            new_shape("updated", 400, "active"),
        ],
        &expected("canceled", true),
    );
}

#[test]
fn the_end_counts_behind_an_update_that_bears_a_later_time() {
    check(
        &[
            new_shape("updated", 400, "active"),
            new_shape("deleted", 300, "canceled"),
        ],
        &expected("canceled", true),
    );
}

#[test]
fn events_of_2017_give_the_same_record() {
    check(
        &[
            old_shape("created", 100, "trialing"),
            old_shape("updated", 200, "active"),
        ],
        &expected("active", false),
    );
}
