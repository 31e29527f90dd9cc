//! Payments and what becomes of them.

use super::parts::{billing_details, card, joined, metadata};
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "payment_intent" => payment_intent(it),
        "charge" => charge(it),
        "refund" => refund(it),
        "dispute" => dispute(it),
        "review" => review(it),
        "radar.early_fraud_warning" => early_fraud_warning(it),
        _ => return None,
    })
}

fn payment_intent(it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "succeeded" => "succeeded",
        "canceled" => "canceled",
        "processing" => "processing",
        "requires_action" | "partially_funded" => "requires_action",
        "amount_capturable_updated" => "requires_capture",
        _ => "requires_payment_method",
    };
    let is_paid = status == "succeeded";
    joined(
        json!({
            "id": it.id("pi"),
            "object": "payment_intent",
            "amount": it.total(),
            "amount_capturable": if status == "requires_capture" { it.total() } else { 0 },
            "amount_details": { "tip": {} },
            "amount_received": if is_paid { it.total() } else { 0 },
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods": { "allow_redirects": "always", "enabled": true },
            "canceled_at": (status == "canceled").then(|| it.created()),
            "cancellation_reason": (status == "canceled").then_some("requested_by_customer"),
            "capture_method": "automatic",
            "client_secret": format!("{}_secret_{}", it.id("pi"), it.letters("payment secret", 25)),
            "confirmation_method": "automatic",
            "created": it.created(),
            "currency": it.currency(),
            "customer": it.id("cus"),
            "description": format!("{} for {}", it.product_name(), it.name()),
            "excluded_payment_method_types": null,
            "last_payment_error": (it.action() == "payment_failed").then(|| payment_error(it)),
            "latest_charge": it.id("ch"),
            "livemode": it.livemode()
        }),
        json!({
            "metadata": metadata(it),
            "next_action": (status == "requires_action").then(|| next_action(it)),
            "on_behalf_of": null,
            "payment_method": it.id("pm"),
            "payment_method_configuration_details": { "id": it.id("pmc"), "parent": null },
            "payment_method_options": {
                "card": { "installments": null, "mandate_options": null, "network": null, "request_three_d_secure": "automatic" },
                "link": { "persistent_token": null },
                "sepa_debit": {}
            },
            "payment_method_types": ["card", "link", "sepa_debit"],
            "processing": null,
            "receipt_email": it.email(),
            "review": null,
            "setup_future_usage": "off_session",
            "shipping": {
                "address": super::parts::address(it),
                "carrier": null,
                "name": it.name(),
                "phone": it.phone(),
                "tracking_number": null
            },
            "source": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": status,
            "transfer_data": null,
            "transfer_group": null
        }),
    )
}

fn payment_error(it: &Sample<'_>) -> Value {
    json!({
        "charge": it.id("ch"),
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "doc_url": "https://stripe.com/docs/error-codes/card-declined",
        "message": "Your card has insufficient funds.",
        "type": "card_error"
    })
}

fn next_action(it: &Sample<'_>) -> Value {
    json!({
        "redirect_to_url": { "return_url": "https://shop.example.com/thanks", "url": format!("https://hooks.example.com/redirect/{}", it.letters("redirect", 24)) },
        "type": "redirect_to_url"
    })
}

fn charge(it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "failed" | "expired" => "failed",
        "pending" => "pending",
        _ => "succeeded",
    };
    let (is_paid, is_refunded) = (status == "succeeded", it.action() == "refunded");
    joined(
        json!({
            "id": it.id("ch"),
            "object": "charge",
            "amount": it.total(),
            "amount_captured": if is_paid { it.total() } else { 0 },
            "amount_refunded": if is_refunded { it.total() } else { 0 },
            "application": null,
            "application_fee": null,
            "application_fee_amount": null,
            "balance_transaction": is_paid.then(|| it.id("txn")),
            "billing_details": billing_details(it),
            "calculated_statement_descriptor": "EXAMPLE SHOP",
            "captured": is_paid,
            "created": it.created(),
            "currency": it.currency(),
            "customer": it.id("cus"),
            "description": format!("{} for {}", it.product_name(), it.name()),
            "destination": null,
            "dispute": null,
            "disputed": false,
            "failure_balance_transaction": null,
            "failure_code": (status == "failed").then_some("card_declined"),
            "failure_message": (status == "failed").then_some("Your card has insufficient funds."),
            "fraud_details": {},
            "livemode": it.livemode(),
            "metadata": metadata(it),
            "on_behalf_of": null,
            "order": null
        }),
        json!({
            "outcome": {
                "advice_code": null,
                "network_advice_code": null,
                "network_decline_code": null,
                "network_status": if is_paid { "approved_by_network" } else { "declined_by_network" },
                "reason": null,
                "risk_level": "normal",
                "risk_score": it.number("risk", 1, 64),
                "seller_message": if is_paid { "Payment complete." } else { "The bank declined the payment." },
                "type": if is_paid { "authorized" } else { "issuer_declined" }
            },
            "paid": is_paid,
            "payment_intent": it.id("pi"),
            "payment_method": it.id("pm"),
            "payment_method_details": { "card": charged_card(it), "type": "card" },
            "radar_options": {},
            "receipt_email": it.email(),
            "receipt_number": null,
            "receipt_url": format!("https://pay.example.com/receipts/{}", it.letters("receipt", 40)),
            "refunded": is_refunded,
            "review": null,
            "shipping": null,
            "source": null,
            "source_transfer": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": status,
            "transfer_data": null,
            "transfer_group": null
        }),
    )
}

