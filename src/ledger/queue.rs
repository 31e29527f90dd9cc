//! What waits for the writer thread: bounded, accepts apart, so that an ack always takes its turn first.

mod in_turn;

use super::{LedgerError, Operation, Request};
use in_turn::InTurn;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Events that may wait to be stored; one more is answered 503.
pub const ACCEPTS_WAITING_MAX: usize = 8192;
/// Compressed bytes of events that may wait to be stored.
pub const ACCEPTS_WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Events that share a commit.
const ACCEPTS_PER_COMMIT_MAX: usize = 512;
/// Requests of each other kind: whoever comes next waits for the whole commit.
const OTHERS_PER_COMMIT_MAX: usize = 128;
/// How long results of runs wait for an accept to share the commit with.
const RESULTS_WAIT_MAX: Duration = Duration::from_millis(5);
/// So long after the disk had no room it is taken to have none: whoever is told so may send no more events, and then
/// nothing would show that there is room again.
const NO_ROOM_FOR: Duration = Duration::from_secs(60);
/// So many results make a commit worth its while without an accept.
const RESULTS_WORTH_A_COMMIT: usize = OTHERS_PER_COMMIT_MAX;

#[derive(Default)]
struct Waiting {
    accepts: Vec<Request>,
    accepts_bytes: usize,
    /// Results of runs, which may wait a little. Bounded by the runs in flight.
    results: InTurn<Request>,
    /// Intents, answers and orders, which somebody waits for.
    urgent: Vec<Request>,
    closed: Option<LedgerError>,
    /// When the disk had no room for the last time, until something is stored again.
    no_room_at: Option<Instant>,
}

impl Waiting {
    fn batch(&mut self) -> Vec<Request> {
        let mut batch = take_front(&mut self.accepts, ACCEPTS_PER_COMMIT_MAX);
        self.accepts_bytes = self.accepts.iter().map(accept_bytes).sum();
        batch.append(&mut take_front(&mut self.urgent, OTHERS_PER_COMMIT_MAX));
        batch.append(&mut self.results.take(OTHERS_PER_COMMIT_MAX));
        batch
    }
}

#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
    /// Rings when nothing is taken any more.
    closed: tokio::sync::Notify,
}

impl Queue {
    /// Puts a request in line, or says why that cannot be.
    pub(super) fn push(&self, request: Request) -> Result<(), LedgerError> {
        let mut waiting = self.lock();
        if let Some(why) = &waiting.closed {
            return Err(why.clone());
        }
        let rings = match &request.operation {
            Operation::Accept(it) => {
                let bytes = it.packed.bytes.len();
                let count = waiting.accepts.len();
                if count >= ACCEPTS_WAITING_MAX
                    || waiting.accepts_bytes + bytes > ACCEPTS_WAITING_BYTES_MAX
                {
                    let waiting_bytes = waiting.accepts_bytes;
                    return Err(LedgerError::QueueFull {
                        waiting: count,
                        waiting_bytes,
                    });
                }
                waiting.accepts_bytes += bytes;
                waiting.accepts.push(request);
                count == 0
            }
            Operation::Commit(it) => {
                let handler = it.handler.clone();
                waiting.results.push(&handler, request);
                let count = waiting.results.len();
                count == 1 || count == RESULTS_WORTH_A_COMMIT
            }
            Operation::Postpone(_)
            | Operation::Intent(_)
            | Operation::Settle(_)
            | Operation::Order(_) => {
                waiting.urgent.push(request);
                waiting.urgent.len() == 1
            }
        };
        drop(waiting);
        if rings {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// All that waits, up to a commit's worth, accepts first; nothing when nothing came for a while, and `None` once closed and
    /// empty. For the writer thread.
    pub(super) fn take(&self, idle_max: Duration) -> Option<Vec<Request>> {
        let mut waiting = self.lock();
        let mut results_since = None;
        loop {
            if !waiting.accepts.is_empty() || !waiting.urgent.is_empty() {
                break;
            }
            let results = waiting.results.len();
            if results > 0 {
                let since = *results_since.get_or_insert_with(Instant::now);
                let left = RESULTS_WAIT_MAX.saturating_sub(since.elapsed());
                if results >= RESULTS_WORTH_A_COMMIT || left.is_zero() || waiting.closed.is_some() {
                    break;
                }
                waiting = self
                    .bell
                    .wait_timeout(waiting, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            } else if waiting.closed.is_some() {
                return None;
            } else {
                let (woken, waited) = self
                    .bell
                    .wait_timeout(waiting, idle_max)
                    .unwrap_or_else(PoisonError::into_inner);
                waiting = woken;
                if waited.timed_out() {
                    break;
                }
            }
        }
        Some(waiting.batch())
    }

    /// The same without waiting; empty when nothing waits.
    #[cfg(test)]
    pub(super) fn take_now(&self) -> Vec<Request> {
        self.lock().batch()
    }

    /// Refuses all that comes from now on, with this reason. The first reason stays.
    pub(super) fn close(&self, why: LedgerError) {
        let mut waiting = self.lock();
        waiting.closed.get_or_insert(why);
        drop(waiting);
        self.bell.notify_all();
        self.closed.notify_waiters();
    }

    /// Waits until nothing is taken any more; gives the reason.
    pub(super) async fn closed(&self) -> LedgerError {
        loop {
            let rings = self.closed.notified();
            let why = self.lock().closed.clone();
            if let Some(why) = why {
                return why;
            }
            rings.await;
        }
    }

    /// Why nothing can be stored, as far as is known.
    pub(super) fn unavailable(&self) -> Option<LedgerError> {
        let waiting = self.lock();
        let has_no_room = waiting
            .no_room_at
            .is_some_and(|it| it.elapsed() < NO_ROOM_FOR);
        let full = has_no_room.then_some(LedgerError::DiskFull);
        waiting.closed.clone().or(full)
    }

    /// Whether the disk had room for what the writer was given last.
    pub(super) fn had_room(&self, it: bool) {
        self.lock().no_room_at = (!it).then(Instant::now);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_front(from: &mut Vec<Request>, count_max: usize) -> Vec<Request> {
    if from.len() <= count_max {
        return std::mem::take(from);
    }
    let rest = from.split_off(count_max);
    std::mem::replace(from, rest)
}

fn accept_bytes(request: &Request) -> usize {
    match &request.operation {
        Operation::Accept(it) => it.packed.bytes.len(),
        Operation::Commit(_)
        | Operation::Postpone(_)
        | Operation::Intent(_)
        | Operation::Settle(_)
        | Operation::Order(_) => 0,
    }
}
