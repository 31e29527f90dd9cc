//! Every field name in a JSON text, to find what a misspelt one was meant to be.

use serde_json::Value;
use std::collections::BTreeSet;

pub(in crate::script) fn field_names(text: &str, names: &mut BTreeSet<String>) {
    if let Ok(value) = serde_json::from_str(text) {
        walk(&value, names);
    }
}

fn walk(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, it) in fields {
                names.insert(name.clone());
                walk(it, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| walk(it, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
