//! Starts runs: what just came, what is open from before, what was waiting for its time.

mod backlog;
mod looks;
mod suspects;
mod waking;

use super::Shared;
use super::attempt::{End, attempt};
use super::lanes::{Follow, Lanes, RUNS_IN_MEMORY_MAX};
use super::waiting::Waiting;
use crate::clock::UnixMillis;
use crate::ledger::request::OpenRun;
use crate::ledger::running::Suspect;
use crate::ledger::sqlite::read::Reader;
use crate::ledger::sqlite::{Arrival, Arrivals};
use crate::run::{Lane, RunId};
use backlog::Backlog;
use looks::Look;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// How long a run waits whose end the ledger could not take.
const PAUSE_AFTER_UNWRITTEN: Duration = Duration::from_secs(1);
/// How often it is asked whether a service that runs wait for is well.
const ASK_SERVICES_EVERY: Duration = Duration::from_millis(100);
/// A handler may have so many times the runs in flight that are free: whoever takes much leaves room for others.
const SHARE_OF_FREE: usize = 4;
/// How long a look at the waiting runs waits for others that want it too.
const PAUSE_AFTER_CHANGE: Duration = Duration::from_millis(100);

/// Runs until shutdown, then waits for the attempts that have begun.
pub(super) async fn dispatch(
    shared: Arc<Shared>,
    arrivals: Arc<Arrivals>,
    reader: Arc<Mutex<Reader>>,
    suspects: Vec<Suspect>,
    nudge: Arc<Notify>,
    shutdown: CancellationToken,
) {
    let mut it = Dispatcher {
        lanes: Lanes::default(),
        waiting: Waiting::default(),
        backlog: None,
        in_flight: HashMap::new(),
        begun: HashMap::new(),
        put_off_found_at: UnixMillis(0),
        clock_was: shared.clock.now(),
        may_wake: false,
        generation: 0,
        attempts: JoinSet::new(),
        looks: JoinSet::new(),
        suspects: suspects.iter().map(|it| (it.run, it.blame)).collect(),
        shared,
        reader,
    };
    let mut ask_services = tokio::time::interval(ASK_SERVICES_EVERY);
    ask_services.set_missed_tick_behavior(MissedTickBehavior::Delay);
    it.rescan();
    it.clear_suspects().await;
    it.reload_waiting();
    it.find_put_off();
    loop {
        if it.clock_is_set_back() {
            it.look_at_all();
        }
        if std::mem::take(&mut it.may_wake) {
            it.wake_put_off();
        }
        it.start_runs();
        it.scan();
        let due = it.until_due();
        let are_put_off = !it.shared.put_off().is_empty();
        // In this order, so that the same things happening lead to the same: what is rare comes before what may never
        // rest, and what has ended is taken beside each arrival.
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            () = nudge.notified() => it.look_at_all(),
            () = tokio::time::sleep(due) => it.wake_due(),
            _ = ask_services.tick(), if are_put_off => it.wake_put_off(),
            Some(look) = it.looks.join_next() => it.looked(look),
            () = arrivals.bell.notified() => {
                let arrived = arrivals.take();
                if arrived.overflowed {
                    it.leave_on_disk();
                }
                if arrived.lost_others_than_newest {
                    it.backlog.get_or_insert_default().begin_anew();
                }
                for arrival in arrived.runs {
                    match arrival {
                        Arrival::Ready(run) => it.arrive(run),
                        Arrival::Late(run) => it.arrive_late(run),
                        Arrival::Held(lane) => it.lanes.arrive_held(lane),
                    }
                }
                while let Some(ended) = it.attempts.try_join_next() {
                    it.ended(ended);
                }
            }
            Some(ended) = it.attempts.join_next() => it.ended(ended),
            () = it.shared.engines.room.notified() => {}
        }
    }
    it.shared.stopping.cancel();
    while let Some(ended) = it.attempts.join_next().await {
        it.ended(ended);
    }
}

