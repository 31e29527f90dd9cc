//! The end of an attempt: its run is done, waits, is dead, or begins again on another version.

use super::super::canary::{self, Ended, Says};
use super::super::lost::why_stuck;
use super::{Attempt, End};
use crate::clock::UnixMillis;
use crate::config::OnDead;
use crate::in_force::short;
use crate::ledger::decision::Needs;
use crate::ledger::request::{Commit, Order, Postpone};
use crate::ledger::version_decision::VersionDecision;
use crate::ledger::{Applied, LedgerError};
use crate::run::{Next, RunId, State, after_failure};
use crate::script::{Failure, LogLine};
use crate::services::NotNow;
use std::time::Duration;
use tracing::{info, warn};
use xxhash_rust::xxh3::Xxh3Default;

/// What follows an attempt that did not finish its run.
enum Follow {
    Wait(UnixMillis),
    /// The version before the one that is tried does it, at once.
    Again,
    /// Given up, until somebody has done something about it; for some, only an operator's word helps.
    Dead(Option<Needs>),
}

impl Attempt {
    /// Commits the end of a run that is done, once its changes are in nobody's way.
    pub(super) async fn commit(&self, commit: Commit) -> Option<End> {
        let turns = &self.shared.turns;
        turns.clear(self.run.claim.id, &commit.changes).await;
        self.committed(self.shared.ledger.commit(commit).await)
            .await
    }

    /// What follows from the commit of a run that is done; `None` when a record that it read was changed meanwhile.
    pub(super) async fn committed(&self, applied: Result<Applied, LedgerError>) -> Option<End> {
        match applied {
            Ok(Applied::Done) => {
                self.note(Ended::Finished).await;
                Some(End::Finished)
            }
            Ok(Applied::Stale) => None,
            Ok(Applied::Fenced) => Some(End::Fenced),
            Err(_) => Some(End::Unwritten),
        }
    }

    /// The script asked to be run again later. That is an attempt: a script that asks for ever ends.
    pub(super) async fn wait_as_asked(
        &self,
        wait: Duration,
        reason: String,
        log: Vec<LogLine>,
    ) -> End {
        self.note(Ended::Waits).await;
        let policy = &self.loaded.handler.retry;
        let next = after_failure(
            self.spent(),
            policy,
            Some(wait),
            self.shared.clock.now(),
            0.0,
        );
        match next {
            Next::Wait { until } => {
                self.postpone(Follow::Wait(until), reason, "retry", None, log)
                    .await
            }
            Next::GiveUp { why } => {
                let why = format!("{why}; the last one asked to wait: {reason}");
                self.give_up(why, None, None, log).await
            }
        }
    }

    /// The service that it needs is ill or has no room: that is no attempt of this run. What the script has said and done
    /// so far is reported all the same, under the number of the attempt that is still to come: however often it is put
    /// off, the ledger has one report of it, the newest, and in the end that of the attempt.
    pub(super) async fn put_off(&self, NotNow { service, why }: NotNow, log: Vec<LogLine>) -> End {
        let has_something_to_tell = !log.is_empty() || !self.sight().notes.is_empty();
        let attempt = has_something_to_tell.then(|| self.closing().report("put off", None, &log));
        let postpone = Postpone {
            claim: self.run.claim,
            state: State::Waiting,
            due_at: None,
            waits_for: Some(service.clone()),
            why,
            needs: None,
            attempts: self.run.attempts,
            attempt,
        };
        let postponed = self.shared.ledger.postpone(postpone).await;
        end_of(postponed, End::PutOff { service })
    }

    pub(super) async fn fail(&self, failure: Failure, log: Vec<LogLine>) -> End {
        let is_at_service = match &failure.call {
            Some(it) => matches!(it.status, 408 | 409 | 425 | 429 | 500..=599),
            None => self.sight().lacks_an_answer(),
        };
        let ended = if is_at_service {
            Ended::FailedAtService
        } else {
            Ended::Failed
        };
        if self.note(ended).await {
            let why = failure.message.clone();
            return self.begin_again(why, Some(failure), log).await;
        }
        let now = self.shared.clock.now();
        let retry_after = failure
            .call
            .as_ref()
            .and_then(|it| it.retry_after.as_deref())
            .and_then(|it| crate::services::retry_after(it, now));
        let random = spread(self.run.claim.id, self.number());
        let policy = &self.loaded.handler.retry;
        let (id, number) = (self.run.claim.id, self.number());
        let place = format!("{}:{}", failure.script, failure.line);
        match after_failure(self.spent(), policy, retry_after, now, random) {
            Next::Wait { until } => {
                let delay_ms = until.since(now).as_millis();
                info!(
                    run.id = %id, handler = %self.run.handler, attempt = number, delay_ms,
                    "attempt {number} of run {id} failed at {place}, the next comes in {delay_ms} ms"
                );
                let why = failure.message.clone();
                self.postpone(Follow::Wait(until), why, "failed", Some(failure), log)
                    .await
            }
            Next::GiveUp { why } => {
                warn!(
                    run.id = %id, handler = %self.run.handler, attempt = number,
                    "run {id} is dead: {why}, the last one at {place}"
                );
                let why = format!("{why}: {}", failure.message);
                self.postpone(Follow::Dead(None), why, "failed", Some(failure), log)
                    .await
            }
        }
    }

