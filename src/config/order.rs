//! `order_by`: which runs of a handler go one after another.

use super::OrderBy;
use super::names;
use super::table::Table;
use super::value::Text;
use toml::de::DeValue;

const PATHS_MAX: usize = 8;
const PATH_SIZE_BYTES_MAX: usize = 200;

pub(super) fn read(table: &Table<'_>) -> OrderBy {
    const EXAMPLE: &str = "[\"data.object.customer\", \"data.object.id\"]";
    // What an event is about: of a snapshot event, and of a thin one.
    let usual = || {
        OrderBy::Paths(vec![
            "data.object.id".to_owned(),
            "related_object.id".to_owned(),
        ])
    };
    let Some(value) = table.take("order_by") else {
        return usual();
    };
    let items = match value.inner.get_ref() {
        DeValue::String(_) => value.text(EXAMPLE).map(|it| vec![it]),
        _ => value.texts(EXAMPLE),
    };
    let Some(items) = items else { return usual() };
    if let [only] = items.as_slice()
        && only.value == "none"
    {
        return OrderBy::None;
    }
    if value.is_empty_list() || PATHS_MAX < items.len() {
        let message = format!(
            "`order_by` must name 1 to {PATHS_MAX} paths, these are {}",
            items.len()
        );
        value.findings.error(
            value.at(),
            message,
            "write \"none\" if every run may go on its own",
        );
    }
    OrderBy::Paths(names::each_once(items).iter().filter_map(path_of).collect())
}

/// A path that is in no event would silently give every run a lane of its own.
fn path_of(it: &Text<'_>) -> Option<String> {
    const FIELDS: [&str; 13] = [
        "account",
        "api_version",
        "changes",
        "context",
        "created",
        "data",
        "id",
        "livemode",
        "object",
        "reason",
        "related_object",
        "request",
        "type",
    ];
    let path = it.value.as_str();
    let is_plain = path.len() <= PATH_SIZE_BYTES_MAX
        && path.split('.').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
        });
    if !is_plain {
        let message = format!(
            "`order_by` must be a path of names with dots between, this is `{}`",
            it.shown()
        );
        it.error(
            message,
            "write \"data.object.customer\", or \"none\" if every run may go on its own",
        );
        return None;
    }
    let first = path.split('.').next().unwrap_or_default();
    if FIELDS.contains(&first) && path != "object" && !path.starts_with("object.") {
        return Some(path.to_owned());
    }
    let help = if let Some(rest) = path.strip_prefix("event.") {
        format!("write \"{rest}\"")
    } else if let Some(rest) = path.strip_prefix("object.") {
        format!("write \"data.object.{rest}\"")
    } else if let Some(near) = it.findings.near(first, FIELDS) {
        format!("did you mean `{near}{}`?", &path[first.len()..])
    } else {
        format!("write \"data.object.{path}\" for a field of the object that the event is about")
    };
    it.error(format!("an event has no field `{first}` to order by"), help);
    None
}
