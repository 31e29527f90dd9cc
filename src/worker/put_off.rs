//! Runs that were put off until a service is well or has room. They lie in the ledger, by service and handler; here is
//! only how far each group has been read, so that any number of them can wait. Pure: the caller brings the time.

use crate::clock::UnixMillis;
use crate::run::RunId;
use crate::services::Room;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Runs of all groups together that were woken and have not ended.
const AWAKE_MAX: usize = 4_000;
/// Between two passes over a group: a run that could not go on in the first may be at its lane's head by then.
const PAUSE_BETWEEN_PASSES: Duration = Duration::from_millis(500);

/// How many runs of a group may be awake at a time.
pub(super) fn awake_max(runs_in_flight_max: usize) -> usize {
    (runs_in_flight_max / 16).clamp(1, 500)
}

/// A service and a handler that calls it.
pub(super) type Group = (Arc<str>, Arc<str>);

#[derive(Default)]
pub(super) struct PutOff {
    groups: BTreeMap<Group, Pass>,
    awake: HashMap<RunId, Group>,
    /// By service: whose run looked last, so that the next look is another's. One that fails every look for its own
    /// reasons must not keep the service ill.
    looked: HashMap<Arc<str>, (Arc<str>, RunId)>,
}

/// A pass over a group's runs, the oldest first.
#[derive(Default)]
struct Pass {
    after: RunId,
    is_reading: bool,
    /// All have been read, and none was put off since the pass began.
    is_over: bool,
    put_off_meanwhile: bool,
    not_before: UnixMillis,
    awake: usize,
    /// By the last reading.
    woken: usize,
}

/// Runs to be read from the ledger, and woken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub group: Group,
    pub after: RunId,
    pub limit: usize,
    is_look: bool,
}

impl PutOff {
    /// A run of this group is in the ledger and waits.
    pub(super) fn put_off(&mut self, group: Group) {
        let pass = self.groups.entry(group).or_default();
        pass.is_over = false;
        pass.put_off_meanwhile = true;
    }

    /// What may go on now: of each group at most `awake_max` beside those that its service takes at once.
    pub(super) fn wanted(
        &mut self,
        room: impl Fn(&str) -> Room,
        awake_max: usize,
        now: UnixMillis,
    ) -> Vec<Wanted> {
        self.groups
            .retain(|_, pass| !(pass.is_over && pass.awake == 0 && !pass.is_reading));
        let mut wanted = Vec::new();
        let mut left = AWAKE_MAX.saturating_sub(self.awake.len());
        let mut looks: Vec<Arc<str>> = Vec::new();
        for (group, pass) in &mut self.groups {
            match room(&group.0) {
                Room::None => pass.after = RunId::default(),
                Room::OneLook => {
                    pass.after = RunId::default();
                    if looks.last() != Some(&group.0) {
                        looks.push(group.0.clone());
                    }
                }
                Room::Calls(at_once_max) => {
                    // Those that are at the service, and those that wait in its line.
                    let awake_max = awake_max + at_once_max;
                    let limit = awake_max.saturating_sub(pass.awake).min(left);
                    let is_time = pass.not_before <= now;
                    if pass.is_over || pass.is_reading || !is_time || limit * 2 < awake_max {
                        continue;
                    }
                    if pass.after == RunId::default() {
                        pass.put_off_meanwhile = false;
                    }
                    pass.is_reading = true;
                    left -= limit;
                    wanted.push(Wanted {
                        group: group.clone(),
                        after: pass.after,
                        limit,
                        is_look: false,
                    });
                }
            }
        }
        wanted.extend(looks.into_iter().filter_map(|it| self.look(&it)));
        wanted
    }

