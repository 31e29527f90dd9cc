//! Runs, open and finished, with what was reported of them.

use super::super::read::Reader;
use super::{as_parameters, json};
use crate::clock::UnixMillis;
use crate::config::Pattern;
use crate::run::{RunId, State};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::value::RawValue;

/// Which runs are asked for.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    pub state: Option<State>,
    pub handler: Option<String>,
    /// Of events of these types.
    pub kind: Option<Pattern>,
    /// Of events received since then.
    pub since: Option<UnixMillis>,
    /// With an attempt on a script version that begins so.
    pub version: Option<String>,
    pub limit: usize,
}

/// A row of `runs_open` or `runs_done`, and which event it is of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRow {
    pub id: RunId,
    pub event_id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub handler: String,
    pub state: String,
    pub attempts: u32,
    /// 0 for the run that the event's acceptance made.
    pub replay: i64,
    /// Of a waiting run.
    pub due_at: Option<UnixMillis>,
    pub finished_at: Option<UnixMillis>,
    /// Script version of the last attempt.
    pub version: Option<String>,
    pub why: Option<String>,
}

/// A row of `attempts`.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptRow {
    pub run: RunId,
    pub number: u32,
    pub started_at: UnixMillis,
    pub took_ms: i64,
    pub engine_us: i64,
    pub outcome: String,
    pub version: String,
    pub error: Option<Box<RawValue>>,
    pub log: Option<Box<RawValue>>,
    /// What it did with its calls.
    pub calls: Option<Box<RawValue>>,
}

/// A row of `journal`.
#[derive(Clone, Debug, Serialize)]
pub struct CallRow {
    pub run: RunId,
    pub number: i64,
    pub state: String,
    pub service: String,
    pub method: String,
    pub url: String,
    pub request: Option<Box<RawValue>>,
    pub content: String,
    pub idempotency_key: String,
    pub version: String,
    pub now: UnixMillis,
    pub seen: Option<Box<RawValue>>,
    pub intended_at: UnixMillis,
    pub answered_at: Option<UnixMillis>,
    pub answer: Option<Box<RawValue>>,
    pub path: Option<String>,
    pub decided: Option<String>,
    pub once: Option<String>,
    pub given_to: Option<RunId>,
}

/// A row of `decisions`.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionRow {
    pub run: RunId,
    pub number: i64,
    pub choice: String,
    pub call: Option<i64>,
    pub through: i64,
    pub decided_by: String,
    pub decided_at: UnixMillis,
    pub over_at: Option<UnixMillis>,
}

const OPEN: &str =
    "SELECT runs_open.id, events.id, events.type, handler, state, attempts, replay, due_at,
    NULL AS finished_at,
    (SELECT version FROM attempts WHERE run = runs_open.id ORDER BY started_at DESC, number DESC LIMIT 1) AS version, why
  FROM runs_open JOIN events ON events.seq = runs_open.id / 10000";
const DONE: &str =
    "SELECT runs_done.id, events.id, events.type, handler, state, attempts, replay, NULL AS due_at,
    finished_at, version, why
  FROM runs_done JOIN events ON events.seq = runs_done.id / 10000";

impl Reader {
    /// Runs, those of the newest events first.
    pub fn list_runs(&self, filter: &RunFilter) -> rusqlite::Result<Vec<RunRow>> {
        let (kind, start) = as_parameters(filter.kind.as_ref());
        let sql = list_sql(filter.state);
        let mut rows = Vec::new();
        for (first, last) in self.bites(filter.since)? {
            let lacking = filter.limit.saturating_sub(rows.len());
            if lacking == 0 {
                break;
            }
            let mut query = self.connection.prepare_cached(&sql)?;
            let (first, last) = (RunId::range_of(first), RunId::range_of(last));
            let parameters = params![
                first.start(),
                last.end(),
                filter.state.map(State::as_str),
                filter.handler,
                kind,
                start,
                filter.since.map(|it| it.0),
                i64::try_from(lacking).unwrap_or(i64::MAX),
                filter.version,
            ];
            for row in query.query_map(parameters, run_row)? {
                rows.push(row?);
            }
        }
        Ok(rows)
    }

    pub fn run_row(&self, id: RunId) -> rusqlite::Result<Option<RunRow>> {
        let sql =
            format!("{OPEN} WHERE runs_open.id = ?1 UNION ALL {DONE} WHERE runs_done.id = ?1");
        self.connection
            .prepare_cached(&sql)?
            .query_row([id.0], run_row)
            .optional()
    }

    /// An event's runs, the first first.
    pub fn runs_of_event(&self, event_seq: i64) -> rusqlite::Result<Vec<RunRow>> {
        let range = RunId::range_of(event_seq);
        let sql = format!(
            "{OPEN} WHERE runs_open.id BETWEEN ?1 AND ?2 UNION ALL {DONE} WHERE runs_done.id BETWEEN ?1 AND ?2
             ORDER BY 1"
        );
        self.connection
            .prepare_cached(&sql)?
            .query_map([range.start(), range.end()], run_row)?
            .collect()
    }

