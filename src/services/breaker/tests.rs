//! Laws of a service's health.

use super::*;
use proptest::prelude::*;

const POLICY: config::Breaker = config::Breaker {
    failures_max: 3,
    first: Duration::from_secs(2),
    max: Duration::from_secs(5),
};

/// A breaker, a clock, and the calls that are under way.
struct Scene {
    breaker: Breaker,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self {
            breaker: Breaker::new(Some(POLICY)),
            now: Instant::now(),
        }
    }

    fn after(&mut self, wait_ms: u64) -> &mut Self {
        self.now += Duration::from_millis(wait_ms);
        self
    }

    fn go(&mut self) -> Option<Leave> {
        self.breaker.ask(self.now).ok()
    }

    fn fail(&mut self, run: i64, may_be_the_calls_own: bool) -> Turned {
        let leave = self.go().expect("a call may go");
        self.fail_with(leave, run, may_be_the_calls_own)
    }

    fn fail_with(&mut self, leave: Leave, run: i64, may_be_the_calls_own: bool) -> Turned {
        let counts = match may_be_the_calls_own {
            true => Counts::OnceForEachRun,
            false => Counts::Always,
        };
        self.fail_asking(leave, run, counts, None)
    }

    /// A failure whose answer asks for so many seconds.
    fn fail_asking(
        &mut self,
        leave: Leave,
        run: i64,
        counts: Counts,
        asked_s: Option<u64>,
    ) -> Turned {
        let failure = Failure {
            why: "it answered 500".into(),
            counts,
            asked_wait: asked_s.map(Duration::from_secs),
        };
        self.breaker.failed(leave, RunId(run), &failure, self.now)
    }

    fn ill() -> Self {
        let mut it = Self::new();
        for run in 0..3 {
            it.fail(run, true);
        }
        it
    }
}

#[test]
fn so_many_failures_in_a_row_and_nothing_is_sent() {
    let mut it = Scene::new();
    assert_eq!(
        [it.fail(1, true), it.fail(2, true), it.fail(3, true)],
        [Turned::No, Turned::No, Turned::Ill]
    );
    assert_eq!(it.go(), None);
    assert_eq!(it.after(1_999).go(), None);
}

#[test]
fn a_call_that_succeeds_begins_the_count_anew() {
    let mut it = Scene::new();
    for _ in 0..10 {
        it.fail(1, true);
        it.fail(2, true);
        let leave = it.go().unwrap();
        assert_eq!(it.breaker.answered(leave), Turned::No);
    }
    assert!(it.go().is_some());
}

#[test]
fn one_run_that_is_answered_badly_does_not_make_a_service_ill_but_no_connection_does() {
    let mut it = Scene::new();
    for _ in 0..10 {
        assert_eq!(it.fail(7, true), Turned::No);
    }
    it.fail(7, false);
    assert_eq!(it.fail(7, false), Turned::Ill);
}

#[test]
fn one_call_looks_whether_the_service_is_well_and_the_others_follow() {
    let mut it = Scene::ill();
    let look = it.after(2_000).go().unwrap();
    assert!(look.is_look);
    assert_eq!(it.go(), None, "one at a time");
    assert_eq!(it.breaker.answered(look), Turned::Well);
    assert!((0..5).all(|_| it.go().is_some_and(|it| !it.is_look)));
}

#[test]
fn each_look_that_fails_doubles_the_wait_up_to_its_maximum() {
    let mut it = Scene::ill();
    for wait_ms in [2_000, 4_000, 5_000, 5_000] {
        assert_eq!(it.after(wait_ms - 1).go(), None);
        let look = it.after(1).go().unwrap();
        assert_eq!(it.fail_with(look, 9, true), Turned::StillIll);
    }
}

/// The clock stands where a look went that was answered so; the next one goes after `wait_ms`, and not before.
#[track_caller]
fn check_next_look(it: &mut Scene, wait_ms: u64) -> Leave {
    assert_eq!(it.after(wait_ms - 1).go(), None);
    let look = it.after(1).go().expect("a look is due");
    assert!(look.is_look);
    assert_eq!(it.go(), None, "one at a time");
    look
}