    /// The next run to look whether a service is well, unless one is on its way.
    fn look(&mut self, service: &Arc<str>) -> Option<Wanted> {
        let of_service = |group: &Group| group.0 == *service;
        if self.awake.values().any(of_service)
            || self
                .groups
                .iter()
                .any(|(group, pass)| of_service(group) && pass.is_reading)
        {
            return None;
        }
        let (group, after) = match self.looked.get(service) {
            Some((handler, after)) => ((service.clone(), handler.clone()), *after),
            None => (
                self.groups.keys().find(|it| of_service(it))?.clone(),
                RunId::default(),
            ),
        };
        self.groups.entry(group.clone()).or_default().is_reading = true;
        Some(Wanted {
            group,
            after,
            limit: 1,
            is_look: true,
        })
    }

    /// The runs that were read, in their order, and whether each has begun to run.
    pub(super) fn woken(&mut self, wanted: &Wanted, runs: &[(RunId, bool)], now: UnixMillis) {
        let service = &wanted.group.0;
        let pass = self.groups.entry(wanted.group.clone()).or_default();
        pass.is_reading = false;
        pass.woken = runs.len();
        for (id, _) in runs.iter().filter(|(_, has_begun)| *has_begun) {
            if self.awake.insert(*id, wanted.group.clone()).is_none() {
                pass.awake += 1;
            }
        }
        let last = runs.last().map(|(id, _)| *id);
        if wanted.is_look {
            let next = match last {
                Some(id) => (wanted.group.1.clone(), id),
                None => (
                    self.handler_after(service, &wanted.group.1),
                    RunId::default(),
                ),
            };
            self.looked.insert(service.clone(), next);
            return;
        }
        pass.after = last.unwrap_or(pass.after);
        pass.put_off_meanwhile |= runs.iter().any(|(_, has_begun)| !has_begun);
        if runs.len() < wanted.limit {
            pass.is_over = !pass.put_off_meanwhile;
            pass.after = RunId::default();
            pass.not_before = now.after(PAUSE_BETWEEN_PASSES);
            self.looked.remove(service);
        }
    }

    /// They could not be read.
    pub(super) fn unread(&mut self, wanted: &Wanted, now: UnixMillis) {
        if let Some(pass) = self.groups.get_mut(&wanted.group) {
            pass.is_reading = false;
            pass.not_before = now.after(PAUSE_BETWEEN_PASSES);
        }
    }

    /// A run has ended, whether it was woken or not. True when so few of its group are awake that others may follow.
    pub(super) fn ended(&mut self, run: RunId) -> bool {
        let Some(pass) = self
            .awake
            .remove(&run)
            .and_then(|it| self.groups.get_mut(&it))
        else {
            return false;
        };
        pass.awake -= 1;
        !pass.is_over && !pass.is_reading && pass.awake * 2 <= pass.woken
    }

