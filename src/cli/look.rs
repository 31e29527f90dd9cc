//! Looking into the ledger: read-only, beside a running host or without one.

use super::Places;
use super::out::word;
use crate::config::Pattern;
use crate::ledger::folder::Folder;
use crate::ledger::sqlite::list::EventRow;
use crate::ledger::sqlite::read::Reader;
use anyhow::{bail, ensure};
use std::time::Duration;

/// The ledger of the data folder.
pub(super) fn open(places: &Places) -> anyhow::Result<Reader> {
    let folder = places.folder();
    must_have_ledger(&folder)?;
    Ok(Reader::open(&folder)?)
}

/// The same, for queries that may take this long.
pub(super) fn open_bounded(places: &Places, query_time_max: Duration) -> anyhow::Result<Reader> {
    let folder = places.folder();
    must_have_ledger(&folder)?;
    Ok(Reader::open_bounded(&folder, query_time_max)?)
}

pub(super) fn must_have_ledger(folder: &Folder) -> anyhow::Result<()> {
    ensure!(
        folder.database().exists(),
        "there is no ledger in the data folder `{}`; name another folder with --data, or let `hookyard serve` make one",
        folder.path().display()
    );
    Ok(())
}

/// The events with an id: one a scope, or the one of a scope.
pub(super) fn events(
    reader: &Reader,
    id: &str,
    scope: Option<&str>,
) -> anyhow::Result<Vec<EventRow>> {
    let mut found = reader.events_by_id(id)?;
    if found.is_empty() {
        let instead = match run(id) {
            Ok(it) => format!("`hookyard runs show {it}` shows the run with that number"),
            Err(_) => "`hookyard events list` shows the events".to_owned(),
        };
        bail!("there is no event `{}`; {instead}", word(id));
    }
    if let Some(scope) = scope {
        let scopes = scopes(&found);
        found.retain(|it| it.scope == scope);
        ensure!(
            !found.is_empty(),
            "event `{}` is not in scope `{}`, but in {scopes}",
            word(id),
            word(scope)
        );
    }
    Ok(found)
}

/// The scopes of events, for a message.
pub(super) fn scopes(events: &[EventRow]) -> String {
    events
        .iter()
        .map(|it| format!("`{}`", it.scope))
        .collect::<Vec<_>>()
        .join(" and ")
}

/// `--limit`
pub(super) fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("write a number from 1".into()),
        Ok(it) => Ok(it),
    }
}

/// A run, as the commands name it.
pub(super) fn run(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(it) if it > 0 => Ok(it),
        _ if text.starts_with("evt_") => Err(format!(
            "that is an event; `hookyard why {text}` shows its runs"
        )),
        _ => Err("a run is a number, as `hookyard runs list` shows it".into()),
    }
}

/// `--type`: a type, `invoice.*` or `*`.
pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    match text.strip_suffix('*') {
        None if text.is_empty() => {
            Err("write a type such as `invoice.paid`, or `invoice.*`".into())
        }
        None => Ok(Pattern::Exact(text.into())),
        Some("") => Ok(Pattern::All),
        Some(start) if start.ends_with('.') => Ok(Pattern::Prefix(start.into())),
        Some(start) => Err(format!("`*` stands after a dot: write `{start}.*`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_type_a_family_or_all() {
        assert_eq!(
            pattern("invoice.paid"),
            Ok(Pattern::Exact("invoice.paid".into()))
        );
        assert_eq!(pattern("invoice.*"), Ok(Pattern::Prefix("invoice.".into())));
        assert_eq!(pattern("*"), Ok(Pattern::All));
        assert_eq!(
            pattern("invoice*"),
            Err("`*` stands after a dot: write `invoice.*`".into())
        );
    }

    #[test]
    fn what_is_no_run_is_told_what_a_run_is() {
        assert_eq!(run("10001"), Ok(10_001));
        assert!(run("evt_1").unwrap_err().contains("`hookyard why evt_1`"));
        for text in ["abc", "0", "-5", ""] {
            assert!(run(text).unwrap_err().contains("`hookyard runs list`"));
        }
    }

    #[test]
    fn a_missing_ledger_is_named_with_its_folder_and_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places {
            config: "handlers.toml".into(),
            data: dir.path().join("nothing"),
        };
        let error = open(&places).err().unwrap().to_string();
        assert!(
            error.contains("nothing") && error.contains("--data"),
            "{error}"
        );
        assert!(!places.data.exists());
    }
}
