//! Sample events of our own writing, one for every type: shaped like Stripe's, every value invented.
//!
//! Samples of one seed belong together: the invoice is of that subscription, which is of that customer.

mod billing;
mod business;
mod catalogue;
mod checkout;
mod connect;
mod customers;
mod invoices;
mod issuing;
mod methods;
mod parts;
mod payments;
mod rest;
mod seed;
mod treasury;

pub use seed::SampleSeed;

use super::{Kind, find};
use crate::clock::UnixMillis;
use seed::Sample;
use serde_json::{Map, Value, json};

const API_VERSION: &str = "2025-09-30.clover";

/// An event of a known type as Stripe would post it, indented by two spaces; `None` for a type that is not known.
pub fn sample(kind: &str, seed: &SampleSeed) -> Option<String> {
    let kind = find(kind)?;
    let it = Sample {
        seed,
        kind: kind.name,
    };
    let event = if kind.is_thin {
        thin(kind, &it)
    } else {
        snapshot(kind, &it)
    };
    serde_json::to_string_pretty(&event).ok()
}

fn snapshot(kind: &Kind, it: &Sample<'_>) -> Value {
    let name = kind.objects.first().copied().unwrap_or_default();
    let mut data = Map::new();
    data.insert("object".to_owned(), object(name, it));
    if let Some(previous) = previous(name, it) {
        data.insert("previous_attributes".to_owned(), previous);
    }
    let mut event = json!({
        "id": it.event_id("evt_"),
        "object": "event",
        "api_version": API_VERSION,
        "created": it.created(),
        "data": data,
        "livemode": it.seed.livemode,
        "pending_webhooks": 1,
        "request": { "id": it.id_of_event("req"), "idempotency_key": it.uuid() },
        "type": it.kind
    });
    if is_of_connected_account(name) {
        event["account"] = json!(it.id("acct"));
    }
    event
}

/// The families in turn; each knows its own objects.
fn object(name: &str, it: &Sample<'_>) -> Value {
    None.or_else(|| customers::object(name, it))
        .or_else(|| billing::object(name, it))
        .or_else(|| invoices::object(name, it))
        .or_else(|| catalogue::object(name, it))
        .or_else(|| payments::object(name, it))
        .or_else(|| methods::object(name, it))
        .or_else(|| checkout::object(name, it))
        .or_else(|| connect::object(name, it))
        .or_else(|| business::object(name, it))
        .or_else(|| issuing::object(name, it))
        .or_else(|| treasury::object(name, it))
        .unwrap_or_else(|| rest::object(name, it))
}

fn is_of_connected_account(name: &str) -> bool {
    matches!(
        name,
        "account" | "application" | "capability" | "person" | "bank_account"
    )
}

/// What an update changed, as it was before.
fn previous(name: &str, it: &Sample<'_>) -> Option<Value> {
    if !it.kind.ends_with(".updated") {
        return None;
    }
    Some(match name {
        "subscription" => {
            json!({ "cancel_at_period_end": false, "cancel_at": null, "canceled_at": null })
        }
        "customer" => json!({ "email": "former@example.com" }),
        "invoice" => json!({ "description": null, "metadata": {} }),
        "payout" | "issuing.dispute" => json!({ "status": "pending" }),
        "price" | "product" | "plan" => json!({ "active": false }),
        "account" => json!({ "charges_enabled": false, "payouts_enabled": false }),
        "tax.settings" | "balance_settings" => json!({ "status": "pending" }),
        _ => json!({ "metadata": {} }),
    })
}

fn thin(kind: &Kind, it: &Sample<'_>) -> Value {
    let related = kind.objects.first().map(|name| {
        let id = it.id(thin_prefix(name));
        let path = if name.starts_with("v2.") {
            (*name).to_owned()
        } else {
            format!("v1.{name}")
        };
        json!({ "id": id, "type": name, "url": format!("/{}s/{id}", path.replace('.', "/")) })
    });
    let mode = if it.seed.livemode {
        "evt_"
    } else {
        "evt_test_"
    };
    json!({
        "id": it.event_id(mode),
        "object": "v2.core.event",
        "type": it.kind,
        "livemode": it.seed.livemode,
        "created": UnixMillis(it.created() * 1000).to_string(),
        "reason": { "type": "request", "request": { "id": it.id_of_event("req"), "idempotency_key": it.uuid() } },
        "related_object": related
    })
}

fn thin_prefix(name: &str) -> &'static str {
    match name {
        "billing.meter" => "mtr",
        "v2.core.account" => "acct",
        "v2.core.account_person" => "person",
        "v2.core.event_destination" => "ed",
        "v2.core.batch_job" => "batchv2",
        "v2.commerce.product_catalog_import" => "pcimprt",
        "v2.money_management.financial_account" => "fa",
        "v2.money_management.outbound_payment" => "obp",
        "v2.money_management.outbound_transfer" => "obt",
        "v2.money_management.inbound_transfer" => "ibt",
        "v2.money_management.received_credit" => "rc",
        "v2.money_management.received_debit" => "rd",
        "v2.money_management.transaction" => "trxn",
        _ => "obj",
    }
}

#[cfg(test)]
mod tests;
