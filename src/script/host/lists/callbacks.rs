//! What goes through a list with a function; the same for lists of the event.

use crate::script::error::{HostError, ScriptResult, charge};
use crate::script::text::type_name;
use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext, Variant};

pub(super) fn register<T: Variant + Clone>(engine: &mut Engine, items: fn(&T) -> &Array) {
    engine
        .register_fn(
            "map",
            move |context: NativeCallContext, it: &mut T, with: FnPtr| -> ScriptResult<Array> {
                each(&context, items(it), &with, "map").collect()
            },
        )
        .register_fn(
            "for_each",
            move |context: NativeCallContext, it: &mut T, with: FnPtr| -> ScriptResult<()> {
                each(&context, items(it), &with, "for_each").try_for_each(|it| it.map(drop))
            },
        )
        .register_fn(
            "filter",
            move |context: NativeCallContext, it: &mut T, is_kept: FnPtr| {
                filter(&context, items(it), &is_kept, "filter")
            },
        )
        .register_fn(
            "find",
            move |context: NativeCallContext, it: &mut T, is_it: FnPtr| -> ScriptResult<Dynamic> {
                let at = first_true(&context, items(it), &is_it, "find", true)?;
                Ok(at.map_or(Dynamic::UNIT, |at| items(it)[at].clone()))
            },
        )
        .register_fn(
            "some",
            move |context: NativeCallContext, it: &mut T, is_it: FnPtr| {
                first_true(&context, items(it), &is_it, "some", true).map(|it| it.is_some())
            },
        )
        .register_fn(
            "all",
            move |context: NativeCallContext, it: &mut T, is_it: FnPtr| {
                first_true(&context, items(it), &is_it, "all", false).map(|it| it.is_none())
            },
        )
        .register_fn(
            "reduce",
            move |context: NativeCallContext, it: &mut T, with: FnPtr| {
                reduce(&context, items(it), &with, Dynamic::UNIT)
            },
        )
        .register_fn(
            "reduce",
            move |context: NativeCallContext, it: &mut T, with: FnPtr, start: Dynamic| {
                reduce(&context, items(it), &with, start)
            },
        );
}

/// Calls a function with each item (and its index, if it takes two).
fn each<'a>(
    context: &'a NativeCallContext,
    items: &'a Array,
    with: &'a FnPtr,
    name: &'a str,
) -> impl Iterator<Item = ScriptResult<Dynamic>> + 'a {
    items.iter().enumerate().map(move |(index, it)| {
        charge(1)?;
        with.call_raw_with_extra_args(
            name,
            context,
            Some(&mut it.clone()),
            [],
            [(index as i64).into()],
            Some(0),
        )
        .map_err(|error| with_place(error, context))
    })
}

/// Some errors of a function that is called from here have no place of their own.
pub(super) fn with_place(
    mut error: Box<EvalAltResult>,
    context: &NativeCallContext,
) -> Box<EvalAltResult> {
    if error.position().is_none() {
        error.set_position(context.call_position());
    }
    error
}

fn truth(context: &NativeCallContext, it: &Dynamic, name: &str) -> ScriptResult<bool> {
    it.as_bool().map_err(|_| {
        HostError::new(format!(
            "the function in `{name}` has to say true or false, and said {}",
            type_name(it)
        ))
        .help(format!(
            "write for example `{name}(|it| it.amount > 0)`, without `;` after it"
        ))
        .at(context)
    })
}

pub(super) fn filter(
    context: &NativeCallContext,
    items: &Array,
    is_kept: &FnPtr,
    name: &str,
) -> ScriptResult<Array> {
    let mut kept = Array::new();
    for (answer, it) in each(context, items, is_kept, name).zip(items) {
        if truth(context, &answer?, name)? {
            kept.push(it.clone());
        }
    }
    Ok(kept)
}

fn first_true(
    context: &NativeCallContext,
    items: &Array,
    is_it: &FnPtr,
    name: &str,
    wanted: bool,
) -> ScriptResult<Option<usize>> {
    for (index, answer) in each(context, items, is_it, name).enumerate() {
        if truth(context, &answer?, name)? == wanted {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn reduce(
    context: &NativeCallContext,
    items: &Array,
    with: &FnPtr,
    start: Dynamic,
) -> ScriptResult<Dynamic> {
    let mut result = start;
    for (index, it) in items.iter().enumerate() {
        charge(1)?;
        result = with
            .call_raw_with_extra_args(
                "reduce",
                context,
                None,
                [result, it.clone()],
                [(index as i64).into()],
                None,
            )
            .map_err(|error| with_place(error, context))?;
    }
    Ok(result)
}
