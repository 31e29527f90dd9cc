//! What is sold: products, prices, coupons, tax rates.

use super::parts::metadata;
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "product" => product(it),
        "price" => price(it),
        "plan" => plan(it),
        "coupon" => coupon(it),
        "promotion_code" => promotion_code(it),
        "tax_rate" => tax_rate(it),
        _ => return None,
    })
}

fn product(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("prod"),
        "object": "product",
        "active": it.action() != "deleted",
        "attributes": [],
        "created": it.days(-200),
        "default_price": it.id("price"),
        "description": format!("{}, billed by the month", it.product_name()),
        "features": [],
        "images": ["https://example.com/images/product.png"],
        "livemode": it.livemode(),
        "marketing_features": [{ "name": "Reports" }, { "name": "Support by mail" }],
        "metadata": { "shelf": it.pick("shelf", &["a", "b", "c"]) },
        "name": it.product_name(),
        "package_dimensions": null,
        "shippable": null,
        "statement_descriptor": null,
        "tax_code": "txcd_10000000",
        "type": "service",
        "unit_label": null,
        "updated": it.created(),
        "url": null
    })
}

pub(super) fn price(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("price"),
        "object": "price",
        "active": true,
        "billing_scheme": "per_unit",
        "created": it.days(-200),
        "currency": it.currency(),
        "custom_unit_amount": null,
        "livemode": it.livemode(),
        "lookup_key": null,
        "metadata": {},
        "nickname": null,
        "product": it.id("prod"),
        "recurring": { "interval": "month", "interval_count": 1, "meter": null, "trial_period_days": null, "usage_type": "licensed" },
        "tax_behavior": "exclusive",
        "tiers_mode": null,
        "transform_quantity": null,
        "type": "recurring",
        "unit_amount": it.unit_amount(),
        "unit_amount_decimal": it.unit_amount().to_string()
    })
}

pub(super) fn plan(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("price"),
        "object": "plan",
        "active": true,
        "amount": it.unit_amount(),
        "amount_decimal": it.unit_amount().to_string(),
        "billing_scheme": "per_unit",
        "created": it.days(-200),
        "currency": it.currency(),
        "interval": "month",
        "interval_count": 1,
        "livemode": it.livemode(),
        "metadata": {},
        "meter": null,
        "nickname": null,
        "product": it.id("prod"),
        "tiers_mode": null,
        "transform_usage": null,
        "trial_period_days": null,
        "usage_type": "licensed"
    })
}

fn coupon(it: &Sample<'_>) -> Value {
    json!({
        "id": it.letters("coupon", 8),
        "object": "coupon",
        "amount_off": null,
        "created": it.days(-30),
        "currency": null,
        "duration": "repeating",
        "duration_in_months": 3,
        "livemode": it.livemode(),
        "max_redemptions": null,
        "metadata": {},
        "name": "A quarter off",
        "percent_off": 25.0,
        "redeem_by": null,
        "times_redeemed": it.number("redeemed", 0, 40),
        "valid": it.action() != "deleted"
    })
}

fn promotion_code(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("promo"),
        "object": "promotion_code",
        "active": true,
        "code": it.letters("promotion", 8).to_uppercase(),
        "created": it.days(-30),
        "customer": null,
        "expires_at": it.days(60),
        "livemode": it.livemode(),
        "max_redemptions": 100,
        "metadata": metadata(it),
        "promotion": { "coupon": it.letters("coupon", 8), "type": "coupon" },
        "restrictions": { "first_time_transaction": false, "minimum_amount": null, "minimum_amount_currency": null },
        "times_redeemed": 0
    })
}

pub(super) fn tax_rate(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("txr"),
        "object": "tax_rate",
        "active": true,
        "country": "DE",
        "created": it.days(-300),
        "description": null,
        "display_name": "VAT",
        "effective_percentage": 20.0,
        "flat_amount": null,
        "inclusive": false,
        "jurisdiction": "DE",
        "jurisdiction_level": "country",
        "livemode": it.livemode(),
        "metadata": {},
        "percentage": 20.0,
        "rate_type": "percentage",
        "state": null,
        "tax_type": "vat"
    })
}
