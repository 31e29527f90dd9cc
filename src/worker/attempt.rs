//! One attempt of a run: passes through the script, the calls that it asks for between them, and the end.

use super::Shared;
use super::calls::{self, Called};
use super::canary::{self, Ended, Says};
use super::engines::Turn;
use super::journal::Journal;
use super::lost::{Lost, why_stuck};
use super::world::{AttemptWorld, Seen, Sight};
use crate::clock::UnixMillis;
use crate::event::Event;
use crate::in_force::{InForce, LoadedHandler, short};
use crate::ledger::request::{AttemptReport, Commit, JournalEntry, OpenRun, Postpone};
use crate::ledger::sqlite::read::{ReadError, Reader};
use crate::ledger::{Applied, LedgerError};
use crate::record::{Read, RecordedChange};
use crate::run::{Next, RunId, State, after_failure};
use crate::script::{self, Failure, LogLine, Outcome, Program};
use crate::services::NotNow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::{info, warn};
use xxhash_rust::xxh3::Xxh3Default;

/// What became of a run, as its lane has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Out of the lane's way.
    Finished,
    /// Still the lane's head; due again at a time, or held until something changes.
    Parked { until: Option<UnixMillis> },
    /// Still the lane's head; it goes on when this service is well or has room.
    PutOff { service: Arc<str> },
    /// Somebody else's now: whatever is at the lane's head is on disk.
    Fenced,
    /// The ledger could not take the end; the run is open and ready there.
    Unwritten,
}

/// A run on its way, and what it began with: a reload changes nothing for it.
pub(super) struct Attempt {
    pub shared: Arc<Shared>,
    pub run: OpenRun,
    /// What it is blamed for of the process's unclean ends.
    pub blame: u32,
    pub in_force: Arc<InForce>,
    pub loaded: Arc<LoadedHandler>,
    pub program: Arc<Program>,
    pub version: Arc<str>,
    /// What it says about a version that is tried.
    says: Says,
    pub started_at: UnixMillis,
    pub sight: Arc<Mutex<Sight>>,
    event: Option<Arc<Event>>,
    /// What `now()` says.
    now: UnixMillis,
}

/// What is left of a pass once the script thread is done with it.
struct Passed {
    outcome: Outcome,
    /// Those of an outcome that is done, with what history keeps of them.
    changes: Vec<RecordedChange>,
    reads: Vec<Read>,
    log: Vec<LogLine>,
    event: Arc<Event>,
    now: UnixMillis,
}

/// Why a pass could not be made.
enum NoPass {
    EventGone,
    Failed(String),
    /// The thread was given up, after so long a silence.
    Stuck(Duration),
    /// The handler is held by now.
    Held(String),
}

/// How often an attempt begins anew because a record that it read was changed meanwhile, before it waits a moment.
const CONFLICTS_MAX: u32 = 20;

/// Runs a run once, to whatever end.
pub(super) async fn attempt(shared: Arc<Shared>, run: OpenRun, blame: u32) -> End {
    let in_force = shared.current.load_full();
    let Some(loaded) = in_force.handler(&run.handler).cloned() else {
        let why = format!("handler `{}` is not in handlers.toml", run.handler);
        return hold(&shared, &in_force, &run, why).await;
    };
    let usual = match loaded.program() {
        Ok(it) => it,
        Err(why) => return hold(&shared, &in_force, &run, why.to_owned()).await,
    };
    let (program, says) = canary::pick(&shared, &loaded, usual, &run).await;
    let started_at = shared.clock.now();
    let mut it = Attempt {
        version: program.version().into(),
        event: run.event.clone(),
        sight: Arc::default(),
        now: started_at,
        shared,
        run,
        blame,
        in_force,
        loaded,
        program,
        says,
        started_at,
    };
    for _ in 0..CONFLICTS_MAX {
        if let Some(end) = it.run_through().await {
            return end;
        }
        // It does not come straight from its acceptance any more: the calls that were made stand in its journal.
        it.run.event = None;
    }
    // Somebody writes the same records all the time; others are to have their turn before this one tries again.
    End::Unwritten
}

