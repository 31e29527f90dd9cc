//! Records as maps of a script: what a read shows, what a write keeps.

use super::Collection;
use crate::clock::UnixMillis;
use crate::record::{RECORD_NAME_BYTES_MAX, RECORD_SIZE_BYTES_MAX, RecordKey};
use crate::script::error::HostError;
use crate::script::frozen::thaw;
use crate::script::state::{RunState, Stop};
use crate::script::text::{shortened, type_name, value_text};
use crate::script::{equal, json};
use rhai::{Dynamic, Map, NativeCallContext};

/// Of an id that is no id of a record.
const ID_SHOWN_CHARS_MAX: usize = 100;

pub(super) fn fields_match(context: &NativeCallContext, body: &str, wanted: &Map) -> bool {
    let Ok(map) = parse(body) else { return false };
    wanted.iter().all(|(name, value)| {
        map.get(name)
            .is_some_and(|it| equal::equal(context, it, value).unwrap_or(false))
    })
}

pub(super) fn key(collection: &Collection, id: &Dynamic) -> Result<RecordKey, HostError> {
    Ok(RecordKey {
        collection: collection.0.name.to_string(),
        id: id_of(id)?,
    })
}

pub(in crate::script) fn id_of(id: &Dynamic) -> Result<String, HostError> {
    let Ok(text) = id.as_immutable_string_ref() else {
        return Err(HostError::new(format!("the id of a record has to be text, and this is {}", type_name(id)))
            .help("use an id of the event such as `event.data.object.id`, or make text of it: `id.to_string()`"));
    };
    if text.is_empty() || RECORD_NAME_BYTES_MAX < text.len() {
        return Err(HostError::new(format!(
            "the id of a record has 1 to {RECORD_NAME_BYTES_MAX} bytes, and this has {}",
            text.len()
        )));
    }
    Ok(text.to_string())
}

/// The fields that a script gives to a record. An `id` among them can only be the record's own: another one could never
/// be read again.
pub(super) fn fields_of(
    fields: Dynamic,
    key: &RecordKey,
    function: &str,
) -> Result<Map, HostError> {
    let map = map_of(fields, function)?;
    match map.get("id") {
        Some(id) if !is_own(id, key) => {
            let (own, other) = (&key.id, shortened(value_text(id), ID_SHOWN_CHARS_MAX));
            Err(HostError::new(format!(
                "the id of this record is `{own}`, and these fields have another `id`: `{other}`"
            ))
            .help("keep it under another name, `map.object_id = map.id; map.remove(\"id\");`, or make a record with that id"))
        }
        Some(_) | None => Ok(map),
    }
}

fn is_own(id: &Dynamic, key: &RecordKey) -> bool {
    id.as_immutable_string_ref()
        .is_ok_and(|it| it.as_str() == key.id)
}

pub(in crate::script) fn map_of(fields: Dynamic, function: &str) -> Result<Map, HostError> {
    let fields = match fields.is_map() {
        true => fields,
        false => thaw(&fields),
    };
    fields.try_cast_result::<Map>().map_err(|fields| {
        HostError::new(format!(
            "`{function}` needs a map of fields, and this is {}",
            type_name(&fields)
        ))
        .help(format!("write `{function}(…, #{{ status: \"paid\" }})`"))
    })
}

pub(super) fn parse(body: &str) -> Result<Map, HostError> {
    json::parse(body)
        .ok()
        .and_then(|it| it.try_cast::<Map>())
        .ok_or_else(|| HostError::new("this record is not a JSON object"))
}

/// The record's fields, if it is there, and `newest_event_at`.
pub(super) fn read(
    run: &mut RunState,
    key: &RecordKey,
) -> Result<(Option<Map>, Option<UnixMillis>), Stop> {
    let seen = run.view.record(&mut *run.world, key)?;
    Ok((seen.body.map(parse).transpose()?, seen.newest_event_at))
}

/// A record that is read has its id in `id`, whatever an import from elsewhere put there.
pub(super) fn shown(mut map: Map, id: &str) -> Dynamic {
    map.insert("id".into(), id.into());
    Dynamic::from_map(map)
}

pub(super) fn write(
    run: &mut RunState,
    key: &RecordKey,
    mut map: Map,
    newest: Option<UnixMillis>,
) -> Result<Dynamic, Stop> {
    // The id that a read put there is not one of its fields.
    if map.get("id").is_some_and(|it| is_own(it, key)) {
        map.remove("id");
    }
    let body = json::map_text(&map).map_err(|problem| {
        HostError::new(format!(
            "this cannot be kept in `{}`: {problem}",
            key.collection
        ))
    })?;
    if RECORD_SIZE_BYTES_MAX < body.len() {
        return Err(HostError::new(format!(
            "this record of `{}` has {} bytes, and {RECORD_SIZE_BYTES_MAX} is the most",
            key.collection,
            body.len()
        ))
        .help("keep only the fields that you need")
        .into());
    }
    // What is read back later is what stands in the text.
    let read_back = match json::is_kept_as_it_is(&map) {
        true => map,
        false => parse(&body)?,
    };
    change(run, key, Some(body), newest)?;
    Ok(shown(read_back, &key.id))
}

pub(super) fn change(
    run: &mut RunState,
    key: &RecordKey,
    body: Option<String>,
    newest: Option<UnixMillis>,
) -> Result<(), Stop> {
    run.view
        .change(key, body, newest, run.limits.changes_max)
        .map_err(|changes_max| {
            Stop::limit(
                HostError::new(format!(
                    "one event may change at most {changes_max} records"
                ))
                .help("a higher `changes_max` in [limits] of handlers.toml allows more"),
            )
        })
}
