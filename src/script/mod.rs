//! A script is a pure function of its event and the answers to its calls.
//!
//! [`Program::run`] goes through the script until it is done, or until it asks for something whose answer is not there
//! yet. The caller then gets the answer and runs the program again from its start: one mechanism for suspension, retry,
//! recovery after a crash and dry runs.

use crate::call;
use crate::clock::UnixMillis;
use crate::record::{Change, Granted, Read, Record};
use std::sync::Arc;
use std::time::Duration;

mod check;
mod copies;
mod engine;
mod equal;
mod error;
mod failure;
mod foreign;
mod frozen;
mod host;
mod imports;
mod json;
mod kinds;
mod library;
mod limits;
mod modules;
mod not_taken;
mod parse;
mod pulse;
mod replay;
mod state;
mod tape;
mod text;
mod usage;
mod view;
mod words;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use host::hang::CAME_BACK;

pub use copies::set_place;
pub use engine::Engine;
pub use frozen::{FrozenEvent, freeze};
pub use library::{Program, Sources, missing_file, no_such_file};
pub use pulse::Pulse;

/// What one attempt is about; the same for every replay of the attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The payload's bytes, as stored.
    pub body: bytes::Bytes,
    /// What `event_time()` says.
    pub event_created: UnixMillis,
    /// What `now()` says: the start of the attempt.
    pub now: UnixMillis,
    /// From 1.
    pub number: u32,
    /// What random ids are made from; the same in every attempt of a run.
    pub seed: String,
    /// Collections and services that the handler was given.
    pub grants: Arc<Grants>,
}

/// What a handler may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    pub collections: Vec<Granted>,
    pub services: Vec<Arc<str>>,
}

impl Grants {
    pub(crate) fn collection(&self, name: &str) -> Option<&Granted> {
        self.collections.iter().find(|it| *it.name == *name)
    }
}

/// What a script sees of the world outside of itself during an attempt.
///
/// Two kinds: the worker's, over the ledger and a run's journal, and one in memory for tests and dry runs.
pub trait World: Send {
    /// The record as it stands; one that was removed has a version and no body.
    fn record(&mut self, collection: &str, id: &str) -> Result<Option<Record>, WorldError>;

    /// Records whose named top-level fields equal these values (JSON text), at most `limit`, by id.
    fn find(
        &mut self,
        collection: &str,
        fields: &[(String, String)],
        limit: usize,
    ) -> Result<Vec<Record>, WorldError>;

    /// The answer to the next call, if it is known. Asked in the order of the script's calls.
    fn answer(&mut self, request: &call::Request) -> Result<Option<Arc<call::Answer>>, WorldError>;

    /// How long the attempt was in the engine in earlier replays; the deadline is for all together.
    fn engine_time_spent(&self) -> Duration {
        Duration::ZERO
    }
}

/// The world could not say: the attempt ends, and is tried again if `is_passing`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct WorldError {
    pub message: String,
    pub is_passing: bool,
}

/// How a pass through a script ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Commit these changes.
    Done { changes: Vec<Change> },
    /// `skip(reason)`: finished, nothing to change.
    Skipped { reason: String },
    /// `retry_in(wait, reason)`.
    RetryIn { wait: Duration, reason: String },
    /// `fail(reason)`: dead at once.
    Dead(Failure),
    /// A mistake of the script, or an answer that it did not accept.
    Failed(Failure),
    /// Make this call, then run again.
    Needs(call::Request),
}

/// An error of a script, with its place.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    pub message: String,
    /// `scripts/invoice_paid.rhai`; the import's when it arose there.
    pub script: String,
    /// From 1; 0 when the place is not known.
    pub line: usize,
    pub column: usize,
    /// The text of that line.
    pub source_line: String,
    /// What to write instead, when that can be told.
    pub help: Option<String>,
    /// For an answer that was not accepted: what was asked and answered. Holds no secret.
    pub call: Option<FailedCall>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FailedCall {
    pub service: String,
    pub method: call::Method,
    pub path: String,
    pub status: u16,
    /// The first 500 characters of the answer's text.
    pub text: String,
    /// The answer's `Retry-After` header, as it came.
    pub retry_after: Option<String>,
}

/// One line that the script logged.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LogLine {
    pub level: LogLevel,
    pub line: usize,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Info,
    Warn,
}

/// Everything that a pass left behind. The world comes back with it.
pub struct Pass {
    pub outcome: Outcome,
    /// Every record looked at, once each, with the version that was seen.
    pub reads: Vec<Read>,
    pub log: Vec<LogLine>,
    pub operations: u64,
    pub engine_time: Duration,
    pub world: Box<dyn World>,
}
