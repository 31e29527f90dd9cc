//! `records("invoices")`: the records of a collection that the handler was given.

mod documents;

use crate::clock::UnixMillis;
use crate::record::{Access, Granted};
use crate::script::Grants;
use crate::script::error::{HostError, ScriptResult};
use crate::script::host::not_granted;
use crate::script::state::with_run;
use crate::script::text::type_name;
use crate::script::{json, limits};
use documents::{change, fields_match, fields_of, key, parse, read, shown, write};
pub(in crate::script) use documents::{id_of, map_of};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};

/// One collection that the handler was given.
#[derive(Clone, Debug)]
struct Collection(Granted);

/// What changes records.
pub(in crate::script) const CHANGES: [&str; 5] =
    ["set", "update", "update_if_newer", "add", "remove"];

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Collection>("records")
        .register_fn("records", open)
        .register_fn("get", get)
        .register_fn("set", set)
        .register_fn("update", update)
        .register_fn("update_if_newer", update_if_newer)
        .register_fn("add", add)
        .register_fn("remove", remove)
        .register_fn(
            "find",
            |context: NativeCallContext, it: &mut Collection, fields: Dynamic, limit: i64| {
                find(&context, it, fields, limit)
            },
        )
        .register_fn("find", find_all);
}

fn open(context: NativeCallContext, name: ImmutableString) -> ScriptResult<Collection> {
    with_run(&context, |run| {
        let grants = &run.attempt.grants;
        match grants.collection(&name) {
            Some(it) => Ok(Collection(it.clone())),
            None => Err(not_given(&name, grants).into()),
        }
    })
}

pub(in crate::script) fn not_given(name: &str, grants: &Grants) -> HostError {
    let granted = &grants.collections;
    let add = if granted.iter().any(|it| it.access == Access::Read) {
        format!("`{name} = \"write\"` (or \"read\") to `records = {{ … }}`")
    } else {
        format!("\"{name}\" to `records = […]`")
    };
    not_granted("records", name, &add, granted.iter().map(|it| &*it.name))
}

pub(in crate::script) fn may_change(it: &Granted, function: &str) -> Result<(), HostError> {
    match it.access {
        Access::Write => Ok(()),
        Access::Read => {
            let name = &it.name;
            let error = HostError::new(format!(
                "this handler may only read the records `{name}`, and `{function}` changes them"
            ));
            Err(error.help(format!(
                "write `{name} = \"write\"` in `records = {{ … }}` of this handler in handlers.toml"
            )))
        }
    }
}

fn get(context: NativeCallContext, it: &mut Collection, id: Dynamic) -> ScriptResult<Dynamic> {
    with_run(&context, |run| {
        let key = key(it, &id)?;
        match read(run, &key)? {
            (Some(map), _) => Ok(shown(map, &key.id)),
            (None, _) => Ok(Dynamic::UNIT),
        }
    })
}

fn set(
    context: NativeCallContext,
    it: &mut Collection,
    id: Dynamic,
    fields: Dynamic,
) -> ScriptResult<Dynamic> {
    with_run(&context, |run| {
        may_change(&it.0, "set")?;
        let key = key(it, &id)?;
        let newest = run.view.record(&mut *run.world, &key)?.newest_event_at;
        let map = fields_of(fields, &key, "set")?;
        write(run, &key, map, newest)
    })
}

fn update(
    context: NativeCallContext,
    it: &mut Collection,
    id: Dynamic,
    fields: Dynamic,
) -> ScriptResult<Dynamic> {
    with_run(&context, |run| {
        may_change(&it.0, "update")?;
        let key = key(it, &id)?;
        let (map, newest) = read(run, &key)?;
        let mut map = map.unwrap_or_default();
        map.extend(fields_of(fields, &key, "update")?);
        write(run, &key, map, newest)
    })
}

/// Does nothing if a later event was applied; ties apply.
fn update_if_newer(
    context: NativeCallContext,
    it: &mut Collection,
    id: Dynamic,
    created: Dynamic,
    fields: Dynamic,
) -> ScriptResult<bool> {
    with_run(&context, |run| {
        may_change(&it.0, "update_if_newer")?;
        let key = key(it, &id)?;
        let at = created
            .as_int()
            .ok()
            .and_then(|it| it.checked_mul(1000))
            .map(UnixMillis)
            .ok_or_else(|| {
                HostError::new(format!(
                    "`update_if_newer` needs the time of the event as its second value, not {}",
                    type_name(&created)
                ))
                .help("write `update_if_newer(id, event.created, #{ … })`")
            })?;
        let (map, newest) = read(run, &key)?;
        if newest.is_some_and(|newest| at < newest) {
            return Ok(false);
        }
        let mut map = map.unwrap_or_default();
        map.extend(fields_of(fields, &key, "update_if_newer")?);
        let _ = write(run, &key, map, Some(at))?;
        Ok(true)
    })
}

