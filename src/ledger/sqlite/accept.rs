//! Storing an event, once.

use super::super::Receipt;
use super::super::request::{Accept, Claim, OpenRun, PlannedRun};
use super::writer::{ApplyError, Applying, Tables};
use crate::event::Event;
use crate::run::{RunId, State};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// The part of a dedupe key that is a hash of the event's id.
pub(super) const LOW_BITS: i64 = (1 << 30) - 1;
/// How far from its own key an event can lie: as many scopes as have the same id, and then some.
pub(super) const PROBES_MAX: i64 = 255;

/// The hash of an event's id that its dedupe key ends with. Leaves room for probing.
pub(super) fn low_bits(id: &str) -> i64 {
    let hash = xxhash_rust::xxh3::xxh3_64(id.as_bytes()).cast_signed();
    (hash & LOW_BITS).min(LOW_BITS - PROBES_MAX)
}

/// What an event is known by: a key that rises with time, and a fingerprint that tells two with one key apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DedupeKey {
    key: i64,
    fingerprint: i64,
}

impl DedupeKey {
    /// `created << 30 | 30 bits of hash(id)`: a random key would touch a cold page an event, which halves the rate at a
    /// million events.
    fn of(event: &Event) -> Self {
        const CREATED_SECONDS_MAX: i64 = (1 << 33) - 1;
        let mut hasher = xxhash_rust::xxh3::Xxh3Default::new();
        hasher.update(&(event.scope.len() as u64).to_le_bytes());
        hasher.update(event.scope.as_bytes());
        hasher.update(event.envelope.id.as_bytes());
        let seconds = event
            .envelope
            .created
            .seconds()
            .clamp(0, CREATED_SECONDS_MAX);
        Self {
            key: seconds << 30 | low_bits(&event.envelope.id),
            fingerprint: hasher.digest().cast_signed(),
        }
    }
}

/// Stores the event and its runs, or finds that it is known.
pub(super) fn accept(tables: &mut Tables, it: &Accept) -> Applying<Receipt> {
    let event = &*it.event;
    let seq = tables.next.event_seq;
    if let Some(known) = already_seen(&tables.connection, event, seq)? {
        // An account's endpoint and a Connect one may share a scope: the second delivery makes only what is lacking.
        let lacking = lacking_runs(&tables.connection, known, &event.endpoint, &it.runs)?;
        let first = if lacking.is_empty() {
            1
        } else {
            next_ordinal(&tables.connection, known)?
        };
        make_runs(
            tables,
            RunId::of(known, first),
            &lacking,
            0,
            Some(&it.event),
        )?;
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

/// Marks the event as seen, under `seq`; or gives the number that it is known under.
fn already_seen(connection: &Connection, event: &Event, seq: i64) -> Applying<Option<i64>> {
    let DedupeKey { key, fingerprint } = DedupeKey::of(event);
    for key in key..=key + PROBES_MAX {
        let fresh = connection
            .prepare_cached(
                "INSERT OR IGNORE INTO seen (key, fingerprint, event_seq, received_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![key, fingerprint, seq, event.received_at.0])?;
        if fresh == 1 {
            return Ok(None);
        }
        let (found, known): (i64, i64) = connection
            .prepare_cached("SELECT fingerprint, event_seq FROM seen WHERE key = ?1")?
            .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if found == fingerprint {
            return Ok(Some(known));
        }
    }
    Err(ApplyError::Refused(format!(
        "{PROBES_MAX} other events have the dedupe key of this one"
    )))
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

/// Makes runs of a stored event, with ids from `first` on; those that can start are told to the worker once the batch is
/// committed.
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
        if run.held.is_none() {
            tables.arrived.push(OpenRun {
                claim: Claim { id, epoch: 0 },
                handler: run.handler.clone(),
                lane: run.lane,
                attempts: 0,
                forgiven: 0,
                replay,
                event: event.cloned(),
            });
        }
        made.push(id);
    }
    Ok(made)
}

/// The place of an event's next run among its runs, from 1.
pub(super) fn next_ordinal(connection: &Connection, event_seq: i64) -> rusqlite::Result<i64> {
    let range = RunId::range_of(event_seq);
    let highest: Option<i64> = connection
        .prepare_cached(
            "SELECT max(id) FROM (SELECT max(id) AS id FROM runs_open WHERE id BETWEEN ?1 AND ?2
             UNION ALL SELECT max(id) FROM runs_done WHERE id BETWEEN ?1 AND ?2)",
        )?
        .query_row([*range.start(), *range.end()], |row| row.get(0))?;
    Ok(highest.map_or(1, |it| it - *range.start() + 1))
}
