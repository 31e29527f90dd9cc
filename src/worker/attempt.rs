//! One attempt of a run: passes through the script, the calls that it asks for between them, and the end.

mod closing;
mod end;
mod losses;
mod pass;
mod room;
mod under_way;

use super::Shared;
use super::calls::{self, Called};
use super::canary::{self, Says};
use super::world::Sight;
use crate::clock::UnixMillis;
use crate::event::Event;
use crate::in_force::{InForce, LoadedHandler};
use crate::ledger::Applied;
use crate::ledger::decision::Needs;
use crate::ledger::request::{OpenRun, Postpone};
use crate::run::State;
use crate::script::{Failure, Program};
use crate::services::NotNow;
use end::end_of;
use losses::{Contention, LOSSES_MAX};
use pass::{NoPass, Passed, Way};
use room::Place;
pub(super) use room::Room;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OwnedSemaphorePermit;
use tracing::warn;
pub(super) use under_way::Once;

/// Bodies of events that memory holds for runs that wait for a service.
pub(super) const WAITING_BODIES_BYTES_MAX: usize = 4 * 1024 * 1024;

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
    /// For the event's body, while it waits for a service.
    room: Option<OwnedSemaphorePermit>,
    /// For what it has read and was answered.
    room_for_sight: Place,
    /// What `now()` says.
    now: UnixMillis,
    contention: Contention,
}

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
        room: None,
        room_for_sight: shared.sights_room.place(run.handler.clone()),
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
        contention: Contention::default(),
    };
    while it.contention.losses.count < LOSSES_MAX {
        if let Some(end) = it.run_through().await {
            return end;
        }
        // It comes straight from its acceptance no longer: it may have made calls, which must not be made again.
        it.run.event = None;
        if !it.may_begin_anew().await {
            break;
        }
    }
    // Others are to have their turn before this one tries again.
    End::Unwritten
}

fn no_room(service: Arc<str>) -> NotNow {
    let why = "memory has no room for what it has read and was answered, beside what other runs have that wait for services";
    NotNow {
        service,
        why: why.into(),
    }
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
            needs: None,
            attempts: run.attempts,
            attempt: None,
        })
        .await;
    if postponed == Ok(Applied::Done) && in_force.is_outdated(&shared.current) {
        shared.held_late.notify_one();
    }
    end_of(postponed, End::Parked { until: None })
}

impl Attempt {
    /// From the script's start to its end; `None` when a record that it read was changed meanwhile.
    async fn run_through(&mut self) -> Option<End> {
        let notes = std::mem::take(&mut self.sight().notes);
        let kept = if self.is_alone() {
            self.sight().answers_of_gets()
        } else {
            Vec::new()
        };
        self.sight = Arc::new(Mutex::new(Sight::with(notes, kept)));
        let handler = self.run.handler.clone();
        self.room_for_sight = self.shared.sights_room.place(handler);
        let mut is_first = true;
        let mut waiting = None;
        loop {
            self.shared.once.before_a_look(&mut waiting);
            let Passed {
                way,
                reads,
                log,
                event,
                now,
            } = match self.pass(is_first).await {
                Ok(it) => *it,
                Err(it) => return Some(self.has_no_pass(it).await),
            };
            is_first = false;
            self.now = now;
            self.event = Some(event);
            match way {
                Way::Needs(request) => {
                    let service: Arc<str> = request.service.as_str().into();
                    if !self.has_room_for_sight() {
                        return Some(self.put_off(no_room(service), log).await);
                    }
                    let plan = calls::plan(self, request);
                    self.leave_event();
                    match calls::make(self, plan, &reads).await {
                        // With what it was answered it waits for its turn on a script thread. A failure is an attempt's.
                        Called::Answered
                            if !self.has_room_for_sight() && self.sight().was_answered_well() =>
                        {
                            return Some(self.put_off(no_room(service), log).await);
                        }
                        Called::Answered => {}
                        Called::Stale => return None,
                        Called::Fenced => return Some(End::Fenced),
                        Called::Unwritten => return Some(End::Unwritten),
                        Called::UnderWay(it) => match self.wait_for(it, &mut waiting).await {
                            None => {}
                            Some(end) => return Some(end),
                        },
                        Called::PutOff(it) => return Some(self.put_off(it, log).await),
                        Called::Dead { why, needs } => {
                            return Some(self.give_up(why, needs, None, log).await);
                        }
                    }
                }
                Way::Ended(applied) => return self.committed(applied).await,
                Way::Ends(commit) => return self.commit(commit).await,
                Way::RetryIn { wait, reason } => {
                    return Some(self.wait_as_asked(wait, reason, log).await);
                }
                Way::Dead(failure) => {
                    let changed = self.sight().calls_changed.clone();
                    let needs = changed.is_some().then_some(Needs::CallsChanged);
                    let why = changed.unwrap_or_else(|| failure.message.clone());
                    return Some(self.give_up(why, needs, Some(failure), log).await);
                }
                Way::Failed(failure) => return Some(self.fail(failure, log).await),
            }
        }
    }

    /// There is no pass whose outcome could be looked at.
    async fn has_no_pass(&self, why: NoPass) -> End {
        match why {
            NoPass::EventGone => {
                let why = "its event is no longer in the ledger".to_owned();
                self.give_up(why, None, None, Vec::new()).await
            }
            NoPass::Failed(message) => {
                let failure = self.failure(message);
                self.fail(failure, Vec::new()).await
            }
            NoPass::Stuck(silent_for) => self.stuck(silent_for).await,
            NoPass::Held(why) => hold(&self.shared, &self.in_force, &self.run, why).await,
        }
    }

    /// Before it waits for a service, beside thousands of others: its event stays in memory as long as there is room, and
    /// is read again from the ledger if there is none.
    fn leave_event(&mut self) {
        self.run.event = None;
        let Some(event) = self.event.take() else {
            return;
        };
        if self.room.is_none() {
            let size_bytes = u32::try_from(event.body.len()).unwrap_or(u32::MAX);
            let room = self.shared.bodies_room.clone();
            self.room = room.try_acquire_many_owned(size_bytes).ok();
        }
        if self.room.is_some() {
            self.event = Some(event);
        }
    }

    /// What it has seen stays in memory from its first call on, beside what thousands of others have: false when there is
    /// no room for it.
    fn has_room_for_sight(&mut self) -> bool {
        let size_bytes = self.sight().size_bytes();
        self.room_for_sight.grow(size_bytes)
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
