//! Events as Stripe would post them, and their signatures.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The signing secret that every test's endpoint knows, by `${STRIPE_WEBHOOK_SECRET}`.
pub const SECRET: &str = "whsec_test_secret";

/// One event, with an id of its own.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub json: Value,
}

/// An event of this type about the object with this id.
pub fn event(kind: &str, object_id: &str) -> Event {
    let id = next_id();
    let json = json!({
        "id": id,
        "object": "event",
        "api_version": "2026-10-28.basil",
        "created": now_s(),
        "data": { "object": { "id": object_id, "object": kind.split('.').next() } },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": kind,
    });
    Event { id, json }
}

impl Event {
    /// Sets a field of `data.object`.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.json["data"]["object"][field] = value.into();
        self
    }

    #[must_use]
    pub fn created(mut self, unix_s: i64) -> Self {
        self.json["created"] = unix_s.into();
        self
    }

    /// The bytes that are posted: pretty-printed, as Stripe's are.
    pub fn body(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(&self.json).expect("a value is always JSON")
    }
}

/// The value of a `Stripe-Signature` header.
pub fn sign(secret: &str, unix_s: i64, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length will do");
    mac.update(format!("{unix_s}.").as_bytes());
    mac.update(body);
    format!("t={unix_s},v1={}", hex::encode(mac.finalize().into_bytes()))
}

pub fn now_s() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    i64::try_from(since.as_secs()).expect("the clock is not that far ahead")
}

/// Ids of one test program never meet, and those of two programs on one ledger do not either.
fn next_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let start = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    format!(
        "evt_1{:x}{:08x}{count:06x}",
        start.as_nanos(),
        std::process::id()
    )
}