/// Adds to a number, which starts at 0; returns the sum.
fn add(
    context: NativeCallContext,
    it: &mut Collection,
    id: Dynamic,
    field: ImmutableString,
    number: Dynamic,
) -> ScriptResult<Dynamic> {
    with_run(&context, |run| {
        may_change(&it.0, "add")?;
        let key = key(it, &id)?;
        if field == "id" {
            return Err(
                HostError::new("`add` cannot count in `id`: it is the id of the record")
                    .help("write for example `add(id, \"count\", 1)`")
                    .into(),
            );
        }
        let (map, newest) = read(run, &key)?;
        let mut map = map.unwrap_or_default();
        let before = map
            .get(field.as_str())
            .filter(|it| !it.is_unit())
            .cloned()
            .unwrap_or(Dynamic::from(0_i64));
        let sum = sum(&before, &number).ok_or_else(|| {
            HostError::new(format!(
                "`add` cannot add {} to `{field}`, which is {}",
                type_name(&number),
                type_name(&before)
            ))
            .help(
                "both have to be whole numbers (or numbers with decimals), and the sum has to fit",
            )
        })?;
        map.insert(field.as_str().into(), sum.clone());
        let _ = write(run, &key, map, newest)?;
        Ok(sum)
    })
}

fn sum(a: &Dynamic, b: &Dynamic) -> Option<Dynamic> {
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return a.checked_add(b).map(Dynamic::from);
    }
    let float = |it: &Dynamic| {
        it.as_float()
            .ok()
            .or_else(|| it.as_int().ok().map(|it| it as f64))
    };
    Some(Dynamic::from(float(a)? + float(b)?))
}

/// Whether there was one.
fn remove(context: NativeCallContext, it: &mut Collection, id: Dynamic) -> ScriptResult<bool> {
    with_run(&context, |run| {
        may_change(&it.0, "remove")?;
        let key = key(it, &id)?;
        let seen = run.view.record(&mut *run.world, &key)?;
        let (existed, newest) = (seen.body.is_some(), seen.newest_event_at);
        change(run, &key, None, newest)?;
        Ok(existed)
    })
}

/// Without a limit all are meant: to leave some out in silence would be a mistake that nobody sees.
fn find_all(
    context: NativeCallContext,
    it: &mut Collection,
    fields: Dynamic,
) -> ScriptResult<Array> {
    let found = find(&context, it, fields, FIND_ALL_MAX + 1)?;
    if found.len() as i64 <= FIND_ALL_MAX {
        return Ok(found);
    }
    Err(
        HostError::new(format!("more than {FIND_ALL_MAX} records are found"))
            .help("say how many you want: `find(#{ … }, 500)` gives the first 500, by their id")
            .at(&context),
    )
}

const FIND_ALL_MAX: i64 = 100;
/// Each is a condition of the query.
const FIND_FIELDS_MAX: usize = 16;

fn find(
    context: &NativeCallContext,
    it: &Collection,
    fields: Dynamic,
    limit: i64,
) -> ScriptResult<Array> {
    let mut wanted = Map::new();
    let found = with_run(context, |run| {
        wanted = wanted_of(fields)?;
        let limit = limit_of(limit)?;
        let mut texts = Vec::new();
        for (name, value) in &wanted {
            let text = json::text(value)
                .map_err(|problem| HostError::new(format!("`find` by `{name}`: {problem}")))?;
            texts.push((name.to_string(), text));
        }
        let is_match = |body: &str| fields_match(context, body, &wanted);
        run.view
            .find(&mut *run.world, &it.0.name, &texts, limit, is_match)
    })?;
    found
        .into_iter()
        .map(|(id, body)| Ok(shown(parse(&body).map_err(|it| it.at(context))?, &id)))
        .collect()
}

/// The fields that `find` looks for.
pub(in crate::script) fn wanted_of(fields: Dynamic) -> Result<Map, HostError> {
    let wanted = map_of(fields, "find")?;
    if FIND_FIELDS_MAX < wanted.len() {
        return Err(HostError::new(format!(
            "`find` looks at {FIND_FIELDS_MAX} fields at most, not at {}",
            wanted.len()
        )));
    }
    if wanted.contains_key("id") {
        return Err(HostError::new(
            "`find` looks at the fields of records, and the id is none of them",
        )
        .help("to have the record with an id write `get(id)`"));
    }
    Ok(wanted)
}

pub(in crate::script) fn limit_of(limit: i64) -> Result<usize, HostError> {
    let limit_max = limits::FIND_LIMIT_MAX;
    usize::try_from(limit)
        .ok()
        .filter(|it| (1..=limit_max).contains(it))
        .ok_or_else(|| {
            HostError::new(format!(
                "`find` gives 1 to {limit_max} records, not {limit}"
            ))
        })
}
