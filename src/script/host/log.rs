//! `log.info(…)`, `log.warn(…)`, `print(…)`: lines that are kept with the attempt.

use crate::script::error::ScriptResult;
use crate::script::state::with_run;
use crate::script::text::{debug_text, value_text};
use crate::script::{LogLevel, json};
use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};

/// What a script calls `log`.
#[derive(Clone, Copy, Debug)]
pub(in crate::script) struct Log;

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Log>("log");
    for (name, level) in [("info", LogLevel::Info), ("warn", LogLevel::Warn)] {
        engine
            .register_fn(
                name,
                move |context: NativeCallContext, _: &mut Log, it: Dynamic| {
                    keep(&context, level, &value_text(&it))
                },
            )
            .register_fn(
                name,
                move |context: NativeCallContext, _: &mut Log, it: Dynamic, more: Dynamic| {
                    let more = json::text(&more).unwrap_or_else(|_| value_text(&more));
                    keep(&context, level, &format!("{} {more}", value_text(&it)))
                },
            );
    }
    // Rhai treats these two names apart: what they return is shown and thrown away.
    engine.register_fn(
        "print",
        |context: NativeCallContext, it: Dynamic| -> ScriptResult<ImmutableString> {
            keep(&context, LogLevel::Info, &value_text(&it)).map(|()| ImmutableString::new())
        },
    );
    engine.register_fn(
        "debug",
        |context: NativeCallContext, it: Dynamic| -> ScriptResult<ImmutableString> {
            keep(&context, LogLevel::Info, &debug_text(&it)).map(|()| ImmutableString::new())
        },
    );
}

fn keep(context: &NativeCallContext, level: LogLevel, text: &str) -> ScriptResult<()> {
    with_run(context, |run| {
        run.log(level, context.call_position().line().unwrap_or(0), text);
        Ok(())
    })
}
