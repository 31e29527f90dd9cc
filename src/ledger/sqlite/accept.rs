//! Storing an event, once.

use super::super::Receipt;
use super::super::request::{Accept, Claim, OpenRun, PlannedRun};
use super::Arrival;
use super::seen::DedupeKey;
use super::writer::{ApplyError, Applying, Tables};
use crate::event::Event;
use crate::run::{RUNS_PER_EVENT_MAX, RunId, State};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// Stores the event and its runs, or finds that it is known.
pub(super) fn accept(tables: &mut Tables, it: &Accept) -> Applying<Receipt> {
    let event = &*it.event;
    let seq = tables.next.event_seq;
    let key = DedupeKey::of(event);
    let known = tables
        .seen
        .find_or_add(&tables.connection, key, seq, event.received_at)?;
    if let Some(known) = known {
        // An account's endpoint and a Connect one may share a scope: the second delivery makes only what is lacking.
        let lacking = lacking_runs(&tables.connection, known, &event.endpoint, &it.runs)?;
        if !lacking.is_empty() {
            let first = next_runs(&tables.connection, known, lacking.len())?;
            make_runs(tables, first, &lacking, 0, None)?;
        }
        return Ok(Receipt::new(known, true));
    }
    tables.next.event_seq += 1;
    let envelope = &event.envelope;
    tables
        .connection
        .prepare_cached(
            "INSERT INTO events (seq, id, scope, endpoint, type, created_at, received_at, livemode, account, context,
               api_version, object_id, secret_number, unreadable, size_bytes, dictionary, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?
        .execute(params![
            seq,
            envelope.id,
            event.scope,
            event.endpoint,
            envelope.kind,
            envelope.created.0,
            event.received_at.0,
            envelope.livemode,
            envelope.account,
            envelope.context,
            envelope.api_version,
            envelope.object_id,
            event.secret_number,
            envelope.unreadable,
            i64::try_from(it.packed.size_bytes).unwrap_or(i64::MAX),
            it.packed.dictionary,
            it.packed.bytes,
        ])?;
    make_runs(tables, RunId::of(seq, 1), &it.runs, 0, Some(&it.event))?;
    Ok(Receipt::new(seq, false))
}

fn lacking_runs(
    connection: &Connection,
    event_seq: i64,
    endpoint: &str,
    planned: &[PlannedRun],
) -> rusqlite::Result<Vec<PlannedRun>> {
    if planned.is_empty() {
        return Ok(Vec::new());
    }
    let first_endpoint: Option<String> = connection
        .prepare_cached("SELECT endpoint FROM events WHERE seq = ?1")?
        .query_row([event_seq], |row| row.get(0))
        .optional()?;
    if first_endpoint.as_deref().is_none_or(|it| it == endpoint) {
        return Ok(Vec::new());
    }
    let range = RunId::range_of(event_seq);
    let handlers: Vec<String> = connection
        .prepare_cached(
            "SELECT handler FROM runs_open WHERE id BETWEEN ?1 AND ?2
             UNION SELECT handler FROM runs_done WHERE id BETWEEN ?1 AND ?2",
        )?
        .query_map([*range.start(), *range.end()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(planned
        .iter()
        .filter(|it| !handlers.iter().any(|h| **h == *it.handler))
        .cloned()
        .collect())
}

/// Makes runs of a stored event, with ids from `first` on; the worker is told of them once the batch is committed. With an
/// event: it is new, and so no run has a higher id.
pub(super) fn make_runs(
    tables: &mut Tables,
    first: RunId,
    planned: &[PlannedRun],
    replay: i64,
    event: Option<&Arc<Event>>,
) -> rusqlite::Result<Vec<RunId>> {
    let mut made = Vec::with_capacity(planned.len());
    for (id, run) in (first.0..).map(RunId).zip(planned) {
        let state = if run.held.is_some() {
            State::Held
        } else {
            State::Ready
        };
        tables
            .connection
            .prepare_cached(
                "INSERT INTO runs_open (id, handler, lane, state, attempts, forgiven, epoch, replay, why)
                 VALUES (?1, ?2, ?3, ?4, 0, 0, 0, ?5, ?6)",
            )?
            .execute(params![id.0, run.handler, run.lane.0, state.as_str(), replay, run.held])?;
        let open = OpenRun {
            claim: Claim { id, epoch: 0 },
            handler: run.handler.clone(),
            lane: run.lane,
            attempts: 0,
            forgiven: 0,
            replay,
            event: event.cloned(),
        };
        tables.arrived.push(if run.held.is_some() {
            Arrival::Held(run.lane)
        } else if event.is_some() {
            Arrival::Ready(open)
        } else {
            Arrival::Late(open)
        });
        made.push(id);
    }
    Ok(made)
}

/// The id of an event's next run, when it can have so many more: the ids after those are another event's.
pub(super) fn next_runs(connection: &Connection, event_seq: i64, count: usize) -> Applying<RunId> {
    let range = RunId::range_of(event_seq);
    let highest: Option<i64> = connection
        .prepare_cached(
            "SELECT max(id) FROM (SELECT max(id) AS id FROM runs_open WHERE id BETWEEN ?1 AND ?2
             UNION ALL SELECT max(id) FROM runs_done WHERE id BETWEEN ?1 AND ?2)",
        )?
        .query_row([*range.start(), *range.end()], |row| row.get(0))?;
    let made = highest.map_or(0, |it| it - *range.start());
    let left = RUNS_PER_EVENT_MAX - 1 - made;
    if left < i64::try_from(count).unwrap_or(i64::MAX) {
        return Err(ApplyError::Refused(format!(
            "event number {event_seq} has had {made} runs and can have no more than {}, replays included",
            RUNS_PER_EVENT_MAX - 1
        )));
    }
    Ok(RunId::of(event_seq, made + 1))
}
