//! Events, without their bodies.

use super::super::read::Reader;
use super::as_parameters;
use crate::clock::UnixMillis;
use crate::config::Pattern;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub kind: Option<Pattern>,
    pub endpoint: Option<String>,
    /// Received since then.
    pub since: Option<UnixMillis>,
    /// Only payloads that are no events.
    pub only_unreadable: bool,
    pub limit: usize,
}

/// A row of `events`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventRow {
    pub seq: i64,
    pub id: String,
    pub scope: String,
    pub endpoint: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub created_at: UnixMillis,
    pub received_at: UnixMillis,
    pub livemode: Option<bool>,
    pub account: Option<String>,
    pub context: Option<String>,
    pub api_version: Option<String>,
    pub object_id: Option<String>,
    pub secret_number: u16,
    pub unreadable: Option<String>,
    pub size_bytes: i64,
}

impl Reader {
    /// Events, the newest first.
    pub fn list_events(&self, filter: &EventFilter) -> rusqlite::Result<Vec<EventRow>> {
        let (kind, start) = as_parameters(filter.kind.as_ref());
        let mut rows = Vec::new();
        for (first, last) in self.bites(filter.since)? {
            let lacking = filter.limit.saturating_sub(rows.len());
            if lacking == 0 {
                break;
            }
            let mut query = self.connection.prepare_cached(
                "SELECT seq, id, scope, endpoint, type, created_at, received_at, livemode, account, context,
                   api_version, object_id, secret_number, unreadable, size_bytes FROM events
                 WHERE seq BETWEEN ?1 AND ?2 AND (?3 IS NULL OR type = ?3)
                   AND (?4 IS NULL OR substr(type, 1, length(?4)) = ?4) AND (?5 IS NULL OR endpoint = ?5)
                   AND (?6 IS NULL OR received_at >= ?6) AND (NOT ?7 OR unreadable IS NOT NULL)
                 ORDER BY seq DESC LIMIT ?8",
            )?;
            let parameters = params![
                first,
                last,
                kind,
                start,
                filter.endpoint,
                filter.since.map(|it| it.0),
                filter.only_unreadable,
                i64::try_from(lacking).unwrap_or(i64::MAX),
            ];
            for row in query.query_map(parameters, event_row)? {
                rows.push(row?);
            }
        }
        Ok(rows)
    }

    /// The events with this id, one a scope.
    pub fn events_by_id(&self, id: &str) -> rusqlite::Result<Vec<EventRow>> {
        let mut rows = Vec::new();
        for seq in self.event_seqs(id)? {
            rows.extend(self.event_row(seq)?);
        }
        Ok(rows)
    }

    /// The event with this number.
    pub fn event_row(&self, seq: i64) -> rusqlite::Result<Option<EventRow>> {
        self.connection
            .prepare_cached(
                "SELECT seq, id, scope, endpoint, type, created_at, received_at, livemode, account, context,
                   api_version, object_id, secret_number, unreadable, size_bytes FROM events WHERE seq = ?1",
            )?
            .query_row([seq], event_row)
            .optional()
    }
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        seq: row.get(0)?,
        id: row.get(1)?,
        scope: row.get(2)?,
        endpoint: row.get(3)?,
        kind: row.get(4)?,
        created_at: UnixMillis(row.get(5)?),
        received_at: UnixMillis(row.get(6)?),
        livemode: row.get(7)?,
        account: row.get(8)?,
        context: row.get(9)?,
        api_version: row.get(10)?,
        object_id: row.get(11)?,
        secret_number: row.get(12)?,
        unreadable: row.get(13)?,
        size_bytes: row.get(14)?,
    })
}