#[test]
fn a_look_that_is_answered_with_a_time_to_wait_has_failed_and_the_next_comes_no_sooner() {
    for counts in [Counts::Never, Counts::OnceForEachRun] {
        let mut it = Scene::ill();
        let mut look = it.after(2_000).go().unwrap();
        for (asked_s, wait_ms) in [
            (1, 4_000),
            (30, 30_000),
            (0, 5_000),
            (24 * 60 * 60, 24 * 60 * 60 * 1000),
        ] {
            let turned = it.fail_asking(look, 9, counts, Some(asked_s));
            assert_eq!(turned, Turned::StillIll);
            look = check_next_look(&mut it, wait_ms);
        }
        assert_eq!(it.breaker.answered(look), Turned::Well);
    }
}

#[test]
fn the_first_look_comes_no_sooner_than_the_last_answer_before_the_illness_asks_for() {
    let mut it = Scene::new();
    for run in 0..3 {
        let leave = it.go().unwrap();
        it.fail_asking(leave, run, Counts::OnceForEachRun, Some(60));
    }
    check_next_look(&mut it, 60_000);
}

#[test]
fn what_was_under_way_decides_nothing_but_its_answers_put_the_next_look_off() {
    for counts in [Counts::Never, Counts::OnceForEachRun] {
        let mut it = Scene::new();
        let early: Vec<Leave> = (0..2).filter_map(|_| it.go()).collect();
        for run in 0..3 {
            it.fail(run, true);
        }
        let turned = it.fail_asking(early[0], 5, counts, Some(60));
        assert_eq!(turned, Turned::No);
        let look = check_next_look(&mut it, 60_000);
        it.fail_asking(early[1], 6, counts, Some(90));
        it.fail_with(look, 7, true);
        check_next_look(&mut it, 90_000);
    }
}

#[test]
fn a_call_that_is_told_to_wait_makes_no_service_ill() {
    let mut it = Scene::new();
    for run in 0..10 {
        let leave = it.go().unwrap();
        let turned = it.fail_asking(leave, run, Counts::Never, Some(60));
        assert_eq!(turned, Turned::No);
    }
    assert!(it.go().is_some_and(|it| !it.is_look));
}

#[test]
fn a_look_that_came_to_nothing_leaves_its_place_to_the_next() {
    let mut it = Scene::ill();
    let look = it.after(2_000).go().unwrap();
    it.breaker.given_up(look);
    assert!(it.go().is_some_and(|it| it.is_look));
}

#[test]
fn what_was_sent_before_the_illness_decides_nothing_after_it() {
    let mut it = Scene::new();
    let early: Vec<Leave> = (0..4).filter_map(|_| it.go()).collect();
    for run in 0..3 {
        it.fail(run, true);
    }
    assert_eq!(it.breaker.answered(early[0]), Turned::No);
    assert_eq!(it.fail_with(early[1], 5, false), Turned::No);
    let look = it.after(2_000).go().unwrap();
    assert_eq!(it.fail_with(early[2], 6, false), Turned::No);
    assert_eq!(it.breaker.answered(look), Turned::Well);
    for run in 10..20 {
        assert_eq!(it.fail_with(early[3], run, false), Turned::No);
    }
    assert!(
        it.breaker.is_ill_for(early[3]),
        "its run waits, and spends nothing"
    );
    assert!(it.go().is_some());
}

#[test]
fn a_breaker_that_is_off_lets_every_call_go() {
    let mut it = Scene::new();
    it.breaker = Breaker::new(None);
    for run in 0..100 {
        assert_eq!(it.fail(run, false), Turned::No);
    }
}

proptest! {
    #[test]
    fn whatever_happens_an_ill_service_is_asked_by_one_look_at_a_time(
        steps in proptest::collection::vec((0..6_u8, 0..3_000_u64, 0..4_i64), 0..200)
    ) {
        let mut it = Scene::new();
        let mut under_way: Vec<Leave> = Vec::new();
        for (step, wait_ms, run) in steps {
            it.after(wait_ms);
            match (step, under_way.pop()) {
                (0 | 1, Some(leave)) => { it.fail_with(leave, run, step == 0); }
                (2, Some(leave)) => { it.breaker.answered(leave); }
                (3, Some(leave)) => it.breaker.given_up(leave),
                (_, before) => {
                    under_way.extend(before);
                    let was_ill = !matches!(it.breaker.state(), State::Closed { .. });
                    if let Some(leave) = it.go() {
                        prop_assert_eq!(leave.is_look, was_ill);
                        under_way.push(leave);
                    }
                }
            }
            let looks = under_way.iter().filter(|leave| leave.is_look && it.breaker.is_current(**leave));
            if !matches!(it.breaker.state(), State::Closed { .. }) {
                prop_assert!(looks.count() <= 1);
            }
        }
    }
}
