//! How customers pay: payment methods, their setup, mandates, old sources.

use super::parts::{billing_details, card, metadata};
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "payment_method" => payment_method(it),
        "setup_intent" => setup_intent(it),
        "mandate" => mandate(it),
        "source_transaction" => source_transaction(it),
        "source_mandate_notification" => source_mandate_notification(it),
        _ => return None,
    })
}

fn payment_method(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("pm"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": billing_details(it),
        "card": card(it),
        "created": it.days(-40),
        "customer": (it.action() != "detached").then(|| it.id("cus")),
        "livemode": it.livemode(),
        "metadata": {},
        "radar_options": {},
        "type": "card"
    })
}

fn setup_intent(it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "succeeded" => "succeeded",
        "canceled" => "canceled",
        "requires_action" => "requires_action",
        _ => "requires_payment_method",
    };
    json!({
        "id": it.id("seti"),
        "object": "setup_intent",
        "application": null,
        "automatic_payment_methods": { "allow_redirects": "always", "enabled": true },
        "cancellation_reason": (status == "canceled").then_some("abandoned"),
        "client_secret": format!("{}_secret_{}", it.id("seti"), it.letters("setup secret", 25)),
        "created": it.created(),
        "customer": it.id("cus"),
        "description": null,
        "flow_directions": null,
        "last_setup_error": (it.action() == "setup_failed").then(|| json!({
            "code": "setup_intent_authentication_failure",
            "message": "The card could not be authenticated.",
            "type": "invalid_request_error"
        })),
        "latest_attempt": it.id("setatt"),
        "livemode": it.livemode(),
        "mandate": null,
        "metadata": metadata(it),
        "next_action": null,
        "on_behalf_of": null,
        "payment_method": (status == "succeeded").then(|| it.id("pm")),
        "payment_method_options": { "card": { "mandate_options": null, "network": null, "request_three_d_secure": "automatic" } },
        "payment_method_types": ["card", "link"],
        "single_use_mandate": null,
        "status": status,
        "usage": "off_session"
    })
}

fn mandate(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("mandate"),
        "object": "mandate",
        "customer_acceptance": {
            "accepted_at": it.days(-20),
            "online": { "ip_address": "203.0.113.7", "user_agent": "Mozilla/5.0" },
            "type": "online"
        },
        "livemode": it.livemode(),
        "multi_use": {},
        "payment_method": it.id("pm"),
        "payment_method_details": {
            "sepa_debit": { "reference": it.letters("mandate reference", 16).to_uppercase(), "url": "https://hooks.example.com/mandate" },
            "type": "sepa_debit"
        },
        "status": "inactive",
        "type": "multi_use"
    })
}

fn source_transaction(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("srctxn"),
        "object": "source_transaction",
        "ach_credit_transfer": { "customer_data": it.name(), "fingerprint": it.letters("bank fingerprint", 16), "last4": it.digits("last4", 4), "routing_number": "110000000" },
        "amount": it.total(),
        "created": it.created(),
        "currency": it.currency(),
        "livemode": it.livemode(),
        "source": it.id("src"),
        "status": "succeeded",
        "type": "ach_credit_transfer"
    })
}

fn source_mandate_notification(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("srcmn"),
        "object": "source_mandate_notification",
        "amount": it.total(),
        "created": it.created(),
        "livemode": it.livemode(),
        "reason": "debit_initiated",
        "sepa_debit": { "creditor_identifier": "DE98ZZZ09999999999", "last4": it.digits("last4", 4), "mandate_reference": it.letters("mandate reference", 16) },
        "source": { "id": it.id("src"), "object": "source" },
        "status": "submitted",
        "type": "sepa_debit"
    })
}
