//! Subscriptions, their schedules, and usage.

use super::catalogue::{plan, price};
use super::parts::{automatic_tax, joined, list, metadata};
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "subscription" => subscription(it),
        "subscription_schedule" => schedule(it),
        "billing.meter" => meter(it),
        "billing.alert_triggered" => alert(it),
        "billing.credit_grant" => credit_grant(it),
        "billing.credit_balance_transaction" => credit_balance_transaction(it),
        _ => return None,
    })
}

fn subscription(it: &Sample<'_>) -> Value {
    let ended = (it.action() == "deleted").then(|| it.created());
    let is_trial = it.action() == "trial_will_end";
    let ends_soon = it.action() == "updated";
    joined(
        json!({
            "id": it.id("sub"),
            "object": "subscription",
            "application": null,
            "application_fee_percent": null,
            "automatic_tax": automatic_tax(),
            "billing_cycle_anchor": it.days(-10),
            "billing_cycle_anchor_config": null,
            "billing_mode": { "flexible": null, "type": "classic" },
            "billing_thresholds": null,
            "cancel_at": ends_soon.then(|| it.days(20)),
            "cancel_at_period_end": ends_soon,
            "canceled_at": if ends_soon { Some(it.created()) } else { ended },
            "cancellation_details": {
                "comment": null,
                "feedback": null,
                "reason": (ended.is_some() || ends_soon).then_some("cancellation_requested")
            },
            "collection_method": "charge_automatically",
            "created": it.days(-40),
            "currency": it.currency(),
            "customer": it.id("cus"),
            "customer_account": null,
            "days_until_due": null,
            "default_payment_method": it.id("pm"),
            "default_source": null,
            "default_tax_rates": [],
            "description": null,
            "discounts": [],
            "ended_at": ended,
            "invoice_settings": { "account_tax_ids": null, "issuer": { "type": "self" } }
        }),
        json!({
            "items": list(&format!("/v1/subscription_items?subscription={}", it.id("sub")), vec![item(it)]),
            "latest_invoice": it.id("in"),
            "livemode": it.livemode(),
            "metadata": metadata(it),
            "next_pending_invoice_item_invoice": null,
            "on_behalf_of": null,
            "pause_collection": null,
            "payment_settings": {
                "payment_method_options": null,
                "payment_method_types": null,
                "save_default_payment_method": "off"
            },
            "pending_invoice_item_interval": null,
            "pending_setup_intent": null,
            "pending_update": null,
            "schedule": null,
            "start_date": it.days(-40),
            "status": status(it),
            "test_clock": null,
            "transfer_data": null,
            "trial_end": is_trial.then(|| it.days(3)),
            "trial_settings": { "end_behavior": { "missing_payment_method": "create_invoice" } },
            "trial_start": is_trial.then(|| it.days(-11))
        }),
    )
}

fn status(it: &Sample<'_>) -> &'static str {
    match it.action() {
        "deleted" => "canceled",
        "paused" => "paused",
        "trial_will_end" => "trialing",
        _ => "active",
    }
}

fn item(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("si"),
        "object": "subscription_item",
        "billing_thresholds": null,
        "created": it.days(-40),
        "current_period_end": it.days(20),
        "current_period_start": it.days(-10),
        "discounts": [],
        "metadata": {},
        "plan": plan(it),
        "price": price(it),
        "quantity": it.quantity(),
        "subscription": it.id("sub"),
        "tax_rates": []
    })
}

fn schedule(it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "canceled" | "aborted" => "canceled",
        "completed" => "completed",
        "released" => "released",
        _ => "active",
    };
    json!({
        "id": it.id("sub_sched"),
        "object": "subscription_schedule",
        "application": null,
        "billing_mode": { "type": "classic" },
        "canceled_at": (status == "canceled").then(|| it.created()),
        "completed_at": (status == "completed").then(|| it.created()),
        "created": it.days(-40),
        "current_phase": { "end_date": it.days(20), "start_date": it.days(-10) },
        "customer": it.id("cus"),
        "default_settings": {
            "application_fee_percent": null,
            "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
            "billing_cycle_anchor": "automatic",
            "collection_method": "charge_automatically",
            "default_payment_method": null,
            "description": null,
            "invoice_settings": { "account_tax_ids": null, "days_until_due": null, "issuer": { "type": "self" } },
            "on_behalf_of": null,
            "transfer_data": null
        },
        "end_behavior": "release",
        "livemode": it.livemode(),
        "metadata": metadata(it),
        "phases": [{
            "add_invoice_items": [],
            "currency": it.currency(),
            "discounts": [],
            "end_date": it.days(20),
            "items": [{ "discounts": [], "metadata": {}, "plan": it.id("price"), "price": it.id("price"), "quantity": it.quantity(), "tax_rates": [] }],
            "metadata": {},
            "proration_behavior": "create_prorations",
            "start_date": it.days(-10),
            "trial_end": null
        }],
        "released_at": (status == "released").then(|| it.created()),
        "released_subscription": (status == "released").then(|| it.id("sub")),
        "status": status,
        "subscription": it.id("sub"),
        "test_clock": null
    })
}

fn meter(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("mtr"),
        "object": "billing.meter",
        "created": it.days(-100),
        "customer_mapping": { "event_payload_key": "stripe_customer_id", "type": "by_id" },
        "default_aggregation": { "formula": "sum" },
        "display_name": "Reports made",
        "event_name": "report_made",
        "event_time_window": null,
        "livemode": it.livemode(),
        "status": if it.action() == "deactivated" { "inactive" } else { "active" },
        "status_transitions": { "deactivated_at": (it.action() == "deactivated").then(|| it.created()) },
        "updated": it.created(),
        "value_settings": { "event_payload_key": "value" }
    })
}

fn alert(it: &Sample<'_>) -> Value {
    json!({
        "object": "billing.alert_triggered",
        "alert": {
            "id": it.id("alrt"),
            "object": "billing.alert",
            "alert_type": "usage_threshold",
            "livemode": it.livemode(),
            "status": "active",
            "title": "Many reports",
            "usage_threshold": { "filters": [], "gte": 1000, "meter": it.id("mtr"), "recurrence": "one_time" }
        },
        "created": it.created(),
        "customer": it.id("cus"),
        "livemode": it.livemode(),
        "value": "1000.0"
    })
}

fn credit_grant(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("credgr"),
        "object": "billing.credit_grant",
        "amount": { "monetary": { "currency": it.currency(), "value": it.subtotal() }, "type": "monetary" },
        "applicability_config": { "scope": { "price_type": "metered" } },
        "category": "promotional",
        "created": it.days(-5),
        "customer": it.id("cus"),
        "effective_at": it.days(-5),
        "expires_at": it.days(90),
        "livemode": it.livemode(),
        "metadata": metadata(it),
        "name": "Welcome credit",
        "priority": 50,
        "test_clock": null,
        "updated": it.created(),
        "voided_at": null
    })
}

fn credit_balance_transaction(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("cbtxn"),
        "object": "billing.credit_balance_transaction",
        "created": it.created(),
        "credit": {
            "amount": { "monetary": { "currency": it.currency(), "value": it.subtotal() }, "type": "monetary" },
            "credits_application_invoice_voided": null,
            "type": "credits_granted"
        },
        "credit_grant": it.id("credgr"),
        "debit": null,
        "effective_at": it.created(),
        "livemode": it.livemode(),
        "test_clock": null,
        "type": "credit"
    })
}
