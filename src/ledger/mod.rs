//! The durable state: events, runs, journal, records, script versions. One transaction a decision.
//!
//! [`Ledger`] speaks of the product (accept, intent, commit), not of SQL. Only it can make a [`Receipt`], and only after
//! the commit is on disk.

pub mod compress;
pub mod decision;
pub mod desk;
pub mod folder;
mod in_place;
pub mod note;
pub mod once;
mod queue;
pub mod request;
pub mod running;
pub mod sent_by;
pub mod sqlite;
pub mod stuck;

use crate::run::RunId;
use desk::{Desk, Reply};
use queue::Queue;
use request::{Accept, Commit, Intent, Order, Postpone, Settle};
use std::sync::Arc;
use tokio::sync::oneshot;

pub use queue::{ACCEPTS_WAITING_BYTES_MAX, ACCEPTS_WAITING_MAX};
pub use sqlite::{Opened, open};

/// Proof that an event is durable. Nothing outside of this module can make one.
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    pub event_seq: i64,
    /// The event was known before this delivery.
    pub is_duplicate: bool,
    made_by_the_ledger: MadeByTheLedger,
}

/// What nobody else can put into a receipt.
#[derive(Debug, PartialEq, Eq)]
struct MadeByTheLedger;

impl Receipt {
    fn new(event_seq: i64, is_duplicate: bool) -> Self {
        Self {
            event_seq,
            is_duplicate,
            made_by_the_ledger: MadeByTheLedger,
        }
    }
}

/// Why the ledger did not do what was asked. Nothing of the request has taken effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    #[error(
        "{waiting} events ({waiting_bytes} bytes) already wait to be stored, which is the limit"
    )]
    QueueFull {
        waiting: usize,
        waiting_bytes: usize,
    },
    #[error("no space is left on the disk of the data folder")]
    DiskFull,
    #[error(
        "the ledger stopped ({0}); restart the host once the disk and the data folder are well"
    )]
    Failed(Arc<str>),
    #[error("the host is shutting down")]
    Closing,
    #[error("{0}")]
    Refused(String),
}

/// What became of a commit, an intent or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    Done,
    /// A record that the attempt had read has changed since; nothing was applied.
    Stale,
    /// The run is no longer the caller's: dropped, retried or finished by another. Nothing was applied.
    Fenced,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordered {
    Done { affected: usize },
    Runs(Vec<RunId>),
    NotFound(String),
}

pub(crate) enum Operation {
    Accept(Accept),
    Commit(Commit),
    Postpone(Postpone),
    Intent(Box<Intent>),
    Settle(Settle),
    Order(Order),
}

pub(crate) enum Outcome {
    Receipt(Receipt),
    Applied(Applied),
    Ordered(Ordered),
}

pub(crate) type Answer = Result<Outcome, LedgerError>;

pub(crate) struct Request {
    operation: Operation,
    reply: Reply,
    desk: Arc<Desk>,
}

/// A way to ask the ledger, for the tasks of one runtime. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    queue: Arc<Queue>,
    desk: Arc<Desk>,
}

impl Ledger {
    /// Stores an event and its runs. A receipt means that it is on disk.
    pub async fn accept(&self, accept: Accept) -> Result<Receipt, LedgerError> {
        match self.ask(Operation::Accept(accept)).await? {
            Outcome::Receipt(it) => Ok(it),
            Outcome::Applied(_) | Outcome::Ordered(_) => Err(mixed_up()),
        }
    }

    pub fn commit(&self, commit: Commit) -> impl Future<Output = Result<Applied, LedgerError>> {
        self.apply(Operation::Commit(commit))
    }

    /// The same for a thread that does not wait: what became of it is told to `then`, on this ledger's runtime.
    pub fn commit_and_then(
        &self,
        commit: Commit,
        then: impl FnOnce(Result<Applied, LedgerError>) + Send + 'static,
    ) {
        // What cannot be put in line is answered all the same: its reply is dropped.
        let _ = self.queue.push(Request {
            operation: Operation::Commit(commit),
            reply: Reply::new(|answer| then(answer.and_then(applied))),
            desk: self.desk.clone(),
        });
    }

    pub fn postpone(
        &self,
        postpone: Postpone,
    ) -> impl Future<Output = Result<Applied, LedgerError>> {
        self.apply(Operation::Postpone(postpone))
    }

    pub fn intent(&self, intent: Intent) -> impl Future<Output = Result<Applied, LedgerError>> {
        self.apply(Operation::Intent(Box::new(intent)))
    }

    pub fn settle(&self, settle: Settle) -> impl Future<Output = Result<Applied, LedgerError>> {
        self.apply(Operation::Settle(settle))
    }

    pub async fn order(&self, order: Order) -> Result<Ordered, LedgerError> {
        match self.ask(Operation::Order(order)).await? {
            Outcome::Ordered(it) => Ok(it),
            Outcome::Receipt(_) | Outcome::Applied(_) => Err(mixed_up()),
        }
    }

    /// The same ledger, for the tasks of another runtime.
    pub fn at(&self, desk: Arc<Desk>) -> Self {
        Self {
            queue: self.queue.clone(),
            desk,
        }
    }

    /// Why the ledger can take nothing, when it cannot.
    pub fn unavailable(&self) -> Option<LedgerError> {
        self.queue.unavailable()
    }

    /// Waits until the ledger takes nothing more; gives the reason.
    pub async fn stopped(&self) -> LedgerError {
        self.queue.closed().await
    }

    /// Takes nothing more; what it was given is still done.
    pub fn close(&self) {
        self.queue.close(LedgerError::Closing);
    }

    fn apply(&self, operation: Operation) -> impl Future<Output = Result<Applied, LedgerError>> {
        let asked = self.ask(operation);
        async { asked.await.and_then(applied) }
    }

    /// Asks at once. No `async fn`: its future would keep room for the operation beside the answer, and with it that of
    /// each of thousands of runs.
    fn ask(&self, operation: Operation) -> impl Future<Output = Answer> + use<> {
        let (reply, answer) = oneshot::channel();
        let pushed = self.queue.push(Request {
            operation,
            reply: Reply::new(|it| {
                // Whoever hung up does not want it; the commit stands all the same.
                let _ = reply.send(it);
            }),
            desk: self.desk.clone(),
        });
        async {
            pushed?;
            answer.await.unwrap_or(Err(LedgerError::Closing))
        }
    }
}

fn applied(outcome: Outcome) -> Result<Applied, LedgerError> {
    match outcome {
        Outcome::Applied(it) => Ok(it),
        Outcome::Receipt(_) | Outcome::Ordered(_) => Err(mixed_up()),
    }
}

fn mixed_up() -> LedgerError {
    LedgerError::Refused("the ledger answered another question than was asked".into())
}

#[cfg(test)]
mod tests;
pub mod version_decision;
