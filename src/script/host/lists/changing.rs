//! What changes a list of the script's own. What lets JavaScript and Python return the list returns it here too.

use super::callbacks::filter;
use crate::script::equal::equal;
use crate::script::error::{HostError, ScriptResult, charge};
use crate::script::frozen::FrozenList;
use crate::script::limits::ARRAY_LENGTH_MAX;
use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};

pub(super) fn register(engine: &mut Engine) {
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
                    charge(1)?;
                    let is_again = match kept.last() {
                        Some(last) => equal(&context, last, value)?,
                        None => false,
                    };
                    if !is_again {
                        kept.push(value.clone());
                    }
                }
                *it = kept;
                Ok(it.clone())
            },
        );
}

fn at(length: usize, index: i64) -> Option<usize> {
    let at = if index < 0 {
        length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(index).ok()?
    };
    (at < length).then_some(at)
}

pub(super) fn append(
    context: &NativeCallContext,
    list: &mut Array,
    more: Array,
) -> ScriptResult<()> {
    charge(more.len())?;
    if ARRAY_LENGTH_MAX < list.len() + more.len() {
        return Err(
            HostError::new(format!("a list has at most {ARRAY_LENGTH_MAX} items")).at(context),
        );
    }
    list.extend(more);
    Ok(())
}
