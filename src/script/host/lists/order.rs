//! `sort`, `sort_desc`, `sort_by`.

use super::callbacks::with_place;
use crate::script::error::{HostError, ScriptResult, charge};
use crate::script::frozen::FrozenList;
use crate::script::text::type_name;
use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};
use std::cmp::Ordering;

pub(super) fn register(engine: &mut Engine) {
    for (name, is_descending) in [("sort", false), ("sort_desc", true)] {
        engine
            .register_fn(
                name,
                move |context: NativeCallContext, it: &mut Array| -> ScriptResult<Array> {
                    *it = sorted(&context, it, None, is_descending)?;
                    Ok(it.clone())
                },
            )
            .register_fn(
                name,
                move |context: NativeCallContext, it: &mut FrozenList| {
                    sorted(&context, it.items(), None, is_descending)
                },
            );
    }
    for name in ["sort", "sort_by"] {
        engine
            .register_fn(
                name,
                |context: NativeCallContext, it: &mut Array, order: FnPtr| -> ScriptResult<Array> {
                    *it = sorted(&context, it, Some(&order), false)?;
                    Ok(it.clone())
                },
            )
            .register_fn(
                name,
                |context: NativeCallContext, it: &mut FrozenList, order: FnPtr| {
                    sorted(&context, it.items(), Some(&order), false)
                },
            );
    }
}

/// A merge sort: the standard library's gives up the process's patience when an order makes no sense, and an order that
/// a script writes may make none, or stop the script.
fn sorted(
    context: &NativeCallContext,
    items: &[Dynamic],
    order: Option<&FnPtr>,
    is_descending: bool,
) -> ScriptResult<Array> {
    if items.len() < 2 {
        return Ok(items.to_vec());
    }
    let (left, right) = items.split_at(items.len() / 2);
    let mut left = sorted(context, left, order, is_descending)?
        .into_iter()
        .peekable();
    let mut right = sorted(context, right, order, is_descending)?
        .into_iter()
        .peekable();
    let mut merged = Array::with_capacity(items.len());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        charge(1)?;
        let ordering = match order {
            Some(order) => ask(context, order, a, b)?,
            None => natural(context, a, b)?,
        };
        let takes_right = if is_descending {
            ordering.is_lt()
        } else {
            ordering.is_gt()
        };
        merged.extend(if takes_right {
            right.next()
        } else {
            left.next()
        });
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}

fn ask(
    context: &NativeCallContext,
    order: &FnPtr,
    a: &Dynamic,
    b: &Dynamic,
) -> ScriptResult<Ordering> {
    let answer = order
        .call_raw(context, None, [a.clone(), b.clone()])
        .map_err(|error| with_place(error, context))?;
    if let Ok(it) = answer.as_int() {
        return Ok(it.cmp(&0));
    }
    // true: the first one comes first.
    if let Ok(it) = answer.as_bool() {
        return Ok(if it {
            Ordering::Less
        } else {
            Ordering::Greater
        });
    }
    Err(HostError::new(format!(
        "the function in `sort` has to give a number, and gave {}",
        type_name(&answer)
    ))
    .help("write for example `sort(|a, b| a.amount - b.amount)`")
    .at(context))
}

fn natural(context: &NativeCallContext, a: &Dynamic, b: &Dynamic) -> ScriptResult<Ordering> {
    let number = |it: &Dynamic| {
        it.as_float()
            .ok()
            .or_else(|| it.as_int().ok().map(|it| it as f64))
    };
    let ordering = match (a.as_int(), b.as_int()) {
        (Ok(a), Ok(b)) => Some(a.cmp(&b)),
        (Ok(_) | Err(_), _) => match (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
            (Ok(a), Ok(b)) => Some(a.as_str().cmp(b.as_str())),
            (Ok(_) | Err(_), _) => number(a)
                .zip(number(b))
                .and_then(|(a, b)| a.partial_cmp(&b)),
        },
    };
    ordering.ok_or_else(|| {
        HostError::new(format!(
            "`sort` cannot order {} and {}",
            type_name(a),
            type_name(b)
        ))
        .help("say how: `sort(|a, b| a.amount - b.amount)`")
        .at(context)
    })
}