async fn hold(shared: &Shared, in_force: &InForce, run: &OpenRun, why: String) -> End {
    warn!(run.id = %run.claim.id, handler = %run.handler, "run {} is held: {why}", run.claim.id);
    let postponed = shared
        .ledger
        .postpone(Postpone {
            claim: run.claim,
            state: State::Held,
            due_at: None,
            waits_for: None,
            why,
            attempts: run.attempts,
            attempt: None,
        })
        .await;
    if postponed == Ok(Applied::Done) && in_force.is_outdated(&shared.current) {
        shared.held_late.notify_one();
    }
    end_of(postponed, End::Parked { until: None })
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
fn end_of(applied: Result<Applied, LedgerError>, end: End) -> End {
    match applied {
        Ok(Applied::Done) => end,
        Ok(Applied::Stale | Applied::Fenced) => End::Fenced,
        Err(_) => End::Unwritten,
    }
}

impl Attempt {
    /// From the script's start to its end; `None` when a record that it read was changed meanwhile.
    async fn run_through(&mut self) -> Option<End> {
        self.sight = Arc::default();
        let mut is_first = true;
        loop {
            let passed = match self.pass(is_first).await {
                Ok(it) => it,
                Err(NoPass::EventGone) => {
                    let why = "its event is no longer in the ledger".to_owned();
                    return Some(self.give_up(State::Dead, why, None, Vec::new()).await);
                }
                Err(NoPass::Failed(message)) => {
                    let failure = self.failure(message);
                    return Some(self.fail(failure, Vec::new()).await);
                }
                Err(NoPass::Stuck(silent_for)) => return Some(self.stuck(silent_for).await),
                Err(NoPass::Held(why)) => {
                    return Some(hold(&self.shared, &self.in_force, &self.run, why).await);
                }
            };
            is_first = false;
            self.now = passed.now;
            self.event = Some(passed.event);
            let Passed {
                outcome,
                changes,
                reads,
                log,
                ..
            } = passed;
            match outcome {
                Outcome::Needs(request) => match calls::make(self, request, &reads).await {
                    Called::Answered => {}
                    Called::Stale => return None,
                    Called::Fenced => return Some(End::Fenced),
                    Called::Unwritten => return Some(End::Unwritten),
                    Called::PutOff(it) => return Some(self.put_off(it).await),
                    Called::Dead(why) => {
                        return Some(self.give_up(State::Dead, why, None, log).await);
                    }
                },
                Outcome::Done { .. } => {
                    return self.commit(State::Done, None, reads, changes, log).await;
                }
                Outcome::Skipped { reason } => {
                    return self
                        .commit(State::Skipped, Some(reason), reads, Vec::new(), log)
                        .await;
                }
                Outcome::RetryIn { wait, reason } => {
                    return Some(self.wait_as_asked(wait, reason, log).await);
                }
                Outcome::Dead(failure) => {
                    let is_changed = self.sight().calls_changed;
                    let reason = if is_changed { "calls changed: " } else { "" };
                    let why = format!("{reason}{}", failure.message);
                    return Some(self.give_up(State::Dead, why, Some(failure), log).await);
                }
                Outcome::Failed(failure) => return Some(self.fail(failure, log).await),
            }
        }
    }

    /// One pass through the script, on a script thread.
    async fn pass(&self, is_first: bool) -> Result<Passed, NoPass> {
        let (reply, passed) = oneshot::channel();
        let ingredients = Ingredients {
            run: self.run.clone(),
            event: self.event.clone(),
            program: self.program.clone(),
            loaded: self.loaded.clone(),
            in_force: self.in_force.clone(),
            version: self.version.clone(),
            sight: self.sight.clone(),
            now: self.now,
            is_first,
            lost: self.shared.lost.clone(),
        };
        // The thread's, or that of whoever gives the thread up: the one that comes first.
        let reply = Arc::new(Mutex::new(Some(reply)));
        let in_vain = reply.clone();
        let work = Box::new(move |reader: &Arc<Mutex<Reader>>| {
            let passed = ingredients.pass(reader);
            if let Some(reply) = lock(&reply).take() {
                // Whoever waited for it may have been ended by a shutdown.
                let _ = reply.send(passed);
            }
        });
        let give_up = Box::new(move |silent_for| {
            let reply = lock(&in_vain).take();
            reply.is_some_and(|it| it.send(Err(NoPass::Stuck(silent_for))).is_ok())
        });
        self.shared.engines.push(Turn {
            run: self.run.claim.id,
            blame: self.blame,
            is_resumed: !is_first,
            work,
            give_up,
        });
        passed
            .await
            .unwrap_or_else(|_| Err(NoPass::Failed("the script engine panicked".into())))
    }

    /// The number of this attempt, from 1.
    pub(super) fn number(&self) -> u32 {
        self.run.attempts + 1
    }

    /// Attempts that count, this one included.
    fn spent(&self) -> u32 {
        self.number().saturating_sub(self.run.forgiven)
    }

    pub(super) fn sight(&self) -> MutexGuard<'_, Sight> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event's scope and id, which a call's key is made of.
    pub(super) fn event(&self) -> Option<&Arc<Event>> {
        self.event.as_ref()
    }

    pub(super) fn now(&self) -> UnixMillis {
        self.now
    }

    async fn commit(
        &self,
        state: State,
        why: Option<String>,
        reads: Vec<Read>,
        changes: Vec<RecordedChange>,
        log: Vec<LogLine>,
    ) -> Option<End> {
        let outcome = if state == State::Done {
            "done"
        } else {
            "skipped"
        };
        let commit = Commit {
            claim: self.run.claim,
            handler: self.run.handler.clone(),
            state,
            why,
            replay: self.run.replay,
            reads,
            changes,
            attempt: self.report(outcome, None, &log),
            at: self.shared.clock.now(),
        };
        match self.shared.ledger.commit(commit).await {
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
    async fn wait_as_asked(&self, wait: Duration, reason: String, log: Vec<LogLine>) -> End {
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
                self.postpone(State::Waiting, Some(until), reason, "retry", None, log)
                    .await
            }
            Next::GiveUp { why } => {
                let why = format!("{why}; the last one asked to wait: {reason}");
                self.give_up(State::Dead, why, None, log).await
            }
        }
    }

    /// The service that it needs is ill or has no room: that is no attempt of this run.
    async fn put_off(&self, NotNow { service, why }: NotNow) -> End {
        let postpone = Postpone {
            claim: self.run.claim,
            state: State::Waiting,
            due_at: None,
            waits_for: Some(service.clone()),
            why,
            attempts: self.run.attempts,
            attempt: None,
        };
        let postponed = self.shared.ledger.postpone(postpone).await;
        end_of(postponed, End::PutOff { service })
    }

    async fn fail(&self, failure: Failure, log: Vec<LogLine>) -> End {
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
                self.postpone(
                    State::Waiting,
                    Some(until),
                    why,
                    "failed",
                    Some(failure),
                    log,
                )
                .await
            }
            Next::GiveUp { why } => {
                warn!(
                    run.id = %id, handler = %self.run.handler, attempt = number,
                    "run {id} is dead: {why}, the last one at {place}"
                );
                let why = format!("{why}: {}", failure.message);
                self.postpone(State::Dead, None, why, "failed", Some(failure), log)
                    .await
            }
        }
    }

    /// Never again by itself: it would take one thread after another.
    async fn stuck(&self, silent_for: Duration) -> End {
        let id = self.run.claim.id;
        let lost = &self.shared.lost;
        lost.run(id, &self.run.handler, &self.version, &self.in_force);
        let why = why_stuck(silent_for);
        let mut failure = self.failure(why.clone());
        failure.help = Some(
            "no script should be able to do this: please report it, with the script and what `events show --body` prints".into(),
        );
        self.give_up(State::Dead, why, Some(failure), Vec::new())
            .await
    }

    async fn give_up(
        &self,
        state: State,
        why: String,
        failure: Option<Failure>,
        log: Vec<LogLine>,
    ) -> End {
        if self.note(Ended::Failed).await {
            return self.begin_again(why, failure, log).await;
        }
        let id = self.run.claim.id;
        warn!(run.id = %id, handler = %self.run.handler, "run {id} is dead");
        self.postpone(state, None, why, "dead", failure, log).await
    }

    /// Notes what this attempt says about a version that is tried; whether the version before that one is to do the run.
    async fn note(&self, ended: Ended) -> bool {
        if let Err(error) = canary::note(&self.shared, &self.run, &self.says, ended).await {
            warn!(%error, "news of a canary could not be written down: {error}");
        }
        let has_failed = matches!(ended, Ended::Failed | Ended::FailedAtService);
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
        match self
            .postpone(State::Ready, None, why, "failed", failure, log)
            .await
        {
            // The disk says again who is first in the lane: this one.
            End::Finished | End::Parked { .. } | End::PutOff { .. } | End::Fenced => End::Fenced,
            End::Unwritten => End::Unwritten,
        }
    }

    async fn postpone(
        &self,
        state: State,
        due_at: Option<UnixMillis>,
        why: String,
        outcome: &'static str,
        failure: Option<Failure>,
        log: Vec<LogLine>,
    ) -> End {
        let error = failure.and_then(|it| serde_json::to_string(&it).ok());
        let postpone = Postpone {
            claim: self.run.claim,
            state,
            due_at,
            waits_for: None,
            why,
            attempts: self.number(),
            attempt: Some(self.report(outcome, error, &log)),
        };
        let blocks = self.loaded.handler.on_dead == crate::config::OnDead::Block;
        let end = if state == State::Dead && !blocks {
            End::Finished
        } else {
            End::Parked { until: due_at }
        };
        end_of(self.shared.ledger.postpone(postpone).await, end)
    }

    fn report(
        &self,
        outcome: &'static str,
        error: Option<String>,
        log: &[LogLine],
    ) -> AttemptReport {
        let took_ms = self.shared.clock.now().0 - self.started_at.0;
        AttemptReport {
            number: self.number(),
            started_at: self.started_at,
            took_ms: took_ms.max(0),
            engine_us: i64::try_from(self.sight().engine_time.as_micros()).unwrap_or(i64::MAX),
            outcome,
            error,
            log: if log.is_empty() {
                None
            } else {
                serde_json::to_string(log).ok()
            },
            version: self.version.clone(),
        }
    }

    /// A failure that has no place in the script.
    fn failure(&self, message: String) -> Failure {
        Failure {
            message,
            script: self.program.script().to_owned(),
            line: 0,
            column: 0,
            source_line: String::new(),
            help: None,
            call: None,
        }
    }
}

