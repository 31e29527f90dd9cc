//! handlers.toml as the rest of the host sees it: checked, complete, every default filled in.

use crate::diagnostic::Diagnostic;
use crate::record::Granted;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod canary;
mod collections;
mod endpoint;
mod findings;
mod handler;
mod limits;
mod located;
mod mask;
mod mentioned;
mod names;
mod order;
mod parse;
mod pattern;
mod quantity;
mod retention;
mod secret;
mod server;
mod service;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod variables;

pub use collections::no_collection;
pub use mentioned::{Mentioned, mentioned};
pub use parse::parse;
pub use variables::Variable;

/// One version of handlers.toml.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file as it was read, its `${…}` not replaced.
    pub text: String,
    pub server: Server,
    pub limits: Limits,
    pub retention: Retention,
    pub endpoints: Vec<Endpoint>,
    pub services: Vec<Service>,
    pub handlers: Vec<Handler>,
    /// Files that `${file:…}` named; a change of one is a change of the configuration.
    pub watched_files: Vec<PathBuf>,
    /// What is odd but not wrong, such as white space around a signing secret.
    pub warnings: Vec<Diagnostic>,
}

/// A file with mistakes: what is wrong, and what can be read of it all the same.
#[derive(Debug)]
pub struct Mistaken {
    /// Warnings too, in the order of the file.
    pub findings: Vec<Diagnostic>,
    /// The scripts of its handlers.
    pub scripts: Vec<Script>,
    pub limits: Limits,
    /// Whether it is TOML at all; if not, what is read of it may be the half of what was written.
    pub is_toml: bool,
}

/// The script of a handler that may have mistakes.
#[derive(Debug)]
pub struct Script {
    pub path: String,
    /// What its handler was given: collections and services. Nothing when the handler has mistakes.
    pub given: Option<(Vec<Granted>, Vec<Arc<str>>)>,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub listen: SocketAddr,
    pub head_size_bytes_max: usize,
    pub body_size_bytes_max: usize,
    pub head_timeout: Duration,
    pub body_timeout: Duration,
    /// How long a connection may rest between two requests.
    pub keep_alive: Duration,
    pub connections_max: usize,
    /// How long a shutdown waits for requests and attempts to finish.
    pub drain_timeout: Duration,
}

/// `[limits]`: what one attempt of a script may use, and how much goes on at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub operations_max: u64,
    /// Time in the engine in one attempt; waiting for calls does not count.
    pub engine_time_max: Duration,
    /// What a script may hold at once, all its values together.
    pub memory_mib: usize,
    pub calls_max: usize,
    /// Record changes of one run.
    pub changes_max: usize,
    pub script_threads: usize,
    /// Runs that may be between claim and commit at once, those that wait for an answer included.
    pub runs_in_flight_max: usize,
}

/// `[retention]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long finished events are kept, with bodies and runs.
    pub events: Duration,
    /// How long a delivery is known as a duplicate: at least 35 days, never shorter than `events`.
    pub dedupe: Duration,
}

/// `[endpoints.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub name: Arc<str>,
    pub path: String,
    pub signing_secrets: Vec<Secret>,
    /// Never zero.
    pub tolerance: Duration,
    /// The endpoint's name unless `dedupe_scope` says otherwise.
    pub scope: Arc<str>,
}

/// `[services.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub name: Arc<str>,
    /// Its path ends without a slash, unless it is nothing but one.
    pub url: url::Url,
    /// Names in lower case; values may be secret.
    pub headers: Vec<(String, Secret)>,
    /// For a whole call, connecting included; the three that follow are parts of it.
    pub timeout: Duration,
    pub connect_timeout: Duration,
    /// From the connection to the answer's head.
    pub head_timeout: Duration,
    /// From there to the end of its body.
    pub body_timeout: Duration,
    /// Calls a second, if bounded.
    pub rate: Option<Rate>,
    pub connections_max: usize,
    pub answer_size_bytes_max: usize,
    pub private_network: bool,
    /// How long it remembers an `Idempotency-Key`; `None`: it ignores them (`"none"`).
    pub idempotency: Option<Duration>,
    /// When it counts as ill; `None`: never (`"off"`).
    pub breaker: Option<Breaker>,
}

/// `breaker`: after how many failed calls in a row a service is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    pub failures_max: usize,
    /// Until the first call that looks whether it is well again.
    pub first: Duration,
    /// The waits double up to this.
    pub max: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures_max: 5,
            first: Duration::from_secs(1),
            max: Duration::from_secs(15),
        }
    }
}

/// So many in a time: `20/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub calls_max: u32,
    pub per: Duration,
}

/// `[handlers.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    pub name: Arc<str>,
    pub events: Vec<Pattern>,
    /// As written, relative to the folder of handlers.toml: `scripts/invoice_paid.rhai`.
    pub script: String,
    /// Collections that it may use.
    pub records: Vec<Granted>,
    /// Services that it may use.
    pub services: Vec<Arc<str>>,
    /// Endpoints whose events it takes; `None`: of all.
    pub endpoints: Option<Vec<Arc<str>>>,
    pub order_by: OrderBy,
    pub retry: RetryPolicy,
    /// Whether a dead run holds up its lane.
    pub on_dead: OnDead,
    /// How a new version of its script is tried before it takes all runs; `None`: it takes them at once.
    pub canary: Option<CanaryPolicy>,
}

/// An event pattern: `invoice.paid`, `invoice.*`, `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    Exact(String),
    /// Types that begin with this text, which ends with a dot.
    Prefix(String),
    All,
}

/// What a lane is made of, beside handler, scope and account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderBy {
    /// Dotted paths into the payload; the first that is there counts.
    Paths(Vec<String>),
    /// Every run goes on its own.
    None,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included.
    pub attempts_max: u32,
    pub first: Duration,
    pub max: Duration,
}

/// How a new version of a script is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanaryPolicy {
    /// Of new runs, that the new version takes.
    pub share: Share,
    /// So many are finished by it, or failed on it, before it takes all.
    pub runs: u32,
    /// Of these, that may have failed.
    pub errors: Share,
}

/// A part of a whole, in hundredths of a per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u32);

impl Share {
    pub const WHOLE: Self = Self(10_000);
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, rest) if rest.is_multiple_of(10) => write!(f, "{whole}.{}%", rest / 10),
            (whole, rest) => write!(f, "{whole}.{rest:02}%"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDead {
    Continue,
    Block,
}

/// Text that no log, error or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4242)),
            head_size_bytes_max: 16 * 1024,
            body_size_bytes_max: 1024 * 1024,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            connections_max: 4096,
            drain_timeout: Duration::from_secs(20),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations_max: 1_000_000,
            engine_time_max: Duration::from_secs(1),
            memory_mib: 64,
            calls_max: 32,
            changes_max: 1000,
            script_threads: 2,
            runs_in_flight_max: 10_000,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            events: 90 * DAY,
            dedupe: 90 * DAY,
        }
    }
}

impl Default for CanaryPolicy {
    fn default() -> Self {
        Self {
            share: Share(1000),
            runs: 50,
            errors: Share(500),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 12,
            first: Duration::from_secs(5),
            max: Duration::from_secs(6 * 60 * 60),
        }
    }
}
