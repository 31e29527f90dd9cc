//! One pass of an attempt through its script, on a script thread.

use super::super::alone::Turns;
use super::super::engines::Turn;
use super::super::journal::Journal;
use super::super::lost::Lost;
use super::super::past::Past;
use super::super::world::{AttemptWorld, Sight};
use super::Attempt;
use super::closing::Closing;
use crate::call::Request;
use crate::clock::UnixMillis;
use crate::event::Event;
use crate::in_force::{InForce, LoadedHandler};
use crate::ledger::decision::Matching;
use crate::ledger::request::{Commit, OpenRun};
use crate::ledger::sqlite::read::{ReadError, Reader};
use crate::ledger::{Applied, Ledger, LedgerError};
use crate::record::{Read, RecordedChange};
use crate::script::{self, Failure, LogLine, Outcome, Program};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// What is left of a pass once the script thread is done with it.
pub(super) struct Passed {
    pub way: Way,
    pub reads: Vec<Read>,
    pub log: Vec<LogLine>,
    pub event: Arc<Event>,
    pub now: UnixMillis,
}

/// Where a run goes after a pass.
pub(super) enum Way {
    /// Its end was given to the ledger.
    Ended(Result<Applied, LedgerError>),
    /// Its end is to be given to the ledger once that is in nobody's way.
    Ends(Commit),
    RetryIn {
        wait: Duration,
        reason: String,
    },
    Dead(Failure),
    Failed(Failure),
    Needs(Request),
}

/// Why a pass could not be made.
pub(super) enum NoPass {
    EventGone,
    Failed(String),
    /// The thread was given up, after so long a silence.
    Stuck(Duration),
    /// The handler is held by now.
    Held(String),
}

impl Attempt {
    /// One pass through the script, on a script thread.
    pub(super) async fn pass(&self, is_first: bool) -> Result<Box<Passed>, NoPass> {
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
            closing: self.closing(),
        };
        let (ledger, turns) = (self.shared.ledger.clone(), self.shared.turns.clone());
        // The thread's, or that of whoever gives the thread up: the one that comes first.
        let reply = Arc::new(Mutex::new(Some(reply)));
        let in_vain = reply.clone();
        let work = Box::new(move |reader: &Arc<Mutex<Reader>>| {
            let passed = ingredients.pass(reader);
            if let Some(reply) = lock(&reply).take() {
                tell(reply, passed, &ledger, &turns);
            }
        });
        let lost = self.lost();
        let give_up = Box::new(move |silent_for| {
            let Some(reply) = lock(&in_vain).take() else {
                return false;
            };
            // Before another thread takes the place of this one, and with it the handler's next run.
            lost();
            reply.send(Err(NoPass::Stuck(silent_for))).is_ok()
        });
        self.shared.engines.push(Turn {
            run: self.run.claim.id,
            handler: self.run.handler.clone(),
            blame: self.blame,
            is_resumed: !is_first,
            is_alone: self.is_alone(),
            work,
            give_up,
        });
        passed
            .await
            .unwrap_or_else(|_| Err(NoPass::Failed("the script engine panicked".into())))
    }

    /// Counts this run among those that have taken a thread with them.
    fn lost(&self) -> impl FnOnce() + Send + 'static {
        let lost = self.shared.lost.clone();
        let (run, handler) = (self.run.claim.id, self.run.handler.clone());
        let version = self.version.clone();
        move || lost.run(run, &handler, &version)
    }
}

/// Tells the run what became of its pass. Its end goes to the ledger first: to wake it for nothing but to have it wait for
/// the writer costs more than all else that is done for it outside of the script.
fn tell(
    reply: oneshot::Sender<Result<Box<Passed>, NoPass>>,
    passed: Result<Box<Passed>, NoPass>,
    ledger: &Ledger,
    turns: &Turns,
) {
    let is_clear = |it: &Commit| turns.is_clear(it.claim.id, &it.changes) && !reply.is_closed();
    match passed.map(|it| *it) {
        Ok(Passed {
            way: Way::Ends(commit),
            reads,
            log,
            event,
            now,
        }) if is_clear(&commit) => {
            ledger.commit_and_then(commit, move |applied| {
                let _ = reply.send(Ok(Box::new(Passed {
                    way: Way::Ended(applied),
                    reads,
                    log,
                    event,
                    now,
                })));
            });
        }
        // Whoever waited for it may have been ended by a shutdown.
        passed => {
            let _ = reply.send(passed.map(Box::new));
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
    closing: Closing,
}

impl Ingredients {
    fn pass(mut self, reader: &Arc<Mutex<Reader>>) -> Result<Box<Passed>, NoPass> {
        // Here, not where the attempt begins: many may wait for a thread while the first of them get stuck.
        if let Some(why) = self.lost.holds(&self.loaded) {
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
        let (mut reads, log) = (pass.reads, pass.log);
        let ends = |skipped, changes| {
            let reads = std::mem::take(&mut reads);
            Way::Ends(self.closing.commit(skipped, reads, changes, &log))
        };
        let way = match pass.outcome {
            // Here, and not in the writer, which everybody waits for.
            Outcome::Done { changes } => ends(
                None,
                changes.into_iter().map(RecordedChange::from).collect(),
            ),
            Outcome::Skipped { reason } => ends(Some(reason), Vec::new()),
            Outcome::RetryIn { wait, reason } => Way::RetryIn { wait, reason },
            Outcome::Dead(failure) => Way::Dead(failure),
            Outcome::Failed(failure) => Way::Failed(failure),
            Outcome::Needs(request) => Way::Needs(request),
        };
        Ok(Box::new(Passed {
            way,
            reads,
            log,
            event,
            now: self.now,
        }))
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