/// What a pass is made of, taken along to the script thread.
struct Ingredients {
    run: OpenRun,
    event: Option<Arc<Event>>,
    program: Arc<Program>,
    loaded: Arc<LoadedHandler>,
    in_force: Arc<InForce>,
    version: Arc<str>,
    sight: Arc<Mutex<Sight>>,
    now: UnixMillis,
    is_first: bool,
    lost: Arc<Lost>,
}

impl Ingredients {
    fn pass(mut self, reader: &Arc<Mutex<Reader>>) -> Result<Passed, NoPass> {
        // Here, not where the attempt begins: many may wait for a thread while the first of them get stuck.
        if let Some(why) = self.lost.holds(&self.loaded, &self.in_force) {
            return Err(NoPass::Held(why));
        }
        let unreadable =
            |error: ReadError| NoPass::Failed(format!("the ledger could not be read: {error}"));
        let event = match self.event.take() {
            Some(it) => it,
            None => {
                let seq = self.run.claim.id.event_seq();
                let found = lock(reader).event(seq).map_err(unreadable)?;
                Arc::new(found.ok_or(NoPass::EventGone)?)
            }
        };
        if self.is_first {
            self.look_back(reader).map_err(unreadable)?;
        }
        let frozen = script::freeze(&event.body)
            .map_err(|why| NoPass::Failed(format!("the event cannot be read: {why}")))?;
        let attempt = script::Attempt {
            body: event.body.clone(),
            event_created: event.envelope.created,
            now: self.now,
            number: self.run.attempts + 1,
            seed: format!(
                "{}/{}/{}/{}",
                event.scope, event.envelope.id, self.run.handler, self.run.replay
            ),
            grants: self.loaded.grants.clone(),
        };
        let services = self.in_force.services.clone();
        let world = AttemptWorld::new(self.sight.clone(), reader.clone(), services);
        let pass = self.program.run(&attempt, &frozen, Box::new(world));
        lock(&self.sight).engine_time += pass.engine_time;
        let mut outcome = pass.outcome;
        let mut changes = Vec::new();
        if let Outcome::Done { changes: wanted } = &mut outcome {
            // Here, and not in the writer, which everybody waits for.
            changes.extend(std::mem::take(wanted).into_iter().map(RecordedChange::from));
        }
        Ok(Passed {
            outcome,
            changes,
            reads: pass.reads,
            log: pass.log,
            event,
            now: self.now,
        })
    }

