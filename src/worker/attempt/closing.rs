//! What an attempt writes down of itself at its end; made wherever that end is known first.

use super::super::world::Sight;
use super::Attempt;
use crate::clock::{Clock, UnixMillis};
use crate::ledger::request::{AttemptReport, Claim, Commit};
use crate::record::{Read, RecordedChange};
use crate::run::State;
use crate::script::LogLine;
use std::sync::{Arc, Mutex, PoisonError};

/// All that an attempt's report says of it from its beginning on.
pub(super) struct Closing {
    claim: Claim,
    handler: Arc<str>,
    replay: i64,
    number: u32,
    started_at: UnixMillis,
    version: Arc<str>,
    sight: Arc<Mutex<Sight>>,
    clock: Arc<dyn Clock>,
}

impl Attempt {
    pub(super) fn closing(&self) -> Closing {
        Closing {
            claim: self.run.claim,
            handler: self.run.handler.clone(),
            replay: self.run.replay,
            number: self.number(),
            started_at: self.started_at,
            version: self.version.clone(),
            sight: self.sight.clone(),
            clock: self.shared.clock.clone(),
        }
    }
}

impl Closing {
    /// The end of a run that is done, or skipped for a reason.
    pub(super) fn commit(
        self,
        skipped: Option<String>,
        reads: Vec<Read>,
        changes: Vec<RecordedChange>,
        log: &[LogLine],
    ) -> Commit {
        let (state, outcome) = match skipped {
            None => (State::Done, "done"),
            Some(_) => (State::Skipped, "skipped"),
        };
        Commit {
            state,
            why: skipped,
            reads,
            changes,
            attempt: self.report(outcome, None, log),
            at: self.clock.now(),
            claim: self.claim,
            handler: self.handler,
            replay: self.replay,
        }
    }

    pub(super) fn report(
        &self,
        outcome: &'static str,
        error: Option<String>,
        log: &[LogLine],
    ) -> AttemptReport {
        let took_ms = self.clock.now().0 - self.started_at.0;
        let (engine_time, calls) = {
            let sight = self.sight.lock().unwrap_or_else(PoisonError::into_inner);
            (sight.engine_time, sight.told())
        };
        AttemptReport {
            number: self.number,
            started_at: self.started_at,
            took_ms: took_ms.max(0),
            engine_us: i64::try_from(engine_time.as_micros()).unwrap_or(i64::MAX),
            outcome,
            error,
            log: if log.is_empty() {
                None
            } else {
                serde_json::to_string(log).ok()
            },
            calls,
            version: self.version.clone(),
        }
    }
}
