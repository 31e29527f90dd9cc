//! An event: one verified payload, its bytes kept as they came.

use crate::clock::UnixMillis;
use bytes::Bytes;
use std::sync::Arc;

/// What the host itself reads of a payload; everything else is the script's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Stripe's id (`evt_…`). An unreadable payload is known by the hash of its bytes.
    pub id: String,
    /// Stripe's type (`invoice.paid`); empty when the payload is unreadable.
    pub kind: String,
    /// When Stripe says it happened; the time of arrival when the payload does not say.
    pub created: UnixMillis,
    pub livemode: Option<bool>,
    /// The connected account that the event is about.
    pub account: Option<String>,
    /// The context of an organisation's event, or of a thin one.
    pub context: Option<String>,
    pub api_version: Option<String>,
    /// `data.object.id`, or `related_object.id` of a thin event.
    pub object_id: Option<String>,
    /// Why the payload could not be read as an event; such a payload is kept, and no handler gets it.
    pub unreadable: Option<String>,
}

/// A verified payload on its way into the ledger.
#[derive(Clone, Debug)]
pub struct Event {
    pub envelope: Envelope,
    /// The name of the endpoint that it was posted to.
    pub endpoint: Arc<str>,
    /// What its id is unique in.
    pub scope: Arc<str>,
    pub received_at: UnixMillis,
    /// Which of the endpoint's signing secrets matched, counted from 1 in the order of handlers.toml.
    pub secret_number: u16,
    pub body: Bytes,
}
