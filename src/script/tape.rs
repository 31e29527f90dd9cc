//! A payload read once into one flat list of values, in the order of its text.
//!
//! Most of an event is never looked at: a text stays where it is in the payload until a script asks for it.

mod read;

use bytes::Bytes;

/// The values of one JSON text.
#[derive(Debug)]
pub(super) struct Tape {
    payload: Bytes,
    /// Texts that are not in the payload as they are meant: those with escapes in them.
    unescaped: String,
    nodes: Vec<Node>,
}

/// The place of a value in its tape. The first is the whole payload.
pub(super) type At = u32;

#[derive(Debug)]
struct Node {
    /// Of an object's field.
    key: Span,
    value: Value,
    /// What it is inside of; the first is inside of itself.
    parent: At,
}

/// What a value is. Those inside of an object or a list follow it, up to `end`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Span),
    Object { end: At },
    List { end: At },
}

/// Where a text is: in the payload, or among what had to be unescaped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: u32,
    size_bytes: u32,
    is_unescaped: bool,
}

impl Tape {
    pub(super) fn value(&self, at: At) -> Value {
        self.nodes[at as usize].value
    }

    pub(super) fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.bytes(span)).expect("the payload was read as text")
    }

    fn bytes(&self, span: Span) -> &[u8] {
        let range = span.start as usize..(span.start + span.size_bytes) as usize;
        if span.is_unescaped {
            &self.unescaped.as_bytes()[range]
        } else {
            &self.payload[range]
        }
    }

    /// What is directly inside of an object or a list, with the names of an object's fields.
    pub(super) fn inside(&self, at: At) -> impl Iterator<Item = (&str, At)> {
        self.places(at)
            .map(|it| (self.text(self.nodes[it as usize].key), it))
    }

    /// The field of an object. The last one, should there be several of one name.
    pub(super) fn field(&self, at: At, name: &str) -> Option<At> {
        let is_named = |it: &At| self.bytes(self.nodes[*it as usize].key) == name.as_bytes();
        self.places(at).filter(is_named).last()
    }

    fn places(&self, at: At) -> impl Iterator<Item = At> {
        let mut next = at + 1;
        let end = self.after(at);
        std::iter::from_fn(move || {
            let it = (next < end).then_some(next)?;
            next = self.after(it);
            Some(it)
        })
    }

    /// As a script writes it: `event.data.object.lines.data[0]`.
    pub(super) fn path(&self, at: At) -> String {
        if at == 0 {
            return "event".to_owned();
        }
        let Node { key, parent, .. } = &self.nodes[at as usize];
        let path = self.path(*parent);
        match self.value(*parent) {
            Value::List { .. } => {
                let index = self.inside(*parent).take_while(|(_, it)| *it < at).count();
                format!("{path}[{index}]")
            }
            Value::Object { .. }
            | Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_) => format!("{path}.{}", self.text(*key)),
        }
    }

    fn after(&self, at: At) -> At {
        match self.value(at) {
            Value::Object { end } | Value::List { end } => end,
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => {
                at + 1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value of the tape, by its path.
    #[track_caller]
    fn check(json: &str, expected: &[&str]) {
        let tape = Tape::read(&Bytes::copy_from_slice(json.as_bytes())).unwrap();
        let told: Vec<String> = (0..tape.nodes.len() as At)
            .map(|at| {
                let value = match tape.value(at) {
                    Value::Null => "null".to_owned(),
                    Value::Bool(it) => it.to_string(),
                    Value::Int(it) => it.to_string(),
                    Value::Float(it) => format!("{it:?}"),
                    Value::Text(it) => format!("{:?}", tape.text(it)),
                    Value::Object { .. } => format!("object of {}", tape.inside(at).count()),
                    Value::List { .. } => format!("list of {}", tape.inside(at).count()),
                };
                format!("{} {value}", tape.path(at))
            })
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn every_value_has_its_place_and_path() {
        check(
            r#"{"a": [1, {"b": null}, []], "c": {"d": true, "e": "text"}, "f": -2.5}"#,
            &[
                "event object of 3",
                "event.a list of 3",
                "event.a[0] 1",
                "event.a[1] object of 1",
                "event.a[1].b null",
                "event.a[2] list of 0",
                "event.c object of 2",
                "event.c.d true",
                "event.c.e \"text\"",
                "event.f -2.5",
            ],
        );
    }

    #[test]
    fn escapes_mean_what_they_stand_for_in_names_too() {
        check(
            r#"{"\u00e4\n": "a\tb", "plain": "ä"}"#,
            &[
                "event object of 2",
                "event.ä\n \"a\\tb\"",
                "event.plain \"ä\"",
            ],
        );
    }

    #[test]
    fn a_number_that_would_change_stays_as_it_came() {
        check(
            r#"[9223372036854775807, 9223372036854775808, 0.10000000000000000001, 1.50]"#,
            &[
                "event list of 4",
                "event[0] 9223372036854775807",
                "event[1] \"9223372036854775808\"",
                "event[2] \"0.10000000000000000001\"",
                "event[3] 1.5",
            ],
        );
    }

    #[test]
    fn the_last_of_several_fields_of_one_name_counts() {
        let tape = Tape::read(&Bytes::from_static(br#"{"a": 1, "b": {"a": 3}, "a": 2}"#)).unwrap();
        let found = tape.field(0, "a").map(|it| tape.value(it));
        assert!(matches!(found, Some(Value::Int(2))));
        assert!(tape.field(0, "c").is_none());
    }

    #[test]
    fn what_is_not_one_json_value_is_refused() {
        for json in [
            "",
            "{",
            "{} {}",
            "{\"a\":}",
            "[1,]",
            "{\"a\" 1}",
            "nul",
            "\"\u{1}\"",
        ] {
            assert!(Tape::read(&Bytes::from(json)).is_err(), "{json}");
        }
        assert!(Tape::read(&Bytes::from_static(b"\"\xff\"")).is_err());
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(Tape::read(&Bytes::from(deep)).is_err());
    }
}
