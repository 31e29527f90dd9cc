//! One history on its way, and the laws that hold after each of its steps.

use super::script::{self, Line, Step};
use super::{Checked, World, chosen};
use crate::clock::{Clock, UnixMillis};
use crate::in_force::InForce;
use crate::ledger::Ordered;
use crate::ledger::decision::{Choice, Decision};
use crate::ledger::request::{CallState, Order};
use crate::ledger::sqlite::read::Reader;
use crate::record::RecordKey;
use crate::run::RunId;
use crate::script::{Grants, Sources};
use crate::worker::attempt::{End, attempt};
use proptest::test_runner::TestCaseError;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// Attempts without any fault within which every run must come to its end.
const ATTEMPTS_TO_THE_END_MAX: usize = 60;

/// One history on its way.
pub(super) struct Course<'a> {
    world: &'a World,
    reader: Reader,
    run: RunId,
    event: String,
    script: Vec<Line>,
    list: Vec<&'static str>,
    /// The most times that any attempt asked for a call.
    asked: BTreeMap<String, u32>,
    /// The script or what it reads has changed since the beginning.
    is_changed: bool,
    /// What the names of its calls begin with.
    group: String,
}

impl<'a> Course<'a> {
    pub(super) fn new(
        world: &'a World,
        run: RunId,
        event: String,
        group: &str,
        script: Vec<Line>,
    ) -> Self {
        Self {
            world,
            reader: Reader::open(&world.folder).unwrap(),
            run,
            event,
            script,
            list: Vec::new(),
            asked: BTreeMap::new(),
            is_changed: false,
            group: group.to_owned(),
        }
    }

    /// What changes from now on is an edit.
    pub(super) fn begin(&mut self) {
        self.is_changed = false;
    }

    pub(super) async fn step(&mut self, step: &Step) -> Checked {
        let place = |at: usize, len: usize| at.min(len.saturating_sub(1));
        match step {
            Step::Attempt { faults, ends_after } => {
                self.world.model.faults(faults);
                return self.attempt(*ends_after).await;
            }
            Step::Insert { at, line } => {
                let at = (*at).min(self.script.len());
                self.script.insert(at, line.clone());
                self.is_changed = true;
            }
            Step::Change { at, line } if !self.script.is_empty() => {
                let at = place(*at, self.script.len());
                self.script[at] = line.clone();
                self.is_changed = true;
            }
            Step::Remove { at } if !self.script.is_empty() => {
                self.script.remove(place(*at, self.script.len()));
                self.is_changed = true;
            }
            Step::Change { .. } | Step::Remove { .. } => {}
            Step::Grow { name } => self.grow(name).await,
            Step::WaitHours(hours) => {
                let now = self.world.clock.now();
                self.world
                    .clock
                    .set(UnixMillis(now.0 + i64::from(*hours) * 3_600_000));
                self.world.model.waited(u32::from(*hours));
            }
            Step::Decide { is_second } => self.decide(*is_second).await?,
        }
        Ok(())
    }

    pub(super) async fn grow(&mut self, name: &'static str) {
        let key = RecordKey {
            collection: "lines".into(),
            id: format!("{}-{name}", self.event),
        };
        let set = Order::SetRecord {
            key,
            body: Some(format!(
                "{{\"event\":\"{}\",\"what\":\"{name}\"}}",
                self.event
            )),
            at: self.world.clock.now(),
        };
        self.world.ledger().order(set).await.unwrap();
        if !self.list.contains(&name) {
            self.list.push(name);
        }
        self.is_changed = true;
    }

    /// An attempt as the worker makes it, on the script as it stands; the process may end in the middle.
    pub(super) async fn attempt(&mut self, ends_after: Option<u8>) -> Checked {
        let attempts = self.attempts();
        if let Some(end) = self.go(ends_after).await {
            self.check_put_off(&end, attempts)?;
        }
        self.check()
    }

