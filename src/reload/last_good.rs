//! What was good before, from the ledger: a start with broken files works from it.

use crate::ledger::sqlite::read::{ReadError, Reader};
use crate::ledger::version_decision::VersionDecisions;
use crate::script::Sources;

/// The key of `meta` that holds the text of the last good handlers.toml.
pub(super) const CONFIG: &str = "last_good_config";

/// The key of `meta` that holds the names of the handlers in force, as JSON.
pub(super) const HANDLERS: &str = crate::ledger::sqlite::list::HANDLERS_IN_FORCE;

/// The key of `meta` that holds what a handler's open runs are ordered by.
pub(super) fn order_key_of(handler: &str) -> String {
    format!("order_by/{handler}")
}

pub(super) struct LastGood {
    /// The text of handlers.toml.
    pub config: Option<String>,
    pub decisions: VersionDecisions,
}

impl LastGood {
    pub(super) fn load(reader: &Reader) -> Result<Self, ReadError> {
        Ok(Self {
            config: reader.meta(CONFIG)?,
            decisions: reader.version_decisions()?,
        })
    }
}

/// The text of the handlers.toml that was last in force, if one was.
pub fn last_good_config(reader: &Reader) -> Result<Option<String>, ReadError> {
    reader.meta(CONFIG)
}

/// A version's script and all its files.
pub(super) fn kept(reader: &Reader, version: &str) -> Option<(String, Sources)> {
    let (script, sources) = reader.script_version(version).ok()??;
    Some((script, Sources(serde_json::from_str(&sources).ok()?)))
}
