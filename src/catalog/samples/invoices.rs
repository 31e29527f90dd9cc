//! Invoices, their items and payments, credit notes and quotes.

use super::parts::{address, automatic_tax, joined, list, metadata};
use super::seed::Sample;
use serde_json::{Value, json};

pub(super) fn object(name: &str, it: &Sample<'_>) -> Option<Value> {
    Some(match name {
        "invoice" => invoice(it),
        "invoiceitem" => item(it),
        "invoice_payment" => payment(it),
        "credit_note" => credit_note(it),
        "quote" => quote(it),
        _ => return None,
    })
}

fn status(it: &Sample<'_>) -> &'static str {
    match it.action() {
        "paid" | "payment_succeeded" | "overpaid" => "paid",
        "created" | "upcoming" | "deleted" | "finalization_failed" => "draft",
        "voided" => "void",
        "marked_uncollectible" => "uncollectible",
        _ => "open",
    }
}

fn number(it: &Sample<'_>) -> String {
    let prefix = it.letters("invoice prefix", 8).to_uppercase();
    format!("{prefix}-{:04}", it.number("sequence", 1, 60))
}

fn invoice(it: &Sample<'_>) -> Value {
    let status = status(it);
    let (is_draft, is_paid) = (status == "draft", status == "paid");
    let id = if it.action() == "upcoming" {
        it.id("upcoming_in")
    } else {
        it.id("in")
    };
    let hosted = format!(
        "https://invoice.example.com/i/{}",
        it.letters("hosted invoice", 40)
    );
    joined(
        json!({
            "id": id,
            "object": "invoice",
            "account_country": "US",
            "account_name": "Example Shop",
            "account_tax_ids": null,
            "amount_due": it.total(),
            "amount_overpaid": 0,
            "amount_paid": if is_paid { it.total() } else { 0 },
            "amount_remaining": if is_paid { 0 } else { it.total() },
            "amount_shipping": 0,
            "application": null,
            "attempt_count": i64::from(is_paid || it.action() == "payment_failed"),
            "attempted": is_paid || it.action() == "payment_failed",
            "auto_advance": !is_paid,
            "automatic_tax": automatic_tax(),
            "automatically_finalizes_at": is_draft.then(|| it.created() + 3600),
            "billing_reason": "subscription_cycle",
            "collection_method": "charge_automatically",
            "created": it.created(),
            "currency": it.currency(),
            "custom_fields": null,
            "customer": it.id("cus"),
            "customer_address": address(it),
            "customer_email": it.email(),
            "customer_name": it.name(),
            "customer_phone": null,
            "customer_shipping": null,
            "customer_tax_exempt": "none",
            "customer_tax_ids": []
        }),
        joined(
            json!({
                "default_payment_method": null,
                "default_source": null,
                "default_tax_rates": [],
                "description": null,
                "discounts": [],
                "due_date": null,
                "effective_at": (!is_draft).then(|| it.created()),
                "ending_balance": (!is_draft).then_some(0),
                "footer": null,
                "from_invoice": null,
                "hosted_invoice_url": (!is_draft).then(|| format!("{hosted}?s=ap")),
                "invoice_pdf": (!is_draft).then(|| format!("{hosted}/pdf?s=ap")),
                "issuer": { "type": "self" },
                "last_finalization_error": null,
                "latest_revision": null,
                "lines": list(&format!("/v1/invoices/{id}/lines"), vec![line(it, &id)]),
                "livemode": it.livemode(),
                "metadata": metadata(it),
                "next_payment_attempt": (status == "open").then(|| it.days(3)),
                "number": (!is_draft).then(|| number(it)),
                "on_behalf_of": null,
                "parent": parent(it)
            }),
            json!({
                "payment_settings": { "default_mandate": null, "payment_method_options": null, "payment_method_types": null },
                "period_end": it.days(-10),
                "period_start": it.days(-40),
                "post_payment_credit_notes_amount": 0,
                "pre_payment_credit_notes_amount": 0,
                "receipt_number": null,
                "rendering": null,
                "shipping_cost": null,
                "shipping_details": null,
                "starting_balance": 0,
                "statement_descriptor": null,
                "status": status,
                "status_transitions": {
                    "finalized_at": (!is_draft).then(|| it.created()),
                    "marked_uncollectible_at": (status == "uncollectible").then(|| it.created()),
                    "paid_at": is_paid.then(|| it.created()),
                    "voided_at": (status == "void").then(|| it.created())
                },
                "subtotal": it.subtotal(),
                "subtotal_excluding_tax": it.subtotal(),
                "test_clock": null,
                "total": it.total(),
                "total_discount_amounts": [],
                "total_excluding_tax": it.subtotal(),
                "total_pretax_credit_amounts": [],
                "total_taxes": [tax(it)],
                "webhooks_delivered_at": it.created()
            }),
        ),
    )
}

fn parent(it: &Sample<'_>) -> Value {
    json!({
        "quote_details": null,
        "subscription_details": { "metadata": metadata(it), "subscription": it.id("sub") },
        "type": "subscription_details"
    })
}

fn tax(it: &Sample<'_>) -> Value {
    json!({
        "amount": it.tax(),
        "tax_behavior": "exclusive",
        "tax_rate_details": { "tax_rate": it.id("txr") },
        "taxability_reason": "standard_rated",
        "taxable_amount": it.subtotal(),
        "type": "tax_rate_details"
    })
}

fn line(it: &Sample<'_>, invoice: &str) -> Value {
    json!({
        "id": it.id("il"),
        "object": "line_item",
        "amount": it.subtotal(),
        "currency": it.currency(),
        "description": format!("{} × {} (at {}.00 / month)", it.quantity(), it.product_name(), it.unit_amount() / 100),
        "discount_amounts": [],
        "discountable": true,
        "discounts": [],
        "invoice": invoice,
        "livemode": it.livemode(),
        "metadata": metadata(it),
        "parent": {
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": null,
                "proration": false,
                "proration_details": { "credited_items": null },
                "subscription": it.id("sub"),
                "subscription_item": it.id("si")
            },
            "type": "subscription_item_details"
        },
        "period": { "end": it.days(20), "start": it.days(-10) },
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": { "price": it.id("price"), "product": it.id("prod") },
            "type": "price_details",
            "unit_amount_decimal": it.unit_amount().to_string()
        },
        "quantity": it.quantity(),
        "taxes": [tax(it)]
    })
}

