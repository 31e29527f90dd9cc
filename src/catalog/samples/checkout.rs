//! Pages that Stripe hosts: checkout, payment links, the customer portal.

use super::parts::{address, automatic_tax, joined, metadata};
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "checkout.session" => session(it),
        "payment_link" => payment_link(it),
        "billing_portal.configuration" => portal_configuration(it),
        "billing_portal.session" => portal_session(it),
        _ => return None,
    })
}

fn session(it: &Sample<'_>) -> Value {
    let is_expired = it.action() == "expired";
    let is_paid = !is_expired && it.action() != "async_payment_failed";
    joined(
        json!({
            "id": format!("cs_{}_{}", if it.livemode() { "live" } else { "test" }, it.letters("session", 56)),
            "object": "checkout.session",
            "adaptive_pricing": { "enabled": true },
            "after_expiration": null,
            "allow_promotion_codes": true,
            "amount_subtotal": it.subtotal(),
            "amount_total": it.total(),
            "automatic_tax": automatic_tax(),
            "billing_address_collection": "required",
            "cancel_url": "https://shop.example.com/cart",
            "client_reference_id": format!("order-{}", it.number("order", 1000, 99_999)),
            "client_secret": null,
            "collected_information": { "business_name": null, "individual_name": null, "shipping_details": null },
            "consent": null,
            "consent_collection": null,
            "created": it.created() - 300,
            "currency": it.currency(),
            "currency_conversion": null,
            "custom_fields": [],
            "custom_text": { "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null },
            "customer": it.id("cus"),
            "customer_creation": "always",
            "customer_details": {
                "address": address(it),
                "business_name": null,
                "email": it.email(),
                "individual_name": null,
                "name": it.name(),
                "phone": it.phone(),
                "tax_exempt": "none",
                "tax_ids": []
            },
            "customer_email": it.email()
        }),
        joined(
            json!({
                "discounts": [],
                "expires_at": it.days(1),
                "invoice": (!is_expired).then(|| it.id("in")),
                "invoice_creation": null,
                "livemode": it.livemode(),
                "locale": "auto",
                "metadata": metadata(it),
                "mode": "subscription",
                "origin_context": null,
                "payment_intent": null,
                "payment_link": null,
                "payment_method_collection": "always",
                "payment_method_configuration_details": { "id": it.id("pmc"), "parent": null },
                "payment_method_options": { "card": { "request_three_d_secure": "automatic" } },
                "payment_method_types": ["card", "link"],
                "payment_status": if is_paid { "paid" } else { "unpaid" },
                "permissions": null,
                "phone_number_collection": { "enabled": true },
                "recovered_from": null
            }),
            json!({
                "saved_payment_method_options": { "allow_redisplay_filters": ["always"], "payment_method_remove": "disabled", "payment_method_save": null },
                "setup_intent": null,
                "shipping_address_collection": { "allowed_countries": ["DE", "FR", "GB", "US"] },
                "shipping_cost": null,
                "shipping_options": [],
                "status": if is_expired { "expired" } else { "complete" },
                "submit_type": null,
                "subscription": (!is_expired).then(|| it.id("sub")),
                "success_url": "https://shop.example.com/thanks?session={CHECKOUT_SESSION_ID}",
                "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": it.tax() },
                "ui_mode": "hosted",
                "url": null,
                "wallet_options": null
            }),
        ),
    )
}

fn payment_link(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("plink"),
        "object": "payment_link",
        "active": true,
        "after_completion": { "hosted_confirmation": { "custom_message": null }, "type": "hosted_confirmation" },
        "allow_promotion_codes": false,
        "application_fee_amount": null,
        "automatic_tax": { "enabled": false, "liability": null },
        "billing_address_collection": "auto",
        "consent_collection": null,
        "currency": it.currency(),
        "custom_fields": [],
        "customer_creation": "if_required",
        "inactive_message": null,
        "livemode": it.livemode(),
        "metadata": metadata(it),
        "payment_method_types": null,
        "phone_number_collection": { "enabled": false },
        "restrictions": null,
        "submit_type": "auto",
        "subscription_data": null,
        "tax_id_collection": { "enabled": false, "required": "never" },
        "url": format!("https://buy.example.com/{}", it.letters("payment link", 18))
    })
}

fn portal_configuration(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("bpc"),
        "object": "billing_portal.configuration",
        "active": true,
        "application": null,
        "business_profile": { "headline": null, "privacy_policy_url": "https://shop.example.com/privacy", "terms_of_service_url": "https://shop.example.com/terms" },
        "created": it.days(-90),
        "default_return_url": "https://shop.example.com/account",
        "features": {
            "customer_update": { "allowed_updates": ["email", "tax_id"], "enabled": true },
            "invoice_history": { "enabled": true },
            "payment_method_update": { "enabled": true },
            "subscription_cancel": { "enabled": true, "mode": "at_period_end", "proration_behavior": "none" },
            "subscription_update": { "default_allowed_updates": [], "enabled": false, "proration_behavior": "none" }
        },
        "is_default": true,
        "livemode": it.livemode(),
        "login_page": { "enabled": false, "url": null },
        "metadata": {},
        "updated": it.created()
    })
}

fn portal_session(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("bps"),
        "object": "billing_portal.session",
        "configuration": it.id("bpc"),
        "created": it.created(),
        "customer": it.id("cus"),
        "flow": null,
        "livemode": it.livemode(),
        "locale": null,
        "on_behalf_of": null,
        "return_url": "https://shop.example.com/account",
        "url": format!("https://billing.example.com/session/{}", it.letters("portal", 40))
    })
}
