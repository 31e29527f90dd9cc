//! Starts runs: what just came, what is open from before, what was waiting for its time.

use super::Shared;
use super::attempt::{End, attempt};
use super::lanes::{Follow, Lanes, PARKED_MAX, RUNS_IN_MEMORY_MAX};
use super::put_off::{self, Group, Wanted};
use super::waiting::Waiting;
use crate::clock::UnixMillis;
use crate::config::OnDead;
use crate::ledger::request::{OpenRun, Postpone};
use crate::ledger::running::{BLAME_MAX, Suspect};
use crate::ledger::sqlite::read::{BlockedByDead, ReadError, Reader};
use crate::ledger::sqlite::{Arrival, Arrivals};
use crate::run::{Lane, RunId, State};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// Runs that one look at the disk brings.
const SCAN_RUNS_MAX: i64 = 1000;
/// Fewer runs than this in memory, and the scan goes on.
const SCAN_BELOW: usize = RUNS_IN_MEMORY_MAX / 2;
/// How long a run waits whose end the ledger could not take.
const PAUSE_AFTER_UNWRITTEN: Duration = Duration::from_secs(1);
/// How often it is asked whether a service that runs wait for is well.
const ASK_SERVICES_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whether there are groups of such runs that are not known.
const FIND_PUT_OFF_EVERY: Duration = Duration::from_secs(60);
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
            () = nudge.notified() => {
                it.rescan();
                it.reload_waiting();
                it.find_put_off();
            }
            () = tokio::time::sleep(due) => it.wake_due(),
            _ = ask_services.tick(), if are_put_off => it.wake_put_off(),
            Some(look) = it.looks.join_next() => it.looked(look),
            () = arrivals.bell.notified() => {
                let arrived = arrivals.take();
                if arrived.overflowed {
                    it.leave_on_disk();
                }
                for arrival in arrived.runs {
                    match arrival {
                        Arrival::Ready(run) => it.arrive(run),
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
    /// Runs of a service that has room have ended: the next may be woken.
    may_wake: bool,
    /// Rises when runs may have changed on disk by another way than acceptance: what was read before is worth nothing.
    generation: u64,
    looks: JoinSet<Look>,
    /// Runs that were in an engine at an unclean end: they run first, and alone.
    suspects: BTreeMap<RunId, u32>,
}

/// A scan of the open runs.
#[derive(Default)]
struct Backlog {
    /// Every run up to this one was looked at.
    scanned_to: RunId,
    is_scanning: bool,
    /// The lanes whose heads may not start are still to be read: nothing may overtake these.
    lacks_parked: bool,
    /// Runs stayed on disk since the look that is going on began.
    left_meanwhile: bool,
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

/// What a look at the disk found.
enum Look {
    Head(Lane, Result<Option<(OpenRun, State)>, ReadError>),
    /// For this generation.
    Parked(u64, Result<Vec<Lane>, ReadError>),
    Scan(u64, Result<Vec<(OpenRun, bool)>, ReadError>),
    Waiting(Result<Vec<(UnixMillis, OpenRun)>, ReadError>),
    /// Groups of runs that wait for a service.
    PutOff(Result<Vec<Group>, ReadError>),
    /// Runs of one, for this generation.
    Woken(u64, Wanted, Result<Vec<(OpenRun, bool)>, ReadError>),
}

impl Dispatcher {
    fn start_runs(&mut self) {
        let runs_in_flight_max = self.shared.current.load().config.limits.runs_in_flight_max;
        while self.attempts.len() < runs_in_flight_max && self.shared.engines.has_room() {
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
                .spawn(async move { (lane, id, attempt(shared, run, blame).await) });
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
            let begun = &self.begun;
            let may_begin = |it: &str| match begun.get(it) {
                None => true,
                Some(count) => *count < SHARE_OF_FREE * (free - 1),
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
        if run.claim.epoch > 0 || run.replay > 0 {
            self.waiting.forget(run.claim.id);
            let follow = self.lanes.come_back(run);
            return self.follow(follow);
        }
        if let Some(backlog) = &mut self.backlog {
            backlog.left_meanwhile = true;
            return;
        }
        let follow = self.lanes.arrive(run);
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
                self.look(move |reader| {
                    Look::Head(lane, reader.lane_head(lane, &blocked_by_dead, now))
                });
            }
            Follow::LeftOnDisk => self.leave_on_disk(),
        }
    }

    fn leave_on_disk(&mut self) {
        self.backlog
            .get_or_insert_with(Backlog::default)
            .left_meanwhile = true;
    }

    /// Looks at all open runs again, from the first.
    fn rescan(&mut self) {
        self.generation += 1;
        self.lanes.forget();
        self.shared.put_off().begin_anew();
        self.backlog = Some(Backlog {
            lacks_parked: true,
            ..Backlog::default()
        });
    }

    fn scan(&mut self) {
        let wants_more = |it: &Backlog| !it.is_scanning && self.lanes.len() < SCAN_BELOW;
        if !self.backlog.as_ref().is_some_and(wants_more) {
            return;
        }
        let blocked_by_dead = self.blocked_by_dead();
        let Some(backlog) = &mut self.backlog else {
            return;
        };
        backlog.is_scanning = true;
        let (lacks_parked, after) = (backlog.lacks_parked, backlog.scanned_to);
        let generation = self.generation;
        if lacks_parked {
            return self.look(move |reader| {
                let lanes = reader.lanes_not_ready(&blocked_by_dead, PARKED_MAX);
                Look::Parked(generation, lanes)
            });
        }
        backlog.left_meanwhile = false;
        let now = self.shared.clock.now();
        self.look(move |reader| {
            let runs = reader.ready_runs(after, SCAN_RUNS_MAX).and_then(|runs| {
                runs.into_iter()
                    .map(|run| {
                        let head = reader.lane_head(run.lane, &blocked_by_dead, now)?;
                        let is_head = head.is_some_and(|(it, _)| it.claim.id == run.claim.id);
                        Ok((run, is_head))
                    })
                    .collect()
            });
            Look::Scan(generation, runs)
        });
    }

    /// The handlers of which a dead run blocks its lane, as of now.
    fn blocked_by_dead(&self) -> BlockedByDead {
        let in_force = self.shared.current.load();
        let handlers = in_force.handlers().iter().map(|it| &it.handler);
        let blocking = handlers.filter(|it| it.on_dead == OnDead::Block);
        BlockedByDead::new(blocking.map(|it| &*it.name))
    }

    fn look(&mut self, look: impl FnOnce(&Reader) -> Look + Send + 'static) {
        let reader = self.reader.clone();
        #[cfg(test)]
        if self.shared.engines.is_by_hand() {
            self.looks
                .spawn(async move { look(&super::engines::lock(&reader)) });
            return;
        }
        self.looks
            .spawn_blocking(move || look(&reader.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    fn looked(&mut self, look: Result<Look, tokio::task::JoinError>) {
        match look {
            Ok(Look::Head(lane, Ok(head))) => {
                let follow = self.lanes.found(lane, head);
                self.follow(follow);
            }
            Ok(Look::Head(lane, Err(error))) => {
                warn!(%error, "the ledger could not be read, trying again: {error}");
                self.lanes.parked(lane);
                let soon = self.shared.clock.now().after(PAUSE_AFTER_UNWRITTEN);
                self.waiting.put(soon, RunId::default(), lane);
            }
            Ok(Look::Parked(generation, _) | Look::Scan(generation, _))
                if generation != self.generation => {}
            Ok(Look::Parked(_, Ok(lanes))) => {
                self.lanes.park_all(lanes);
                if let Some(backlog) = &mut self.backlog {
                    backlog.is_scanning = false;
                    backlog.lacks_parked = false;
                }
            }
            Ok(Look::Scan(_, Ok(runs))) => self.scanned(runs),
            Ok(
                Look::Parked(_, Err(error)) | Look::Scan(_, Err(error)) | Look::Waiting(Err(error)),
            ) => {
                error!(%error, "the open runs could not be read, trying again: {error}");
                self.waiting
                    .reload_at(self.shared.clock.now().after(PAUSE_AFTER_UNWRITTEN));
                if let Some(backlog) = &mut self.backlog {
                    backlog.is_scanning = false;
                }
            }
            Ok(Look::Waiting(Ok(runs))) => self.waiting.loaded(runs),
            Ok(Look::PutOff(Ok(groups))) => {
                let mut put_off = self.shared.put_off();
                groups.into_iter().for_each(|it| put_off.put_off(it));
            }
            Ok(Look::PutOff(Err(error))) => {
                warn!(%error, "the runs that wait for services could not be read, trying again: {error}");
                self.put_off_found_at = UnixMillis(0);
            }
            Ok(Look::Woken(generation, wanted, runs)) => self.woken(generation, &wanted, runs),
            Err(error) => error!(%error, "a look at the ledger failed: {error}"),
        }
    }

    fn scanned(&mut self, runs: Vec<(OpenRun, bool)>) {
        let Some(backlog) = &mut self.backlog else {
            return;
        };
        backlog.is_scanning = false;
        match runs.last() {
            Some((last, _)) => backlog.scanned_to = last.claim.id.max(backlog.scanned_to),
            // All is seen. What came meanwhile may not have been there yet for this look.
            None if backlog.left_meanwhile => {}
            None => self.backlog = None,
        }
        for (run, is_head) in runs {
            self.lanes.scanned(run, is_head);
        }
    }

    fn until_due(&self) -> Duration {
        /// A clock that is set forward must not leave runs waiting for long.
        const LOOK_AT_THE_CLOCK_EVERY: Duration = Duration::from_secs(30);
        let now = self.shared.clock.now();
        self.waiting
            .next()
            .map_or(LOOK_AT_THE_CLOCK_EVERY, |it| it.since(now))
            .min(LOOK_AT_THE_CLOCK_EVERY)
    }

    fn wake_due(&mut self) {
        let now = self.shared.clock.now();
        for lane in self.waiting.due(now) {
            if !self.lanes.holds(lane) {
                let follow = self.lanes.look_up(lane);
                self.follow(follow);
            }
        }
        if self.waiting.wants_reload(now) {
            self.reload_waiting();
        }
        if self.put_off_found_at.after(FIND_PUT_OFF_EVERY) < now {
            self.find_put_off();
        }
    }

    /// Learns of runs that wait for services from the ledger: after a start, a reload, and as a net.
    fn find_put_off(&mut self) {
        self.put_off_found_at = self.shared.clock.now();
        self.look(|reader| {
            let groups = reader
                .waiting_for_services()
                .map(|it| it.into_iter().map(|it| (it.service, it.handler)).collect());
            Look::PutOff(groups)
        });
    }

    /// Wakes runs whose services are well, or one to look whether its service is.
    fn wake_put_off(&mut self) {
        let in_force = self.shared.current.load_full();
        let now = self.shared.clock.now();
        let awake_max = put_off::awake_max(in_force.config.limits.runs_in_flight_max);
        let room = |service: &str| in_force.services.room(service);
        let wanted = self.shared.put_off().wanted(room, awake_max, now);
        for it in wanted {
            let generation = self.generation;
            let blocked_by_dead = self.blocked_by_dead();
            self.look(move |reader| {
                let (service, handler) = &it.group;
                let runs = reader.runs_waiting_for(
                    service,
                    handler,
                    it.after,
                    it.limit,
                    &blocked_by_dead,
                    now,
                );
                Look::Woken(generation, it, runs)
            });
        }
    }

    fn woken(
        &mut self,
        generation: u64,
        wanted: &Wanted,
        runs: Result<Vec<(OpenRun, bool)>, ReadError>,
    ) {
        let now = self.shared.clock.now();
        let runs = match runs {
            Ok(it) if generation == self.generation => it,
            Ok(_) => return self.shared.put_off().unread(wanted, now),
            Err(error) => {
                warn!(%error, "the ledger could not be read, trying again: {error}");
                return self.shared.put_off().unread(wanted, now);
            }
        };
        let woken: Vec<(RunId, bool)> = runs
            .into_iter()
            .map(|(run, is_head)| {
                let id = run.claim.id;
                (id, is_head && self.lanes.wake(run))
            })
            .collect();
        self.shared.put_off().woken(wanted, &woken, now);
    }

    fn reload_waiting(&mut self) {
        let limit = self.waiting.begin_reload();
        self.look(move |reader| Look::Waiting(reader.waiting_runs(limit)));
    }

    /// Called only while no script runs: suspects run alone.
    fn note_suspects(&self) {
        if let Err(error) = self.shared.running.park(&self.suspects) {
            error!(%error, "the file that names the running runs cannot be written: {error}");
        }
    }

    /// A run that is in an engine at one unclean end after another is what ends the process: it must not do so at every
    /// start.
    async fn clear_suspects(&mut self) {
        for (id, blame) in self.suspects.clone() {
            let found = {
                let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
                reader.open_run(id)
            };
            let Ok(Some(run)) = found else { continue };
            if blame < BLAME_MAX {
                // It was at the head of its lane, or it would not have run.
                let follow = self.lanes.look_up(run.lane);
                self.follow(follow);
                continue;
            }
            self.suspects.remove(&id);
            error!(run.id = %id, handler = %run.handler, "run {id} is dead: the host ended while it ran, and again when it ran alone");
            let postpone = Postpone {
                claim: run.claim,
                state: State::Dead,
                due_at: None,
                waits_for: None,
                why: "the host ended while this run was in the script engine, and again when it ran alone".into(),
                attempts: run.attempts,
                attempt: None,
            };
            if let Err(error) = self.shared.ledger.postpone(postpone).await {
                error!(%error, "run {id} could not be set dead: {error}");
            }
        }
        self.note_suspects();
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
