//! Maps: `#{ status: "paid" }`.

use crate::script::equal::equal;
use crate::script::error::{HostError, ScriptResult, charge};
use crate::script::frozen::{FrozenObject, thaw};
use crate::script::limits::MAP_LENGTH_MAX;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("len", |it: &mut Map| it.len() as i64)
        .register_fn("is_empty", |it: &mut Map| it.is_empty())
        .register_fn("contains", |it: &mut Map, name: &str| it.contains_key(name))
        .register_fn("get", |it: &mut Map, name: &str| {
            it.get(name).cloned().unwrap_or(Dynamic::UNIT)
        })
        .register_fn("keys", |it: &mut Map| -> Array {
            it.keys().map(|it| it.as_str().into()).collect()
        })
        .register_fn("values", |it: &mut Map| -> Array {
            it.values().cloned().collect()
        });
    engine
        .register_fn(
            "set",
            |context: NativeCallContext, it: &mut Map, name: &str, value: Dynamic| {
                it.insert(name.into(), value);
                bounded(&context, it)
            },
        )
        .register_fn("remove", |it: &mut Map, name: &str| {
            it.remove(name).unwrap_or(Dynamic::UNIT)
        })
        .register_fn("clear", |it: &mut Map| it.clear())
        .register_fn("mixin", mix)
        .register_fn("mixin", mix_frozen)
        .register_fn("+=", mix)
        .register_fn("+=", mix_frozen)
        .register_fn("+", |context: NativeCallContext, mut a: Map, b: Map| {
            mix(context, &mut a, b).map(|()| a)
        })
        .register_fn(
            "+",
            |context: NativeCallContext, mut a: Map, b: FrozenObject| {
                mix_frozen(context, &mut a, b).map(|()| a)
            },
        )
        .register_fn(
            "fill_with",
            |context: NativeCallContext, it: &mut Map, defaults: Map| {
                charge(defaults.len())?;
                for (name, value) in defaults {
                    it.entry(name).or_insert(value);
                }
                bounded(&context, it)
            },
        );
    // For all values at once: lists and maps, of the event or not, compare by what is in them.
    engine
        .register_fn(
            "==",
            |context: NativeCallContext, a: Dynamic, b: Dynamic| equal(&context, &a, &b),
        )
        .register_fn(
            "!=",
            |context: NativeCallContext, a: Dynamic, b: Dynamic| {
                equal(&context, &a, &b).map(|it| !it)
            },
        );
}

fn mix(context: NativeCallContext, it: &mut Map, more: Map) -> ScriptResult<()> {
    charge(more.len())?;
    it.extend(more);
    bounded(&context, it)
}

fn mix_frozen(context: NativeCallContext, it: &mut Map, more: FrozenObject) -> ScriptResult<()> {
    charge(more.fields().len())?;
    it.extend(
        more.fields()
            .iter()
            .map(|(name, value)| (name.clone(), thaw(value))),
    );
    bounded(&context, it)
}

fn bounded(context: &NativeCallContext, it: &Map) -> ScriptResult<()> {
    if it.len() <= MAP_LENGTH_MAX {
        return Ok(());
    }
    Err(HostError::new(format!("a map has at most {MAP_LENGTH_MAX} fields")).at(context))
}
