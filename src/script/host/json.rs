//! `parse_json(text)` and `to_json(value)`: ours, because Rhai's rounds large numbers and can go on for ever.

use crate::script::error::{HostError, ScriptResult, charge};
use crate::script::json;
use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn(
            "parse_json",
            |context: NativeCallContext, text: ImmutableString| -> ScriptResult<Dynamic> {
                // Parsing is quick for an operation, but not free.
                charge(text.len() / 64)?;
                json::parse(&text).map_err(|error| {
                    HostError::new(format!("this text is not JSON: {error}")).at(&context)
                })
            },
        )
        .register_fn(
            "to_json",
            |context: NativeCallContext, value: Dynamic| -> ScriptResult<ImmutableString> {
                json::text(&value).map(Into::into).map_err(|problem| {
                    HostError::new(format!("this cannot be made JSON: {problem}")).at(&context)
                })
            },
        );
}
