//! The records of an attempt: what was read, and what the script made of it. A script reads its own changes.

use super::pulse::outside;
use super::state::Stop;
use super::{World, limits};
use crate::record::{Change, Read, RecordKey};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct RecordView {
    entries: BTreeMap<RecordKey, Entry>,
    /// How many of them are changed.
    changed: usize,
}

struct Entry {
    base_version: i64,
    before: Option<String>,
    newest_before: Option<crate::clock::UnixMillis>,
    body: Option<String>,
    newest_event_at: Option<crate::clock::UnixMillis>,
}

impl Entry {
    fn is_changed(&self) -> bool {
        self.body != self.before || self.newest_event_at != self.newest_before
    }
}

/// A record as the script sees it now.
pub(super) struct Seen<'a> {
    pub(super) body: Option<&'a str>,
    pub(super) newest_event_at: Option<crate::clock::UnixMillis>,
}

impl RecordView {
    pub(super) fn record(
        &mut self,
        world: &mut dyn World,
        key: &RecordKey,
    ) -> Result<Seen<'_>, Stop> {
        if !self.entries.contains_key(key) {
            let found = outside(|| world.record(&key.collection, &key.id))?;
            self.remember(key.clone(), found);
        }
        let entry = &self.entries[key];
        Ok(Seen {
            body: entry.body.as_deref(),
            newest_event_at: entry.newest_event_at,
        })
    }

    /// Sets what a record that was read is to become. `Err` with the limit when it is one change too many.
    pub(super) fn change(
        &mut self,
        key: &RecordKey,
        body: Option<String>,
        newest_event_at: Option<crate::clock::UnixMillis>,
        changes_max: usize,
    ) -> Result<(), usize> {
        let entry = self
            .entries
            .get_mut(key)
            .expect("read before it is changed");
        let was_changed = entry.is_changed();
        if !was_changed && changes_max <= self.changed {
            return Err(changes_max);
        }
        entry.body = body;
        entry.newest_event_at = newest_event_at;
        self.changed = self.changed - usize::from(was_changed) + usize::from(entry.is_changed());
        Ok(())
    }

    /// Records of a collection whose fields have these values, by id, the attempt's own changes included.
    pub(super) fn find(
        &mut self,
        world: &mut dyn World,
        collection: &str,
        fields: &[(String, String)],
        limit: usize,
        is_match: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, String)>, Stop> {
        let own = self
            .entries
            .iter()
            .filter(|(key, it)| key.collection == collection && it.is_changed())
            .count();
        // Each own change may take one of the ledger's answers away.
        let asked = limit.saturating_add(own).min(limits::FIND_LIMIT_MAX + own);
        let found = outside(|| world.find(collection, fields, asked))?;
        let is_cut = asked <= found.len();
        let last_id = found.last().map(|it| it.key.id.clone());
        for record in found {
            if !self.entries.contains_key(&record.key) {
                self.remember(record.key.clone(), Some(record));
            }
        }
        Ok(self
            .entries
            .iter()
            .filter(|(key, _)| key.collection == collection)
            // Beyond the last that the ledger gave, others may come first.
            .filter(|(key, _)| !is_cut || last_id.as_ref().is_none_or(|last| key.id <= *last))
            .filter_map(|(key, entry)| Some((key.id.clone(), entry.body.clone()?)))
            .filter(|(_, body)| is_match(body))
            .take(limit)
            .collect())
    }

    fn remember(&mut self, key: RecordKey, found: Option<crate::record::Record>) {
        let (base_version, before, newest) = found.map_or((0, None, None), |it| {
            (it.version, it.body, it.newest_event_at)
        });
        self.entries.insert(
            key,
            Entry {
                base_version,
                before: before.clone(),
                newest_before: newest,
                body: before,
                newest_event_at: newest,
            },
        );
    }

    pub(super) fn bodies(&self) -> impl Iterator<Item = &str> {
        self.entries.values().filter_map(|it| it.body.as_deref())
    }

    pub(super) fn reads(&self) -> Vec<Read> {
        self.entries
            .iter()
            .map(|(key, it)| Read {
                key: key.clone(),
                version: it.base_version,
            })
            .collect()
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.entries
            .into_iter()
            .filter(|(_, it)| it.is_changed())
            .map(|(key, it)| Change {
                key,
                base_version: it.base_version,
                before: it.before,
                after: it.body,
                newest_event_at: it.newest_event_at,
            })
            .collect()
    }
}