    /// An attempt while that of another run goes on, too: whose service was ill is not certain.
    pub(super) async fn attempt_beside(&mut self) -> Checked {
        self.go(None).await;
        self.check()
    }

    async fn go(&mut self, ends_after: Option<u8>) -> Option<End> {
        let world = self.world;
        world.clock.set(UnixMillis(world.clock.now().0 + 1_000));
        self.in_force();
        if self.is_over() || self.state() == "dead" {
            return None;
        }
        for (content, times) in script::asked(&self.script, &self.list) {
            let most = self.asked.entry(content).or_default();
            *most = times.max(*most);
        }
        let run = self.reader.open_run(self.run).unwrap().unwrap();
        let mut ended = None;
        {
            let mut whole = pin!(attempt(world.shared.clone(), run, 0));
            let mut steps = 0;
            let until_it_ends = std::future::poll_fn(|context| {
                if ends_after.is_some_and(|it| it < steps) {
                    return Poll::Ready(());
                }
                steps += 1;
                whole.as_mut().poll(context).map(|end| ended = Some(end))
            });
            tokio::select! {
                biased;
                () = until_it_ends => {}
                () = world.model.crashed.notified() => {}
            }
        }
        // What the ledger was given before the end is done.
        let barrier = Order::SetMeta {
            values: vec![("barrier".into(), String::new())],
        };
        world.ledger().order(barrier).await.unwrap();
        ended
    }

    /// Attempts so far; none of a run that is over.
    fn attempts(&self) -> u32 {
        let run = self.reader.open_run(self.run).unwrap();
        run.map_or(0, |it| it.attempts)
    }

    /// Whose service is ill waits for it, and spends no attempt.
    fn check_put_off(&self, end: &End, attempts: u32) -> Checked {
        let is_put_off = matches!(end, End::PutOff { .. });
        if is_put_off != self.world.model.has_put_off() {
            return Err(TestCaseError::fail(format!(
                "the service is ill or not, and: {end:?}"
            )));
        }
        if !is_put_off {
            return Ok(());
        }
        let run = self.reader.open_run(self.run).unwrap();
        let spent = run.map(|it| it.attempts);
        if self.state() != "waiting" || spent != Some(attempts) {
            return Err(TestCaseError::fail(format!(
                "put off after {attempts} attempts: {}, {spent:?}",
                self.state()
            )));
        }
        Ok(())
    }

    fn in_force(&self) {
        let world = self.world;
        let grants = Grants {
            collections: world.config.handlers[0].records.clone(),
            services: world.config.handlers[0].services.clone(),
        };
        let mut sources = Sources::default();
        sources.0.insert("scripts/h.rhai".into(), self.text());
        let program = world
            .engine
            .compile("scripts/h.rhai", &sources, &grants)
            .unwrap();
        let in_force = InForce::new(
            world.config.clone(),
            world.services.clone(),
            vec![chosen(Ok(Arc::new(program)))],
        );
        world.shared.current.store(Arc::new(in_force));
    }

