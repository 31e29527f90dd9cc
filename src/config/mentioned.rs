//! The names in a handlers.toml, good or not: to find what a person may have meant.

use toml::{Table, Value};

/// The names that stand in a handlers.toml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentioned {
    pub endpoints: Vec<String>,
    pub handlers: Vec<String>,
    pub collections: Vec<String>,
    /// Event patterns, as they are written but for a `?`.
    pub events: Vec<String>,
}

/// Nothing of a text that is no TOML.
pub fn mentioned(text: &str) -> Mentioned {
    let Ok(file) = text.parse::<Table>() else {
        return Mentioned::default();
    };
    let section = |key: &str| file.get(key).and_then(Value::as_table);
    let names = |key: &str| -> Vec<String> {
        section(key).map_or_else(Vec::new, |it| it.keys().cloned().collect())
    };
    let mut it = Mentioned {
        endpoints: names("endpoints"),
        handlers: names("handlers"),
        ..Mentioned::default()
    };
    for handler in section("handlers").into_iter().flat_map(Table::values) {
        match handler.get("records") {
            Some(Value::Table(all)) => it.collections.extend(all.keys().cloned()),
            listed => it.collections.extend(texts(listed)),
        }
        let events = texts(handler.get("events"));
        it.events
            .extend(events.map(|it| it.trim_start_matches('?').to_owned()));
    }
    it
}

fn texts(list: Option<&Value>) -> impl Iterator<Item = String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|it| it.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_else_is_wrong() {
        let it = mentioned(
            "[endpoints.stripe]\nsecret = 1\n[handlers.a]\nevents = [\"?invoice.new\", 1]\nrecords = [\"one\"]\n\
             [handlers.b]\nrecords = { two = \"read\" }\n",
        );
        let texts = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(it.endpoints, texts(&["stripe"]));
        assert_eq!(it.handlers, texts(&["a", "b"]));
        assert_eq!(it.collections, texts(&["one", "two"]));
        assert_eq!(it.events, texts(&["invoice.new"]));
        assert_eq!(mentioned("[a"), Mentioned::default());
    }
}
