//! Values as text: what `print`, `to_string` and `${…}` show. Bounded in depth and length, unlike Rhai's own.

use super::error::HostError;
use super::frozen::{FrozenList, FrozenObject};
use super::host::money::Money;
use super::limits::{self, NESTING_DEPTH_MAX};
use rhai::{Dynamic, Map};
use std::fmt::Write;

/// Longer text is cut when it is printed out of a value; strings themselves are never cut.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// A value as a person would write it: text without quotes, lists and maps as JSON writes them.
pub(super) fn value_text(value: &Dynamic) -> String {
    if let Ok(it) = value.as_immutable_string_ref() {
        return it.to_string();
    }
    let mut out = String::new();
    if !value.is_unit() {
        write(value, &mut out, 0);
    }
    out
}

/// The same with quotes around text, as `debug` shows it.
pub(super) fn debug_text(value: &Dynamic) -> String {
    let mut out = String::new();
    write(value, &mut out, 1);
    out
}

/// At most so many characters of a text.
pub(super) fn shortened(mut text: String, chars_max: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(chars_max) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn write(value: &Dynamic, out: &mut String, depth: usize) {
    if NESTING_DEPTH_MAX < depth || TEXT_BYTES_MAX < out.len() || !limits::charge(1) {
        if !out.ends_with('…') {
            out.push('…');
        }
        return;
    }
    let written = if value.is_unit() {
        write!(out, "()")
    } else if let Ok(it) = value.as_immutable_string_ref() {
        write!(out, "{}", serde_json::Value::from(it.as_str()))
    } else if let Ok(it) = value.as_char() {
        if depth == 0 {
            write!(out, "{it}")
        } else {
            write!(out, "{}", serde_json::Value::from(it.to_string()))
        }
    } else if let Ok(it) = value.as_array_ref() {
        write_list(&it, out, depth);
        Ok(())
    } else if let Ok(it) = value.as_map_ref() {
        write_map(&it, out, depth);
        Ok(())
    } else if let Some(it) = value.read_lock::<FrozenObject>() {
        write_map(it.fields(), out, depth);
        Ok(())
    } else if let Some(it) = value.read_lock::<FrozenList>() {
        write_list(it.items(), out, depth);
        Ok(())
    } else if let Some(it) = value.read_lock::<Money>() {
        write!(out, "{}", *it)
    } else if let Some(it) = value.read_lock::<HostError>() {
        write!(out, "{}", it.message)
    } else if value.is_bool() || value.is_int() || value.is_float() {
        write!(out, "{value}")
    } else {
        write!(out, "{}", type_name(value))
    };
    written.expect("text takes all");
}

fn write_list(items: &[Dynamic], out: &mut String, depth: usize) {
    out.push('[');
    for (index, it) in items.iter().enumerate() {
        if 0 < index {
            out.push_str(", ");
        }
        write(it, out, depth + 1);
        if out.ends_with('…') {
            break;
        }
    }
    out.push(']');
}

fn write_map(map: &Map, out: &mut String, depth: usize) {
    out.push_str("#{");
    for (index, (key, it)) in map.iter().enumerate() {
        if 0 < index {
            out.push_str(", ");
        }
        write!(out, "{key}: ").expect("text takes all");
        write(it, out, depth + 1);
        if out.ends_with('…') {
            break;
        }
    }
    out.push('}');
}

/// What staff call the type of a value.
pub(super) fn type_name(value: &Dynamic) -> &'static str {
    friendly_type_name(value.type_name())
}

/// Rhai's and Rust's names of types in words.
pub(super) fn friendly_type_name(name: &str) -> &'static str {
    // Rhai writes what text may be as `&str | ImmutableString | String`.
    let name = name.split(" | ").next().unwrap_or(name);
    match name
        .rsplit("::")
        .next()
        .unwrap_or(name)
        .trim_start_matches('&')
    {
        "()" => "nothing (`()`)",
        "bool" => "true or false",
        "i64" | "INT" => "whole number",
        "f64" | "FLOAT" => "number with decimals",
        "char" => "character",
        "string" | "str" | "ImmutableString" | "String" => "text",
        "array" | "Array" | "Vec<Dynamic>" | "Dynamic>" => "list",
        "map" | "Map" => "map",
        "Fn" | "FnPtr" => "function",
        "FrozenObject" | "event object" => "object of the event",
        "FrozenList" | "event list" => "list of the event",
        "Money" | "money" => "money",
        "Collection" | "records" => "collection of records",
        "Service" | "service" => "service",
        "Answered" | "answer" => "answer of a service",
        "HostError" | "error" => "error",
        "Log" | "log" => "log",
        "range" | "Range<i64>" | "range=" | "RangeInclusive<i64>" => "range",
        _ => "value of another kind",
    }
}
