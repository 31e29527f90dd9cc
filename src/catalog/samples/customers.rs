//! Customers and what hangs on them.

use super::parts::{address, card, invoice_settings, joined, metadata};
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "customer" => customer(it),
        "discount" => discount(it),
        "tax_id" => tax_id(it),
        "source" => source(it),
        "cash_balance" => cash_balance(it),
        "customer_cash_balance_transaction" => cash_balance_transaction(it),
        "entitlements.active_entitlement_summary" => entitlements(it),
        _ => return None,
    })
}

fn customer(it: &Sample<'_>) -> Value {
    joined(
        json!({
            "id": it.id("cus"),
            "object": "customer",
            "address": address(it),
            "balance": 0,
            "created": it.days(-40),
            "currency": it.currency(),
            "default_currency": it.currency(),
            "default_source": null,
            "delinquent": false,
            "description": format!("{} from the shop", it.name()),
            "discount": null,
            "email": it.email(),
            "invoice_prefix": it.letters("invoice prefix", 8).to_uppercase(),
            "invoice_settings": invoice_settings(),
            "livemode": it.livemode(),
            "metadata": {
                "shop_customer_id": it.number("shop customer", 100, 99_999).to_string(),
                "signed_up_through": it.pick("channel", &["website", "newsletter", "a friend", "trade fair"]),
                "team": it.pick("team", &["north", "south", "east", "west"])
            }
        }),
        json!({
            "name": it.name(),
            "next_invoice_sequence": it.number("sequence", 1, 60),
            "phone": it.phone(),
            "preferred_locales": ["en", "de"],
            "shipping": {
                "address": address(it),
                "carrier": null,
                "name": it.name(),
                "phone": it.phone(),
                "tracking_number": null
            },
            "sources": { "object": "list", "data": [], "has_more": false, "total_count": 0, "url": format!("/v1/customers/{}/sources", it.id("cus")) },
            "subscriptions": { "object": "list", "data": [], "has_more": false, "total_count": 0, "url": format!("/v1/customers/{}/subscriptions", it.id("cus")) },
            "tax": { "automatic_tax": "supported", "ip_address": null, "location": { "country": "US", "source": "billing_address", "state": null } },
            "tax_exempt": "none",
            "tax_ids": { "object": "list", "data": [], "has_more": false, "total_count": 0, "url": format!("/v1/customers/{}/tax_ids", it.id("cus")) },
            "test_clock": null
        }),
    )
}

fn discount(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("di"),
        "object": "discount",
        "checkout_session": null,
        "customer": it.id("cus"),
        "end": it.days(60),
        "invoice": null,
        "invoice_item": null,
        "promotion_code": it.id("promo"),
        "source": { "coupon": it.letters("coupon", 8), "type": "coupon" },
        "start": it.days(-30),
        "subscription": it.id("sub"),
        "subscription_item": null
    })
}

fn tax_id(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("txi"),
        "object": "tax_id",
        "country": "DE",
        "created": it.days(-5),
        "customer": it.id("cus"),
        "livemode": it.livemode(),
        "owner": { "customer": it.id("cus"), "type": "customer" },
        "type": "eu_vat",
        "value": format!("DE{}", it.digits("vat", 9)),
        "verification": { "status": "verified", "verified_address": "1 Example Street", "verified_name": it.name() }
    })
}

fn source(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("src"),
        "object": "source",
        "amount": null,
        "card": card(it),
        "client_secret": format!("src_client_secret_{}", it.letters("source secret", 24)),
        "created": it.days(-2),
        "currency": null,
        "customer": it.id("cus"),
        "flow": "none",
        "livemode": it.livemode(),
        "metadata": metadata(it),
        "owner": { "address": address(it), "email": it.email(), "name": it.name(), "phone": null, "verified_address": null, "verified_email": null, "verified_name": null, "verified_phone": null },
        "statement_descriptor": null,
        "status": match it.action() { "canceled" => "canceled", "failed" => "failed", _ => "chargeable" },
        "type": "card",
        "usage": "reusable"
    })
}

fn cash_balance(it: &Sample<'_>) -> Value {
    json!({
        "object": "cash_balance",
        "available": { it.currency(): it.total() },
        "customer": it.id("cus"),
        "livemode": it.livemode(),
        "settings": { "reconciliation_mode": "automatic", "using_merchant_default": true }
    })
}

fn cash_balance_transaction(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("ccsbtxn"),
        "object": "customer_cash_balance_transaction",
        "created": it.created(),
        "currency": it.currency(),
        "customer": it.id("cus"),
        "ending_balance": it.total(),
        "funded": { "bank_transfer": { "reference": it.letters("reference", 12).to_uppercase(), "type": "us_bank_transfer" } },
        "livemode": it.livemode(),
        "net_amount": it.total(),
        "type": "funded"
    })
}

fn entitlements(it: &Sample<'_>) -> Value {
    json!({
        "object": "entitlements.active_entitlement_summary",
        "customer": it.id("cus"),
        "entitlements": {
            "object": "list",
            "data": [{
                "id": it.id("ent"),
                "object": "entitlements.active_entitlement",
                "feature": it.id("feat"),
                "livemode": it.livemode(),
                "lookup_key": "reports"
            }],
            "has_more": false,
            "url": format!("/v1/customer/{}/entitlements", it.id("cus"))
        },
        "livemode": it.livemode()
    })
}
