//! A payload's envelope: what it says is what a whole reading of the JSON says, and what it takes for an event can be
//! given to a script.

use crate::driver::Target;
use bytes::Bytes;
use hookyard::clock::UnixMillis;
use hookyard::envelope::{Parsed, Wanted};
use hookyard::script::freeze;
use serde_json::Value;
use std::time::Duration;

const NOW: UnixMillis = UnixMillis(1_700_000_000_123);
const PATHS: [&str; 5] = [
    "data.object.customer",
    "data.object.id",
    "data.object",
    "data.object.metadata.order",
    "account",
];
/// The most bytes of a text that is kept.
const KEPT_SIZE_BYTES_MAX: usize = 512;

pub(crate) const TARGET: Target = Target {
    name: "envelope",
    words: &[
        "\"id\":",
        "\"type\":",
        "\"object\":",
        "\"created\":",
        "\"livemode\":",
        "\"account\":",
        "\"context\":",
        "\"data\":",
        "\"related_object\":",
        "\"customer\":",
        "\"metadata\":",
        "\"evt_1\"",
        "\"invoice.paid\"",
        "\"event\"",
        "\"v2.core.event\"",
        "null",
        "true",
        "false",
        "{}",
        "[]",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\\u0000",
        "\\ud83d\\ude00",
        "\\ud800",
        "\"\"",
        "1e999",
        "-0",
        "\"2026-07-02T18:07:14.645Z\"",
        "\"id\":null,",
        "\u{feff}",
    ],
    more: &[],
    size_bytes_max: 20_000,
    time_max: Duration::from_millis(500),
    open: || {
        let wanted = Wanted::new(PATHS);
        Box::new(move |input| attempt(&wanted, input))
    },
    must_see: &["an event", "it is not JSON", "it has no", "its "],
};

fn attempt(wanted: &Wanted, input: &[u8]) -> String {
    let parsed = wanted.read(input, NOW);
    let whole = serde_json::from_slice::<Value>(input);
    if let Some(why) = &parsed.envelope.unreadable {
        assert!(parsed.envelope.id.starts_with("sha256:"));
        assert_eq!(parsed.envelope.created, NOW);
        assert!(parsed.values.iter().all(Option::is_none), "a value is told");
        if let Ok(whole) = &whole {
            assert!(!is_event(whole), "an event is refused: {why}");
        }
        return why.clone();
    }
    assert!(!parsed.envelope.id.is_empty() && !parsed.envelope.kind.is_empty());
    if let Err(why) = freeze(&Bytes::copy_from_slice(input)) {
        panic!("an event that no script can be given: {why}");
    }
    match whole {
        Ok(whole) => {
            compare(wanted, &parsed, &whole);
            "an event".into()
        }
        // It nests deeper than serde_json's values may, or holds a number that no float is.
        Err(why) => format!("an event, and {why}"),
    }
}

fn is_event(whole: &Value) -> bool {
    let has_text = |name: &str| at(whole, name).is_some_and(|it| !it.is_empty());
    // What is no text, or too long for one, says as much as nothing.
    let is_said = match at(whole, "object").as_deref() {
        None => true,
        Some(it) => it == "event" || it == "v2.core.event",
    };
    has_text("id") && has_text("type") && is_said
}

fn compare(wanted: &Wanted, parsed: &Parsed, whole: &Value) {
    let it = &parsed.envelope;
    assert!(is_event(whole), "no event is taken for one");
    assert_eq!(Some(&it.id), at(whole, "id").as_ref());
    assert_eq!(Some(&it.kind), at(whole, "type").as_ref());
    assert_eq!(it.account, at(whole, "account"));
    assert_eq!(it.context, at(whole, "context"));
    assert_eq!(it.api_version, at(whole, "api_version"));
    let livemode = at(whole, "livemode").and_then(|it| it.parse().ok());
    assert_eq!(it.livemode, livemode);
    let object_id = at(whole, "data.object.id").or_else(|| at(whole, "related_object.id"));
    assert_eq!(it.object_id, object_id);
    if let Some(seconds) = whole.get("created").and_then(Value::as_i64) {
        assert_eq!(it.created.0, seconds.saturating_mul(1000));
    }
    for path in PATHS {
        let value = &parsed.values[wanted.position_of(path).unwrap()];
        assert_eq!(*value, at(whole, path), "`{path}`");
    }
}

/// A plain value as text.
fn at(whole: &Value, path: &str) -> Option<String> {
    let found = path.split('.').try_fold(whole, |it, name| it.get(name))?;
    let text = match found {
        Value::Bool(it) => it.to_string(),
        Value::Number(it) if it.is_f64() => it.as_f64().unwrap().to_string(),
        Value::Number(it) => it.to_string(),
        Value::String(it) => it.clone(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (text.len() <= KEPT_SIZE_BYTES_MAX).then_some(text)
}
