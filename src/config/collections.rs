//! `records = ["invoices"]`, or `records = { invoices = "read", members = "write" }`, of a handler.

use super::findings::quoted;
use super::names;
use super::table::Table;
use super::value::{Text, Value};
use crate::record::{Access, Granted};
use std::ops::Range;
use toml::de::DeValue;

const COLLECTIONS_MAX: usize = 64;
const LIST: &str = "[\"invoices\"]";

/// A list grants all of its collections to be changed.
pub(super) fn read(handler: &Table<'_>) -> Vec<Granted> {
    let Some(value) = handler.take("records") else {
        return Vec::new();
    };
    let granted = if matches!(value.inner.get_ref(), DeValue::Table(_)) {
        Table::of(value, "`records`".into()).map(|it| each(it.into_free_keys()))
    } else {
        value.texts(LIST).map(listed)
    };
    let granted = granted.unwrap_or_default();
    if COLLECTIONS_MAX < granted.len() {
        let message = format!("at most {COLLECTIONS_MAX} collections are allowed");
        let help = "divide the handler in two";
        value.findings.error(value.at(), message, help);
    }
    granted
}

fn listed(items: Vec<Text<'_>>) -> Vec<Granted> {
    let read = |it: &Text<'_>| {
        if !names::is_name(&it.value) {
            let (message, help) = no_name(&it.shown());
            it.error(message, help);
            return None;
        }
        Some(Granted::from(it.value.as_str()))
    };
    names::each_once(items).iter().filter_map(read).collect()
}

fn each(items: Vec<(&str, Range<usize>, Value<'_>)>) -> Vec<Granted> {
    let read = |(name, at, value): (&str, Range<usize>, Value<'_>)| {
        if !names::is_name(name) {
            let (message, help) = no_name(&quoted(name));
            value.findings.error(at, message, help);
            return None;
        }
        let said = value.text("\"read\"")?;
        let access = match said.value.as_str() {
            "read" => Access::Read,
            "write" => Access::Write,
            _ => {
                said.error(
                    format!("what a handler may do with `{name}` must be \"read\" or \"write\", this is `{}`", said.shown()),
                    "\"read\": its script may only look at the records; \"write\": it may change them, too",
                );
                return None;
            }
        };
        let name = name.into();
        Some(Granted { name, access })
    };
    items.into_iter().filter_map(read).collect()
}

/// Why no handler could be given a collection of this name, if none could.
pub fn no_collection(name: &str) -> Option<String> {
    if names::is_name(name) {
        return None;
    }
    let (message, help) = no_name(&quoted(name));
    Some(format!("{message}: {help}"))
}

fn no_name(shown: &str) -> (String, String) {
    (
        format!("`{shown}` cannot be the name of a collection"),
        "write 1 to 64 of a-z, 0-9, `-` and `_`".into(),
    )
}
