//! Reads of a payload what the host itself needs: who it is, what it is about, and the values that order it.
//!
//! One pass over the bytes; nothing but the wanted fields is kept.

use crate::clock::UnixMillis;
use crate::event::Envelope;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sha2::{Digest, Sha256};
use std::fmt;

mod beyond;

/// The most bytes of an id, a type or another text that the host keeps in columns of its own.
const TEXT_SIZE_BYTES_MAX: usize = 512;
/// Where [`ENVELOPE`] has these.
const ID_SLOT: usize = 0;
const TYPE_SLOT: usize = 2;

/// Which fields of a payload are wanted: those of the envelope, and those that handlers order by.
#[derive(Clone, Debug)]
pub struct Wanted {
    root: Node,
    count: usize,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Where this field's value goes, if it is wanted itself.
    slot: Option<usize>,
    fields: Vec<(String, Node)>,
}

impl Node {
    fn forget(&self, values: &mut [Option<String>]) {
        if let Some(slot) = self.slot {
            values[slot] = None;
        }
        for (_, it) in &self.fields {
            it.forget(values);
        }
    }
}

/// The fields of the envelope, in the order of their slots.
const ENVELOPE: [&str; 10] = [
    "id",
    "object",
    "type",
    "created",
    "livemode",
    "account",
    "context",
    "api_version",
    "data.object.id",
    "related_object.id",
];

/// An envelope, and the values found at the wanted paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub envelope: Envelope,
    /// In the order of the paths given to [`Wanted::new`].
    pub values: Vec<Option<String>>,
}

impl Wanted {
    /// The envelope's fields and these dotted paths.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut it = Self {
            root: Node::default(),
            count: 0,
        };
        for path in ENVELOPE {
            it.add(path);
        }
        for path in paths {
            it.add(path);
        }
        it
    }

    fn add(&mut self, path: &str) {
        let mut node = &mut self.root;
        for name in path.split('.') {
            let at = match node.fields.iter().position(|(known, _)| known == name) {
                Some(at) => at,
                None => {
                    node.fields.push((name.to_owned(), Node::default()));
                    node.fields.len() - 1
                }
            };
            node = &mut node.fields[at].1;
        }
        // A path that stands there already keeps its slot; the later one is found through it.
        node.slot.get_or_insert(self.count);
        self.count += 1;
    }

    fn slot_of(&self, path: &str) -> Option<usize> {
        let mut node = &self.root;
        for name in path.split('.') {
            node = node
                .fields
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, it)| it)?;
        }
        node.slot
    }

    /// The values of paths, as [`Parsed::values`] has them when the same paths were given to [`Wanted::new`].
    pub fn position_of(&self, path: &str) -> Option<usize> {
        self.slot_of(path)
    }

    /// Reads a payload. One that is no event gets an envelope too, known by the hash of its bytes.
    pub fn read(&self, body: &[u8], received_at: UnixMillis) -> Parsed {
        let mut values = vec![None; self.count];
        let unreadable = match self.read_into(&mut values, body) {
            Ok(()) => lacking(&values),
            Err(why) => Some(why),
        };
        if let Some(why) = unreadable {
            let envelope = Envelope {
                id: format!("sha256:{}", hex::encode(Sha256::digest(body))),
                created: received_at,
                unreadable: Some(why),
                ..Envelope::default()
            };
            return Parsed {
                envelope,
                values: vec![None; self.count],
            };
        }
        let envelope = Envelope {
            id: values[0].clone().unwrap_or_default(),
            kind: values[2].clone().unwrap_or_default(),
            created: values[3].as_deref().and_then(moment).unwrap_or(received_at),
            livemode: values[4].as_deref().and_then(|it| it.parse().ok()),
            account: values[5].clone(),
            context: values[6].clone(),
            api_version: values[7].clone(),
            object_id: values[8].clone().or_else(|| values[9].clone()),
            unreadable: None,
        };
        Parsed { envelope, values }
    }
}

impl Wanted {
    /// What stands in fields that are skipped is read by nobody, so it is looked at here: a payload that is taken for an
    /// event must be one for its scripts too.
    fn read_into(&self, values: &mut [Option<String>], body: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(body).map_err(|why| format!("it is not JSON: {why}"))?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let seed = Seed {
            node: &self.root,
            values,
        };
        seed.deserialize(&mut deserializer)
            .and_then(|()| deserializer.end())
            .map_err(|error| format!("it is not JSON: {error}"))?;
        match beyond::beyond(text) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }
}

/// Why a JSON text is no event, if it is none.
fn lacking(values: &[Option<String>]) -> Option<String> {
    for (name, slot) in [("id", ID_SLOT), ("type", TYPE_SLOT)] {
        match values[slot].as_deref() {
            None => return Some(format!("it has no `{name}`")),
            Some("") => {
                return Some(format!(
                    "its `{name}` is empty or has more than {TEXT_SIZE_BYTES_MAX} bytes"
                ));
            }
            Some(_) => {}
        }
    }
    let is_event = matches!(values[1].as_deref(), None | Some("event" | "v2.core.event"));
    (!is_event).then(|| "its `object` is neither `event` nor `v2.core.event`".into())
}

/// `created` is Unix seconds in a snapshot event and RFC 3339 text in a thin one.
fn moment(text: &str) -> Option<UnixMillis> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(UnixMillis(seconds.saturating_mul(1000)));
    }
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(|it| UnixMillis(it.as_millisecond()))
}

/// Walks a value along a node: keeps what has a slot, goes into what has fields, skips the rest.
struct Seed<'a> {
    node: &'a Node,
    values: &'a mut [Option<String>],
}