struct Dispatcher {
    shared: Arc<Shared>,
    reader: Arc<Mutex<Reader>>,
    lanes: Lanes,
    waiting: Waiting,
    /// Open runs on disk that memory does not hold are being looked for, in order.
    backlog: Option<Backlog>,
    attempts: JoinSet<(Lane, RunId, End)>,
    in_flight: HashMap<RunId, InFlight>,
    /// How many of these each handler has.
    begun: HashMap<Arc<str>, usize>,
    put_off_found_at: UnixMillis,
    clock_was: UnixMillis,
    /// Runs of a service that has room have ended: the next may be woken.
    may_wake: bool,
    /// Rises when runs may have changed on disk by another way than acceptance: what was read before is worth nothing.
    generation: u64,
    looks: JoinSet<Look>,
    /// Runs that were in an engine at an unclean end: they run first, and alone.
    suspects: BTreeMap<RunId, u32>,
}

/// A run that is being attempted.
struct InFlight {
    task: tokio::task::Id,
    lane: Lane,
    handler: Arc<str>,
    /// Of its beginning.
    generation: u64,
    /// Another lane that it is in by now.
    moved_to: Option<Lane>,
}

impl Dispatcher {
    fn start_runs(&mut self) {
        let runs_in_flight_max = self.shared.current.load().config.limits.runs_in_flight_max;
        while self.attempts.len() < runs_in_flight_max {
            if !self.suspects.is_empty() && !self.attempts.is_empty() {
                return;
            }
            let free = runs_in_flight_max - self.attempts.len();
            let Some(run) = self.next(free) else { return };
            if let Some(it) = self.in_flight.get_mut(&run.claim.id) {
                // It was put into another lane while it was on its way: it is that lane's head, and not begun twice.
                it.moved_to = Some(run.lane);
                self.lanes.parked(run.lane);
                continue;
            }
            let blame = self.suspects.get(&run.claim.id).copied().unwrap_or(0);
            let shared = self.shared.clone();
            let (lane, id, handler) = (run.lane, run.claim.id, run.handler.clone());
            *self.begun.entry(handler.clone()).or_default() += 1;
            let task = self
                .attempts
                .spawn(async move { (lane, id, Box::pin(attempt(shared, run, blame)).await) });
            let in_flight = InFlight {
                task: task.id(),
                lane,
                handler,
                generation: self.generation,
                moved_to: None,
            };
            self.in_flight.insert(id, in_flight);
        }
    }

    /// Suspects first: a run that kills the process must be told from those that were there by chance.
    fn next(&mut self, free: usize) -> Option<OpenRun> {
        let Some(suspect) = self.suspects.keys().next().copied() else {
            let (begun, engines) = (&self.begun, &self.shared.engines);
            let in_force = self.shared.current.load();
            let may_begin = |it: &str| {
                let has_share = match begun.get(it) {
                    None => true,
                    Some(count) => *count < SHARE_OF_FREE * (free - 1) && engines.has_room(it),
                };
                has_share && !in_force.unsettled.holds(it)
            };
            return self.lanes.next(may_begin);
        };
        let run = self.lanes.take(suspect);
        if run.is_none() && self.looks.is_empty() {
            // Waiting or held by now: it is no suspect until it runs.
            self.suspects.remove(&suspect);
            return self.next(free);
        }
        run
    }

    fn arrive(&mut self, run: OpenRun) {
        if run.claim.epoch > 0 {
            return self.come_back(run);
        }
        if let Some(backlog) = &mut self.backlog {
            return backlog.left_on_disk();
        }
        let follow = self.lanes.arrive(run);
        self.follow(follow);
    }

    /// A run that the scan may be past. Any number of them may come.
    fn arrive_late(&mut self, run: OpenRun) {
        if RUNS_IN_MEMORY_MAX <= self.lanes.len() + self.looks.len() {
            return self.backlog.get_or_insert_default().begin_anew();
        }
        self.come_back(run);
    }

    /// Others of its lane may be ahead of it here.
    fn come_back(&mut self, run: OpenRun) {
        self.waiting.forget(run.claim.id);
        let follow = self.lanes.come_back(run);
        self.follow(follow);
    }

