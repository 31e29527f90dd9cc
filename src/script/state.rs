//! The state of the run that is on this thread.
//!
//! One owner, one lifetime: [`enter`] puts it there, the guard takes it out, also when the engine panics. Host functions
//! reach it by [`with_run`] and refuse once the run has ended.

use super::error::{HostError, Place, ScriptResult, stopped};
use super::frozen::FrozenEvent;
use super::text::shortened;
use super::view::RecordView;
use super::{Attempt, Failure, LogLevel, LogLine, Outcome, World, limits};
use crate::call::Answer;
use crate::config::Limits;
use rhai::{Dynamic, EvalAltResult, NativeCallContext};
use std::cell::RefCell;
use std::sync::Arc;

/// Everything that host functions know of a run.
pub(super) struct RunState {
    pub(super) attempt: Attempt,
    pub(super) event: Arc<FrozenEvent>,
    pub(super) world: Box<dyn World>,
    pub(super) limits: Arc<Limits>,
    pub(super) view: RecordView,
    pub(super) log: Vec<LogLine>,
    /// Answers that the script has seen, in its order.
    pub(super) answers: Vec<Arc<Answer>>,
    pub(super) calls: usize,
    pub(super) random_ids: u64,
    /// Why the script was stopped, if a host function did it. Never read from the engine's error: that may be hidden.
    pub(super) ending: Option<Box<Ending>>,
}

pub(super) enum Ending {
    Outcome(Outcome),
    /// A limit or the world: no script may catch it. Dead when trying again cannot help.
    Fatal {
        error: HostError,
        is_dead: bool,
    },
}

thread_local! {
    static RUN: RefCell<Option<Box<RunState>>> = const { RefCell::new(None) };
}

/// Takes the state out again, whatever happened in between.
pub(super) struct Entered(());

pub(super) fn enter(run: Box<RunState>) -> Entered {
    RUN.with_borrow_mut(|it| {
        assert!(it.is_none(), "two runs on one thread");
        *it = Some(run);
    });
    Entered(())
}

impl Entered {
    pub(super) fn leave(self) -> Box<RunState> {
        RUN.with_borrow_mut(Option::take)
            .expect("the guard keeps it there")
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        RUN.with_borrow_mut(|it| it.take());
    }
}

/// The event of the run on this thread, if there is one.
pub(super) fn event() -> Option<Dynamic> {
    RUN.with_borrow(|it| it.as_ref().map(|run| run.event.root()))
}

/// Does something with this thread's run; refuses once it has ended.
pub(super) fn with_run<T>(
    context: &NativeCallContext,
    act: impl FnOnce(&mut RunState) -> Result<T, Stop>,
) -> ScriptResult<T> {
    RUN.with_borrow_mut(|it| {
        let Some(run) = it.as_mut() else {
            return Err(HostError::new(format!(
                "`{}` works only while an event is handled",
                context.fn_name()
            ))
            .at(context));
        };
        if run.ending.is_some() || !limits::charge(1) {
            return Err(stopped());
        }
        act(run).map_err(|stop| run.stop(stop, context))
    })
}

/// How a host function ends.
pub(super) enum Stop {
    /// An error that the script may catch.
    Error(HostError),
    /// The end of the pass; nothing catches it.
    Ending(Box<Ending>),
}

impl From<HostError> for Stop {
    fn from(it: HostError) -> Self {
        Self::Error(it)
    }
}

impl From<Outcome> for Stop {
    fn from(it: Outcome) -> Self {
        Self::Ending(Box::new(Ending::Outcome(it)))
    }
}

impl Stop {
    /// A limit that the script reached.
    pub(super) fn limit(error: HostError) -> Self {
        Self::Ending(Box::new(Ending::Fatal {
            error,
            is_dead: false,
        }))
    }
}

impl From<super::WorldError> for Stop {
    fn from(it: super::WorldError) -> Self {
        Self::Ending(Box::new(Ending::Fatal {
            error: HostError::new(it.message),
            is_dead: !it.is_passing,
        }))
    }
}

impl RunState {
    fn stop(&mut self, stop: Stop, context: &NativeCallContext) -> Box<EvalAltResult> {
        match stop {
            Stop::Error(error) => error.at(context),
            Stop::Ending(mut ending) => {
                let place = Place::of(context);
                match &mut *ending {
                    Ending::Fatal { error, .. } => error.place = place.map(Box::new),
                    Ending::Outcome(Outcome::Dead(failure)) => fill_place(failure, place),
                    Ending::Outcome(
                        Outcome::Done { .. }
                        | Outcome::Skipped { .. }
                        | Outcome::RetryIn { .. }
                        | Outcome::Failed(_)
                        | Outcome::Needs(_),
                    ) => {}
                }
                self.ending = Some(ending);
                limits::stop();
                stopped()
            }
        }
    }

    /// Keeps a line of the log, within bounds.
    pub(super) fn log(&mut self, level: LogLevel, line: usize, text: &str) {
        let (level, text) = match self.log.len() {
            n if n < limits::LOG_LINES_MAX => (
                level,
                shortened(text.to_owned(), limits::LOG_LINE_CHARS_MAX),
            ),
            limits::LOG_LINES_MAX => (
                LogLevel::Warn,
                format!(
                    "more than {} lines: the rest is not kept",
                    limits::LOG_LINES_MAX
                ),
            ),
            _ => return,
        };
        self.log.push(LogLine { level, line, text });
    }
}

fn fill_place(failure: &mut Failure, place: Option<Place>) {
    if let Some(place) = place {
        failure.script = place.script;
        failure.line = place.line;
        failure.column = place.column;
    }
}