impl Seed<'_> {
    fn keep(&mut self, text: &str) {
        if let Some(slot) = self.node.slot {
            // A text this long is no id; the whole payload is kept anyway.
            let kept = (text.len() <= TEXT_SIZE_BYTES_MAX).then(|| text.to_owned());
            // Too long an id is told from none at all.
            let is_needed = slot == ID_SLOT || slot == TYPE_SLOT;
            self.values[slot] = kept.or_else(|| is_needed.then(String::new));
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(mut self, it: bool) -> Result<(), E> {
        self.keep(if it { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(mut self, it: i64) -> Result<(), E> {
        self.keep(&it.to_string());
        Ok(())
    }

    fn visit_u64<E>(mut self, it: u64) -> Result<(), E> {
        self.keep(&it.to_string());
        Ok(())
    }

    fn visit_f64<E>(mut self, it: f64) -> Result<(), E> {
        self.keep(&it.to_string());
        Ok(())
    }

    fn visit_str<E>(mut self, it: &str) -> Result<(), E> {
        self.keep(it);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(child) = map.next_key_seed(Key(self.node))? {
            match child {
                Some(node) => {
                    // Should a field stand there twice, the last one counts, as for scripts.
                    node.forget(self.values);
                    map.next_value_seed(Seed {
                        node,
                        values: &mut *self.values,
                    })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Finds a field's node without keeping its name.
struct Key<'a>(&'a Node);

impl<'de, 'a> DeserializeSeed<'de> for Key<'a> {
    type Value = Option<&'a Node>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Key<'a> {
    type Value = Option<&'a Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self
            .0
            .fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, it)| it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_123);

    fn read(body: &str) -> Parsed {
        Wanted::new([
            "data.object.customer",
            "data.object.id",
            "data.object.lines.total",
        ])
        .read(body.as_bytes(), NOW)
    }

    #[test]
    fn a_snapshot_event_gives_its_envelope_and_the_wanted_values() {
        let wanted = Wanted::new(["data.object.customer", "data.object.id"]);
        let it = wanted.read(
            br#"{"id":"evt_1","object":"event","type":"invoice.paid","created":1700000000,"livemode":false,
                "account":"acct_1","api_version":null,"data":{"object":{"id":"in_1","customer":"cus_\u00e9","x":[{"id":1}]}}}"#,
            NOW,
        );
        assert_eq!(it.envelope.id, "evt_1");
        assert_eq!(it.envelope.kind, "invoice.paid");
        assert_eq!(it.envelope.created, UnixMillis(1_700_000_000_000));
        assert_eq!(it.envelope.livemode, Some(false));
        assert_eq!(it.envelope.account.as_deref(), Some("acct_1"));
        assert_eq!(it.envelope.object_id.as_deref(), Some("in_1"));
        let value = |path| it.values[wanted.position_of(path).unwrap()].as_deref();
        assert_eq!(value("data.object.customer"), Some("cus_é"));
        assert_eq!(value("data.object.id"), Some("in_1"));
    }

    #[test]
    fn a_thin_event_is_about_its_related_object() {
        let it = read(
            r#"{"id":"evt_2","object":"v2.core.event","type":"v1.billing.meter.no_meter_found",
                "created":"2026-07-02T18:07:14.645Z","related_object":{"id":"mtr_1","type":"billing.meter"}}"#,
        );
        assert_eq!(it.envelope.object_id.as_deref(), Some("mtr_1"));
        assert_eq!(it.envelope.created, UnixMillis(1_783_015_634_645));
    }

    #[test]
    fn of_a_field_that_stands_there_twice_the_last_one_counts() {
        let it = Wanted::new(["data.object.customer"]).read(
            br#"{"id":"a","account":"x","type":"t","data":{"object":{"id":"b","customer":"c"}},"id":"d","account":null,
                "data":{"object":{"id":"e"}}}"#,
            NOW,
        );
        assert_eq!(it.envelope.id, "d");
        assert_eq!(it.envelope.account, None);
        assert_eq!(it.envelope.object_id.as_deref(), Some("e"));
        assert_eq!(it.values.last(), Some(&None));
    }

    #[test]
    fn what_no_script_could_read_is_unreadable() {
        check_unreadable(
            br#"{"id":"a","type":"b","x":"\ud800"}"#,
            "half of a character",
        );
    }

    #[track_caller]
    fn check_unreadable(body: &[u8], why: &str) {
        let it = Wanted::new([]).read(body, NOW).envelope;
        let found = it.unreadable.unwrap_or_default();
        assert!(found.contains(why), "{found}");
        assert!(it.id.starts_with("sha256:"), "{}", it.id);
        assert_eq!(it.created, NOW);
    }

    #[test]
    fn what_is_no_event_is_unreadable_and_known_by_its_bytes() {
        check_unreadable(b"{}", "no `id`");
        check_unreadable(b"[]", "no `id`");
        check_unreadable(b"{\"id\":\"evt_1\"}", "no `type`");
        check_unreadable(
            b"{\"id\":\"a\",\"type\":\"b\",\"object\":\"charge\"}",
            "its `object`",
        );
        check_unreadable(b"{\"id\":\"a\",\"type\":\"b\"} x", "not JSON");
        check_unreadable(b"\xef\xbb\xbf{}", "not JSON");
        check_unreadable(b"{\"id\":\"\xff\",\"type\":\"b\"}", "not JSON");
        check_unreadable(b"{\"id\":\"a\",\"type\":\"b\",\"x\":\"\xff\"}", "not JSON");
        check_unreadable("[".repeat(100_000).as_bytes(), "not JSON");
    }
}