fn charged_card(it: &Sample<'_>) -> Value {
    joined(
        json!({ "amount_authorized": it.total(), "authorization_code": it.digits("authorization", 6) }),
        joined(
            card(it),
            json!({
                "extended_authorization": { "status": "disabled" },
                "incremental_authorization": { "status": "unavailable" },
                "installments": null,
                "mandate": null,
                "multicapture": { "status": "unavailable" },
                "network": it.pick("brand", &["visa", "mastercard", "amex"]),
                "network_token": { "used": false },
                "network_transaction_id": it.digits("network transaction", 15),
                "overcapture": { "maximum_amount_capturable": it.total(), "status": "unavailable" },
                "three_d_secure": null
            }),
        ),
    )
}

fn refund(it: &Sample<'_>) -> Value {
    let is_failed = it.action() == "failed";
    json!({
        "id": it.id("re"),
        "object": "refund",
        "amount": it.total(),
        "balance_transaction": it.id("txn"),
        "charge": it.id("ch"),
        "created": it.created(),
        "currency": it.currency(),
        "destination_details": { "card": { "reference": it.digits("refund reference", 16), "reference_status": "available", "reference_type": "acquirer_reference_number", "type": "refund" }, "type": "card" },
        "failure_reason": is_failed.then_some("expired_or_canceled_card"),
        "metadata": metadata(it),
        "payment_intent": it.id("pi"),
        "reason": "requested_by_customer",
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": if is_failed { "failed" } else { "succeeded" },
        "transfer_reversal": null
    })
}

fn dispute(it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "closed" | "funds_reinstated" => "won",
        "updated" => "under_review",
        _ => "needs_response",
    };
    json!({
        "id": it.id("dp"),
        "object": "dispute",
        "amount": it.total(),
        "balance_transactions": [],
        "charge": it.id("ch"),
        "created": it.days(-4),
        "currency": it.currency(),
        "enhanced_eligibility_types": [],
        "evidence": {
            "access_activity_log": null,
            "billing_address": "1 Example Street",
            "cancellation_policy": null,
            "customer_communication": null,
            "customer_email_address": it.email(),
            "customer_name": it.name(),
            "customer_purchase_ip": "203.0.113.7",
            "duplicate_charge_id": null,
            "product_description": it.product_name(),
            "receipt": null,
            "refund_policy": null,
            "service_date": null,
            "shipping_address": null,
            "uncategorized_text": null
        },
        "evidence_details": { "due_by": it.days(7), "enhanced_eligibility": {}, "has_evidence": false, "past_due": false, "submission_count": 0 },
        "is_charge_refundable": false,
        "livemode": it.livemode(),
        "metadata": {},
        "payment_intent": it.id("pi"),
        "payment_method_details": { "card": { "brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4" }, "type": "card" },
        "reason": "fraudulent",
        "status": status
    })
}

fn review(it: &Sample<'_>) -> Value {
    let is_open = it.action() == "opened";
    json!({
        "id": it.id("prv"),
        "object": "review",
        "billing_zip": null,
        "charge": it.id("ch"),
        "closed_reason": (!is_open).then_some("approved"),
        "created": it.created(),
        "ip_address": "203.0.113.7",
        "ip_address_location": null,
        "livemode": it.livemode(),
        "open": is_open,
        "opened_reason": "rule",
        "payment_intent": it.id("pi"),
        "reason": if is_open { "rule" } else { "approved" },
        "session": null
    })
}

fn early_fraud_warning(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": true,
        "charge": it.id("ch"),
        "created": it.created(),
        "fraud_type": "misc",
        "livemode": it.livemode(),
        "payment_intent": it.id("pi")
    })
}
