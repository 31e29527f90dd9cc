//! One attempt of a run: passes through the script, the calls that it asks for between them, and the end.

use super::Shared;
use super::calls::{self, Called};
use super::engines::Turn;
use super::journal::Journal;
use super::past::Past;
use super::world::{AttemptWorld, Sight};
use crate::clock::UnixMillis;
use crate::event::Event;
use crate::in_force::{InForce, LoadedHandler};
use crate::ledger::decision::{Matching, Needs};
use crate::ledger::request::{AttemptReport, Commit, OpenRun, Postpone};
use crate::ledger::sqlite::read::{ReadError, Reader};
use crate::ledger::{Applied, LedgerError};
use crate::record::{Read, RecordedChange};
use crate::run::{Next, State, after_failure};
use crate::script::{self, Failure, LogLine, Outcome, Program};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::{info, warn};

/// What became of a run, as its lane has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Out of the lane's way.
    Finished,
    /// Still the lane's head; due again at a time, or held until something changes.
    Parked { until: Option<UnixMillis> },
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

/// What follows an attempt that did not finish its run.
enum Follow {
    Wait(UnixMillis),
    /// Given up, until somebody has done something about it; for some, only an operator's word helps.
    Dead(Option<Needs>),
}

/// Why a pass could not be made.
enum NoPass {
    EventGone,
    Failed(String),
}

/// How often an attempt begins anew because a record that it read was changed meanwhile, before it waits a moment.
const CONFLICTS_MAX: u32 = 20;

/// Runs a run once, to whatever end.
pub(super) async fn attempt(shared: Arc<Shared>, run: OpenRun, blame: u32) -> End {
    let in_force = shared.current.load_full();
    let Some(loaded) = in_force.handler(&run.handler).cloned() else {
        let why = format!("handler `{}` is not in handlers.toml", run.handler);
        return hold(&shared, &run, why).await;
    };
    let program = match &loaded.program {
        Ok(it) => it.clone(),
        Err(why) => return hold(&shared, &run, why.clone()).await,
    };
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
        started_at,
    };
    for _ in 0..CONFLICTS_MAX {
        if let Some(end) = it.run_through().await {
            return end;
        }
    }
    // Somebody writes the same records all the time; others are to have their turn before this one tries again.
    End::Unwritten
}

async fn hold(shared: &Shared, run: &OpenRun, why: String) -> End {
    warn!(run.id = %run.claim.id, handler = %run.handler, "run {} is held: {why}", run.claim.id);
    let postponed = shared
        .ledger
        .postpone(Postpone {
            claim: run.claim,
            state: State::Held,
            due_at: None,
            why,
            needs: None,
            attempts: run.attempts,
            attempt: None,
        })
        .await;
    end_of(postponed, End::Parked { until: None })
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
        let notes = std::mem::take(&mut self.sight().notes);
        self.sight = Arc::new(Mutex::new(Sight::with(notes)));
        let mut is_first = true;
        loop {
            let passed = match self.pass(is_first).await {
                Ok(it) => it,
                Err(NoPass::EventGone) => {
                    let why = "its event is no longer in the ledger".to_owned();
                    return Some(self.give_up(why, None, None, Vec::new()).await);
                }
                Err(NoPass::Failed(message)) => {
                    let failure = self.failure(message);
                    return Some(self.fail(failure, Vec::new()).await);
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
                    Called::Dead { why, needs } => {
                        return Some(self.give_up(why, needs, None, log).await);
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
                    let changed = self.sight().calls_changed.clone();
                    let needs = changed.is_some().then_some(Needs::CallsChanged);
                    let why = changed.unwrap_or_else(|| failure.message.clone());
                    return Some(self.give_up(why, needs, Some(failure), log).await);
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
        };
        let work = Box::new(move |reader: &Arc<Mutex<Reader>>| {
            // Whoever waited for it may have been ended by a shutdown.
            let _ = reply.send(ingredients.pass(reader));
        });
        self.shared.engines.push(Turn {
            run: self.run.claim.id,
            blame: self.blame,
            is_resumed: !is_first,
            work,
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
            Ok(Applied::Done) => Some(End::Finished),
            Ok(Applied::Stale) => None,
            Ok(Applied::Fenced) => Some(End::Fenced),
            Err(_) => Some(End::Unwritten),
        }
    }

    /// The script asked to be run again later. That is an attempt: a script that asks for ever ends.
    async fn wait_as_asked(&self, wait: Duration, reason: String, log: Vec<LogLine>) -> End {
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

    async fn fail(&self, failure: Failure, log: Vec<LogLine>) -> End {
        let now = self.shared.clock.now();
        let retry_after = failure
            .call
            .as_ref()
            .and_then(|it| it.retry_after.as_deref())
            .and_then(|it| crate::services::retry_after(it, now));
        let random = f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
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

    async fn give_up(
        &self,
        why: String,
        needs: Option<Needs>,
        failure: Option<Failure>,
        log: Vec<LogLine>,
    ) -> End {
        let id = self.run.claim.id;
        warn!(run.id = %id, handler = %self.run.handler, "run {id} is dead");
        self.postpone(Follow::Dead(needs), why, "dead", failure, log)
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
        let blocks = self.loaded.handler.on_dead == crate::config::OnDead::Block;
        let (state, due_at, needs, end) = match follow {
            Follow::Wait(until) => {
                let end = End::Parked { until: Some(until) };
                (State::Waiting, Some(until), None, end)
            }
            Follow::Dead(needs) if blocks => {
                (State::Dead, None, needs, End::Parked { until: None })
            }
            Follow::Dead(needs) => (State::Dead, None, needs, End::Finished),
        };
        let postpone = Postpone {
            claim: self.run.claim,
            state,
            due_at,
            why,
            needs,
            attempts: self.number(),
            attempt: Some(self.report(outcome, error, &log)),
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
        let (engine_time, calls) = {
            let sight = self.sight();
            (sight.engine_time, sight.told())
        };
        AttemptReport {
            number: self.number(),
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
}

impl Ingredients {
    fn pass(mut self, reader: &Arc<Mutex<Reader>>) -> Result<Passed, NoPass> {
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
        let is_new =
            self.run.event.is_some() && self.run.attempts == 0 && self.run.claim.epoch == 0;
        let (entries, matching) = if is_new {
            (Vec::new(), Matching::Usual)
        } else {
            let (reader, id) = (lock(reader), self.run.claim.id);
            (reader.journal(id)?, reader.matching(id)?)
        };
        let past = Past::of(&entries, &self.version);
        if let Some(now) = past.now {
            self.now = now;
        }
        let journal = Journal::new(entries, matching);
        lock(&self.sight).begin(self.run.claim.id, journal, past, self.version.clone());
        Ok(())
    }
}

fn lock<T>(it: &Arc<Mutex<T>>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
