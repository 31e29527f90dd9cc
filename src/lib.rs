//! Hookyard: an embedded plugin host for Stripe webhooks. The way of an event through it is told by the order of the
//! folders: `ingress` -> `ledger` -> `worker` -> `script` -> `services`. See ARCHITECTURE.md.

pub mod app;
pub mod call;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod diagnostic;
pub mod envelope;
pub mod event;
pub mod in_force;
pub mod ingress;
pub mod ledger;
pub mod memory;
pub mod record;
pub mod reload;
pub mod router;
pub mod run;
pub mod script;
pub mod services;
pub mod telemetry;
pub mod worker;
