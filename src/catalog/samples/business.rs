//! The business's own money and books: balance, payouts, top-ups, reserves, reports, tax settings.

use super::parts::{address, metadata};
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "balance" => balance(it),
        "balance_settings" => balance_settings(),
        "payout" => payout(it),
        "topup" => topup(it),
        "reserve.hold" | "reserve.plan" | "reserve.release" => reserve(name, it),
        "reporting.report_run" => report_run(it),
        "reporting.report_type" => report_type(it),
        "scheduled_query_run" => query_run(it),
        "tax.settings" => tax_settings(it),
        "file" => file(it),
        _ => return None,
    })
}

fn balance(it: &Sample<'_>) -> Value {
    let of = |amount: i64| json!([{ "amount": amount, "currency": it.currency(), "source_types": { "card": amount } }]);
    json!({
        "object": "balance",
        "available": of(it.total() * 20),
        "connect_reserved": of(0),
        "instant_available": of(it.total() * 15),
        "livemode": it.livemode(),
        "pending": of(it.total() * 3),
        "refund_and_dispute_prefunding": { "available": of(0), "pending": of(0) }
    })
}

fn balance_settings() -> Value {
    json!({
        "object": "balance_settings",
        "payments": {
            "debit_negative_balances": true,
            "payouts": { "minimum_balance_by_currency": null, "schedule": { "interval": "daily" }, "statement_descriptor": null, "status": "enabled" },
            "settlement_timing": { "delay_days": 2 }
        }
    })
}

fn payout(it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "paid" | "reconciliation_completed" => "paid",
        "failed" => "failed",
        "canceled" => "canceled",
        "updated" => "in_transit",
        _ => "pending",
    };
    let failure = (status == "failed").then_some("account_closed");
    json!({
        "id": it.id("po"),
        "object": "payout",
        "amount": it.total() * 12,
        "application_fee": null,
        "application_fee_amount": null,
        "arrival_date": it.days(2),
        "automatic": true,
        "balance_transaction": it.id("txn"),
        "created": it.created(),
        "currency": it.currency(),
        "description": "STRIPE PAYOUT",
        "destination": it.id("ba"),
        "failure_balance_transaction": null,
        "failure_code": failure,
        "failure_message": failure.map(|_| "The bank account has been closed."),
        "livemode": it.livemode(),
        "metadata": {},
        "method": "standard",
        "original_payout": null,
        "payout_method": null,
        "reconciliation_status": if it.action() == "reconciliation_completed" { "completed" } else { "in_progress" },
        "reversed_by": null,
        "source_type": "card",
        "statement_descriptor": null,
        "status": status,
        "trace_id": { "status": "pending", "value": null },
        "type": "bank_account"
    })
}

fn topup(it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "succeeded" => "succeeded",
        "failed" => "failed",
        "canceled" => "canceled",
        "reversed" => "reversed",
        _ => "pending",
    };
    json!({
        "id": it.id("tu"),
        "object": "topup",
        "amount": it.total() * 5,
        "balance_transaction": it.id("txn"),
        "created": it.created(),
        "currency": it.currency(),
        "description": "Before the season",
        "expected_availability_date": it.days(3),
        "failure_code": null,
        "failure_message": null,
        "livemode": it.livemode(),
        "metadata": metadata(it),
        "source": null,
        "statement_descriptor": "TOP-UP",
        "status": status,
        "transfer_group": null
    })
}

fn reserve(name: &str, it: &Sample<'_>) -> Value {
    let prefix = match name {
        "reserve.hold" => "resv_hold",
        "reserve.plan" => "resv_plan",
        _ => "resv_rel",
    };
    json!({
        "id": it.id(prefix),
        "object": name,
        "amount": it.subtotal(),
        "created": it.created(),
        "currency": it.currency(),
        "livemode": it.livemode(),
        "metadata": {},
        "reason": "charge",
        "reserve_plan": it.id("resv_plan"),
        "status": match it.action() { "disabled" => "disabled", "expired" => "expired", _ => "active" }
    })
}

fn report_run(it: &Sample<'_>) -> Value {
    let is_failed = it.action() == "failed";
    json!({
        "id": it.id("frr"),
        "object": "reporting.report_run",
        "created": it.created() - 60,
        "error": is_failed.then_some("The report could not be made."),
        "livemode": it.livemode(),
        "parameters": { "currency": it.currency(), "interval_end": it.days(-1), "interval_start": it.days(-31) },
        "report_type": "balance.summary.1",
        "result": (!is_failed).then(|| file(it)),
        "status": if is_failed { "failed" } else { "succeeded" },
        "succeeded_at": (!is_failed).then(|| it.created())
    })
}

fn report_type(it: &Sample<'_>) -> Value {
    json!({
        "id": "balance.summary.1",
        "object": "reporting.report_type",
        "data_available_end": it.days(-1),
        "data_available_start": it.days(-400),
        "default_columns": ["category", "description", "net_amount", "currency"],
        "livemode": it.livemode(),
        "name": "Balance summary",
        "updated": it.created(),
        "version": 1
    })
}

fn query_run(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("sqr"),
        "object": "scheduled_query_run",
        "created": it.created() - 60,
        "data_load_time": it.created() - 3600,
        "file": file(it),
        "livemode": it.livemode(),
        "result_available_until": it.days(180),
        "sql": "select count(*) from charges",
        "status": "completed",
        "title": "Charges of the month"
    })
}

fn tax_settings(it: &Sample<'_>) -> Value {
    json!({
        "object": "tax.settings",
        "defaults": { "provider": "stripe", "tax_behavior": "exclusive", "tax_code": "txcd_10000000" },
        "head_office": { "address": address(it) },
        "livemode": it.livemode(),
        "status": "active",
        "status_details": { "active": {} }
    })
}

fn file(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("file"),
        "object": "file",
        "created": it.created(),
        "expires_at": it.days(180),
        "filename": "report.csv",
        "links": { "object": "list", "data": [], "has_more": false, "url": format!("/v1/file_links?file={}", it.id("file")) },
        "purpose": "finance_report_run",
        "size": it.number("file size", 200, 90_000),
        "title": null,
        "type": "csv",
        "url": format!("https://files.example.com/v1/files/{}/contents", it.id("file"))
    })
}
