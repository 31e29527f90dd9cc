//! Lists, those of the event included: what goes through them counts each turn and never swallows an error, as Rhai's
//! own `sort`, `dedup`, `filter` and `retain` do.

use super::super::equal::equal;
use super::super::error::{HostError, ScriptResult, charge};
use super::super::frozen::FrozenList;
use super::super::limits::ARRAY_LENGTH_MAX;
use super::super::text::{type_name, value_text};
use super::money::Money;
use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString, NativeCallContext, Variant};
use std::cmp::Ordering;
use std::ops::{Range, RangeInclusive};

pub(super) fn register(engine: &mut Engine) {
    register_reading::<Array>(engine, |it| it);
    register_reading::<FrozenList>(engine, FrozenList::items);
    register_changing(engine);
    engine.register_iterator::<Array>();
}

/// What leaves a list as it is; the same for lists of the event.
fn register_reading<T: Variant + Clone>(engine: &mut Engine, items: fn(&T) -> &Array) {
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
        .register_fn("join", move |it: &mut T, between: &str| {
            join(items(it), between)
        })
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

/// What changes a list of the script's own. Those that JavaScript and Python let return the list return it here too.
fn register_changing(engine: &mut Engine) {
    engine
        .register_fn("get", |it: &mut Array, index: i64| {
            at(it.len(), index).map_or(Dynamic::UNIT, |at| it[at].clone())
        })
        .register_fn("set", |it: &mut Array, index: i64, value: Dynamic| {
            if let Some(at) = at(it.len(), index) {
                it[at] = value;
            }
        })
        .register_fn(
            "push",
            |context: NativeCallContext, it: &mut Array, value: Dynamic| {
                append(&context, it, vec![value])
            },
        )
        .register_fn(
            "append",
            |context: NativeCallContext, it: &mut Array, more: Array| append(&context, it, more),
        )
        .register_fn(
            "append",
            |context: NativeCallContext, it: &mut Array, more: FrozenList| {
                append(&context, it, more.items().clone())
            },
        )
        .register_fn(
            "insert",
            |context: NativeCallContext, it: &mut Array, index: i64, value: Dynamic| {
                let at = at(it.len(), index).unwrap_or(it.len());
                it.insert(at, value);
                append(&context, it, Array::new())
            },
        )
        .register_fn("pop", |it: &mut Array| it.pop().unwrap_or(Dynamic::UNIT))
        .register_fn("shift", |it: &mut Array| {
            if it.is_empty() {
                Dynamic::UNIT
            } else {
                it.remove(0)
            }
        })
        .register_fn("remove", |it: &mut Array, index: i64| {
            at(it.len(), index).map_or(Dynamic::UNIT, |at| it.remove(at))
        })
        .register_fn("clear", |it: &mut Array| it.clear())
        .register_fn("truncate", |it: &mut Array, length: i64| {
            it.truncate(usize::try_from(length).unwrap_or(0));
        })
        .register_fn("reverse", |it: &mut Array| -> Array {
            it.reverse();
            it.clone()
        });
    engine
        .register_fn(
            "retain",
            |context: NativeCallContext, it: &mut Array, is_kept: FnPtr| -> ScriptResult<Array> {
                *it = filter(&context, it, &is_kept, "retain")?;
                Ok(it.clone())
            },
        )
        .register_fn(
            "dedup",
            |context: NativeCallContext, it: &mut Array| -> ScriptResult<Array> {
                let mut kept = Array::new();
                for value in it.iter() {
                    if kept
                        .last()
                        .is_none_or(|last| !equal(&context, last, value).unwrap_or(false))
                    {
                        kept.push(value.clone());
                    }
                    charge(1)?;
                }
                *it = kept;
                Ok(it.clone())
            },
        );
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

fn at(length: usize, index: i64) -> Option<usize> {
    let at = if index < 0 {
        length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(index).ok()?
    };
    (at < length).then_some(at)
}

fn append(context: &NativeCallContext, list: &mut Array, more: Array) -> ScriptResult<()> {
    charge(more.len())?;
    if ARRAY_LENGTH_MAX < list.len() + more.len() {
        return Err(
            HostError::new(format!("a list has at most {ARRAY_LENGTH_MAX} items")).at(context),
        );
    }
    list.extend(more);
    Ok(())
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
    Ok(None)
}

fn join(items: &Array, between: &str) -> ScriptResult<ImmutableString> {
    charge(items.len())?;
    Ok(items
        .iter()
        .map(value_text)
        .collect::<Vec<_>>()
        .join(between)
        .into())
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
    })
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

fn filter(
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
        result = with.call_raw_with_extra_args(
            "reduce",
            context,
            None,
            [result, it.clone()],
            [(index as i64).into()],
            None,
        )?;
    }
    Ok(result)
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
    let answer = order.call_raw(context, None, [a.clone(), b.clone()])?;
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
