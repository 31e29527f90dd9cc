//! One pass through a program: from its start until it is done, or until it needs an answer that is not there.

use super::error::HostError;
use super::failure::{failure_at, failure_of, place_of, with_place};
use super::frozen::FrozenEvent;
use super::library::{Linked, Program};
use super::limits::{self, Exceeded};
use super::modules::ModulesOfThread;
use super::state::{self, Ending, RunState};
use super::view::RecordView;
use super::{Attempt, Outcome, Pass, World};
use rhai::{Dynamic, EvalAltResult, Scope};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

type Evaluated = std::thread::Result<Result<(), Box<EvalAltResult>>>;

impl Program {
    /// Never panics, never blocks, leaves nothing on the thread.
    ///
    /// Values that are nested deep are freed by recursion: the thread needs a large stack (256 MiB of address space).
    pub fn run(&self, attempt: &Attempt, event: &Arc<FrozenEvent>, world: Box<dyn World>) -> Pass {
        // Compiled for this thread, if need be, before its time and memory count.
        let linked = self.linked();
        let started = Instant::now();
        let limits = Arc::clone(&linked.engine.limits);
        let left = limits
            .engine_time_max
            .saturating_sub(world.engine_time_spent());
        limits::open(&limits, started + left);
        let entered = state::enter(Box::new(RunState {
            attempt: attempt.clone(),
            event: Arc::clone(event),
            world,
            limits,
            view: RecordView::default(),
            log: Vec::new(),
            answers: Vec::new(),
            calls: 0,
            random_ids: 0,
            ending: None,
        }));
        let evaluated = evaluate(linked);
        let run = entered.leave();
        let (operations, exceeded) = limits::close();
        self.pass(run, evaluated, operations, exceeded, started)
    }

    fn pass(
        &self,
        mut run: Box<RunState>,
        evaluated: Evaluated,
        operations: u64,
        exceeded: Option<Exceeded>,
        started: Instant,
    ) -> Pass {
        let ending = run.ending.take().map(|it| *it);
        let outcome = self.outcome(&run, ending, &evaluated, exceeded);
        let RunState {
            world, view, log, ..
        } = *run;
        let reads = view.reads();
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => Outcome::Done {
                changes: view.into_changes(),
            },
        };
        Pass {
            outcome,
            reads,
            log,
            operations,
            engine_time: started.elapsed(),
            world,
        }
    }

    /// `None`: the script went through. Read from the run's state first: the engine's error may have been caught.
    fn outcome(
        &self,
        run: &RunState,
        ending: Option<Ending>,
        evaluated: &Evaluated,
        exceeded: Option<Exceeded>,
    ) -> Option<Outcome> {
        match ending {
            Some(Ending::Outcome(Outcome::Dead(failure))) => {
                return Some(Outcome::Dead(with_place(failure, None, self)));
            }
            Some(Ending::Outcome(outcome)) => return Some(outcome),
            Some(Ending::Fatal { error, is_dead }) => {
                let failure = failure_at(error, None, self);
                return Some(if is_dead {
                    Outcome::Dead(failure)
                } else {
                    Outcome::Failed(failure)
                });
            }
            None => {}
        }
        let error = match evaluated {
            Err(_) => Err(HostError::new(
                "the host itself failed while it ran this script (a panic)",
            )),
            Ok(Err(error)) => Ok(error),
            Ok(Ok(())) if exceeded.is_none() => return None,
            Ok(Ok(())) => Err(HostError::new("the script was stopped")),
        };
        let failure = match (exceeded, error) {
            (Some(exceeded), error) => {
                let place = error.ok().and_then(|it| place_of(it, self));
                failure_at(self.limit(exceeded), place, self)
            }
            (None, Ok(error)) => failure_of(error, self, run),
            (None, Err(error)) => failure_at(error, None, self),
        };
        Some(Outcome::Failed(failure))
    }

    fn limit(&self, exceeded: Exceeded) -> HostError {
        let limits = &self.engine().limits;
        match exceeded {
            Exceeded::Operations => HostError::new(format!(
                "the script did more than {} operations and was stopped",
                limits.operations_max
            ))
            .help("does a loop never end? A higher `operations_max` in [limits] of handlers.toml allows more"),
            Exceeded::Memory => HostError::new(format!(
                "the script used more than {} MiB of memory and was stopped",
                limits.memory_mib
            ))
            .help("does a list, a map or a text grow without end? A higher `memory_mib` in [limits] of handlers.toml allows more"),
            Exceeded::EngineTime => HostError::new(format!(
                "the script worked longer than {} and was stopped",
                humantime::format_duration(limits.engine_time_max)
            ))
            .help("does a loop never end? Waiting for services does not count; a longer `engine_time_max` in [limits] of handlers.toml allows more"),
        }
    }
}

fn evaluate(linked: &Linked) -> Evaluated {
    let _modules = ModulesOfThread::enter(&linked.modules);
    catch_unwind(AssertUnwindSafe(|| {
        // The script's value is of no matter; it is dropped in here, where a panic is caught.
        linked
            .engine
            .rhai
            .eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &linked.ast)
            .map(drop)
    }))
}
