//! JSON text to values that the script may change.

use super::exact::{is_json, quote_inexact_numbers};
use rhai::{Array, Dynamic, Map};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

pub(in crate::script) fn parse(text: &str) -> Result<Dynamic, serde_json::Error> {
    let inexact = Cell::new(false);
    let read = build(serde_json::Deserializer::from_str(text), &inexact);
    let is_exact = match &read {
        Ok(_) => !inexact.get(),
        // Only because of a number that no float can hold (`1e309`)?
        Err(_) => !is_json(text.as_bytes()),
    };
    if is_exact {
        return read;
    }
    // Rare: a float or a huge integer. The text is valid JSON, so its numbers can be told by their bytes alone.
    match quote_inexact_numbers(text.as_bytes()) {
        Cow::Borrowed(_) => read,
        Cow::Owned(quoted) => build(serde_json::Deserializer::from_slice(&quoted), &inexact),
    }
}

fn build<'a>(
    mut reader: serde_json::Deserializer<impl serde_json::de::Read<'a>>,
    inexact: &Cell<bool>,
) -> Result<Dynamic, serde_json::Error> {
    let value = Build(inexact).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

struct Build<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for Build<'_> {
    type Value = Dynamic;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<Dynamic, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Build<'_> {
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
        self.0.set(true);
        Ok(it.into())
    }
    fn visit_str<E>(self, it: &str) -> Result<Dynamic, E> {
        Ok(it.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Dynamic, A::Error> {
        let mut items = Array::new();
        while let Some(it) = from.next_element_seed(Build(self.0))? {
            items.push(it);
        }
        Ok(Dynamic::from_array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Dynamic, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = from.next_key::<FieldName>()? {
            let value = from.next_value_seed(Build(self.0))?;
            fields.insert(name.0.as_ref().into(), value);
        }
        Ok(Dynamic::from_map(fields))
    }
}

/// A borrowed `&str` would fail on any escape.
#[derive(serde::Deserialize)]
struct FieldName<'a>(#[serde(borrow)] Cow<'a, str>);
