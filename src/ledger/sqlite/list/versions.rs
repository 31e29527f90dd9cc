//! The script versions of a handler, and how their runs went.

use super::super::read::Reader;
use crate::clock::UnixMillis;
use crate::ledger::version_decision::VersionDecisions;
use crate::run::RunId;
use rusqlite::params;
use serde::Serialize;
use std::collections::HashMap;

/// The key of `meta` that holds the names of the handlers in force, as JSON.
pub const HANDLERS_IN_FORCE: &str = "handlers_in_force";

/// A row of `handler_versions`, and what else is known of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VersionRow {
    pub handler: String,
    pub version: String,
    pub state: VersionState,
    pub script: String,
    pub saved_at: UnixMillis,
    /// None: it never was.
    pub first_at: Option<UnixMillis>,
    /// When another one took its place.
    pub last_at: Option<UnixMillis>,
    /// Runs with an attempt on it, as far as they are kept.
    pub runs: i64,
    /// Those of them of which an attempt on it failed.
    pub failed: i64,
    pub why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    InForce,
    Pinned,
    /// Tried on a share of the runs.
    Canary,
    RolledBack,
    NotInForce,
}

impl VersionState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Pinned => "pinned",
            Self::Canary => "canary",
            Self::RolledBack => "rolled back",
            Self::NotInForce => "not in force",
        }
    }

    fn of(handler: &str, version: &str, decisions: &VersionDecisions) -> Self {
        let is = |it: Option<&String>| it.is_some_and(|it| it == version);
        if is(decisions.pins.get(handler)) {
            Self::Pinned
        } else if is(decisions.in_force.get(handler)) {
            Self::InForce
        } else if is(decisions.canaries.get(handler)) {
            Self::Canary
        } else if decisions
            .rolled_back
            .contains_key(&(handler.to_owned(), version.to_owned()))
        {
            Self::RolledBack
        } else {
            Self::NotInForce
        }
    }
}

impl Reader {
    /// A handler's versions, the newest first.
    pub fn list_versions(&self, handler: &str) -> rusqlite::Result<Vec<VersionRow>> {
        let mut decisions = self.version_decisions()?;
        if self.is_gone(handler)? {
            decisions.in_force.remove(handler);
            decisions.pins.remove(handler);
            decisions.canaries.remove(handler);
        }
        let mut rows = self
            .connection
            .prepare_cached(
                "SELECT version, coalesce(script, ''), saved_at, first_at, last_at, why
                 FROM handler_versions LEFT JOIN script_versions ON hash = version
                 WHERE handler = ?1 ORDER BY saved_at DESC, version",
            )?
            .query_map([handler], |row| {
                let version: String = row.get(0)?;
                Ok(VersionRow {
                    handler: handler.to_owned(),
                    state: VersionState::of(handler, &version, &decisions),
                    version,
                    script: row.get(1)?,
                    saved_at: UnixMillis(row.get(2)?),
                    first_at: row.get::<_, Option<i64>>(3)?.map(UnixMillis),
                    last_at: row.get::<_, Option<i64>>(4)?.map(UnixMillis),
                    runs: 0,
                    failed: 0,
                    why: row.get(5)?,
                })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let counts = self.runs_by_version(handler)?;
        for it in &mut rows {
            (it.runs, it.failed) = counts.get(&it.version).copied().unwrap_or_default();
        }
        Ok(rows)
    }

    /// The handlers of which a script version is kept.
    pub fn handlers_ever(&self) -> rusqlite::Result<Vec<String>> {
        self.connection
            .prepare_cached("SELECT DISTINCT handler FROM handler_versions ORDER BY handler")?
            .query_map([], |row| row.get(0))?
            .collect()
    }

    /// Whether a script version is kept that begins so.
    pub fn has_version(&self, begin: &str) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM script_versions WHERE substr(hash, 1, length(?1)) = ?1)",
            )?
            .query_row([begin], |row| row.get(0))
    }

    /// Whether a handler is not in the handlers.toml that is in force. What was decided about it is kept for its return.
    fn is_gone(&self, handler: &str) -> rusqlite::Result<bool> {
        let names = self.meta(HANDLERS_IN_FORCE)?;
        let names: Option<Vec<String>> = names.and_then(|it| serde_json::from_str(&it).ok());
        Ok(names.is_some_and(|it| it.iter().all(|it| it != handler)))
    }

    /// Runs, and those that failed, by version.
    fn runs_by_version(&self, handler: &str) -> rusqlite::Result<HashMap<String, (i64, i64)>> {
        let mut counts: HashMap<String, (i64, i64)> = HashMap::new();
        for (first, last) in self.bites(None)? {
            let mut query = self.connection.prepare_cached(
                "SELECT version, count(*), sum(has_failed) FROM (
                   SELECT attempts.version, max(outcome IN ('failed', 'dead')) AS has_failed
                   FROM (SELECT id FROM runs_open WHERE id BETWEEN ?1 AND ?2 AND handler = ?3
                         UNION ALL SELECT id FROM runs_done WHERE id BETWEEN ?1 AND ?2 AND handler = ?3)
                   JOIN attempts ON run = id GROUP BY run, attempts.version)
                 GROUP BY version",
            )?;
            let (first, last) = (RunId::range_of(first), RunId::range_of(last));
            let mut rows = query.query(params![first.start(), last.end(), handler])?;
            while let Some(row) = rows.next()? {
                let count = counts.entry(row.get(0)?).or_default();
                count.0 += row.get::<_, i64>(1)?;
                count.1 += row.get::<_, i64>(2)?;
            }
        }
        Ok(counts)
    }
}
