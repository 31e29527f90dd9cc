//! What was good before, from the ledger: a start with broken files works from it.

use crate::ledger::sqlite::read::Reader;
use std::collections::BTreeMap;

/// The key of `meta` that holds the text of the last good handlers.toml.
pub(super) const CONFIG: &str = "last_good_config";

/// The key of `meta` that holds the hash of a handler's last good script version.
pub(super) fn key_of(handler: &str) -> String {
    format!("last_good_version/{handler}")
}

/// The key of `meta` that holds what a handler's open runs are ordered by.
pub(super) fn order_key_of(handler: &str) -> String {
    format!("order_by/{handler}")
}

pub struct LastGood {
    /// The text of handlers.toml.
    pub config: Option<String>,
}

impl LastGood {
    pub fn load(reader: &Reader) -> Self {
        Self {
            config: reader.meta(CONFIG).ok().flatten(),
        }
    }

    /// The sources of a handler's last good script version.
    pub fn sources(&self, reader: &Reader, handler: &str) -> Option<BTreeMap<String, String>> {
        let hash = reader.meta(&key_of(handler)).ok()??;
        let (_, sources) = reader.script_version(&hash).ok()??;
        serde_json::from_str(&sources).ok()
    }
}
