//! Runs whose time has come, and those whose service is well or has room.

use super::super::put_off::{self, Wanted};
use super::super::waiting::{Place, WAITING_MAX};
use super::Dispatcher;
use super::looks::Look;
use crate::ledger::request::OpenRun;
use crate::ledger::sqlite::read::ReadError;
use crate::run::RunId;
use std::time::Duration;
use tracing::warn;

/// How often it is looked whether there are groups of runs that wait for a service and are not known.
const FIND_PUT_OFF_EVERY: Duration = Duration::from_secs(60);

/// Less than this only makes a pause longer.
const SET_BACK_MIN: Duration = Duration::from_secs(1);

impl Dispatcher {
    pub(super) fn until_due(&self) -> Duration {
        /// A clock that is set forward must not leave runs waiting for long.
        const LOOK_AT_THE_CLOCK_EVERY: Duration = Duration::from_secs(30);
        let now = self.shared.clock.now();
        self.waiting
            .next()
            .map_or(LOOK_AT_THE_CLOCK_EVERY, |it| it.since(now))
            .min(LOOK_AT_THE_CLOCK_EVERY)
    }

    /// Whether it was since the last time: the pauses that were to end by it would last for as long again.
    pub(super) fn clock_is_set_back(&mut self) -> bool {
        let (was, now) = (self.clock_was, self.shared.clock.now());
        self.clock_was = now;
        now.after(SET_BACK_MIN) < was
    }

    pub(super) fn wake_due(&mut self) {
        let now = self.shared.clock.now();
        for lane in self.waiting.due(now) {
            if !self.lanes.holds(lane) {
                let follow = self.lanes.look_up(lane);
                self.follow(follow);
            }
        }
        if let Some(after) = self.waiting.next_reading(now) {
            self.read_waiting(after);
        }
        if self.put_off_found_at.after(FIND_PUT_OFF_EVERY) < now {
            self.find_put_off();
        }
    }

    /// Learns of runs that wait for services from the ledger: after a start, a reload, and as a net.
    pub(super) fn find_put_off(&mut self) {
        self.put_off_found_at = self.shared.clock.now();
        self.look(|reader| {
            let groups = reader
                .waiting_for_services()
                .map(|it| it.into_iter().map(|it| (it.service, it.handler)).collect());
            Look::PutOff(groups)
        });
    }

    /// Wakes runs whose services are well, or one to look whether its service is.
    pub(super) fn wake_put_off(&mut self) {
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

    pub(super) fn woken(
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

    pub(super) fn reload_waiting(&mut self) {
        let first = self.waiting.begin_reload();
        self.read_waiting(first);
    }

    fn read_waiting(&mut self, after: Place) {
        self.look(move |reader| Look::Waiting(reader.waiting_runs(after, WAITING_MAX)));
    }
}
