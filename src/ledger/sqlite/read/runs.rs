//! Open runs, their lanes, and their calls.

use super::super::super::decision::{ChoiceName, Matching};
use super::super::super::request::{CallState, JournalEntry, OpenRun};
use super::super::super::sent_by::SentBy;
use super::super::order::open_run;
use super::Reader;
use crate::clock::UnixMillis;
use crate::run::{Lane, RunId, State};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Open runs that one look at all of them goes through; few in tests, so that these come to the next one.
const RUNS_PER_LOOK: i64 = if cfg!(test) { 600 } else { 20_000 };

/// The handlers of which a dead run blocks its lane, as JSON.
#[derive(Clone, Debug)]
pub struct BlockedByDead(String);

/// Runs of a handler that wait until a service is well or has room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingForService {
    pub service: Arc<str>,
    pub handler: Arc<str>,
    pub runs: usize,
}

impl BlockedByDead {
    pub fn new<'a>(handlers: impl Iterator<Item = &'a str>) -> Self {
        Self(serde_json::Value::from_iter(handlers).to_string())
    }
}

impl Reader {
    /// An open run.
    pub fn open_run(&self, id: RunId) -> rusqlite::Result<Option<OpenRun>> {
        self.connection
            .prepare_cached("SELECT id, epoch, handler, lane, attempts, forgiven, replay FROM runs_open WHERE id = ?1")?
            .query_row([id.0], open_run)
            .optional()
    }

    /// Runs that may start, by id, from the one after `after`.
    pub fn ready_runs(&self, after: RunId, limit: i64) -> rusqlite::Result<Vec<OpenRun>> {
        self.connection
            .prepare_cached(
                "SELECT id, epoch, handler, lane, attempts, forgiven, replay FROM runs_open
                 WHERE id > ?1 AND state = 'ready' ORDER BY id LIMIT ?2",
            )?
            .query_map(params![after.0, limit], open_run)?
            .collect()
    }

    /// Waiting runs, the next due first, from the one after this time and run.
    pub fn waiting_runs(
        &self,
        (due_at, id): (UnixMillis, RunId),
        limit: usize,
    ) -> rusqlite::Result<Vec<(UnixMillis, OpenRun)>> {
        self.connection
            .prepare_cached(
                "SELECT id, epoch, handler, lane, attempts, forgiven, replay, due_at FROM runs_open
                 WHERE state = 'waiting' AND due_at IS NOT NULL AND (due_at, id) > (?1, ?2)
                 ORDER BY due_at, id LIMIT ?3",
            )?
            .query_map(
                params![due_at.0, id.0, i64::try_from(limit).unwrap_or(i64::MAX)],
                |row| Ok((UnixMillis(row.get(7)?), open_run(row)?)),
            )?
            .collect()
    }

    /// Runs of a handler that wait for a service, from the one after `after`, and whether each is the head of its lane.
    pub fn runs_waiting_for(
        &self,
        service: &str,
        handler: &str,
        after: RunId,
        limit: usize,
        blocked_by_dead: &BlockedByDead,
        now: UnixMillis,
    ) -> rusqlite::Result<Vec<(OpenRun, bool)>> {
        let runs: Vec<OpenRun> = self
            .connection
            .prepare_cached(
                "SELECT id, epoch, handler, lane, attempts, forgiven, replay FROM runs_open
                 WHERE state = 'waiting' AND waits_for = ?1 AND handler = ?2 AND id > ?3 ORDER BY id LIMIT ?4",
            )?
            .query_map(
                params![service, handler, after.0, i64::try_from(limit).unwrap_or(i64::MAX)],
                open_run,
            )?
            .collect::<rusqlite::Result<_>>()?;
        runs.into_iter()
            .map(|run| {
                let head = self.lane_head(run.lane, blocked_by_dead, now)?;
                let is_head = head.is_some_and(|(it, _)| it.claim.id == run.claim.id);
                Ok((run, is_head))
            })
            .collect()
    }

    /// The services that runs wait for, by handler, and how many do.
    pub fn waiting_for_services(&self) -> rusqlite::Result<Vec<WaitingForService>> {
        self.connection
            .prepare_cached(
                "SELECT waits_for, handler, count(*) FROM runs_open
                 WHERE state = 'waiting' AND waits_for IS NOT NULL GROUP BY waits_for, handler",
            )?
            .query_map([], |row| {
                let count: i64 = row.get(2)?;
                Ok(WaitingForService {
                    service: row.get(0)?,
                    handler: row.get(1)?,
                    runs: usize::try_from(count).unwrap_or(0),
                })
            })?
            .collect()
    }

    /// The first run of a lane that is not finished, and its state; a waiting one whose time has come is ready. Dead
    /// ones count when they are of a handler that they block.
    pub fn lane_head(
        &self,
        lane: Lane,
        blocked_by_dead: &BlockedByDead,
        now: UnixMillis,
    ) -> rusqlite::Result<Option<(OpenRun, State)>> {
        self.connection
            .prepare_cached(
                "SELECT id, epoch, handler, lane, attempts, forgiven, replay,
                   CASE WHEN state = 'waiting' AND due_at <= ?3 THEN 'ready' ELSE state END FROM runs_open
                 WHERE lane = ?1 AND (state <> 'dead' OR handler IN (SELECT value FROM json_each(?2)))
                 ORDER BY id LIMIT 1",
            )?
            .query_row(params![lane.0, blocked_by_dead.0, now.0], |row| {
                let state: String = row.get(7)?;
                Ok((open_run(row)?, State::parse(&state).unwrap_or(State::Held)))
            })
            .optional()
    }

