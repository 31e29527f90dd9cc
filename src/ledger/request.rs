//! What can be asked of the ledger. Every request is a value, and every one is durable once it is answered.

use crate::call::Answer;
use crate::clock::UnixMillis;
use crate::event::Event;
use crate::record::{Read, RecordKey, RecordedChange};
use crate::run::{Lane, RunId, State};
use std::sync::Arc;

use super::compress::Packed;
use super::decision::{ChoiceName, Decision, Needs};
use super::once::{OnceIntent, OnceKey};
use super::sent_by::SentBy;
use super::version_decision::VersionDecision;

/// Store an event with the runs that it gives.
#[derive(Debug)]
pub struct Accept {
    pub event: Arc<Event>,
    pub packed: Packed,
    pub runs: Vec<PlannedRun>,
}

/// A run to be, as the router sees it.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    pub handler: Arc<str>,
    pub lane: Lane,
    /// Why it cannot start: its handler has no good version.
    pub held: Option<String>,
}

/// Which run, as the one who holds it knows it. An operator's doing makes the epoch older than the ledger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub id: RunId,
    pub epoch: i64,
}

/// What one attempt was, for `attempts` and `why`.
#[derive(Clone, Debug)]
pub struct AttemptReport {
    pub number: u32,
    pub started_at: UnixMillis,
    pub took_ms: i64,
    /// Time in the engine, all replays together.
    pub engine_us: i64,
    pub outcome: &'static str,
    /// JSON of the script's failure.
    pub error: Option<String>,
    /// JSON list of the lines that it logged.
    pub log: Option<String>,
    /// JSON list of what it did with its calls.
    pub calls: Option<String>,
    pub version: Arc<str>,
}

/// Finish a run: its record changes, its state and its attempt, all or nothing.
#[derive(Debug)]
pub struct Commit {
    pub claim: Claim,
    pub handler: Arc<str>,
    /// `Done` or `Skipped`.
    pub state: State,
    pub why: Option<String>,
    pub replay: i64,
    pub reads: Vec<Read>,
    pub changes: Vec<RecordedChange>,
    pub attempt: AttemptReport,
    pub at: UnixMillis,
}

/// Keep a run open in another state: waiting, held, dead or ready again. Discards what its attempt wanted to change.
#[derive(Debug)]
pub struct Postpone {
    pub claim: Claim,
    pub state: State,
    pub due_at: Option<UnixMillis>,
    /// The service that a waiting run without a `due_at` waits for.
    pub waits_for: Option<Arc<str>>,
    pub why: String,
    /// What a dead run waits for, if an operator's word can help it.
    pub needs: Option<Needs>,
    /// Attempts that count, this one included.
    pub attempts: u32,
    pub attempt: Option<AttemptReport>,
}

/// Write a call down before it is sent. Refused as stale when a record that the script has read changed meanwhile, or the
/// call of its name stands otherwise than expected.
#[derive(Debug)]
pub struct Intent {
    pub claim: Claim,
    pub entry: JournalEntry,
    pub reads: Vec<Read>,
    /// Of a call whose name the script says; the entry may have one that it says no more.
    pub once: Option<OnceIntent>,
}

/// Write down what became of a call.
#[derive(Clone, Debug)]
pub struct Settle {
    pub claim: Claim,
    pub number: i64,
    pub state: CallState,
    pub answer: Option<Answer>,
    /// An operator's word on the call that still counts, since it never left.
    pub decided: Option<ChoiceName>,
    /// Of a call with a name.
    pub once: Option<OnceKey>,
    pub at: UnixMillis,
}