    /// Never again by itself: it would take one thread after another.
    pub(super) async fn stuck(&self, silent_for: Duration) -> End {
        let why = why_stuck(silent_for);
        let mut failure = self.failure(why.clone());
        failure.help = Some(
            "no script should be able to do this: please report it, with the script and what `events show --body` prints".into(),
        );
        let stuck = VersionDecision::Stuck {
            handler: self.run.handler.clone(),
            version: self.version.clone(),
            run: self.run.claim.id,
        };
        // Before the run is dead: one that is stuck again after a kill is the same one, and none is forgotten.
        let decisions = vec![stuck];
        if let Err(error) = self
            .shared
            .ledger
            .order(Order::DecideVersions { decisions })
            .await
        {
            warn!(%error, "that a run got stuck could not be written down: {error}");
        }
        self.give_up(why, None, Some(failure), Vec::new()).await
    }

    pub(super) async fn give_up(
        &self,
        why: String,
        needs: Option<Needs>,
        failure: Option<Failure>,
        log: Vec<LogLine>,
    ) -> End {
        let ended = match needs {
            Some(Needs::CallsChanged) => Ended::CallsChanged,
            Some(Needs::OutcomeUnknown { .. }) | None => Ended::Failed,
        };
        if self.note(ended).await {
            return self.begin_again(why, failure, log).await;
        }
        let id = self.run.claim.id;
        warn!(run.id = %id, handler = %self.run.handler, "run {id} is dead");
        self.postpone(Follow::Dead(needs), why, "dead", failure, log)
            .await
    }

    /// Notes what this attempt says about a version that is tried; whether the version before that one is to do the run.
    async fn note(&self, ended: Ended) -> bool {
        if let Err(error) = canary::note(&self.shared, &self.run, &self.says, ended).await {
            warn!(%error, "news of a canary could not be written down: {error}");
        }
        let has_failed = matches!(
            ended,
            Ended::Failed | Ended::CallsChanged | Ended::FailedAtService
        );
        has_failed && matches!(self.says, Says::HowItDoes(_))
    }

    /// A version that is tried failed: the one before it does the run now, and this attempt does not count.
    async fn begin_again(&self, why: String, failure: Option<Failure>, log: Vec<LogLine>) -> End {
        let (id, version) = (self.run.claim.id, short(&self.version));
        warn!(
            run.id = %id, handler = %self.run.handler,
            "run {id} failed on version {version}, which is being tried; the version before it does it now"
        );
        let why = format!("failed on version {version}, which is being tried: {why}");
        self.postpone(Follow::Again, why, "failed", failure, log)
            .await
    }

    async fn postpone(
        &self,
        follow: Follow,
        why: String,
        outcome: &'static str,
        failure: Option<Failure>,
        log: Vec<LogLine>,
    ) -> End {
        let error = failure.and_then(|it| serde_json::to_string(&it).ok());
        let blocks = self.loaded.handler.on_dead == OnDead::Block;
        let (state, due_at, needs, end) = match follow {
            Follow::Wait(until) => {
                let end = End::Parked { until: Some(until) };
                (State::Waiting, Some(until), None, end)
            }
            // The disk says again who is first in the lane: this one.
            Follow::Again => (State::Ready, None, None, End::Fenced),
            Follow::Dead(needs) if blocks => {
                (State::Dead, None, needs, End::Parked { until: None })
            }
            Follow::Dead(needs) => (State::Dead, None, needs, End::Finished),
        };
        let postpone = Postpone {
            claim: self.run.claim,
            state,
            due_at,
            waits_for: None,
            why,
            needs,
            attempts: self.number(),
            attempt: Some(self.closing().report(outcome, error, &log)),
        };
        end_of(self.shared.ledger.postpone(postpone).await, end)
    }
}

/// A number from 0 to 1 of this attempt's own, so that runs which failed together do not come back together; the same
/// whenever it is asked for.
fn spread(run: RunId, number: u32) -> f64 {
    let mut hash = Xxh3Default::new();
    hash.update(&run.0.to_le_bytes());
    hash.update(&number.to_le_bytes());
    f64::from((hash.digest() >> 32) as u32) / f64::from(u32::MAX)
}

/// What the ledger's answer to the end of a run means for its lane.
pub(super) fn end_of(applied: Result<Applied, LedgerError>, end: End) -> End {
    match applied {
        Ok(Applied::Done) => end,
        Ok(Applied::Stale | Applied::Fenced) => End::Fenced,
        Err(_) => End::Unwritten,
    }
}
