//! Which run comes next: one at a time in a lane, handlers in turn.
//!
//! Memory holds a bounded part of the open runs; the rest lies in the ledger. What is held here may lag behind: the
//! ledger refuses whatever a run is no longer entitled to, so a mistake here costs time and never an effect.

use crate::ledger::request::OpenRun;
use crate::run::{Lane, RunId, State};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Runs that memory holds before later ones stay on disk.
pub(super) const RUNS_IN_MEMORY_MAX: usize = 10_000;
/// Bodies of events that memory holds for runs that have not begun; the others are read again from the ledger.
const BODIES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Runs of one lane in memory.
const LANE_RUNS_MAX: usize = 64;
/// Lanes known to wait; when there are more, arrivals go by way of the disk.
pub(super) const PARKED_MAX: usize = 100_000;

/// The runs in memory, by lane.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: HashMap<Lane, Queue>,
    /// Lanes whose head is on disk and may not start: it waits, is held, or is dead and blocks.
    parked: HashSet<Lane>,
    /// There are parked lanes that `parked` does not hold.
    parked_overflowed: bool,
    /// Handlers that have lanes with something to start, in the order of their turns.
    turns: VecDeque<Arc<str>>,
    startable: HashMap<Arc<str>, VecDeque<Lane>>,
    runs: usize,
    bodies_bytes: usize,
}

struct Queue {
    runs: VecDeque<OpenRun>,
    phase: Phase,
    /// The lane may have more runs on disk than are here.
    more_on_disk: bool,
    /// Something came while the disk was being asked.
    came_meanwhile: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// In its handler's list of lanes to start.
    Startable,
    Running,
    /// The disk is being asked for its head.
    Looking,
}

/// What the caller has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Follow {
    Nothing,
    /// Ask the ledger for the head of this lane and report it with [`Lanes::found`].
    LookUp(Lane),
    /// The run stays on disk: scan for it later, after [`RunId`]s before it.
    LeftOnDisk,
}

impl Lanes {
    /// A run that was just accepted. Its lane's earlier runs are here, parked, or finished.
    pub(super) fn arrive(&mut self, run: OpenRun) -> Follow {
        if let Some(queue) = self.lanes.get_mut(&run.lane) {
            if queue.phase == Phase::Looking {
                queue.came_meanwhile = true;
            } else if !queue.more_on_disk
                && queue.runs.len() < LANE_RUNS_MAX
                && self.runs < RUNS_IN_MEMORY_MAX
            {
                let run = bounded(run, &mut self.bodies_bytes);
                queue.runs.push_back(run);
                self.runs += 1;
            } else {
                queue.more_on_disk = true;
            }
            return Follow::Nothing;
        }
        if self.parked.contains(&run.lane) {
            return Follow::Nothing;
        }
        if self.parked_overflowed || self.runs >= RUNS_IN_MEMORY_MAX {
            return Follow::LeftOnDisk;
        }
        self.open(run, false);
        Follow::Nothing
    }

    /// A run that was just accepted, and may not start. It lies on disk: whatever comes after it in its lane waits there too.
    pub(super) fn arrive_held(&mut self, lane: Lane) {
        match self.lanes.get_mut(&lane) {
            Some(queue) => {
                queue.came_meanwhile = true;
                queue.more_on_disk = true;
            }
            None => self.park(lane),
        }
    }

    /// A run that came back or was made later than its place in the lane says: by an operator, or by its time.
    pub(super) fn come_back(&mut self, run: OpenRun) -> Follow {
        let Some(queue) = self.lanes.get_mut(&run.lane) else {
            return self.look_up(run.lane);
        };
        match queue.phase {
            Phase::Looking => queue.came_meanwhile = true,
            Phase::Startable | Phase::Running => {
                let at = queue.runs.partition_point(|it| it.claim.id < run.claim.id);
                if queue
                    .runs
                    .get(at)
                    .is_some_and(|it| it.claim.id == run.claim.id)
                {
                    queue.runs[at] = run;
                } else {
                    queue.runs.insert(at, run);
                    self.runs += 1;
                }
            }
        }
        Follow::Nothing
    }