    fn ended(&mut self, ended: Result<(Lane, RunId, End), tokio::task::JoinError>) {
        let (lane, id, end) = match ended {
            Ok(it) => it,
            Err(error) => {
                error!(%error, "an attempt ended without a result; its run is found again on disk: {error}");
                let lost = self.in_flight.extract_if(|_, it| it.task == error.id());
                for (id, it) in lost {
                    self.may_wake |= self.shared.put_off().ended(id);
                    has_ended(&mut self.begun, &it.handler);
                    self.lanes.parked(it.lane);
                }
                return self.rescan();
            }
        };
        let in_flight = self.in_flight.remove(&id);
        self.may_wake |= self.shared.put_off().ended(id);
        if let Some(it) = &in_flight {
            has_ended(&mut self.begun, &it.handler);
            if let End::PutOff { service } = &end {
                let group = (service.clone(), it.handler.clone());
                self.shared.put_off().put_off(group);
            }
        }
        if self.suspects.remove(&id).is_some() {
            self.note_suspects();
        }
        if let Some(it) = in_flight.filter(|it| it.generation != self.generation) {
            return self.ended_over_a_change(&it, &end);
        }
        match end {
            End::Finished => {
                let follow = self.lanes.finished(lane);
                self.follow(follow);
            }
            End::Parked { until } => {
                self.lanes.parked(lane);
                if let Some(until) = until {
                    self.waiting.put(until, id, lane);
                }
            }
            End::PutOff { .. } => self.lanes.parked(lane),
            End::Fenced => {
                self.lanes.parked(lane);
                let follow = self.lanes.look_up(lane);
                self.follow(follow);
            }
            End::Unwritten => {
                self.lanes.parked(lane);
                self.waiting.put(
                    self.shared.clock.now().after(PAUSE_AFTER_UNWRITTEN),
                    id,
                    lane,
                );
            }
        }
    }

    /// The end of an attempt over which runs were put into other lanes, perhaps: the disk says who is first in the lane
    /// in which it began, and in the one in which its run was met since.
    fn ended_over_a_change(&mut self, it: &InFlight, end: &End) {
        for lane in [Some(it.lane), it.moved_to].into_iter().flatten() {
            self.lanes.parked(lane);
            let follow = self.lanes.look_up(lane);
            self.follow(follow);
        }
        match end {
            End::Finished | End::Parked { until: None } | End::PutOff { .. } | End::Fenced => {}
            // Under which lane it waits is known on disk only. Many such ends make one look.
            End::Parked { until: Some(_) } => {
                let soon = self.shared.clock.now().after(PAUSE_AFTER_CHANGE);
                self.waiting.reload_at(soon);
            }
            End::Unwritten => self.rescan(),
        }
    }

    fn follow(&mut self, follow: Follow) {
        match follow {
            Follow::Nothing => {}
            Follow::LookUp(lane) => {
                let blocked_by_dead = self.blocked_by_dead();
                let now = self.shared.clock.now();
                let generation = self.generation;
                self.look(move |reader| {
                    let head = reader.lane_head(lane, &blocked_by_dead, now);
                    Look::Head(generation, lane, head)
                });
            }
            Follow::LeftOnDisk => self.leave_on_disk(),
        }
    }

    fn leave_on_disk(&mut self) {
        self.backlog.get_or_insert_default().left_on_disk();
    }

    /// Reads again whatever memory held of the ledger.
    fn look_at_all(&mut self) {
        self.rescan();
        self.reload_waiting();
        self.find_put_off();
    }

    /// Looks at all open runs again, from the first.
    fn rescan(&mut self) {
        self.generation += 1;
        self.lanes.forget();
        self.shared.current.load().unsettled.forgotten();
        self.shared.put_off().begin_anew();
        self.backlog = Some(Backlog::of_all());
    }
}

fn has_ended(begun: &mut HashMap<Arc<str>, usize>, handler: &Arc<str>) {
    if let Some(count) = begun.get_mut(handler) {
        *count -= 1;
        if *count == 0 {
            begun.remove(handler);
        }
    }
}