/// A call that can change something, as the journal has it.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// From 1, in the order in which the run made its calls.
    pub number: i64,
    pub sent_by: SentBy,
    pub state: CallState,
    pub service: String,
    pub method: String,
    pub url: String,
    /// As the script wrote it; none in entries from before it was kept.
    pub path: Option<String>,
    /// The request as it goes out, without the service's own headers: JSON.
    pub request: String,
    /// Hash of what makes two calls the same: service, method, path (URL, where no path is kept), body.
    pub content: String,
    pub idempotency_key: String,
    pub version: String,
    /// What `now()` said in the attempt that made the call.
    pub now: UnixMillis,
    /// The answers of GETs that the script saw since the call before: JSON.
    pub seen: Option<String>,
    pub intended_at: UnixMillis,
    pub answered_at: Option<UnixMillis>,
    pub answer: Option<Answer>,
    /// An operator's word on this call: `resend` until it is sent, `settle` for ever.
    pub decided: Option<ChoiceName>,
    /// Its name, by which it is made once over all runs.
    pub once: Option<String>,
    /// The run that took it over; unless it is settled, it counts no longer.
    pub given_to: Option<RunId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// Written down; whether it took effect is not known. It was not sent, or never answered, or sent again and answered
    /// in a way that does not tell what became of an earlier sending.
    Intended,
    /// Answered for good; never sent again.
    Settled,
    /// Answered, but not for good (5xx, 408, 409, 425, 429): sent again with the same key.
    Unsettled,
    /// Answered no (other 4xx): forgotten, the next attempt makes a new call.
    Refused,
    /// It never left: its entry is taken out again.
    Unsent,
}

impl CallState {
    pub const ALL: [Self; 5] = [
        Self::Intended,
        Self::Settled,
        Self::Unsettled,
        Self::Refused,
        Self::Unsent,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Settled => "settled",
            Self::Unsettled => "unsettled",
            Self::Refused => "refused",
            Self::Unsent => "unsent",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What an operator, a reload or the host's own housekeeping asks for.
#[derive(Debug)]
pub enum Order {
    /// Dead or waiting: ready again, on the same journal and keys. A decision is for a dead run that waits for one.
    Retry {
        run: RunId,
        decision: Option<Decision>,
    },
    /// Open: finished without effect.
    Drop { run: RunId, at: UnixMillis },
    /// A new run of a stored event for each of these handlers, refused while an earlier one is open. It goes on from the
    /// calls of the run before it, unless these are to be made anew.
    Replay {
        event_seq: i64,
        runs: Vec<PlannedRun>,
        call_again: bool,
    },
    /// Runs of a handler change state: `Some(why)` holds, `None` releases. One bite of them, so that no ack waits long.
    Hold {
        handler: Arc<str>,
        why: Option<String>,
        runs: Vec<RunId>,
    },
    /// Lanes of open runs after `order_by` changed; one bite of them.
    Relane { lanes: Vec<(RunId, Lane)> },
    /// Open runs of a handler that is gone become those of another; one bite of them. An event that already has a run of
    /// the other one keeps its run where it is.
    Move {
        from: Arc<str>,
        to: Arc<str>,
        runs: Vec<(RunId, Lane)>,
        /// Why they cannot start there, if they cannot.
        held: Option<String>,
    },
    /// A record written by hand; `None` removes it.
    SetRecord {
        key: RecordKey,
        body: Option<String>,
        at: UnixMillis,
    },
    /// What is decided about script versions, all or nothing.
    DecideVersions { decisions: Vec<VersionDecision> },
    /// Values of `meta`, by key.
    SetMeta { values: Vec<(String, String)> },
    /// Forgets script versions, each with its handler, unless they were in use since then or something is decided about
    /// them; one bite of them.
    ForgetVersions {
        versions: Vec<(String, String)>,
        before: UnixMillis,
    },
    /// Deletes one bite of what is older than this; answers how many old events it looked at and how many
    /// other rows it deleted; none: nothing old is left.
    Prune {
        events_before: UnixMillis,
        dedupe_before: UnixMillis,
    },
}

/// A run that may start: what the worker needs to know to run it.
#[derive(Clone, Debug)]
pub struct OpenRun {
    pub claim: Claim,
    pub handler: Arc<str>,
    pub lane: Lane,
    /// Attempts so far.
    pub attempts: u32,
    /// How many of them no longer count: they were before an operator's retry.
    pub forgiven: u32,
    /// 0 for the run that the event's acceptance made.
    pub replay: i64,
    /// At hand when the run comes straight from its acceptance.
    pub event: Option<Arc<Event>>,
}
