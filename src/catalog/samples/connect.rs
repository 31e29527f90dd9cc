//! Accounts of a platform, the people behind them, and the platform's fees.

use super::parts::{address, metadata};
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "account" => account(it),
        "person" => person(it),
        "capability" => capability(it),
        "bank_account" => bank_account(it),
        "application" => {
            json!({ "id": it.id("ca"), "object": "application", "name": "Example Platform" })
        }
        "application_fee" => application_fee(it),
        "fee_refund" => fee_refund(it),
        "transfer" => transfer(it),
        _ => return None,
    })
}

fn account(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("acct"),
        "object": "account",
        "business_profile": {
            "annual_revenue": null,
            "estimated_worker_count": null,
            "mcc": "5734",
            "name": "Example Shop",
            "product_description": null,
            "support_address": address(it),
            "support_email": "support@example.com",
            "support_phone": it.phone(),
            "support_url": "https://shop.example.com/support",
            "url": "https://shop.example.com"
        },
        "business_type": "company",
        "capabilities": { "card_payments": "active", "transfers": "active" },
        "charges_enabled": true,
        "controller": { "fees": { "payer": "application" }, "is_controller": true, "losses": { "payments": "application" }, "requirement_collection": "stripe", "stripe_dashboard": { "type": "express" }, "type": "application" },
        "country": "US",
        "created": it.days(-100),
        "default_currency": it.currency(),
        "details_submitted": true,
        "email": it.email(),
        "external_accounts": { "object": "list", "data": [bank_account(it)], "has_more": false, "total_count": 1, "url": format!("/v1/accounts/{}/external_accounts", it.id("acct")) },
        "future_requirements": requirements(),
        "metadata": metadata(it),
        "payouts_enabled": true,
        "requirements": requirements(),
        "settings": {
            "branding": { "icon": null, "logo": null, "primary_color": null, "secondary_color": null },
            "card_payments": { "statement_descriptor_prefix": null },
            "dashboard": { "display_name": "Example Shop", "timezone": "Etc/UTC" },
            "payments": { "statement_descriptor": "EXAMPLE SHOP" },
            "payouts": { "debit_negative_balances": true, "schedule": { "delay_days": 2, "interval": "daily" }, "statement_descriptor": null }
        },
        "tos_acceptance": { "date": it.days(-100) },
        "type": "express"
    })
}

fn requirements() -> Value {
    json!({
        "alternatives": [],
        "current_deadline": null,
        "currently_due": [],
        "disabled_reason": null,
        "errors": [],
        "eventually_due": [],
        "past_due": [],
        "pending_verification": []
    })
}

fn person(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("person"),
        "object": "person",
        "account": it.id("acct"),
        "address": address(it),
        "created": it.days(-99),
        "dob": { "day": it.number("day", 1, 28), "month": it.number("birth month", 1, 12), "year": it.number("birth year", 1950, 2000) },
        "email": it.email(),
        "first_name": it.name().split(' ').next(),
        "future_requirements": requirements(),
        "id_number_provided": true,
        "last_name": it.name().split(' ').next_back(),
        "metadata": {},
        "phone": it.phone(),
        "relationship": { "authorizer": false, "director": false, "executive": true, "legal_guardian": false, "owner": true, "percent_ownership": 60.0, "representative": true, "title": "Owner" },
        "requirements": requirements(),
        "ssn_last_4_provided": true,
        "verification": { "additional_document": { "back": null, "details": null, "details_code": null, "front": null }, "details": null, "details_code": null, "document": { "back": null, "details": null, "details_code": null, "front": null }, "status": "verified" }
    })
}

fn capability(it: &Sample<'_>) -> Value {
    json!({
        "id": "card_payments",
        "object": "capability",
        "account": it.id("acct"),
        "future_requirements": requirements(),
        "requested": true,
        "requested_at": it.days(-99),
        "requirements": requirements(),
        "status": "active"
    })
}

fn bank_account(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("ba"),
        "object": "bank_account",
        "account": it.id("acct"),
        "account_holder_name": it.name(),
        "account_holder_type": "individual",
        "account_type": null,
        "available_payout_methods": ["standard"],
        "bank_name": "EXAMPLE BANK",
        "country": "US",
        "currency": it.currency(),
        "default_for_currency": true,
        "fingerprint": it.letters("bank fingerprint", 16),
        "future_requirements": null,
        "last4": it.digits("last4", 4),
        "metadata": {},
        "requirements": null,
        "routing_number": "110000000",
        "status": "new"
    })
}

fn application_fee(it: &Sample<'_>) -> Value {
    let refunded = if it.action() == "refunded" {
        it.tax()
    } else {
        0
    };
    json!({
        "id": it.id("fee"),
        "object": "application_fee",
        "account": it.id("acct"),
        "amount": it.tax(),
        "amount_refunded": refunded,
        "application": it.id("ca"),
        "balance_transaction": it.id("txn"),
        "charge": it.id("ch"),
        "created": it.created(),
        "currency": it.currency(),
        "fee_source": { "charge": it.id("ch"), "type": "charge" },
        "livemode": it.livemode(),
        "originating_transaction": null,
        "refunded": 0 < refunded,
        "refunds": { "object": "list", "data": [], "has_more": false, "total_count": 0, "url": format!("/v1/application_fees/{}/refunds", it.id("fee")) }
    })
}

fn fee_refund(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("fr"),
        "object": "fee_refund",
        "amount": it.tax(),
        "balance_transaction": it.id("txn"),
        "created": it.created(),
        "currency": it.currency(),
        "fee": it.id("fee"),
        "metadata": metadata(it)
    })
}

fn transfer(it: &Sample<'_>) -> Value {
    let is_reversed = it.action() == "reversed";
    json!({
        "id": it.id("tr"),
        "object": "transfer",
        "amount": it.subtotal(),
        "amount_reversed": if is_reversed { it.subtotal() } else { 0 },
        "balance_transaction": it.id("txn"),
        "created": it.created(),
        "currency": it.currency(),
        "description": null,
        "destination": it.id("acct"),
        "destination_payment": it.id("py"),
        "livemode": it.livemode(),
        "metadata": metadata(it),
        "reversals": { "object": "list", "data": [], "has_more": false, "total_count": 0, "url": format!("/v1/transfers/{}/reversals", it.id("tr")) },
        "reversed": is_reversed,
        "source_transaction": it.id("ch"),
        "source_type": "card",
        "transfer_group": format!("group_{}", it.id("pi"))
    })
}
