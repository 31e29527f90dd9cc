//! Several runs whose scripts ask for calls of the same names: each of these takes effect under one key, whoever makes it.

use super::course::Course;
use super::script::{Body, Line, Step, To, a_fault, a_name};
use super::service::Fault;
use super::{Checked, World, check_all};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::BTreeSet;

const HISTORIES: u32 = 150;
const HISTORIES_MANY: u32 = 10_000;
/// Rounds without any fault within which all runs must come to their end.
const ROUNDS_TO_THE_END_MAX: usize = 60;
/// Where each run makes its calls without a name.
const PATHS: [&str; 3] = ["/x", "/y", "/z"];

#[test]
fn no_history_of_several_runs_makes_a_call_with_a_name_under_two_keys() {
    check_all(HISTORIES, a_history(), World::go_through_shared);
}

#[test]
#[ignore = "takes minutes"]
fn no_history_of_very_many_of_several_runs_does_either() {
    check_all(HISTORIES_MANY, a_history(), World::go_through_shared);
}

/// One step of a history of several runs.
#[derive(Clone, Debug)]
enum Move {
    /// Of one of them.
    Of(usize, Step),
    /// Two of them have an attempt at the same time.
    Together(usize, usize, Vec<Fault>),
    /// An operator ends one of them.
    Drop(usize),
}

#[derive(Clone, Debug)]
struct History {
    scripts: Vec<Vec<Line>>,
    moves: Vec<Move>,
    /// Which of the choices an operator makes at the end.
    is_second: bool,
}

impl World {
    async fn go_through_shared(&self, history: History) -> Checked {
        self.model.begin();
        let group = uuid::Uuid::new_v4().simple().to_string();
        let mut courses = Vec::new();
        for (at, script) in history.scripts.iter().enumerate() {
            let event = format!("evt_{group}_{at}");
            let run = self.accept(&event).await;
            courses.push(Course::new(self, run, event, &group, script.clone()));
        }
        let mut is_plain = true;
        for it in &history.moves {
            is_plain &= self.make(it, &mut courses).await?;
            self.check_names()?;
        }
        self.come_to_the_end(&mut courses, history.is_second)
            .await?;
        // Nobody edited a script, dropped a run, or said what became of a call.
        if is_plain && self.model.waited_hours() < 24 {
            self.check_all_have_effect(&history.scripts)?;
        }
        Ok(())
    }

