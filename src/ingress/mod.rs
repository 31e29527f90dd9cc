//! HTTP in -> verify -> store -> answer.

mod ack;
mod deadline;
mod request;
pub mod server;
pub mod signature;

pub use request::{Intake, Readiness};