    /// A run that was put off and may go on, the head of its lane on disk. False when its lane is busy here.
    pub(super) fn wake(&mut self, run: OpenRun) -> bool {
        if self.lanes.contains_key(&run.lane) {
            return false;
        }
        self.parked.remove(&run.lane);
        self.open(run, true);
        true
    }

    /// A ready run that a scan of the disk has found, and whether it is the head of its lane there.
    pub(super) fn scanned(&mut self, run: OpenRun, is_head: bool) {
        match self.lanes.get_mut(&run.lane) {
            Some(queue) => {
                let is_new = queue
                    .runs
                    .back()
                    .is_none_or(|it| it.claim.id < run.claim.id);
                if queue.phase == Phase::Looking {
                    queue.came_meanwhile = true;
                } else if is_new
                    && !queue.runs.is_empty()
                    && !queue.more_on_disk
                    && queue.runs.len() < LANE_RUNS_MAX
                {
                    queue.runs.push_back(run);
                    self.runs += 1;
                } else {
                    // Perhaps it is the one that is running; asking the disk once more does no harm.
                    queue.more_on_disk = true;
                }
            }
            None if is_head => {
                self.parked.remove(&run.lane);
                self.open(run, true);
            }
            // Its lane's head finds it when it is done.
            None => {}
        }
    }

    /// The next run to start, handlers in turn; of those handlers that may begin one.
    pub(super) fn next(&mut self, may_begin: impl Fn(&str) -> bool) -> Option<OpenRun> {
        let mut passed_over = 0;
        while passed_over < self.turns.len() {
            let handler = self.turns.pop_front()?;
            if !may_begin(&handler) {
                self.turns.push_back(handler);
                passed_over += 1;
                continue;
            }
            let Some(lanes) = self.startable.get_mut(&handler) else {
                continue;
            };
            let lane = lanes.pop_front();
            if lanes.is_empty() {
                self.startable.remove(&handler);
            } else {
                self.turns.push_back(handler);
            }
            let Some(queue) = lane.and_then(|it| self.lanes.get_mut(&it)) else {
                continue;
            };
            let Some(run) = queue.runs.pop_front() else {
                continue;
            };
            queue.phase = Phase::Running;
            self.runs -= 1;
            self.bodies_bytes -= body_bytes(&run);
            return Some(run);
        }
        None
    }

    /// This run, out of its turn, if it is the first of its lane here.
    pub(super) fn take(&mut self, run: RunId) -> Option<OpenRun> {
        let (lane, queue) = self.lanes.iter_mut().find(|(_, it)| {
            it.phase == Phase::Startable && it.runs.front().is_some_and(|it| it.claim.id == run)
        })?;
        let (lane, taken) = (*lane, queue.runs.pop_front()?);
        queue.phase = Phase::Running;
        self.runs -= 1;
        self.bodies_bytes -= body_bytes(&taken);
        if let Some(lanes) = self.startable.get_mut(&taken.handler) {
            lanes.retain(|it| *it != lane);
        }
        Some(taken)
    }

    /// The lane's running run is out of the way: finished, dead without blocking, or taken away.
    pub(super) fn finished(&mut self, lane: Lane) -> Follow {
        let Some(queue) = self.lanes.get_mut(&lane) else {
            return Follow::Nothing;
        };
        if let Some(run) = queue.runs.front() {
            queue.phase = Phase::Startable;
            let handler = run.handler.clone();
            self.list(handler, lane);
            Follow::Nothing
        } else if queue.more_on_disk {
            queue.phase = Phase::Looking;
            Follow::LookUp(lane)
        } else {
            self.lanes.remove(&lane);
            Follow::Nothing
        }
    }

    /// The lane's running run stays at its head and may not start: it waits, is held, or is dead and blocks.
    pub(super) fn parked(&mut self, lane: Lane) {
        self.close(lane);
        self.park(lane);
    }

    fn park(&mut self, lane: Lane) {
        if self.parked.len() < PARKED_MAX {
            self.parked.insert(lane);
        } else {
            self.parked_overflowed = true;
        }
    }

