//! The sample and the examples do what their texts say: events of our own writing go to the real host, and a fake service
//! stands where the configuration has a real one.

use crate::support::{
    Event, FakeService, Host, HostSetup, Reaction, SECRET, event, eventually, now_s,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const VARIABLES: [&str; 6] = [
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_CONNECT_WEBHOOK_SECRET",
    "ACCOUNTING_TOKEN",
    "MAIL_TOKEN",
    "DESK_TOKEN",
    "PAYROLL_TOKEN",
];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A host with the files of a folder of the repository, all its services played by one.
fn host(folder: &str, service: &FakeService) -> Host {
    let folder = repository(folder);
    let config: Vec<String> = fs::read_to_string(folder.join("handlers.toml"))
        .unwrap()
        .lines()
        .map(|line| match line.starts_with("url = \"https://") {
            true => format!("url = \"{}\"\nprivate_network = true", service.url()),
            false => line.replace("127.0.0.1:4242", "127.0.0.1:0"),
        })
        .collect();
    let mut setup = HostSetup::new(&config.join("\n"));
    for script in scripts_of(&folder) {
        let text = fs::read_to_string(folder.join(&script)).unwrap();
        setup = setup.file(&script, &text);
    }
    for name in VARIABLES {
        setup = setup.env(name, SECRET);
    }
    setup.start()
}

fn scripts_of(folder: &Path) -> Vec<String> {
    ["scripts", "scripts/lib"]
        .iter()
        .flat_map(|it| {
            fs::read_dir(folder.join(it))
                .unwrap()
                .map(move |file| format!("{it}/{}", file.unwrap().file_name().to_str().unwrap()))
        })
        .filter(|it| it.ends_with(".rhai"))
        .collect()
}

/// Posts events, and waits until all their runs are done.
#[track_caller]
fn all(host: &Host, path: &str, events: &[Event]) {
    for it in events {
        assert_eq!(host.client().post(path, it).unwrap().status, 200);
        at_rest(host);
    }
}

#[track_caller]
fn at_rest(host: &Host) {
    let ledger = host.ledger();
    eventually(SOON, || ledger.open_runs() == 0);
}

#[test]
fn the_sample_and_each_example_hold_nothing_that_check_would_warn_of() {
    let folders = fs::read_dir(repository("examples"))
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.is_dir());
    let mut checked = 0;
    for folder in folders.chain([repository("")]) {
        let output = Command::new(env!("CARGO_BIN_EXE_hookyard"))
            .current_dir(&folder)
            .args(["check", "--deny-warnings"])
            .envs(VARIABLES.map(|it| (it, SECRET)))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}: {said}", folder.display());
        checked += 1;
    }
    assert!(checked >= 3);
}

/// The sample: a subscription and the membership record.
mod subscription {
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
}

/// The sample: an invoice that is paid, and accounting.
mod invoice {
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
}

mod dunning {
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
}

mod marketplace {
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
}
