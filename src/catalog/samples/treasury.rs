//! Money that moves through financial accounts.

use super::parts::billing_details;
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "treasury.financial_account" => financial_account(it),
        "treasury.inbound_transfer" => movement(name, "ibt", it),
        "treasury.outbound_payment" => movement(name, "obp", it),
        "treasury.outbound_transfer" => movement(name, "obt", it),
        "treasury.received_credit" => movement(name, "rc", it),
        "treasury.received_debit" => movement(name, "rd", it),
        "treasury.credit_reversal" => reversal(name, "credrev", it),
        "treasury.debit_reversal" => reversal(name, "debrev", it),
        _ => return None,
    })
}

fn financial_account(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("fa"),
        "object": "treasury.financial_account",
        "active_features": ["card_issuing", "financial_addresses.aba"],
        "balance": { "cash": { "usd": it.total() * 9 }, "inbound_pending": { "usd": 0 }, "outbound_pending": { "usd": 0 } },
        "country": "US",
        "created": it.days(-50),
        "financial_addresses": [{
            "aba": { "account_holder_name": "Example Shop", "account_number": null, "account_number_last4": it.digits("last4", 4), "bank_name": "Example Bank", "routing_number": "110000000" },
            "supported_networks": ["ach", "us_domestic_wire"],
            "type": "aba"
        }],
        "livemode": it.livemode(),
        "metadata": {},
        "pending_features": [],
        "restricted_features": [],
        "status": if it.action() == "closed" { "closed" } else { "open" },
        "status_details": { "closed": null },
        "supported_currencies": ["usd"]
    })
}

fn movement(name: &str, prefix: &str, it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "succeeded" => "succeeded",
        "posted" => "posted",
        "failed" => "failed",
        "canceled" => "canceled",
        "returned" => "returned",
        _ => "processing",
    };
    json!({
        "id": it.id(prefix),
        "object": name,
        "amount": it.total(),
        "cancelable": status == "processing",
        "created": it.created(),
        "currency": "usd",
        "customer": it.id("cus"),
        "description": it.product_name(),
        "destination_payment_method_details": { "billing_details": billing_details(it), "type": "us_bank_account", "us_bank_account": { "account_holder_type": "company", "account_type": "checking", "bank_name": "Example Bank", "last4": it.digits("last4", 4), "network": "ach", "routing_number": "110000000" } },
        "expected_arrival_date": it.days(2),
        "financial_account": it.id("fa"),
        "hosted_regulatory_receipt_url": "https://payments.example.com/receipt",
        "livemode": it.livemode(),
        "metadata": {},
        "statement_descriptor": "EXAMPLE SHOP",
        "status": status,
        "status_transitions": { "canceled_at": (status == "canceled").then(|| it.created()), "failed_at": (status == "failed").then(|| it.created()), "posted_at": (status == "posted").then(|| it.created()) },
        "tracking_details": null,
        "transaction": it.id("trxn")
    })
}

fn reversal(name: &str, prefix: &str, it: &Sample<'_>) -> Value {
    json!({
        "id": it.id(prefix),
        "object": name,
        "amount": it.total(),
        "created": it.created(),
        "currency": "usd",
        "financial_account": it.id("fa"),
        "hosted_regulatory_receipt_url": "https://payments.example.com/receipt",
        "livemode": it.livemode(),
        "metadata": {},
        "network": "ach",
        "status": match it.action() { "posted" => "posted", "completed" => "succeeded", _ => "processing" },
        "status_transitions": { "posted_at": null },
        "transaction": it.id("trxn")
    })
}