    /// Whether it leaves it at what the scripts ask for.
    async fn make(&self, it: &Move, courses: &mut [Course<'_>]) -> Result<bool, TestCaseError> {
        let place = |at: usize| at % courses.len();
        match it {
            Move::Of(at, Step::Decide { is_second }) => {
                courses[place(*at)].decide_for_all(*is_second).await?;
                Ok(true)
            }
            Move::Of(at, step) => {
                let at = place(*at);
                courses[at].step(&of_its_own(step, PATHS[at])).await?;
                Ok(matches!(step, Step::Attempt { .. } | Step::WaitHours(_)))
            }
            Move::Together(first, second, faults) => {
                let (first, second) = (place(*first), place(*second));
                let (low, high) = (first.min(second), first.max(second));
                self.model.faults(faults);
                let (before, after) = courses.split_at_mut(high);
                match (before.get_mut(low), after.first_mut()) {
                    (Some(one), Some(other)) => {
                        let (one, other) =
                            tokio::join!(one.attempt_beside(), other.attempt_beside());
                        one.and(other)?;
                    }
                    _ => courses[low].attempt(None).await?,
                }
                Ok(true)
            }
            Move::Drop(at) => {
                let at = place(*at);
                courses[at].give_up().await;
                Ok(false)
            }
        }
    }

    /// One name of a service has taken effect under one key at most.
    fn check_names(&self) -> Checked {
        let names = self.model.keys_by_name();
        match names.iter().find(|(_, keys)| **keys > 1) {
            Some((name, keys)) => Err(TestCaseError::fail(format!(
                "`{name}` took effect under {keys} keys"
            ))),
            None => Ok(()),
        }
    }

    /// Without faults, and with an operator who decides what is asked of him, every run is done.
    async fn come_to_the_end(&self, courses: &mut [Course<'_>], is_second: bool) -> Checked {
        for round in 0..ROUNDS_TO_THE_END_MAX {
            if round == ROUNDS_TO_THE_END_MAX / 2 {
                // Scripts that were edited may wait for each other's calls: not for ever.
                let hours = 30;
                courses[0].step(&Step::WaitHours(hours)).await?;
            }
            for it in courses.iter_mut().filter(|it| !it.is_over()) {
                self.model.faults(&[]);
                it.decide_for_all(is_second).await?;
                it.attempt(None).await?;
                self.check_names()?;
            }
            if courses.iter().all(Course::is_over) {
                return Ok(());
            }
        }
        let why: Vec<String> = courses.iter().map(Course::why).collect();
        Err(TestCaseError::fail(format!(
            "they do not come to their end: {why:?}"
        )))
    }

    /// What every run that is done has asked for is done.
    fn check_all_have_effect(&self, scripts: &[Vec<Line>]) -> Checked {
        let done = self.model.keys_by_name();
        let is_settled_by_word = self.model.is_settled_by_word();
        let asked: BTreeSet<String> = scripts.iter().flatten().filter_map(must_be_done).collect();
        match asked.iter().find(|it| !done.contains_key(*it)) {
            Some(it) if !is_settled_by_word => Err(TestCaseError::fail(format!(
                "all are done, and `{it}` never took effect"
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

/// The step, with the path where this run makes its calls without a name.
fn of_its_own(step: &Step, path: &'static str) -> Step {
    let mut step = step.clone();
    if let Step::Insert { line, .. } | Step::Change { line, .. } = &mut step
        && let Line::Post { to, .. } = line
    {
        to.path = path;
    }
    step
}

/// The call that this line lets no run end without.
fn must_be_done(line: &Line) -> Option<String> {
    match line {
        Line::Once {
            service,
            name,
            is_tried: false,
            ..
        } => Some(format!("{service} {name}")),
        Line::Once { .. }
        | Line::Get
        | Line::Post { .. }
        | Line::TryPost { .. }
        | Line::Loop { .. } => None,
    }
}

fn a_line(path: &'static str) -> impl Strategy<Value = Line> {
    let service = || prop_oneof![3 => Just("books"), 1 => Just("mail")];
    let body = || {
        prop_oneof![
            3 => a_name().prop_map(Body::Said),
            1 => Just(Body::Now),
            1 => Just(Body::Got),
        ]
    };
    prop_oneof![
        1 => Just(Line::Get),
        2 => (service(), body()).prop_map(move |(service, body)| Line::Post { to: To { service, path }, body }),
        6 => (service(), prop_oneof![2 => Just("n"), 1 => Just("m")], body(), prop::bool::weighted(0.3))
            .prop_map(|(service, name, body, is_tried)| Line::Once { service, name, body, is_tried }),
    ]
}

fn a_move() -> impl Strategy<Value = Move> {
    let faults = || prop::collection::vec(a_fault(), 0..4);
    let attempt = (faults(), prop::option::weighted(0.3, 1u8..14))
        .prop_map(|(faults, ends_after)| Step::Attempt { faults, ends_after });
    let edit = || (0usize..4, a_line(PATHS[0]));
    let step = prop_oneof![
        8 => attempt,
        1 => edit().prop_map(|(at, line)| Step::Insert { at, line }),
        1 => edit().prop_map(|(at, line)| Step::Change { at, line }),
        1 => (0usize..4).prop_map(|at| Step::Remove { at }),
        1 => prop_oneof![Just(1u8), Just(30u8)].prop_map(Step::WaitHours),
        2 => any::<bool>().prop_map(|is_second| Step::Decide { is_second }),
    ];
    prop_oneof![
        12 => (0usize..3, step).prop_map(|(at, step)| Move::Of(at, step)),
        4 => (0usize..3, 0usize..3, faults()).prop_map(|(one, other, faults)| Move::Together(one, other, without_crashes(faults))),
        1 => (0usize..3).prop_map(Move::Drop),
    ]
}

/// Both attempts would wait for the end of the process.
fn without_crashes(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.retain(|it| !matches!(it, Fault::CrashBefore | Fault::CrashAfter));
    faults
}

fn a_history() -> impl Strategy<Value = History> {
    let script = |path| prop::collection::vec(a_line(path), 1..4);
    let scripts = (
        script(PATHS[0]),
        script(PATHS[1]),
        script(PATHS[2]),
        2usize..4,
    );
    let scripts = scripts.prop_map(|(a, b, c, count)| {
        let mut all = vec![a, b, c];
        all.truncate(count);
        all
    });
    (
        scripts,
        prop::collection::vec(a_move(), 1..14),
        any::<bool>(),
    )
        .prop_map(|(scripts, moves, is_second)| History {
            scripts,
            moves,
            is_second,
        })
}
