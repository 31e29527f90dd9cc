//! Whether two values are the same, all the way down. Rhai's own comparison goes as deep as a script can nest.

use super::error::{HostError, ScriptResult, charge};
use super::frozen::{FrozenList, FrozenObject};
use super::host::money::Money;
use super::limits::NESTING_DEPTH_MAX;
use rhai::{Dynamic, Map, NativeCallContext};

pub(super) fn equal(context: &NativeCallContext, a: &Dynamic, b: &Dynamic) -> ScriptResult<bool> {
    same(a, b, 0).map_err(|problem| match problem {
        Problem::Stopped => super::error::stopped(),
        Problem::TooDeep => HostError::new(format!(
            "these values are nested more than {NESTING_DEPTH_MAX} deep: they cannot be compared"
        ))
        .at(context),
    })
}

enum Problem {
    Stopped,
    TooDeep,
}

fn same(a: &Dynamic, b: &Dynamic, depth: usize) -> Result<bool, Problem> {
    if NESTING_DEPTH_MAX < depth {
        return Err(Problem::TooDeep);
    }
    charge(1).map_err(|_| Problem::Stopped)?;
    if let Some(result) = with_list(a, |a| with_list(b, |b| same_lists(a, b, depth))) {
        return result.unwrap_or(Ok(false));
    }
    if let Some(result) = with_map(a, |a| with_map(b, |b| same_maps(a, b, depth))) {
        return result.unwrap_or(Ok(false));
    }
    Ok(same_plain(a, b))
}

fn same_plain(a: &Dynamic, b: &Dynamic) -> bool {
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return *a == *b;
    }
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return a == b;
    }
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a == b;
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return a == b;
    }
    if let (Ok(a), Ok(b)) = (a.as_char(), b.as_char()) {
        return a == b;
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Money>(), b.read_lock::<Money>()) {
        return *a == *b;
    }
    a.is_unit() && b.is_unit()
}

fn number(it: &Dynamic) -> Option<f64> {
    it.as_float()
        .ok()
        .or_else(|| it.as_int().ok().map(|it| it as f64))
}

pub(super) fn with_list<T>(it: &Dynamic, act: impl FnOnce(&[Dynamic]) -> T) -> Option<T> {
    if let Ok(list) = it.as_array_ref() {
        return Some(act(&list));
    }
    it.read_lock::<FrozenList>().map(|list| act(list.items()))
}

pub(super) fn with_map<T>(it: &Dynamic, act: impl FnOnce(&Map) -> T) -> Option<T> {
    if let Ok(map) = it.as_map_ref() {
        return Some(act(&map));
    }
    it.read_lock::<FrozenObject>().map(|map| act(map.fields()))
}

fn same_lists(a: &[Dynamic], b: &[Dynamic], depth: usize) -> Result<bool, Problem> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b) {
        if !same(a, b, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_maps(a: &Map, b: &Map, depth: usize) -> Result<bool, Problem> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, a) in a {
        let Some(b) = b.get(key) else {
            return Ok(false);
        };
        if !same(a, b, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}