    /// What was reported of a run's attempts, in the order in which they began. A retry of a dead run counts from 1
    /// again, and takes the place of what was reported under the same number.
    pub fn attempts(&self, run: RunId) -> rusqlite::Result<Vec<AttemptRow>> {
        self.connection
            .prepare_cached(
                "SELECT run, number, started_at, took_ms, engine_us, outcome, version, error, log, calls FROM attempts
                 WHERE run = ?1 ORDER BY started_at, number",
            )?
            .query_map([run.0], |row| {
                Ok(AttemptRow {
                    run: RunId(row.get(0)?),
                    number: row.get(1)?,
                    started_at: UnixMillis(row.get(2)?),
                    took_ms: row.get(3)?,
                    engine_us: row.get(4)?,
                    outcome: row.get(5)?,
                    version: row.get(6)?,
                    error: json(row.get(7)?),
                    log: json(row.get(8)?),
                    calls: json(row.get(9)?),
                })
            })?
            .collect()
    }

    /// A run's calls, as rows.
    pub fn calls(&self, run: RunId) -> rusqlite::Result<Vec<CallRow>> {
        self.connection
            .prepare_cached(
                "SELECT run, number, state, service, method, url, request, content, idempotency_key, version, now,
                   seen, intended_at, answered_at, answer, path, decided, once, given_to FROM journal WHERE run = ?1 ORDER BY number",
            )?
            .query_map([run.0], |row| {
                Ok(CallRow {
                    run: RunId(row.get(0)?),
                    number: row.get(1)?,
                    state: row.get(2)?,
                    service: row.get(3)?,
                    method: row.get(4)?,
                    url: row.get(5)?,
                    request: json(row.get(6)?),
                    content: row.get(7)?,
                    idempotency_key: row.get(8)?,
                    version: row.get(9)?,
                    now: UnixMillis(row.get(10)?),
                    seen: json(row.get(11)?),
                    intended_at: UnixMillis(row.get(12)?),
                    answered_at: row.get::<_, Option<i64>>(13)?.map(UnixMillis),
                    answer: json(row.get(14)?),
                    path: row.get(15)?,
                    decided: row.get(16)?,
                    once: row.get(17)?,
                    given_to: row.get::<_, Option<i64>>(18)?.map(RunId),
                })
            })?
            .collect()
    }

    /// What operators decided about a run, in order.
    pub fn decisions(&self, run: RunId) -> rusqlite::Result<Vec<DecisionRow>> {
        self.connection
            .prepare_cached(
                "SELECT run, number, choice, call, through, decided_by, decided_at, over_at FROM decisions
                 WHERE run = ?1 ORDER BY number",
            )?
            .query_map([run.0], |row| {
                Ok(DecisionRow {
                    run: RunId(row.get(0)?),
                    number: row.get(1)?,
                    choice: row.get(2)?,
                    call: row.get(3)?,
                    through: row.get(4)?,
                    decided_by: row.get(5)?,
                    decided_at: UnixMillis(row.get(6)?),
                    over_at: row.get::<_, Option<i64>>(7)?.map(UnixMillis),
                })
            })?
            .collect()
    }
}

/// Looks only into the table that has runs of this state.
fn list_sql(state: Option<State>) -> String {
    let part = |select: &str, table: &str| {
        format!(
            "{select} WHERE {table}.id BETWEEN ?1 AND ?2 AND (?3 IS NULL OR state = ?3)
             AND (?4 IS NULL OR handler = ?4) AND (?5 IS NULL OR type = ?5)
             AND (?6 IS NULL OR substr(type, 1, length(?6)) = ?6) AND (?7 IS NULL OR received_at >= ?7)
             AND (?9 IS NULL OR EXISTS (SELECT 1 FROM attempts WHERE run = {table}.id
               AND substr(attempts.version, 1, length(?9)) = ?9))"
        )
    };
    let (open, done) = (part(OPEN, "runs_open"), part(DONE, "runs_done"));
    let runs = match state {
        Some(it) if it.is_open() => open,
        Some(_) => done,
        None => format!("{open} UNION ALL {done}"),
    };
    format!("{runs} ORDER BY 1 DESC LIMIT ?8")
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: RunId(row.get(0)?),
        event_id: row.get(1)?,
        kind: row.get(2)?,
        handler: row.get(3)?,
        state: row.get(4)?,
        attempts: row.get(5)?,
        replay: row.get(6)?,
        due_at: row.get::<_, Option<i64>>(7)?.map(UnixMillis),
        finished_at: row.get::<_, Option<i64>>(8)?.map(UnixMillis),
        version: row.get(9)?,
        why: row.get(10)?,
    })
}
