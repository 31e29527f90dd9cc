//! Errors that host functions raise: what is wrong, and what to write instead.

use super::{FailedCall, limits};
use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext, Position};

pub(super) type ScriptResult<T> = Result<T, Box<EvalAltResult>>;

/// What a script catches when a host function refuses.
#[derive(Clone, Debug)]
pub(super) struct HostError {
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) call: Option<Box<FailedCall>>,
    /// Where it arose: script, line, column. Rhai keeps only the outermost call's place in callbacks.
    pub(super) place: Option<Box<Place>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) script: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    pub(super) fn of(context: &NativeCallContext) -> Option<Self> {
        let position = context.call_position();
        Some(Self {
            script: context.call_source().unwrap_or_default().to_owned(),
            line: position.line()?,
            column: position.position().unwrap_or(1),
        })
    }
}

impl HostError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            call: None,
            place: None,
        }
    }

    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub(super) fn call(mut self, call: FailedCall) -> Self {
        self.call = Some(Box::new(call));
        self
    }

    /// The error as Rhai passes it on, with the place of the call that raised it.
    pub(super) fn at(mut self, context: &NativeCallContext) -> Box<EvalAltResult> {
        self.place = Place::of(context).map(Box::new);
        Box::new(EvalAltResult::ErrorRuntime(
            Dynamic::from(self),
            context.call_position(),
        ))
    }
}

/// What a script may read of an error that it caught.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<HostError>("error")
        .register_get("message", |it: &mut HostError| it.message.clone())
        .register_get("help", |it: &mut HostError| {
            it.help.clone().unwrap_or_default()
        })
        .register_get("status", |it: &mut HostError| {
            it.call
                .as_ref()
                .map_or(Dynamic::UNIT, |call| Dynamic::from(i64::from(call.status)))
        });
}

/// The way out of a script that has to end; the reason stands in the run's state, or in its count.
pub(super) fn stopped() -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorTerminated(
        Dynamic::UNIT,
        Position::NONE,
    ))
}

/// Counts the turns of a native that loops.
pub(super) fn charge(operations: usize) -> ScriptResult<()> {
    if limits::charge(operations as u64) {
        Ok(())
    } else {
        Err(stopped())
    }
}
