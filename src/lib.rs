//! Hookyard: an embedded plugin host for Stripe webhooks. The way of an event through it is told by the order of the
//! folders: `ingress` -> `ledger` -> `worker` -> `script` -> `services`. See ARCHITECTURE.md.

pub mod call;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod diagnostic;
pub mod event;
pub mod record;
pub mod router;
pub mod script;
