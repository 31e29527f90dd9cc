//! Lanes that are to be looked at again at a time. Memory holds the next of them; the rest is in the ledger.

use crate::clock::UnixMillis;
use crate::ledger::request::OpenRun;
use crate::run::{Lane, RunId};
use std::collections::{BTreeMap, HashMap};

/// Waiting runs that memory holds.
pub(super) const WAITING_MAX: usize = 50_000;

/// A place in the ledger's waiting runs, which are in the order of their times.
pub(super) type Place = (UnixMillis, RunId);

/// Before all of them.
const FIRST: Place = (UnixMillis(i64::MIN), RunId(0));

#[derive(Default)]
pub(super) struct Waiting {
    by_time: BTreeMap<(UnixMillis, RunId, Lane), ()>,
    times: HashMap<RunId, (UnixMillis, Lane)>,
    /// After this place the ledger has waiting runs that are not here.
    complete_to: Option<Place>,
    /// When all are to be read again, from the first.
    reload_at: Option<UnixMillis>,
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
            self.ends_at((latest, RunId(run.0 - 1)));
        }
    }

    fn ends_at(&mut self, place: Place) {
        self.complete_to = Some(self.complete_to.map_or(place, |it| it.min(place)));
    }

    pub(super) fn forget(&mut self, run: RunId) {
        if let Some((until, lane)) = self.times.remove(&run) {
            self.by_time.remove(&(until, run, lane));
        }
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> Option<UnixMillis> {
        let first = self.by_time.keys().next().map(|(until, ..)| *until);
        let rest = self.complete_to.map(|(until, _)| until);
        [first, rest, self.reload_at].into_iter().flatten().min()
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

    /// Asks for a reload of all at a time.
    pub(super) fn reload_at(&mut self, at: UnixMillis) {
        self.reload_at = Some(self.reload_at.map_or(at, |it| it.min(at)));
    }

    /// After which place the ledger's waiting runs are to be read now, if they are. Those that were read are not read
    /// again: any number of them may be overdue, each behind another one in its lane.
    pub(super) fn next_reading(&mut self, now: UnixMillis) -> Option<Place> {
        if self.reload_at.is_some_and(|it| it <= now) {
            return Some(self.begin_reload());
        }
        self.complete_to.take_if(|(until, _)| *until <= now)
    }

    /// All are read again, from this place on.
    pub(super) fn begin_reload(&mut self) -> Place {
        (self.complete_to, self.reload_at) = (None, None);
        FIRST
    }

    /// The next waiting runs of the ledger, at most [`WAITING_MAX`], the next due first.
    pub(super) fn loaded(&mut self, runs: Vec<(UnixMillis, OpenRun)>) {
        if runs.len() >= WAITING_MAX
            && let Some((latest, run)) = runs.last()
        {
            self.ends_at((*latest, run.claim.id));
        }
        for (until, run) in runs {
            self.put(until, run.claim.id, run.lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::request::Claim;

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
        let (last, _) = waiting.next_reading(all).unwrap();
        assert_eq!(last, UnixMillis(WAITING_MAX as i64 + 1));
    }

    /// What a ledger with this many runs, one a millisecond, has after a place.
    fn page(count: i64, (until, after): Place) -> Vec<(UnixMillis, OpenRun)> {
        let ids = (1..=count).filter(|id| (until, after) < (UnixMillis(*id), RunId(*id)));
        let run = |id| OpenRun {
            claim: Claim {
                id: RunId(id),
                epoch: 0,
            },
            handler: "h".into(),
            lane: Lane(7),
            attempts: 0,
            forgiven: 0,
            replay: 0,
            event: None,
        };
        ids.take(WAITING_MAX)
            .map(|id| (UnixMillis(id), run(id)))
            .collect()
    }

    #[test]
    fn overdue_runs_are_read_once_however_many_and_those_after_them_in_time() {
        let (overdue, all) = (2 * WAITING_MAX as i64 + 5, 2 * WAITING_MAX as i64 + 9);
        let (mut waiting, now) = (Waiting::default(), UnixMillis(overdue));
        let (mut next, mut reads, mut woken) = (Some(waiting.begin_reload()), 0, 0);
        while let Some(after) = next {
            reads += 1;
            assert!(reads <= 3, "overdue runs are read again");
            waiting.loaded(page(all, after));
            woken += waiting.due(now).len() as i64;
            next = waiting.next_reading(now);
        }
        assert_eq!(woken, overdue);
        assert_eq!(waiting.next(), Some(UnixMillis(overdue + 1)));
        assert_eq!(waiting.due(UnixMillis(all)).len(), 4);
        assert_eq!(waiting.next(), None);
    }

    #[test]
    fn a_reload_begins_with_the_first_when_its_time_has_come() {
        let mut waiting = Waiting::default();
        waiting.loaded(page(WAITING_MAX as i64 + 1, FIRST));
        waiting.reload_at(UnixMillis(5));
        assert_eq!(waiting.next_reading(UnixMillis(4)), None);
        assert_eq!(waiting.next_reading(UnixMillis(5)), Some(FIRST));
        assert_eq!(waiting.next_reading(UnixMillis(i64::MAX)), None);
    }
}
