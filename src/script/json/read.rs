//! JSON text to values.

use super::exact::quote_inexact_numbers;
use crate::script::frozen::{FrozenList, FrozenObject};
use rhai::{Array, Dynamic, Map};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

/// JSON text as values that the script may change.
pub(in crate::script) fn parse(text: &str) -> Result<Dynamic, serde_json::Error> {
    build::<Thawed>(text.as_bytes(), "")
}

/// JSON text as a frozen value; `name` is what the script calls it.
pub(in crate::script) fn freeze(bytes: &[u8], name: &str) -> Result<Dynamic, serde_json::Error> {
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
            // The path that containers inside will have, in a buffer that is used again and again.
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
