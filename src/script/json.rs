//! JSON to values of a script and back, with integers that stay what they are.
//!
//! serde's own way turns an integer above `i64` into a float, silently. Here a number that no `i64` and no `f64` holds
//! exactly becomes text, digit by digit as it came.

use super::frozen::{FrozenList, FrozenObject};
use super::limits::NESTING_DEPTH_MAX;
use rhai::{Array, Dynamic, Map};
use serde::de::{self, Deserialize, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

/// JSON text as values that the script may change.
pub(super) fn parse(text: &str) -> Result<Dynamic, serde_json::Error> {
    build::<Thawed>(text.as_bytes(), "")
}

/// JSON text as a frozen value; `name` is what the script calls it.
pub(super) fn freeze(bytes: &[u8], name: &str) -> Result<Dynamic, serde_json::Error> {
    build::<Frozen>(bytes, name)
}

/// What containers are made into.
trait Shape {
    fn object(path: &str, fields: Map) -> Dynamic;
    fn list(path: &str, items: Array) -> Dynamic;
}

enum Thawed {}
enum Frozen {}

impl Shape for Thawed {
    fn object(_: &str, fields: Map) -> Dynamic {
        Dynamic::from_map(fields)
    }
    fn list(_: &str, items: Array) -> Dynamic {
        Dynamic::from_array(items)
    }
}

impl Shape for Frozen {
    fn object(path: &str, fields: Map) -> Dynamic {
        Dynamic::from(FrozenObject::new(path, fields))
    }
    fn list(path: &str, items: Array) -> Dynamic {
        Dynamic::from(FrozenList::new(path, items))
    }
}

fn build<S: Shape>(bytes: &[u8], name: &str) -> Result<Dynamic, serde_json::Error> {
    let inexact = Cell::new(false);
    let value = build_once::<S>(bytes, name, &inexact)?;
    if !inexact.get() {
        return Ok(value);
    }
    // Rare: a float or a huge integer. The text is valid JSON, so its numbers can be told by their bytes alone.
    match quote_inexact_numbers(bytes) {
        Cow::Borrowed(_) => Ok(value),
        Cow::Owned(quoted) => build_once::<S>(&quoted, name, &inexact),
    }
}

fn build_once<S: Shape>(
    bytes: &[u8],
    name: &str,
    inexact: &Cell<bool>,
) -> Result<Dynamic, serde_json::Error> {
    let mut path = name.to_owned();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Build::<S> {
        path: &mut path,
        inexact,
        shape: PhantomData,
    }
    .deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

struct Build<'a, S> {
    path: &'a mut String,
    inexact: &'a Cell<bool>,
    shape: PhantomData<S>,
}

impl<'de, S: Shape> DeserializeSeed<'de> for Build<'_, S> {
    type Value = Dynamic;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<Dynamic, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, S: Shape> Visitor<'de> for Build<'_, S> {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }
    fn visit_bool<E>(self, it: bool) -> Result<Dynamic, E> {
        Ok(it.into())
    }
    fn visit_i64<E>(self, it: i64) -> Result<Dynamic, E> {
        Ok(it.into())
    }
    fn visit_u64<E>(self, it: u64) -> Result<Dynamic, E> {
        Ok(i64::try_from(it).map_or_else(|_| it.to_string().into(), Dynamic::from))
    }
    fn visit_f64<E>(self, it: f64) -> Result<Dynamic, E> {
        self.inexact.set(true);
        Ok(it.into())
    }
    fn visit_str<E>(self, it: &str) -> Result<Dynamic, E> {
        Ok(it.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Dynamic, A::Error> {
        let mut items = Array::new();
        let end = self.path.len();
        loop {
            // The path of an item is made only for containers inside; a list of plain values costs nothing.
            fmt::Write::write_fmt(self.path, format_args!("[{}]", items.len()))
                .expect("text takes all");
            let seed = Build::<S> {
                path: self.path,
                inexact: self.inexact,
                shape: PhantomData,
            };
            let item = from.next_element_seed(seed)?;
            self.path.truncate(end);
            match item {
                Some(it) => items.push(it),
                None => return Ok(S::list(self.path, items)),
            }
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Dynamic, A::Error> {
        let mut fields = Map::new();
        let end = self.path.len();
        while let Some(name) = from.next_key::<FieldName>()? {
            self.path.push('.');
            self.path.push_str(&name.0);
            let seed = Build::<S> {
                path: self.path,
                inexact: self.inexact,
                shape: PhantomData,
            };
            let value = from.next_value_seed(seed)?;
            self.path.truncate(end);
            fields.insert(name.0.as_ref().into(), value);
        }
        Ok(S::object(self.path, fields))
    }
}

/// A borrowed `&str` would fail on any escape.
#[derive(serde::Deserialize)]
struct FieldName<'a>(#[serde(borrow)] Cow<'a, str>);

/// Puts quotes around numbers that would not survive as `i64` or `f64`.
fn quote_inexact_numbers(json: &[u8]) -> Cow<'_, [u8]> {
    let mut quoted: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut at = 0;
    while at < json.len() {
        match json[at] {
            b'"' => at = end_of_string(json, at),
            b'-' | b'0'..=b'9' => {
                let is_part =
                    |it: &u8| matches!(it, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let end = at + json[at..].iter().take_while(|it| is_part(it)).count();
                let number = std::str::from_utf8(&json[at..end]).unwrap_or_default();
                if !is_exact(number) {
                    let out = quoted.get_or_insert_default();
                    out.extend_from_slice(&json[copied..at]);
                    out.push(b'"');
                    out.extend_from_slice(number.as_bytes());
                    out.push(b'"');
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    match quoted {
        None => Cow::Borrowed(json),
        Some(mut out) => {
            out.extend_from_slice(&json[copied..]);
            Cow::Owned(out)
        }
    }
}

fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < json.len() && json[at] != b'"' {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn is_exact(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok();
    }
    number
        .parse::<f64>()
        .is_ok_and(|it| it.is_finite() && digits(number) == digits(&format!("{it:e}")))
}

/// Significant digits and exponent, so that 1.50 equals 15e-1.
fn digits(number: &str) -> (String, i64) {
    let number = number.trim_start_matches('-').to_ascii_lowercase();
    let (mantissa, exponent) = number.split_once('e').unwrap_or((&number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return (String::new(), 0);
    }
    let leading_zeros = all.len() - all.trim_start_matches('0').len();
    let point = whole.len() as i64 - leading_zeros as i64;
    let exponent = exponent
        .trim_start_matches('+')
        .parse::<i64>()
        .unwrap_or(i64::MAX / 2);
    (significant.to_owned(), point.saturating_add(exponent))
}

/// A value as JSON text, the keys of maps in their order; says what cannot be said in JSON.
pub(super) fn text(value: &Dynamic) -> Result<String, String> {
    let mut out = String::new();
    write(value, &mut out, 0)?;
    Ok(out)
}

pub(super) fn map_text(map: &Map) -> Result<String, String> {
    let mut out = String::new();
    write_map(map, &mut out, 0)?;
    Ok(out)
}

fn write(value: &Dynamic, out: &mut String, depth: usize) -> Result<(), String> {
    if NESTING_DEPTH_MAX < depth {
        return Err(format!("it is nested more than {NESTING_DEPTH_MAX} deep"));
    }
    if super::limits::STRING_SIZE_BYTES_MAX < out.len() || !super::limits::charge(1) {
        return Err(format!(
            "its JSON has more than {} bytes",
            super::limits::STRING_SIZE_BYTES_MAX
        ));
    }
    if value.is_unit() {
        out.push_str("null");
    } else if let Ok(it) = value.as_bool() {
        out.push_str(if it { "true" } else { "false" });
    } else if let Ok(it) = value.as_int() {
        out.push_str(&it.to_string());
    } else if let Ok(it) = value.as_float() {
        match serde_json::Number::from_f64(it) {
            Some(it) => out.push_str(&it.to_string()),
            None => return Err(format!("JSON has no {it}")),
        }
    } else if let Ok(it) = value.as_char() {
        write_text(&it.to_string(), out);
    } else if let Ok(it) = value.as_immutable_string_ref() {
        write_text(&it, out);
    } else if let Ok(it) = value.as_array_ref() {
        write_list(&it, out, depth)?;
    } else if let Ok(it) = value.as_map_ref() {
        write_map(&it, out, depth)?;
    } else if let Some(it) = value.read_lock::<FrozenObject>() {
        write_map(it.fields(), out, depth)?;
    } else if let Some(it) = value.read_lock::<FrozenList>() {
        write_list(it.items(), out, depth)?;
    } else if let Some(it) = value.read_lock::<super::host::money::Money>() {
        write_map(&it.to_map(), out, depth)?;
    } else {
        return Err(format!(
            "JSON has nothing for a {}",
            super::text::type_name(value)
        ));
    }
    Ok(())
}

fn write_list(items: &[Dynamic], out: &mut String, depth: usize) -> Result<(), String> {
    out.push('[');
    for (index, it) in items.iter().enumerate() {
        if 0 < index {
            out.push(',');
        }
        write(it, out, depth + 1)?;
    }
    out.push(']');
    Ok(())
}

fn write_map(map: &Map, out: &mut String, depth: usize) -> Result<(), String> {
    out.push('{');
    for (index, (key, it)) in map.iter().enumerate() {
        if 0 < index {
            out.push(',');
        }
        write_text(key, out);
        out.push(':');
        write(it, out, depth + 1).map_err(|problem| {
            if depth == 0 {
                format!("`{key}`: {problem}")
            } else {
                problem
            }
        })?;
    }
    out.push('}');
    Ok(())
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Every field name in a JSON text, to find what a misspelt one was meant to be.
pub(super) fn field_names(text: &str, names: &mut std::collections::BTreeSet<String>) {
    fn walk(value: &serde_json::Value, names: &mut std::collections::BTreeSet<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, it) in fields {
                    names.insert(name.clone());
                    walk(it, names);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|it| walk(it, names)),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => {}
        }
    }
    if let Ok(value) = serde_json::Value::deserialize(&mut serde_json::Deserializer::from_str(text))
    {
        walk(&value, names);
    }
}
