//! Lanes that are to be looked at again at a time. Memory holds the next of them; the rest is in the ledger.

use crate::clock::UnixMillis;
use crate::ledger::request::OpenRun;
use crate::run::{Lane, RunId};
use std::collections::{BTreeMap, HashMap};

/// Waiting runs that memory holds.
const WAITING_MAX: usize = 50_000;

#[derive(Default)]
pub(super) struct Waiting {
    by_time: BTreeMap<(UnixMillis, RunId, Lane), ()>,
    times: HashMap<RunId, (UnixMillis, Lane)>,
    /// From this time on the ledger has waiting runs that are not here.
    complete_until: Option<UnixMillis>,
}

impl Waiting {
    /// The head of this lane is this run, and it is due then.
    pub(super) fn put(&mut self, until: UnixMillis, run: RunId, lane: Lane) {
        if run != RunId::default() {
            self.forget(run);
            self.times.insert(run, (until, lane));
        }
        self.by_time.insert((until, run, lane), ());
        if self.by_time.len() > WAITING_MAX
            && let Some(((latest, run, _), ())) = self.by_time.pop_last()
        {
            self.times.remove(&run);
            self.complete_until = Some(self.complete_until.map_or(latest, |it| it.min(latest)));
        }
    }

    pub(super) fn forget(&mut self, run: RunId) {
        if let Some((until, lane)) = self.times.remove(&run) {
            self.by_time.remove(&(until, run, lane));
        }
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> Option<UnixMillis> {
        let first = self.by_time.keys().next().map(|(until, ..)| *until);
        match (first, self.complete_until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Takes out the lanes whose time has come.
    pub(super) fn due(&mut self, now: UnixMillis) -> Vec<Lane> {
        let mut lanes = Vec::new();
        while let Some(entry) = self.by_time.first_entry() {
            let (until, run, lane) = *entry.key();
            if until > now {
                break;
            }
            entry.remove();
            self.times.remove(&run);
            lanes.push(lane);
        }
        lanes
    }

    /// Whether the ledger has runs due that may not be here.
    pub(super) fn wants_reload(&self, now: UnixMillis) -> bool {
        self.complete_until.is_some_and(|it| it <= now)
    }

    /// Asks for a reload at a time.
    pub(super) fn reload_at(&mut self, at: UnixMillis) {
        self.complete_until = Some(self.complete_until.map_or(at, |it| it.min(at)));
    }

    /// How many runs, next due first, the reload is to bring.
    pub(super) fn begin_reload(&mut self) -> i64 {
        self.complete_until = None;
        WAITING_MAX as i64
    }

    /// The waiting runs of the ledger, the next due first.
    pub(super) fn loaded(&mut self, runs: Vec<(UnixMillis, OpenRun)>) {
        if runs.len() >= WAITING_MAX
            && let Some((latest, _)) = runs.last()
        {
            self.reload_at(*latest);
        }
        for (until, run) in runs {
            self.put(until, run.claim.id, run.lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_out_once_in_the_order_of_its_time() {
        let mut waiting = Waiting::default();
        for (at, id) in [(30, 3), (10, 1), (20, 2)] {
            waiting.put(UnixMillis(at), RunId(id), Lane(id));
        }
        assert_eq!(waiting.next(), Some(UnixMillis(10)));
        assert_eq!(waiting.due(UnixMillis(20)), [Lane(1), Lane(2)]);
        assert_eq!(waiting.due(UnixMillis(20)), []);
        waiting.forget(RunId(3));
        assert_eq!(waiting.next(), None);
    }

    #[test]
    fn a_run_waits_for_its_newest_time_only() {
        let mut waiting = Waiting::default();
        waiting.put(UnixMillis(10), RunId(1), Lane(1));
        waiting.put(UnixMillis(50), RunId(1), Lane(1));
        assert_eq!(waiting.due(UnixMillis(20)), []);
        assert_eq!(waiting.due(UnixMillis(50)), [Lane(1)]);
    }

    #[test]
    fn memory_holds_the_next_and_asks_the_ledger_for_the_rest() {
        let mut waiting = Waiting::default();
        for id in 1..=WAITING_MAX as i64 + 10 {
            waiting.put(UnixMillis(id), RunId(id), Lane(id));
        }
        let all = UnixMillis(WAITING_MAX as i64 + 10);
        assert_eq!(waiting.due(all).len(), WAITING_MAX);
        assert!(waiting.wants_reload(all));
    }
}