    /// Asks for the head of a lane.
    pub(super) fn look_up(&mut self, lane: Lane) -> Follow {
        match self.lanes.get_mut(&lane) {
            Some(queue) => {
                queue.came_meanwhile = true;
                queue.more_on_disk = true;
                Follow::Nothing
            }
            None => {
                self.parked.remove(&lane);
                let queue = Queue {
                    runs: VecDeque::new(),
                    phase: Phase::Looking,
                    more_on_disk: true,
                    came_meanwhile: false,
                };
                self.lanes.insert(lane, queue);
                Follow::LookUp(lane)
            }
        }
    }

    /// What the ledger has at the head of a lane that was looked up.
    pub(super) fn found(&mut self, lane: Lane, head: Option<(OpenRun, State)>) -> Follow {
        let Some(queue) = self.lanes.get_mut(&lane) else {
            return Follow::Nothing;
        };
        match head {
            Some((run, State::Ready)) => {
                self.lanes.remove(&lane);
                self.open(run, true);
                Follow::Nothing
            }
            Some((
                _,
                State::Waiting
                | State::Held
                | State::Dead
                | State::Done
                | State::Skipped
                | State::Dropped,
            )) => {
                self.parked(lane);
                Follow::Nothing
            }
            None if queue.came_meanwhile => {
                queue.came_meanwhile = false;
                Follow::LookUp(lane)
            }
            None => {
                self.lanes.remove(&lane);
                Follow::Nothing
            }
        }
    }

    /// Forgets what has not begun and which heads may not start: the ledger has changed by another way than acceptance.
    pub(super) fn forget(&mut self) {
        self.turns.clear();
        self.startable.clear();
        self.parked.clear();
        self.parked_overflowed = false;
        (self.runs, self.bodies_bytes) = (0, 0);
        self.lanes.retain(|_, queue| {
            queue.runs.clear();
            queue.more_on_disk = true;
            match queue.phase {
                Phase::Startable => false,
                Phase::Running | Phase::Looking => true,
            }
        });
    }

    /// Lanes whose head on disk may not start.
    pub(super) fn park_all(&mut self, lanes: Vec<Lane>) {
        self.parked_overflowed |= lanes.len() >= PARKED_MAX;
        let unknown = lanes.into_iter().filter(|it| !self.lanes.contains_key(it));
        self.parked.extend(unknown);
    }

    /// Whether the lane is being worked on or listed here.
    pub(super) fn holds(&self, lane: Lane) -> bool {
        self.lanes.contains_key(&lane)
    }

    /// Runs in memory that have not begun.
    pub(super) fn len(&self) -> usize {
        self.runs
    }

    fn open(&mut self, run: OpenRun, more_on_disk: bool) {
        let (lane, handler) = (run.lane, run.handler.clone());
        let run = bounded(run, &mut self.bodies_bytes);
        let queue = Queue {
            runs: VecDeque::from([run]),
            phase: Phase::Startable,
            more_on_disk,
            came_meanwhile: false,
        };
        self.lanes.insert(lane, queue);
        self.runs += 1;
        self.list(handler, lane);
    }

    fn list(&mut self, handler: Arc<str>, lane: Lane) {
        let lanes = self.startable.entry(handler.clone()).or_default();
        if lanes.is_empty() {
            self.turns.push_back(handler);
        }
        lanes.push_back(lane);
    }

    fn close(&mut self, lane: Lane) {
        if let Some(queue) = self.lanes.remove(&lane) {
            self.runs -= queue.runs.len();
            self.bodies_bytes -= queue.runs.iter().map(body_bytes).sum::<usize>();
        }
    }
}

/// Forgets the body when memory holds enough of them.
fn bounded(mut run: OpenRun, bodies_bytes: &mut usize) -> OpenRun {
    if *bodies_bytes + body_bytes(&run) > BODIES_BYTES_MAX {
        run.event = None;
    }
    *bodies_bytes += body_bytes(&run);
    run
}

fn body_bytes(run: &OpenRun) -> usize {
    run.event.as_ref().map_or(0, |it| it.body.len())
}

#[cfg(test)]
mod tests;