    /// Lanes in which a run waits, is held, or is dead and blocks: look by look, since it takes as long as there are open
    /// runs.
    pub fn lanes_not_ready(
        &self,
        blocked_by_dead: &BlockedByDead,
        limit: usize,
    ) -> rusqlite::Result<Vec<Lane>> {
        // By way of the index on lanes each run would be a page of its own.
        let mut statement = self.connection.prepare_cached(
            "SELECT lane FROM runs_open NOT INDEXED WHERE id > ?1 AND id <= ?2 AND (state IN ('waiting', 'held')
               OR (state = 'dead' AND handler IN (SELECT value FROM json_each(?3))))",
        )?;
        let (mut lanes, mut after) = (BTreeSet::new(), RunId::default());
        while let Some(to) = self.end_of_look(after)? {
            let values = params![after.0, to.0, blocked_by_dead.0];
            for lane in statement.query_map(values, |row| row.get(0).map(Lane))? {
                lanes.insert(lane?);
                if limit <= lanes.len() {
                    return Ok(lanes.into_iter().collect());
                }
            }
            after = to;
        }
        Ok(lanes.into_iter().collect())
    }

    /// Up to which open run a look goes that begins after this one, so that none takes long however many are open; none:
    /// there are no more.
    pub fn end_of_look(&self, after: RunId) -> rusqlite::Result<Option<RunId>> {
        self.connection
            .prepare_cached(
                "SELECT max(id) FROM (SELECT id FROM runs_open WHERE id > ?1 ORDER BY id LIMIT ?2)",
            )?
            .query_row([after.0, RUNS_PER_LOOK], |row| {
                row.get::<_, Option<i64>>(0).map(|it| it.map(RunId))
            })
    }

    /// Open runs of a handler, from the one after `after` up to `to`: for recomputing their lanes.
    pub fn open_runs_of(
        &self,
        handler: &str,
        (after, to): (RunId, RunId),
        limit: i64,
    ) -> rusqlite::Result<Vec<OpenRun>> {
        self.connection
            .prepare_cached(
                "SELECT id, epoch, handler, lane, attempts, forgiven, replay FROM runs_open
                 WHERE handler = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?4",
            )?
            .query_map(params![handler, after.0, to.0, limit], open_run)?
            .collect()
    }

    /// The handlers that the open runs of a look belong to, and how many of these are held.
    pub fn handlers_of_open_runs(
        &self,
        (after, to): (RunId, RunId),
    ) -> rusqlite::Result<Vec<(String, i64)>> {
        self.connection
            .prepare_cached(
                "SELECT handler, sum(state = 'held') FROM runs_open WHERE id > ?1 AND id <= ?2 GROUP BY handler",
            )?
            .query_map([after.0, to.0], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    }

    /// A run's calls, in the order in which it made them.
    pub fn journal(&self, run: RunId) -> rusqlite::Result<Vec<JournalEntry>> {
        self.connection
            .prepare_cached(
                "SELECT number, state, service, method, url, request, content, idempotency_key, version, now, seen,
                   intended_at, answered_at, answer, path, decided, once, given_to, sent_by
                 FROM journal WHERE run = ?1 ORDER BY number",
            )?
            .query_map([run.0], |row| {
                let state: String = row.get(1)?;
                let answer: Option<String> = row.get(13)?;
                let decided: Option<String> = row.get(15)?;
                Ok(JournalEntry {
                    number: row.get(0)?,
                    state: CallState::parse(&state).unwrap_or(CallState::Intended),
                    service: row.get(2)?,
                    method: row.get(3)?,
                    url: row.get(4)?,
                    request: row.get(5)?,
                    content: row.get(6)?,
                    idempotency_key: row.get(7)?,
                    version: row.get(8)?,
                    now: UnixMillis(row.get(9)?),
                    seen: row.get(10)?,
                    intended_at: UnixMillis(row.get(11)?),
                    answered_at: row.get::<_, Option<i64>>(12)?.map(UnixMillis),
                    answer: answer.and_then(|it| serde_json::from_str(&it).ok()),
                    path: row.get(14)?,
                    decided: decided.as_deref().and_then(ChoiceName::parse),
                    once: row.get(16)?,
                    given_to: row.get::<_, Option<i64>>(17)?.map(RunId),
                    sent_by: SentBy(row.get(18)?),
                })
            })?
            .collect()
    }

    /// How the run's calls are to be matched: as usual, or as an operator decided for this retry.
    pub fn matching(&self, run: RunId) -> rusqlite::Result<Matching> {
        let decided: Option<(String, i64)> = self
            .connection
            .prepare_cached(
                "SELECT choice, through FROM decisions WHERE run = ?1 AND over_at IS NULL ORDER BY number DESC LIMIT 1",
            )?
            .query_row([run.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let decided =
            decided.and_then(|(choice, through)| Some((ChoiceName::parse(&choice)?, through)));
        Ok(match decided {
            Some((ChoiceName::Reuse, _)) => Matching::Reuse,
            Some((ChoiceName::Again, through)) => Matching::Again { through },
            Some((ChoiceName::Resend | ChoiceName::Settle, _)) | None => Matching::Usual,
        })
    }
}