    pub(super) fn is_awake(&self, run: RunId) -> bool {
        self.awake.contains_key(&run)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// What was woken and has not begun is forgotten by the lanes: it is read again.
    pub(super) fn begin_anew(&mut self) {
        self.awake.clear();
        for pass in self.groups.values_mut() {
            *pass = Pass {
                put_off_meanwhile: true,
                is_reading: pass.is_reading,
                ..Pass::default()
            };
        }
    }

    /// The handler whose turn to look comes after this one's.
    fn handler_after(&self, service: &Arc<str>, handler: &Arc<str>) -> Arc<str> {
        let of_service = || self.groups.keys().filter(|it| it.0 == *service);
        let next = of_service().find(|it| it.1 > *handler);
        next.or_else(|| of_service().next())
            .map_or_else(|| handler.clone(), |it| it.1.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn group(service: &str, handler: &str) -> Group {
        (service.into(), handler.into())
    }

    /// A ledger in which these runs wait, and what was woken of them in one step.
    fn step(
        put_off: &mut PutOff,
        ledger: &[(Group, i64)],
        room: Room,
        now: UnixMillis,
    ) -> Vec<i64> {
        let mut woken = Vec::new();
        for it in put_off.wanted(|_| room, 4, now) {
            let runs: Vec<(RunId, bool)> = ledger
                .iter()
                .filter(|(group, id)| *group == it.group && it.after.0 < *id)
                .take(it.limit)
                .map(|(_, id)| (RunId(*id), true))
                .collect();
            put_off.woken(&it, &runs, now);
            woken.extend(runs.iter().map(|(id, _)| id.0));
        }
        woken
    }

    fn scene(count: i64) -> (PutOff, Vec<(Group, i64)>) {
        let mut put_off = PutOff::default();
        let ledger: Vec<(Group, i64)> = (1..=count).map(|id| (group("books", "h"), id)).collect();
        for (group, _) in &ledger {
            put_off.put_off(group.clone());
        }
        (put_off, ledger)
    }

    #[test]
    fn while_a_service_is_ill_nothing_is_woken_however_long_that_is() {
        let (mut it, ledger) = scene(1000);
        for second in 0..3600 {
            let now = NOW.after(Duration::from_secs(second));
            assert!(step(&mut it, &ledger, Room::None, now).is_empty());
        }
        assert_eq!(it.groups.len(), 1, "memory holds the group and no run");
    }

    #[test]
    fn one_run_looks_and_when_it_failed_the_next_look_is_another_runs() {
        let (mut it, ledger) = scene(3);
        let mut looks = Vec::new();
        for _ in 0..9 {
            let woken = step(&mut it, &ledger, Room::OneLook, NOW);
            if let [run] = woken.as_slice() {
                assert!(
                    step(&mut it, &ledger, Room::OneLook, NOW).is_empty(),
                    "one at a time"
                );
                it.ended(RunId(*run));
            }
            looks.extend(woken);
        }
        assert_eq!(looks[..6], [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn handlers_look_in_turn() {
        let mut it = PutOff::default();
        let ledger = [(group("books", "a"), 1), (group("books", "b"), 2)];
        ledger
            .iter()
            .for_each(|(group, _)| it.put_off(group.clone()));
        let mut looks = Vec::new();
        for _ in 0..8 {
            let woken = step(&mut it, &ledger, Room::OneLook, NOW);
            for id in &woken {
                it.ended(RunId(*id));
            }
            looks.extend(woken);
        }
        assert_eq!(looks[..4], [1, 2, 1, 2]);
    }

    #[test]
    fn once_it_is_well_all_go_on_the_oldest_first_and_a_few_at_a_time() {
        let (mut it, mut ledger) = scene(10);
        step(&mut it, &ledger, Room::OneLook, NOW);
        it.ended(RunId(1));
        let (mut order, mut now) = (Vec::new(), NOW);
        for _ in 0..20 {
            let woken = step(&mut it, &ledger, Room::Calls(0), now);
            assert!(it.awake.len() <= 4);
            for id in &woken {
                ledger.retain(|(_, other)| other != id);
                it.ended(RunId(*id));
            }
            order.extend(woken);
            now = now.after(PAUSE_BETWEEN_PASSES);
        }
        assert_eq!(order, (1..=10).collect::<Vec<i64>>());
        assert!(it.is_empty(), "nobody waits, nothing is kept");
    }

    #[test]
    fn a_run_that_is_put_off_during_a_pass_is_found_by_the_next() {
        let (mut it, ledger) = scene(2);
        assert_eq!(step(&mut it, &ledger, Room::Calls(0), NOW), [1, 2]);
        it.put_off(group("books", "h"));
        it.ended(RunId(1));
        it.ended(RunId(2));
        assert!(step(&mut it, &ledger[..1], Room::Calls(0), NOW).is_empty());
        let later = NOW.after(PAUSE_BETWEEN_PASSES);
        assert_eq!(step(&mut it, &ledger[..1], Room::Calls(0), later), [1]);
    }

    #[test]
    fn a_run_that_is_not_at_its_lanes_head_is_looked_at_again() {
        let (mut it, _) = scene(1);
        let wanted = it.wanted(|_| Room::Calls(0), 4, NOW).remove(0);
        it.woken(&wanted, &[(RunId(1), false)], NOW);
        assert_eq!(it.wanted(|_| Room::Calls(0), 4, NOW), []);
        let later = NOW.after(PAUSE_BETWEEN_PASSES);
        assert_eq!(it.wanted(|_| Room::Calls(0), 4, later).len(), 1);
    }
}