fn item(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("ii"),
        "object": "invoiceitem",
        "amount": it.subtotal(),
        "currency": it.currency(),
        "customer": it.id("cus"),
        "date": it.created(),
        "description": it.product_name(),
        "discountable": true,
        "discounts": [],
        "invoice": it.id("in"),
        "livemode": it.livemode(),
        "metadata": metadata(it),
        "parent": null,
        "period": { "end": it.created(), "start": it.created() },
        "pricing": {
            "price_details": { "price": it.id("price"), "product": it.id("prod") },
            "type": "price_details",
            "unit_amount_decimal": it.unit_amount().to_string()
        },
        "proration": false,
        "quantity": it.quantity(),
        "tax_rates": [],
        "test_clock": null
    })
}

fn payment(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("inpay"),
        "object": "invoice_payment",
        "amount_paid": it.total(),
        "amount_requested": it.total(),
        "created": it.created(),
        "currency": it.currency(),
        "invoice": it.id("in"),
        "is_default": true,
        "livemode": it.livemode(),
        "payment": { "payment_intent": it.id("pi"), "type": "payment_intent" },
        "status": "paid",
        "status_transitions": { "canceled_at": null, "paid_at": it.created() }
    })
}

fn credit_note(it: &Sample<'_>) -> Value {
    json!({
        "id": it.id("cn"),
        "object": "credit_note",
        "amount": it.total(),
        "amount_shipping": 0,
        "created": it.created(),
        "currency": it.currency(),
        "customer": it.id("cus"),
        "customer_balance_transaction": null,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": it.created(),
        "invoice": it.id("in"),
        "lines": list(&format!("/v1/credit_notes/{}/lines", it.id("cn")), vec![]),
        "livemode": it.livemode(),
        "memo": "A month too much",
        "metadata": metadata(it),
        "number": format!("{}-CN-01", number(it)),
        "out_of_band_amount": null,
        "pdf": format!("https://invoice.example.com/credit_notes/{}/pdf", it.letters("credit note", 40)),
        "post_payment_amount": it.total(),
        "pre_payment_amount": 0,
        "reason": "order_change",
        "refunds": [{ "amount_refunded": it.total(), "refund": it.id("re") }],
        "shipping_cost": null,
        "status": if it.action() == "voided" { "void" } else { "issued" },
        "subtotal": it.subtotal(),
        "total": it.total(),
        "total_taxes": [tax(it)],
        "type": "post_payment",
        "voided_at": (it.action() == "voided").then(|| it.created())
    })
}

fn quote(it: &Sample<'_>) -> Value {
    let status = match it.action() {
        "accepted" => "accepted",
        "canceled" => "canceled",
        "finalized" => "open",
        _ => "draft",
    };
    json!({
        "id": it.id("qt"),
        "object": "quote",
        "amount_subtotal": it.subtotal(),
        "amount_total": it.total(),
        "application": null,
        "automatic_tax": automatic_tax(),
        "collection_method": "charge_automatically",
        "created": it.days(-3),
        "currency": it.currency(),
        "customer": it.id("cus"),
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "expires_at": it.days(27),
        "footer": null,
        "header": null,
        "invoice": (status == "accepted").then(|| it.id("in")),
        "livemode": it.livemode(),
        "metadata": metadata(it),
        "number": (status != "draft").then(|| format!("QT-{}-1", number(it))),
        "status": status,
        "status_transitions": {
            "accepted_at": (status == "accepted").then(|| it.created()),
            "canceled_at": (status == "canceled").then(|| it.created()),
            "finalized_at": (status != "draft").then(|| it.created())
        },
        "subscription": (status == "accepted").then(|| it.id("sub")),
        "subscription_schedule": null,
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": it.tax() }
    })
}
