//! Looks at the disk for runs: who is first in a lane, what is open that memory does not hold.

use super::super::lanes::{Follow, PARKED_MAX, RUNS_IN_MEMORY_MAX};
use super::super::put_off::{Group, Wanted};
use super::backlog::{Backlog, Next};
use super::{Dispatcher, PAUSE_AFTER_UNWRITTEN};
use crate::clock::UnixMillis;
use crate::config::OnDead;
use crate::ledger::request::OpenRun;
use crate::ledger::sqlite::read::{BlockedByDead, ReadError, Reader};
use crate::run::{Lane, RunId, State};
use std::sync::PoisonError;
use tracing::{error, warn};

/// Runs that one look at the disk brings.
const SCAN_RUNS_MAX: i64 = 1000;
/// Fewer runs than this in memory, and the scan goes on.
const SCAN_BELOW: usize = RUNS_IN_MEMORY_MAX / 2;

/// What a look at the disk found.
pub(super) enum Look {
    /// For this generation.
    Head(u64, Lane, Result<Option<(OpenRun, State)>, ReadError>),
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
    pub(super) fn scan(&mut self) {
        if SCAN_BELOW <= self.lanes.len() {
            return;
        }
        let Some(next) = self.backlog.as_mut().and_then(Backlog::next) else {
            return;
        };
        let blocked_by_dead = self.blocked_by_dead();
        let generation = self.generation;
        let after = match next {
            Next::Parked => {
                return self.look(move |reader| {
                    let lanes = reader.lanes_not_ready(&blocked_by_dead, PARKED_MAX);
                    Look::Parked(generation, lanes)
                });
            }
            Next::Runs { after } => after,
        };
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
    pub(super) fn blocked_by_dead(&self) -> BlockedByDead {
        let in_force = self.shared.current.load();
        let handlers = in_force.handlers().iter().map(|it| &it.handler);
        let blocking = handlers.filter(|it| it.on_dead == OnDead::Block);
        BlockedByDead::new(blocking.map(|it| &*it.name))
    }

    pub(super) fn look(&mut self, look: impl FnOnce(&Reader) -> Look + Send + 'static) {
        let reader = self.reader.clone();
        #[cfg(test)]
        if self.shared.engines.is_by_hand() {
            self.looks
                .spawn(async move { look(&super::super::engines::lock(&reader)) });
            return;
        }
        self.looks
            .spawn_blocking(move || look(&reader.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    pub(super) fn looked(&mut self, look: Result<Look, tokio::task::JoinError>) {
        match look {
            // The run may be in another lane by now.
            Ok(Look::Head(generation, lane, _)) if generation != self.generation => {
                self.follow(Follow::LookUp(lane));
            }
            Ok(Look::Head(_, lane, Ok(head))) => {
                let follow = self.lanes.found(lane, head);
                self.follow(follow);
            }
            Ok(Look::Head(_, lane, Err(error))) => {
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
                    backlog.parked_are_known();
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
                    backlog.unread();
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

    pub(super) fn scanned(&mut self, runs: Vec<(OpenRun, bool)>) {
        let Some(backlog) = &mut self.backlog else {
            return;
        };
        let last = runs.last().map(|(last, _)| last.claim.id);
        if backlog.looked(last) {
            self.backlog = None;
        }
        for (run, is_head) in runs {
            self.lanes.scanned(run, is_head);
        }
    }
}
