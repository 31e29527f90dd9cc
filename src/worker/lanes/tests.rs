use super::*;
use crate::ledger::request::Claim;

fn run(id: i64, handler: &str, lane: i64) -> OpenRun {
    OpenRun {
        claim: Claim {
            id: RunId(id),
            epoch: 0,
        },
        handler: handler.into(),
        lane: Lane(lane),
        attempts: 0,
        forgiven: 0,
        replay: 0,
        event: None,
    }
}

fn started(lanes: &mut Lanes) -> Vec<i64> {
    std::iter::from_fn(|| lanes.next(|_| true))
        .map(|it| it.claim.id.0)
        .collect()
}

#[test]
fn one_lane_runs_one_at_a_time_in_the_order_of_acceptance() {
    let mut lanes = Lanes::default();
    for id in 1..=3 {
        lanes.arrive(run(id, "h", 7));
    }
    assert_eq!(started(&mut lanes), [1]);
    lanes.finished(Lane(7));
    assert_eq!(started(&mut lanes), [2]);
    lanes.finished(Lane(7));
    assert_eq!(started(&mut lanes), [3]);
    assert_eq!(lanes.finished(Lane(7)), Follow::Nothing);
    assert!(!lanes.holds(Lane(7)));
}

#[test]
fn different_lanes_run_side_by_side() {
    let mut lanes = Lanes::default();
    for id in 1..=3 {
        lanes.arrive(run(id, "h", id));
    }
    assert_eq!(started(&mut lanes), [1, 2, 3]);
}

#[test]
fn handlers_take_turns_however_much_one_of_them_has() {
    let mut lanes = Lanes::default();
    for id in 1..=4 {
        lanes.arrive(run(id, "busy", id));
    }
    lanes.arrive(run(5, "quiet", 5));
    assert_eq!(started(&mut lanes), [1, 5, 2, 3, 4]);
}

#[test]
fn a_parked_head_blocks_its_lane_and_no_other() {
    let mut lanes = Lanes::default();
    lanes.arrive(run(1, "h", 7));
    lanes.arrive(run(2, "h", 7));
    assert_eq!(started(&mut lanes), [1]);
    lanes.parked(Lane(7));
    lanes.arrive(run(3, "h", 7));
    lanes.arrive(run(4, "h", 8));
    assert_eq!(started(&mut lanes), [4]);
    // Its time has come: the disk says who is first.
    assert_eq!(lanes.come_back(run(1, "h", 7)), Follow::LookUp(Lane(7)));
    lanes.found(Lane(7), Some((run(1, "h", 7), State::Ready)));
    assert_eq!(started(&mut lanes), [1]);
    assert_eq!(lanes.finished(Lane(7)), Follow::LookUp(Lane(7)));
    lanes.found(Lane(7), Some((run(2, "h", 7), State::Ready)));
    assert_eq!(started(&mut lanes), [2]);
}

#[test]
fn what_comes_while_the_disk_is_asked_is_asked_for_again() {
    let mut lanes = Lanes::default();
    lanes.look_up(Lane(7));
    lanes.arrive(run(5, "h", 7));
    assert_eq!(lanes.found(Lane(7), None), Follow::LookUp(Lane(7)));
    assert_eq!(lanes.found(Lane(7), None), Follow::Nothing);
    assert!(!lanes.holds(Lane(7)));
}

#[test]
fn a_retried_run_keeps_its_place() {
    let mut lanes = Lanes::default();
    for id in [2, 4, 6] {
        lanes.arrive(run(id, "h", 7));
    }
    assert_eq!(started(&mut lanes), [2]);
    lanes.come_back(run(3, "h", 7));
    lanes.finished(Lane(7));
    assert_eq!(started(&mut lanes), [3]);
}

#[test]
fn what_has_begun_keeps_its_lane_when_the_rest_is_forgotten() {
    let mut lanes = Lanes::default();
    for id in 1..=3 {
        lanes.arrive(run(id, "h", 7));
    }
    lanes.arrive(run(4, "h", 8));
    assert_eq!(lanes.next(|_| true).map(|it| it.claim.id.0), Some(1));
    lanes.forget();
    assert_eq!((lanes.len(), started(&mut lanes)), (0, vec![]));
    assert!(!lanes.holds(Lane(8)));
    assert_eq!(lanes.finished(Lane(7)), Follow::LookUp(Lane(7)));
}

#[test]
fn nothing_that_comes_overtakes_a_head_that_waits_on_disk() {
    let mut lanes = Lanes::default();
    lanes.park_all(vec![Lane(7)]);
    lanes.arrive(run(2, "h", 7));
    lanes.arrive(run(3, "h", 8));
    assert_eq!(started(&mut lanes), [3]);
}

#[test]
fn memory_holds_a_bounded_number_of_runs() {
    let mut lanes = Lanes::default();
    let mut left = 0;
    for id in 0..RUNS_IN_MEMORY_MAX as i64 + 5 {
        left += usize::from(lanes.arrive(run(id, "h", id)) == Follow::LeftOnDisk);
    }
    assert_eq!((lanes.len(), left), (RUNS_IN_MEMORY_MAX, 5));
    for id in 0..1000 {
        lanes.arrive(run(100_000 + id, "h", 1));
    }
    assert_eq!(lanes.len(), RUNS_IN_MEMORY_MAX);
}
