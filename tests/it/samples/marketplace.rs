//! The example `connect-marketplace`.

use super::*;

const FOLDER: &str = "examples/connect-marketplace";
const PLATFORM: &str = "/webhooks/stripe";
const CONNECT: &str = "/webhooks/connect";

fn of(account: &str, mut it: Event) -> Event {
    it.json["account"] = json!(account);
    it
}

fn payout(action: &str, account: &str, amount: i64, currency: &str) -> Event {
    let it = event(&format!("payout.{action}"), "po_1")
        .with("amount", amount)
        .with("currency", currency)
        .with("status", action)
        .with("arrival_date", 1_800_000_000)
        .with("failure_code", "account_closed");
    of(account, it)
}

#[test]
fn payouts_are_kept_apart_by_account_and_summed_once() {
    let service = FakeService::start();
    let host = host(FOLDER, &service);
    let paid = payout("paid", "acct_1", 1200, "eur");
    // The other address gets the same event.
    all(&host, CONNECT, std::slice::from_ref(&paid));
    all(&host, PLATFORM, &[paid]);
    all(
        &host,
        CONNECT,
        &[
            payout("created", "acct_1", 1200, "eur"),
            payout("paid", "acct_2", 500, "jpy"),
        ],
    );
    let ledger = host.ledger();
    assert_eq!(
        ledger.record("balances", "acct_1"),
        Some(json!({ "eur": 1200 }))
    );
    assert_eq!(
        ledger.record("balances", "acct_2"),
        Some(json!({ "jpy": 500 }))
    );
    let line = |id: &str| ledger.record("payouts", id).unwrap();
    assert_eq!(line("acct_1/po_1")["text"], "12.00 EUR");
    assert_eq!(line("acct_1/po_1")["status"], "paid");
    assert_eq!(line("acct_2/po_1")["text"], "500 JPY");
    assert_eq!(service.asked().len(), 2);
}

#[test]
fn a_payout_that_the_bank_sends_back_is_taken_off_the_sum() {
    let service = FakeService::start();
    let host = host(FOLDER, &service);
    all(
        &host,
        CONNECT,
        &[
            payout("paid", "acct_1", 1200, "eur"),
            payout("failed", "acct_1", 1200, "eur"),
            payout("paid", "acct_1", 1200, "eur"),
        ],
    );
    assert_eq!(
        host.ledger().record("balances", "acct_1"),
        Some(json!({ "eur": 0 }))
    );
    let paths: Vec<String> = service.asked().into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["/payouts", "/returns"]);
}

#[test]
fn a_seller_keeps_its_latest_state() {
    let host = host(FOLDER, &FakeService::start());
    let state = |at: i64, is_paid_out: bool| {
        let it = event("account.updated", "acct_1")
            .created(at)
            .with("charges_enabled", true)
            .with("payouts_enabled", is_paid_out)
            .with(
                "requirements",
                json!({ "currently_due": ["external_account"] }),
            );
        of("acct_1", it)
    };
    all(&host, CONNECT, &[state(200, true), state(100, false)]);
    let seller = host.ledger().record("sellers", "acct_1").unwrap();
    assert_eq!(seller["is_paid_out"], true);
    assert_eq!(seller["lacking"], json!(["external_account"]));
}

#[test]
fn what_the_platform_earns_goes_down_with_refunds_whatever_their_order() {
    let host = host(FOLDER, &FakeService::start());
    let fee = |kind: &str, refunded: i64| {
        event(kind, "fee_1")
            .with("account", "acct_1")
            .with("amount", 300)
            .with("amount_refunded", refunded)
            .with("currency", "usd")
            .with("created", 1_800_000_000)
    };
    all(
        &host,
        PLATFORM,
        &[
            fee("application_fee.created", 0),
            fee("application_fee.refunded", 250),
            fee("application_fee.refunded", 100),
        ],
    );
    assert_eq!(
        host.ledger().record("earnings", "2027-01"),
        Some(json!({ "usd": 50 }))
    );
}
