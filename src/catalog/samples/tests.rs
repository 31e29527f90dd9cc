use super::*;
use crate::catalog::kinds;
use std::collections::HashSet;

fn seed(number: u64) -> SampleSeed {
    SampleSeed {
        number,
        created_s: 1_760_000_000,
        livemode: false,
    }
}

fn read(kind: &str, number: u64) -> Value {
    let text = sample(kind, &seed(number)).expect(kind);
    serde_json::from_str(&text).expect(kind)
}

#[test]
fn every_type_has_a_sample_with_its_object() {
    for kind in kinds() {
        let event = read(kind.name, 1);
        assert_eq!(event["type"], kind.name);
        if kind.is_thin {
            assert_eq!(event["object"], "v2.core.event");
            assert_eq!(
                event["related_object"]["type"].as_str(),
                kind.objects.first().copied()
            );
        } else {
            assert_eq!(event["object"], "event");
            assert_eq!(
                event["data"]["object"]["object"], kind.objects[0],
                "{}",
                kind.name
            );
        }
    }
    assert_eq!(sample("invoice.payed", &seed(1)), None);
}

#[test]
fn an_object_has_an_id_unless_stripe_gives_it_none() {
    const WITHOUT: [&str; 6] = [
        "balance",
        "balance_settings",
        "billing.alert_triggered",
        "cash_balance",
        "entitlements.active_entitlement_summary",
        "tax.settings",
    ];
    for kind in kinds().filter(|it| !it.is_thin) {
        let id = &read(kind.name, 1)["data"]["object"]["id"];
        assert_eq!(
            id.is_string(),
            !WITHOUT.contains(&kind.objects[0]),
            "{}",
            kind.name
        );
        assert!(
            !id.as_str().unwrap_or_default().starts_with("obj_"),
            "{}",
            kind.name
        );
    }
}

#[test]
fn no_two_events_share_an_id() {
    let ids: HashSet<String> = (0..20)
        .flat_map(|number| kinds().map(move |it| read(it.name, number)["id"].to_string()))
        .collect();
    assert_eq!(ids.len(), 20 * kinds().count());
}

#[test]
fn the_same_seed_gives_the_same_text() {
    for kind in kinds() {
        assert_eq!(sample(kind.name, &seed(7)), sample(kind.name, &seed(7)));
        assert_ne!(sample(kind.name, &seed(7)), sample(kind.name, &seed(8)));
    }
}

#[test]
fn samples_of_one_seed_belong_together() {
    let object = |kind: &str| read(kind, 3)["data"]["object"].clone();
    let customer = object("customer.created")["id"].clone();
    let subscription = object("customer.subscription.updated");
    let invoice = object("invoice.paid");
    let charge = object("charge.succeeded");
    for of in [
        &subscription,
        &invoice,
        &charge,
        &object("payment_intent.succeeded"),
        &object("checkout.session.completed"),
    ] {
        assert_eq!(of["customer"], customer);
    }
    assert_eq!(
        invoice["parent"]["subscription_details"]["subscription"],
        subscription["id"]
    );
    assert_eq!(subscription["latest_invoice"], invoice["id"]);
    assert_eq!(
        charge["payment_intent"],
        object("payment_intent.succeeded")["id"]
    );
    assert_eq!(charge["amount"], invoice["amount_paid"]);
    assert_eq!(object("invoice.payment_succeeded")["id"], invoice["id"]);
}

#[test]
fn amounts_add_up() {
    for number in 0..50 {
        let invoice = read("invoice.payment_failed", number)["data"]["object"].clone();
        let of = |key: &str| invoice[key].as_i64().expect(key);
        assert_eq!(
            of("subtotal") + invoice["total_taxes"][0]["amount"].as_i64().unwrap(),
            of("total")
        );
        assert_eq!(of("amount_paid") + of("amount_remaining"), of("amount_due"));
        let line = &invoice["lines"]["data"][0];
        assert_eq!(line["amount"].as_i64(), Some(of("subtotal")));
    }
}

#[test]
fn the_status_follows_the_type() {
    for (kind, expected) in [
        ("invoice.paid", "paid"),
        ("invoice.created", "draft"),
        ("invoice.payment_failed", "open"),
        ("customer.subscription.created", "active"),
        ("customer.subscription.deleted", "canceled"),
        ("payment_intent.succeeded", "succeeded"),
        ("charge.failed", "failed"),
        ("payout.paid", "paid"),
        ("identity.verification_session.verified", "verified"),
    ] {
        assert_eq!(
            read(kind, 1)["data"]["object"]["status"],
            expected,
            "{kind}"
        );
    }
}

#[test]
fn the_common_ones_are_as_large_as_real_ones() {
    for kind in [
        "invoice.paid",
        "customer.subscription.updated",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "customer.updated",
    ] {
        let size_bytes = sample(kind, &seed(1)).unwrap().len();
        assert!((2200..7000).contains(&size_bytes), "{kind}: {size_bytes}");
    }
}

#[test]
fn no_sample_names_a_real_place_on_the_web() {
    for kind in kinds() {
        let text = sample(kind.name, &seed(1)).unwrap();
        for part in text.split("https://").skip(1) {
            let host = part.split(['/', '"', '?']).next().unwrap();
            assert!(
                host.ends_with("example.com") || host == "stripe.com",
                "{}: {host}",
                kind.name
            );
        }
    }
}

#[test]
fn an_update_says_what_it_changed() {
    assert!(read("customer.subscription.updated", 1)["data"]["previous_attributes"].is_object());
    assert!(
        read("customer.subscription.created", 1)["data"]
            .get("previous_attributes")
            .is_none()
    );
}

#[test]
fn a_sample_is_indented_as_stripe_sends_it() {
    let text = sample("invoice.paid", &seed(1)).unwrap();
    assert!(text.starts_with("{\n  \"id\": \"evt_"), "{text}");
    assert!(
        text.contains("\n  \"data\": {\n    \"object\": {\n      \"id\": \"in_"),
        "{text}"
    );
}
