//! What leaves a list as it is; the same for lists of the event.

use super::changing::append;
use crate::script::equal::equal;
use crate::script::error::{HostError, ScriptResult, charge};
use crate::script::frozen::FrozenList;
use crate::script::host::compare::never_in;
use crate::script::host::money::Money;
use crate::script::limits::STRING_SIZE_BYTES_MAX;
use crate::script::text::{type_name, value_text};
use rhai::{Array, Dynamic, Engine, ImmutableString, NativeCallContext, Variant};
use std::ops::{Range, RangeInclusive};

pub(super) fn register<T: Variant + Clone>(engine: &mut Engine, items: fn(&T) -> &Array) {
    engine
        .register_fn("len", move |it: &mut T| items(it).len() as i64)
        .register_get("len", move |it: &mut T| items(it).len() as i64)
        .register_fn("is_empty", move |it: &mut T| items(it).is_empty())
        .register_fn("first", move |it: &mut T| {
            items(it).first().cloned().unwrap_or(Dynamic::UNIT)
        })
        .register_fn("last", move |it: &mut T| {
            items(it).last().cloned().unwrap_or(Dynamic::UNIT)
        })
        .register_fn(
            "contains",
            move |context: NativeCallContext, it: &mut T, value: Dynamic| {
                position(&context, items(it), &value).map(|it| it.is_some())
            },
        )
        .register_fn(
            "index_of",
            move |context: NativeCallContext, it: &mut T, value: Dynamic| {
                position(&context, items(it), &value).map(|it| it.map_or(-1, |at| at as i64))
            },
        )
        .register_fn(
            "join",
            move |context: NativeCallContext, it: &mut T, between: &str| {
                join(&context, items(it), between)
            },
        )
        .register_fn("sum", move |context: NativeCallContext, it: &mut T| {
            sum(&context, items(it))
        })
        .register_fn("extract", move |it: &mut T, start: i64| {
            part(items(it), start, i64::MAX)
        })
        .register_fn("extract", move |it: &mut T, start: i64, length: i64| {
            part(items(it), start, length)
        })
        .register_fn("extract", move |it: &mut T, range: Range<i64>| {
            part(
                items(it),
                range.start,
                range.end.saturating_sub(range.start),
            )
        })
        .register_fn("extract", move |it: &mut T, range: RangeInclusive<i64>| {
            part(
                items(it),
                *range.start(),
                range.end().saturating_sub(*range.start()).saturating_add(1),
            )
        })
        .register_fn("+", move |context: NativeCallContext, a: T, b: Array| {
            let mut list = items(&a).clone();
            append(&context, &mut list, b).map(|()| list)
        })
        .register_fn(
            "+",
            move |context: NativeCallContext, a: T, b: FrozenList| {
                let mut list = items(&a).clone();
                append(&context, &mut list, b.items().clone()).map(|()| list)
            },
        );
}

fn part(items: &Array, start: i64, length: i64) -> Array {
    let from = if start < 0 {
        items
            .len()
            .saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX))
    } else {
        usize::try_from(start).unwrap_or(usize::MAX)
    };
    items
        .iter()
        .skip(from)
        .take(usize::try_from(length).unwrap_or(0))
        .cloned()
        .collect()
}

fn position(
    context: &NativeCallContext,
    items: &Array,
    value: &Dynamic,
) -> ScriptResult<Option<usize>> {
    for (index, it) in items.iter().enumerate() {
        if equal(context, it, value)? {
            return Ok(Some(index));
        }
    }
    never_in(items, value).map_or(Ok(None), |error| Err(error.at(context)))
}

fn join(
    context: &NativeCallContext,
    items: &Array,
    between: &str,
) -> ScriptResult<ImmutableString> {
    let mut joined = String::new();
    for (index, it) in items.iter().enumerate() {
        charge(1)?;
        if 0 < index {
            joined.push_str(between);
        }
        joined.push_str(&value_text(it));
        if STRING_SIZE_BYTES_MAX < joined.len() {
            return Err(HostError::new(format!(
                "this text would have more than {STRING_SIZE_BYTES_MAX} bytes"
            ))
            .at(context));
        }
    }
    Ok(joined.into())
}

fn sum(context: &NativeCallContext, items: &Array) -> ScriptResult<Dynamic> {
    let Some(first) = items.first() else {
        return Ok(Dynamic::from(0_i64));
    };
    let mut total = first.clone();
    for it in &items[1..] {
        charge(1)?;
        total = context.call_native_fn::<Dynamic>("+", (total, it.clone()))?;
    }
    let is_amount = total.is_int() || total.is_float() || total.is::<Money>();
    if is_amount {
        return Ok(total);
    }
    Err(HostError::new(format!(
        "`sum` adds numbers or money, and this list has {}",
        type_name(&total)
    ))
    .at(context))
}