    /// What earlier attempts have done: their calls, and what they had seen when they made the last one.
    fn look_back(&mut self, reader: &Arc<Mutex<Reader>>) -> Result<(), ReadError> {
        // A run that comes straight from its acceptance has no past.
        let entries =
            if self.run.event.is_some() && self.run.attempts == 0 && self.run.claim.epoch == 0 {
                Vec::new()
            } else {
                lock(reader).journal(self.run.claim.id)?
            };
        let (inherited, now) = inheritance(&entries, &self.version);
        if let Some(now) = now {
            self.now = now;
        }
        *lock(&self.sight) = Sight::new(Journal::new(entries), inherited, self.version.clone());
        Ok(())
    }
}

/// An unchanged script is to ask for the same calls: it sees the same `now()` and the same answers of GETs as the attempt
/// that made the last call, up to that call.
fn inheritance(entries: &[JournalEntry], version: &str) -> (Seen, Option<UnixMillis>) {
    let Some(last) = entries.last().filter(|it| it.version == version) else {
        return (Vec::new(), None);
    };
    let seen = entries
        .iter()
        .filter(|it| it.version == version)
        .filter_map(|it| it.seen.as_deref())
        .filter_map(|it| serde_json::from_str::<Seen>(it).ok())
        .flatten()
        .collect();
    (seen, Some(last.now))
}

fn lock<T>(it: &Arc<Mutex<T>>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
