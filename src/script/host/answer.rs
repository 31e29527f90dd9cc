//! The answer of a service: `.status`, `.headers`, `.body`, `.text`.

use crate::call::Answer;
use crate::script::error::{HostError, ScriptResult};
use crate::script::json;
use rhai::{Dynamic, Engine, ImmutableString, Map, NativeCallContext};
use std::sync::Arc;

/// An answer that the script accepted.
#[derive(Clone, Debug)]
pub(super) struct Answered(Arc<Answer>);

impl Answered {
    pub(super) fn new(answer: Arc<Answer>) -> Self {
        Self(answer)
    }

    fn text(&self) -> Result<&str, HostError> {
        match &self.0.body_missing {
            None => Ok(&self.0.text),
            Some(why) => {
                let less = if why.starts_with("it is larger") {
                    ", or ask for less at once (one page after another)"
                } else {
                    ""
                };
                Err(
                    HostError::new(format!("the body of this answer is not there: {why}")).help(
                        format!(
                            "the call itself is done, and is not made again: \
                         go on without its body{less}"
                        ),
                    ),
                )
            }
        }
    }

    /// A fresh copy each time: what the script does to one is its own.
    fn body(&self) -> Result<Dynamic, HostError> {
        let text = self.text()?;
        if text.trim().is_empty() {
            return Ok(Dynamic::UNIT);
        }
        // What was no UTF-8 has become this sign: a name that is kept so would be wrong for ever, and nobody would see it.
        if self.0.has_bad_utf8 {
            return Err(
                HostError::new("the body of this answer has signs that are no UTF-8").help(
                    "the service has to send UTF-8; \
                         with `�` in their place it is `parse_json(answer.text)`",
                ),
            );
        }
        json::parse(text).map_err(|error| {
            HostError::new(format!("the body of this answer is not JSON: {error}"))
                .help("its text as it came is in `.text`")
        })
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Answered>("answer")
        .register_get("status", |it: &mut Answered| i64::from(it.0.status))
        .register_get("headers", |it: &mut Answered| -> Map {
            it.0.headers
                .iter()
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect()
        })
        .register_get("body", |context: NativeCallContext, it: &mut Answered| {
            or_error(it.body(), &context)
        })
        .register_get("text", |context: NativeCallContext, it: &mut Answered| {
            or_error(it.text().map(ImmutableString::from), &context)
        });
    engine.register_indexer_get(
        |context: NativeCallContext, _: &mut Answered, name: ImmutableString| -> ScriptResult<Dynamic> {
            Err(HostError::new(format!("an answer has no `{name}`"))
                .help(format!("it has `.status`, `.headers`, `.body` and `.text`; what the service sent is in `.body.{name}`"))
                .at(&context))
        },
    );
}

fn or_error<T>(result: Result<T, HostError>, context: &NativeCallContext) -> ScriptResult<T> {
    result.map_err(|error| error.at(context))
}