    fn text(&self) -> String {
        script::text(&self.script, &self.group)
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state().as_str(), "done" | "dropped")
    }

    /// An operator ends the run, if it is open.
    pub(super) async fn give_up(&self) {
        let order = Order::Drop {
            run: self.run,
            at: self.world.clock.now(),
        };
        self.world.ledger().order(order).await.unwrap();
    }

    fn state(&self) -> String {
        self.reader.run_row(self.run).unwrap().unwrap().state
    }

    pub(super) fn why(&self) -> String {
        let row = self.reader.run_row(self.run).unwrap().unwrap();
        row.why.unwrap_or_default()
    }

    /// The laws, after each attempt.
    fn check(&self) -> Checked {
        let model = &self.world.model;
        let state = self.state();
        let fail = |why: String| {
            Err(TestCaseError::fail(format!(
                "run {}: {why}\n{}",
                self.run,
                self.text()
            )))
        };
        if let Some(it) = model.violations().first() {
            return fail(it.clone());
        }
        let journal = self.reader.journal(self.run).unwrap();
        let settled = journal.iter().filter(|it| it.state == CallState::Settled);
        model.settled(settled.map(|it| it.idempotency_key.clone()));
        for (content, times) in model.effects() {
            let Some(most) = self.asked.get(&content) else {
                continue;
            };
            if times > *most {
                return fail(format!(
                    "{content} took effect {times} times and was asked for {most} times"
                ));
            }
        }
        let count = self.reader.record("counts", &self.event).unwrap();
        let count = count.map(|it| (it.version, it.body.unwrap_or_default()));
        let expected = (state == "done").then(|| (1, "{\"n\":1}".to_owned()));
        if count != expected {
            return fail(format!("a run that is {state} has counted {count:?}"));
        }
        let why = self.why();
        if state == "dead" && why.starts_with("calls changed") && !self.is_changed {
            return fail(format!("nothing was changed, and: {why}"));
        }
        let may_be_forgotten = model.waited_hours() >= 24 || why.contains("`mail`");
        if state == "dead" && why.starts_with("outcome unknown") && !may_be_forgotten {
            return fail(format!("the service keeps its keys, and: {why}"));
        }
        Ok(())
    }

    /// An operator's retry of a dead run, with a choice that fits.
    /// The same where several runs share calls: the call may be another run's by now, and then that one waits for the word.
    /// A call that is said to be one of another name would be one of two names, so that is not said.
    pub(super) async fn decide_for_all(&mut self, is_second: bool) -> Checked {
        let why = self.why();
        let is_second = is_second && !why.starts_with("calls changed");
        match self.decide(is_second).await {
            Err(TestCaseError::Fail(it)) if it.message().contains("was taken over by run") => {
                let retry = Order::Retry {
                    run: self.run,
                    decision: None,
                };
                self.world.ledger().order(retry).await.unwrap();
                Ok(())
            }
            decided => decided,
        }
    }

    async fn decide(&mut self, is_second: bool) -> Checked {
        if self.state() != "dead" {
            return Ok(());
        }
        let why = self.why();
        let choice = match (why.split(':').next().unwrap_or_default(), is_second) {
            ("calls changed", false) => Some(Choice::Again),
            ("calls changed", true) => Some(Choice::Reuse),
            ("outcome unknown", false) => {
                self.world.model.allow_resend();
                Some(Choice::Resend)
            }
            ("outcome unknown", true) => {
                self.world.model.settle_by_word();
                Some(Choice::Settle {
                    answer: crate::call::Answer {
                        status: 200,
                        headers: BTreeMap::new(),
                        text: "{}".into(),
                        body_missing: None,
                        has_bad_utf8: false,
                    },
                })
            }
            _ => None,
        };
        let decision = choice.map(|choice| Decision {
            choice,
            by: "somebody".into(),
            at: self.world.clock.now(),
        });
        let retry = Order::Retry {
            run: self.run,
            decision,
        };
        match self.world.ledger().order(retry).await {
            Ok(Ordered::Done { affected: 1 }) => Ok(()),
            other => Err(TestCaseError::fail(format!("{why}: {other:?}"))),
        }
    }

    /// Without faults and edits, and with an operator who decides what is asked of him, every run is done.
    pub(super) async fn come_to_the_end(&mut self, is_second: bool) -> Checked {
        for _ in 0..ATTEMPTS_TO_THE_END_MAX {
            self.world.model.faults(&[]);
            self.decide(is_second).await?;
            self.attempt(None).await?;
            if self.state() == "done" {
                let most = self.world.model.effects_of_one_key_max();
                if most > 1 && self.world.model.waited_hours() < 24 {
                    return Err(TestCaseError::fail(format!(
                        "one key took effect {most} times"
                    )));
                }
                return Ok(());
            }
        }
        Err(TestCaseError::fail(format!(
            "it does not come to its end: {}",
            self.why()
        )))
    }
}
