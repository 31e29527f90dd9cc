//! JSON for people, with every number as it was written: parsing one would round what has more digits than a float.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object's fields in their order, the values as text.
pub(super) struct Fields(pub(super) Vec<(String, Box<RawValue>)>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        let found = self.0.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| &**value)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(it) = map.next_entry()? {
                    fields.push(it);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

/// Valid JSON, a field a line.
pub(super) fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut is_text = false;
    let mut is_escaped = false;
    let mut is_just_opened = false;
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    for it in json.chars() {
        if is_text {
            out.push(it);
            is_text = is_escaped || it != '"';
            is_escaped = !is_escaped && it == '\\';
            continue;
        }
        let closes = matches!(it, '}' | ']');
        if it.is_ascii_whitespace() {
            continue;
        }
        if is_just_opened && !closes {
            line(&mut out, depth);
        }
        match it {
            '{' | '[' => depth += 1,
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !is_just_opened {
                    line(&mut out, depth);
                }
            }
            '"' => is_text = true,
            _ => {}
        }
        is_just_opened = matches!(it, '{' | '[');
        out.push(it);
        match it {
            ',' => line(&mut out, depth),
            ':' => out.push(' '),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_shown_with_its_numbers_as_they_were_written() {
        assert_eq!(
            pretty("{\"n\":123456789012345678901234567890, \"e\":{},\"l\":[1.10,\"a\\\"{,\"]}"),
            "{\n  \"n\": 123456789012345678901234567890,\n  \"e\": {},\n  \"l\": [\n    1.10,\n    \"a\\\"{,\"\n  ]\n}"
        );
    }

    #[test]
    fn fields_keep_their_order_and_their_text() {
        let it: Fields = serde_json::from_str("{\"b\":1e400,\"a\":0.10}").unwrap();
        let all: Vec<_> =
            it.0.iter()
                .map(|(name, it)| (name.as_str(), it.get()))
                .collect();
        assert_eq!(all, [("b", "1e400"), ("a", "0.10")]);
    }
}
