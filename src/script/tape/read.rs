//! From a JSON text to its tape.

use super::super::json::{is_json, quote_inexact_numbers};
use super::{At, Node, Span, Tape, Value};
use bytes::Bytes;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

impl Tape {
    /// Reads a payload. A number that neither an `i64` nor an `f64` holds exactly becomes text, as it came.
    pub(in crate::script) fn read(payload: &Bytes) -> Result<Self, String> {
        let read = Self::read_once(payload.clone());
        let is_exact = match &read {
            Ok((_, is_inexact)) => !is_inexact,
            // Only because of a number that no float can hold (`1e309`)?
            Err(_) => !is_json(payload),
        };
        if is_exact {
            return read.map(|(tape, _)| tape);
        }
        // Rare: a float or a huge integer. The text is valid JSON, so its numbers can be told by their bytes alone.
        match quote_inexact_numbers(payload) {
            Cow::Borrowed(_) => read.map(|(tape, _)| tape),
            Cow::Owned(quoted) => Self::read_once(quoted.into()).map(|(it, _)| it),
        }
    }

    fn read_once(payload: Bytes) -> Result<(Self, bool), String> {
        if u32::try_from(payload.len()).is_err() {
            return Err("it has 4 GiB or more".to_owned());
        }
        let text = std::str::from_utf8(&payload).map_err(|error| error.to_string())?;
        let mut writer = Writer {
            base: text.as_ptr() as usize,
            unescaped: String::new(),
            nodes: Vec::with_capacity(text.len() / 32),
            is_inexact: false,
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        Put {
            writer: &mut writer,
            key: Span::default(),
            parent: 0,
        }
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|error| error.to_string())?;
        let Writer {
            unescaped,
            nodes,
            is_inexact,
            ..
        } = writer;
        let tape = Self {
            payload,
            unescaped,
            nodes,
        };
        Ok((tape, is_inexact))
    }
}

struct Writer {
    /// Where the payload begins, to tell where in it a text is.
    base: usize,
    unescaped: String,
    nodes: Vec<Node>,
    is_inexact: bool,
}

impl Writer {
    fn borrowed(&self, text: &str) -> Span {
        Span {
            start: (text.as_ptr() as usize - self.base) as u32,
            size_bytes: text.len() as u32,
            is_unescaped: false,
        }
    }

    /// Never longer than the payload, which is bounded: an escape is longer than what it means, and so are the digits of
    /// a number.
    fn kept(&mut self, text: &str) -> Span {
        let start = self.unescaped.len() as u32;
        self.unescaped.push_str(text);
        Span {
            start,
            size_bytes: text.len() as u32,
            is_unescaped: true,
        }
    }
}

/// Puts one value, and what is inside of it, at the end of the tape.
struct Put<'a> {
    writer: &'a mut Writer,
    key: Span,
    parent: At,
}

impl Put<'_> {
    fn put(self, value: Value) {
        let Self {
            writer,
            key,
            parent,
        } = self;
        writer.nodes.push(Node { key, value, parent });
    }

    /// Begins an object or a list, whose end is not known yet.
    fn open(writer: &mut Writer, key: Span, parent: At) -> At {
        let at = writer.nodes.len() as At;
        writer.nodes.push(Node {
            key,
            value: Value::Null,
            parent,
        });
        at
    }
}

impl<'de> DeserializeSeed<'de> for Put<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Put<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.put(Value::Null);
        Ok(())
    }
    fn visit_bool<E>(self, it: bool) -> Result<(), E> {
        self.put(Value::Bool(it));
        Ok(())
    }
    fn visit_i64<E>(self, it: i64) -> Result<(), E> {
        self.put(Value::Int(it));
        Ok(())
    }
    fn visit_u64<E>(self, it: u64) -> Result<(), E> {
        let value = match i64::try_from(it) {
            Ok(it) => Value::Int(it),
            Err(_) => Value::Text(self.writer.kept(&it.to_string())),
        };
        self.put(value);
        Ok(())
    }
    fn visit_f64<E>(self, it: f64) -> Result<(), E> {
        self.writer.is_inexact = true;
        self.put(Value::Float(it));
        Ok(())
    }
    fn visit_borrowed_str<E>(self, it: &'de str) -> Result<(), E> {
        let span = self.writer.borrowed(it);
        self.put(Value::Text(span));
        Ok(())
    }
    fn visit_str<E>(self, it: &str) -> Result<(), E> {
        let span = self.writer.kept(it);
        self.put(Value::Text(span));
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        let Self {
            writer,
            key,
            parent,
        } = self;
        let at = Put::open(writer, key, parent);
        while from
            .next_element_seed(Put {
                writer: &mut *writer,
                key: Span::default(),
                parent: at,
            })?
            .is_some()
        {}
        let end = writer.nodes.len() as At;
        writer.nodes[at as usize].value = Value::List { end };
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        let Self {
            writer,
            key,
            parent,
        } = self;
        let at = Put::open(writer, key, parent);
        while let Some(key) = from.next_key_seed(Name(writer))? {
            from.next_value_seed(Put {
                writer: &mut *writer,
                key,
                parent: at,
            })?;
        }
        let end = writer.nodes.len() as At;
        writer.nodes[at as usize].value = Value::Object { end };
        Ok(())
    }
}

/// The name of a field.
struct Name<'a>(&'a mut Writer);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Span;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<Span, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name<'_> {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a field")
    }
    fn visit_borrowed_str<E>(self, it: &'de str) -> Result<Span, E> {
        Ok(self.0.borrowed(it))
    }
    fn visit_str<E>(self, it: &str) -> Result<Span, E> {
        Ok(self.0.kept(it))
    }
}
