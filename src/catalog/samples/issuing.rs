//! Cards that the business issues.

use super::parts::{address, metadata};
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "issuing.authorization" => authorization(it),
        "issuing.card" => card(it),
        "issuing.cardholder" => cardholder(it),
        "issuing.dispute" => dispute(it),
        "issuing.personalization_design" => design(it),
        "issuing.token" => token(it),
        "issuing.transaction" => transaction(it),
        _ => return None,
    })
}

fn merchant(it: &Sample<'_>) -> Value {
    json!({
        "category": "computer_software_stores",
        "category_code": "5734",
        "city": "Springfield",
        "country": "US",
        "name": "EXAMPLE STORE",
        "network_id": it.digits("merchant", 10),
        "postal_code": "62701",
        "state": "IL",
        "tax_id": null,
        "terminal_id": null,
        "url": null
    })
}

fn authorization(it: &Sample<'_>) -> Value {
    let is_request = it.action() == "request";
    json!({
        "id": it.id("iauth"),
        "object": "issuing.authorization",
        "amount": if is_request { 0 } else { it.total() },
        "amount_details": { "atm_fee": null, "cashback_amount": null },
        "approved": !is_request,
        "authorization_method": "online",
        "balance_transactions": [],
        "card": card(it),
        "cardholder": it.id("ich"),
        "created": it.created(),
        "currency": it.currency(),
        "livemode": it.livemode(),
        "merchant_amount": it.total(),
        "merchant_currency": it.currency(),
        "merchant_data": merchant(it),
        "metadata": {},
        "network_data": { "acquiring_institution_id": null, "system_trace_audit_number": null, "transaction_id": null },
        "pending_request": is_request.then(|| json!({
            "amount": it.total(),
            "amount_details": { "atm_fee": null, "cashback_amount": null },
            "currency": it.currency(),
            "is_amount_controllable": false,
            "merchant_amount": it.total(),
            "merchant_currency": it.currency()
        })),
        "request_history": [],
        "status": "pending",
        "token": null,
        "transactions": [],
        "verification_data": { "address_line1_check": "match", "address_postal_code_check": "match", "authentication_exemption": null, "cvc_check": "match", "expiry_check": "match", "three_d_secure": null },
        "wallet": null
    })
}

fn card(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("ic"),
        "object": "issuing.card",
        "brand": "Visa",
        "cancellation_reason": null,
        "cardholder": cardholder(it),
        "created": it.days(-60),
        "currency": it.currency(),
        "exp_month": it.number("month", 1, 12),
        "exp_year": it.number("year", 2027, 2032),
        "financial_account": null,
        "last4": it.digits("issued last4", 4),
        "livemode": it.livemode(),
        "metadata": metadata(it),
        "personalization_design": it.id("ics"),
        "replaced_by": null,
        "replacement_for": null,
        "shipping": null,
        "spending_controls": { "allowed_categories": null, "blocked_categories": null, "spending_limits": [{ "amount": 50_000, "categories": [], "interval": "daily" }], "spending_limits_currency": it.currency() },
        "status": "active",
        "type": "virtual",
        "wallets": { "apple_pay": { "eligible": true, "ineligible_reason": null }, "google_pay": { "eligible": true, "ineligible_reason": null }, "primary_account_identifier": null }
    })
}

fn cardholder(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("ich"),
        "object": "issuing.cardholder",
        "billing": { "address": address(it) },
        "company": null,
        "created": it.days(-61),
        "email": it.email(),
        "individual": null,
        "livemode": it.livemode(),
        "metadata": {},
        "name": it.name(),
        "phone_number": it.phone(),
        "preferred_locales": ["en"],
        "requirements": { "disabled_reason": null, "past_due": [] },
        "spending_controls": null,
        "status": "active",
        "type": "individual"
    })
}

fn dispute(it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "closed" | "funds_reinstated" => "won",
        "funds_rescinded" => "lost",
        "created" => "unsubmitted",
        _ => "submitted",
    };
    json!({
        "id": it.id("idp"),
        "object": "issuing.dispute",
        "amount": it.total(),
        "balance_transactions": [],
        "created": it.days(-2),
        "currency": it.currency(),
        "evidence": { "not_received": { "additional_documentation": null, "expected_at": it.days(-9), "explanation": "It never came.", "product_description": it.product_name(), "product_type": "merchandise" }, "reason": "not_received" },
        "livemode": it.livemode(),
        "metadata": {},
        "status": status,
        "transaction": it.id("ipi")
    })
}

fn design(it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "activated" => "active",
        "deactivated" => "inactive",
        "rejected" => "rejected",
        _ => "review",
    };
    json!({
        "id": it.id("ics"),
        "object": "issuing.personalization_design",
        "card_logo": null,
        "carrier_text": null,
        "created": it.days(-80),
        "livemode": it.livemode(),
        "lookup_key": null,
        "metadata": {},
        "name": "Blue",
        "physical_bundle": it.id("ics_bundle"),
        "preferences": { "is_default": true, "is_platform_default": null },
        "rejection_reasons": { "card_logo": null, "carrier_text": null },
        "status": status
    })
}

fn token(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("intok"),
        "object": "issuing.token",
        "card": it.id("ic"),
        "created": it.days(-3),
        "device_fingerprint": it.letters("device", 16),
        "last4": it.digits("token last4", 4),
        "livemode": it.livemode(),
        "network": "visa",
        "network_updated_at": it.created(),
        "status": "active",
        "wallet_provider": "apple_pay"
    })
}

fn transaction(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("ipi"),
        "object": "issuing.transaction",
        "amount": -it.total(),
        "amount_details": { "atm_fee": null, "cashback_amount": 0 },
        "authorization": it.id("iauth"),
        "balance_transaction": it.id("txn"),
        "card": it.id("ic"),
        "cardholder": it.id("ich"),
        "created": it.created(),
        "currency": it.currency(),
        "dispute": null,
        "livemode": it.livemode(),
        "merchant_amount": -it.total(),
        "merchant_currency": it.currency(),
        "merchant_data": merchant(it),
        "metadata": {},
        "network_data": { "authorization_code": it.digits("authorization", 6), "processing_date": null, "transaction_id": it.digits("network transaction", 15) },
        "type": "capture",
        "wallet": null
    })
}
