//! Parts that several objects hold.

use super::seed::Sample;
use serde_json::{Map, Value, json};

/// One object of two halves: `json!` cannot take the largest ones whole.
pub(super) fn joined(first: Value, second: Value) -> Value {
    let mut all = Map::new();
    for half in [first, second] {
        if let Value::Object(half) = half {
            all.extend(half);
        }
    }
    Value::Object(all)
}

/// A list as Stripe sends it within an object.
pub(super) fn list(url: &str, data: Vec<Value>) -> Value {
    json!({ "object": "list", "data": data, "has_more": false, "total_count": data.len(), "url": url })
}

pub(super) fn address(it: &Sample<'_>) -> Value {
    let (city, country, state) = *it.pick(
        "city",
        &[
            &("Springfield", "US", Some("IL")),
            &("Berlin", "DE", None),
            &("Lyon", "FR", None),
            &("Bristol", "GB", None),
            &("Portland", "US", Some("OR")),
        ],
    );
    json!({
        "city": city,
        "country": country,
        "line1": format!("{} Example Street", it.number("street", 1, 240)),
        "line2": null,
        "postal_code": it.digits("postal code", 5),
        "state": state
    })
}

pub(super) fn billing_details(it: &Sample<'_>) -> Value {
    json!({
        "address": address(it),
        "email": it.email(),
        "name": it.name(),
        "phone": null,
        "tax_id": null
    })
}

/// The card as a payment method shows it.
pub(super) fn card(it: &Sample<'_>) -> Value {
    json!({
        "brand": it.pick("brand", &["visa", "mastercard", "amex"]),
        "checks": {
            "address_line1_check": "pass",
            "address_postal_code_check": "pass",
            "cvc_check": "pass"
        },
        "country": "US",
        "display_brand": it.pick("brand", &["visa", "mastercard", "american_express"]),
        "exp_month": it.number("month", 1, 12),
        "exp_year": it.number("year", 2027, 2032),
        "fingerprint": it.letters("fingerprint", 16),
        "funding": "credit",
        "generated_from": null,
        "last4": it.digits("last4", 4),
        "networks": { "available": [it.pick("brand", &["visa", "mastercard", "amex"])], "preferred": null },
        "regulated_status": "unregulated",
        "three_d_secure_usage": { "supported": true },
        "wallet": null
    })
}

/// What the seed's customer wrote about an order of theirs.
pub(super) fn metadata(it: &Sample<'_>) -> Value {
    json!({ "order_id": format!("order-{}", it.number("order", 1000, 99_999)) })
}

pub(super) fn invoice_settings() -> Value {
    json!({
        "custom_fields": null,
        "default_payment_method": null,
        "footer": null,
        "rendering_options": null
    })
}

pub(super) fn automatic_tax() -> Value {
    json!({ "disabled_reason": null, "enabled": true, "liability": { "type": "self" }, "provider": "stripe", "status": "complete" })
}
