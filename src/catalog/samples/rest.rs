//! Objects that few handlers look at: what all of Stripe's objects have, and the few fields that tell them apart.

use super::parts::{joined, metadata};
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Value {
    joined(
        json!({
            "id": it.id(prefix(name)),
            "object": name,
            "created": it.created(),
            "livemode": it.livemode(),
            "metadata": metadata(it)
        }),
        own_fields(name, it),
    )
}

fn prefix(name: &str) -> &'static str {
    match name {
        "climate.order" => "climorder",
        "climate.product" => "climsku",
        "financial_connections.account" => "fca",
        "financial_connections.authorization" => "fcauth",
        "identity.verification_session" => "vs",
        "terminal.reader" => "tmr",
        "test_helpers.test_clock" => "clock",
        _ => "obj",
    }
}

fn own_fields(name: &str, it: &Sample<'_>) -> Value {
    match name {
        "climate.order" => json!({
            "amount_fees": it.tax(),
            "amount_subtotal": it.subtotal(),
            "amount_total": it.total(),
            "currency": it.currency(),
            "delivery_details": [],
            "expected_delivery_year": 2030,
            "metric_tons": "0.42",
            "product": "climsku_frontier_offtake_portfolio",
            "status": match it.action() { "canceled" => "canceled", "delivered" => "delivered", _ => "confirmed" }
        }),
        "climate.product" => json!({
            "current_prices_per_metric_ton": { "usd": { "amount_fees": 400, "amount_subtotal": 40_000, "amount_total": 40_400 } },
            "delivery_year": 2030,
            "metric_tons_available": "1000",
            "name": "Portfolio",
            "suppliers": []
        }),
        "financial_connections.account" => json!({
            "account_holder": { "customer": it.id("cus"), "type": "customer" },
            "balance": null,
            "balance_refresh": null,
            "category": "cash",
            "display_name": "Checking",
            "institution_name": "Example Bank",
            "last4": it.digits("last4", 4),
            "ownership": null,
            "permissions": ["payment_method", "balances"],
            "status": match it.action() { "deactivated" => "inactive", "disconnected" => "disconnected", _ => "active" },
            "subcategory": "checking",
            "supported_payment_method_types": ["us_bank_account"]
        }),
        "financial_connections.authorization" => json!({
            "account_holder": { "customer": it.id("cus"), "type": "customer" },
            "institution_name": "Example Bank",
            "status": "active"
        }),
        "identity.verification_session" => json!({
            "client_reference_id": null,
            "client_secret": null,
            "last_error": null,
            "last_verification_report": null,
            "options": { "document": { "require_matching_selfie": true } },
            "redaction": null,
            "related_customer": it.id("cus"),
            "status": match it.action() { "created" => "requires_input", "redacted" => "verified", other => other },
            "type": "document",
            "url": null
        }),
        "terminal.reader" => json!({
            "action": {
                "failure_code": (it.action() == "action_failed").then_some("card_declined"),
                "failure_message": (it.action() == "action_failed").then_some("Your card was declined."),
                "process_payment_intent": { "payment_intent": it.id("pi") },
                "status": match it.action() { "action_failed" => "failed", "action_succeeded" => "succeeded", _ => "in_progress" },
                "type": "process_payment_intent"
            },
            "device_sw_version": "2.37.2.0",
            "device_type": "bbpos_wisepos_e",
            "ip_address": "192.0.2.7",
            "label": "Counter",
            "location": it.id("tml"),
            "serial_number": it.digits("serial", 10),
            "status": "online"
        }),
        "test_helpers.test_clock" => json!({
            "deletes_after": it.days(30),
            "frozen_time": it.days(31),
            "name": "A month later",
            "status": match it.action() { "advancing" => "advancing", "internal_failure" => "internal_failure", _ => "ready" },
            "status_details": {}
        }),
        _ => json!({}),
    }
}
