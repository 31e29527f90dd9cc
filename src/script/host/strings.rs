//! Text: what Rhai has, with the functions that can grow or loop at length replaced.

use crate::script::error::{HostError, ScriptResult, charge};
use crate::script::limits::{ARRAY_LENGTH_MAX, STRING_SIZE_BYTES_MAX};
use crate::script::text::{debug_text, value_text};
use rhai::{Array, Dynamic, Engine, ImmutableString, NativeCallContext};

type Text = ImmutableString;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("to_string", |it: Dynamic| -> Text {
            value_text(&it).into()
        })
        .register_fn("to_debug", |it: Dynamic| -> Text { debug_text(&it).into() })
        .register_fn("trim", |it: &mut Text| -> Text {
            *it = it.trim().into();
            it.clone()
        });
    engine
        .register_fn(
            "replace",
            |c: NativeCallContext, it: &mut Text, from: Text, to: Text| replace(&c, it, &from, &to),
        )
        .register_fn(
            "replace",
            |c: NativeCallContext, it: &mut Text, from: Text, to: char| {
                replace(&c, it, &from, &to.to_string())
            },
        )
        .register_fn(
            "replace",
            |c: NativeCallContext, it: &mut Text, from: char, to: Text| {
                replace(&c, it, &from.to_string(), &to)
            },
        )
        .register_fn(
            "replace",
            |c: NativeCallContext, it: &mut Text, from: char, to: char| {
                replace(&c, it, &from.to_string(), &to.to_string())
            },
        );
    engine
        .register_fn(
            "pad",
            |c: NativeCallContext, it: &mut Text, length: i64, with: char| {
                pad(&c, it, length, &with.to_string())
            },
        )
        .register_fn(
            "pad",
            |c: NativeCallContext, it: &mut Text, length: i64, with: Text| {
                pad(&c, it, length, &with)
            },
        );
    register_split(engine);
}

fn register_split(engine: &mut Engine) {
    engine
        .register_fn("split", |c: NativeCallContext, it: &mut Text| {
            pieces(&c, it.split_whitespace())
        })
        .register_fn("split", |c: NativeCallContext, it: &mut Text, by: Text| {
            pieces(&c, it.split(by.as_str()))
        })
        .register_fn("split", |c: NativeCallContext, it: &mut Text, by: char| {
            pieces(&c, it.split(by))
        })
        .register_fn(
            "split",
            |c: NativeCallContext, it: &mut Text, by: Text, most: i64| {
                pieces(
                    &c,
                    it.splitn(usize::try_from(most).unwrap_or(1), by.as_str()),
                )
            },
        )
        .register_fn(
            "split",
            |c: NativeCallContext, it: &mut Text, by: char, most: i64| {
                pieces(&c, it.splitn(usize::try_from(most).unwrap_or(1), by))
            },
        )
        .register_fn(
            "split_rev",
            |c: NativeCallContext, it: &mut Text, by: Text| pieces(&c, it.rsplit(by.as_str())),
        )
        .register_fn(
            "split_rev",
            |c: NativeCallContext, it: &mut Text, by: char| pieces(&c, it.rsplit(by)),
        )
        .register_fn(
            "split_rev",
            |c: NativeCallContext, it: &mut Text, by: Text, most: i64| {
                pieces(
                    &c,
                    it.rsplitn(usize::try_from(most).unwrap_or(1), by.as_str()),
                )
            },
        )
        .register_fn(
            "split_rev",
            |c: NativeCallContext, it: &mut Text, by: char, most: i64| {
                pieces(&c, it.rsplitn(usize::try_from(most).unwrap_or(1), by))
            },
        )
        .register_fn(
            "to_chars",
            |c: NativeCallContext, it: &mut Text| -> ScriptResult<Array> {
                listed(&c, it.chars().map(Dynamic::from))
            },
        );
}

fn replace(context: &NativeCallContext, it: &mut Text, from: &str, to: &str) -> ScriptResult<Text> {
    if from.is_empty() {
        return Err(HostError::new(
            "`replace` needs something to look for, and this is empty text",
        )
        .at(context));
    }
    charge(it.len() / 64)?;
    let count = it.matches(from).count();
    let size = it.len().saturating_add(count.saturating_mul(to.len()));
    if STRING_SIZE_BYTES_MAX < size {
        return Err(too_long(context));
    }
    *it = it.replace(from, to).into();
    Ok(it.clone())
}

/// Pads at the end up to so many characters.
fn pad(context: &NativeCallContext, it: &mut Text, length: i64, with: &str) -> ScriptResult<Text> {
    let length = usize::try_from(length).unwrap_or(0);
    if with.is_empty() {
        return Err(
            HostError::new("`pad` needs something to pad with, and this is empty text").at(context),
        );
    }
    let missing = length.saturating_sub(it.chars().count());
    // A character has at least one byte.
    if STRING_SIZE_BYTES_MAX < missing {
        return Err(too_long(context));
    }
    charge(missing / 64)?;
    let mut padded = it.to_string();
    for character in with.chars().cycle().take(missing) {
        padded.push(character);
        if STRING_SIZE_BYTES_MAX < padded.len() {
            return Err(too_long(context));
        }
    }
    // It grew by doubling; what it holds in excess would count as memory of the script.
    padded.shrink_to_fit();
    *it = padded.into();
    Ok(it.clone())
}

fn too_long(context: &NativeCallContext) -> Box<rhai::EvalAltResult> {
    HostError::new(format!(
        "this text would have more than {STRING_SIZE_BYTES_MAX} bytes"
    ))
    .at(context)
}

fn pieces<'a>(
    context: &NativeCallContext,
    pieces: impl Iterator<Item = &'a str>,
) -> ScriptResult<Array> {
    listed(context, pieces.map(Into::into))
}

fn listed(
    context: &NativeCallContext,
    items: impl Iterator<Item = Dynamic>,
) -> ScriptResult<Array> {
    let mut list = Array::new();
    for it in items {
        charge(1)?;
        if ARRAY_LENGTH_MAX <= list.len() {
            return Err(HostError::new(format!(
                "this text has more than {ARRAY_LENGTH_MAX} pieces"
            ))
            .at(context));
        }
        list.push(it);
    }
    Ok(list)
}
