//! What the integration tests stand on: the real program in a folder of its own, events, a fake service, disk faults.

// Each test program uses a part of this, and none of them exports anything.
#![allow(dead_code, unused_imports, unreachable_pub)]

mod clients;
mod event;
mod faults;
mod host;
mod http;
mod ledger;
mod load;
mod sample;
mod service;
mod setup;
mod start;
mod wait;

pub use clients::{Running, node, output_of, python, stripe_cli};
pub use event::{Event, SECRET, event, now_s, sign};
pub use faults::{Faults, copy_folder};
pub use host::{Host, PATH};
pub use http::{Answer, Client};
pub use ledger::LedgerView;
pub use load::{Delivery, Load};
pub use sample::{replaced, sample, sample_config};
pub use service::{Asked, ClosedService, FakeService, Reaction};
pub use setup::HostSetup;
pub use start::NotStarted;
pub use wait::{eventually, eventually_some, tell};
