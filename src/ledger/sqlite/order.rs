//! What operators, reloads and the host's housekeeping ask for.

use super::super::Ordered;
use super::super::request::{Claim, OpenRun, Order, PlannedRun};
use super::Arrival;
use super::accept::{make_runs, next_runs};
use super::commit::{apply_change, drop_run};
use super::decide::decide;
use super::decide_versions::{decide_versions, forget_stuck};
use super::forget_versions::forget_versions;
use super::many::{hold, move_runs, relane};
use super::once;
use super::writer::{ApplyError, Applying, Tables};
use crate::clock::UnixMillis;
use crate::record::{Change, RecordKey};
use crate::run::{Lane, RUNS_PER_EVENT_MAX, RunId};
use rusqlite::{OptionalExtension, Row, params};
use std::sync::Arc;

/// Events that one bite of retention deletes.
const EVENTS_PER_BITE: i64 = 200;

pub(super) fn order(tables: &mut Tables, order: &Order) -> Applying<Ordered> {
    match order {
        Order::Retry { run, decision } => {
            if let Some(it) = decision
                && let Err(why) = decide(tables, *run, it)?
            {
                return Ok(Ordered::NotFound(why));
            }
            retry(tables, *run)
        }
        Order::Drop { run, at } => {
            if drop_run(tables, *run, *at)? {
                Ok(Ordered::Done { affected: 1 })
            } else {
                not_open(tables, *run)
            }
        }
        Order::Replay {
            event_seq,
            runs,
            call_again,
        } => replay(tables, *event_seq, runs, *call_again),
        Order::Hold { handler, why, runs } => hold(tables, handler, why.as_deref(), runs),
        Order::Relane { lanes } => relane(tables, lanes),
        Order::Move {
            from,
            to,
            runs,
            held,
        } => move_runs(tables, from, to, runs, held.as_deref()),
        Order::SetRecord { key, body, at } => set_record(tables, key, body.as_deref(), *at),
        Order::DecideVersions { decisions } => decide_versions(tables, decisions),
        Order::SetMeta { values } => {
            for (key, value) in values {
                tables
                    .connection
                    .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
                    .execute([key, value])?;
            }
            Ok(Ordered::Done {
                affected: values.len(),
            })
        }
        Order::ForgetVersions { versions, before } => forget_versions(tables, versions, *before),
        Order::Prune {
            events_before,
            dedupe_before,
        } => prune(tables, *events_before, *dedupe_before),
    }
}

/// Ready again, in its old place of its lane. The new epoch fences an attempt that may still be going on. A held run only
/// when its handler is let go by it.
fn retry(tables: &mut Tables, run: RunId) -> Applying<Ordered> {
    let is_let_go = forget_stuck(&tables.connection, run)?;
    let ready = tables
        .connection
        .prepare_cached(
            "UPDATE runs_open SET state = 'ready', due_at = NULL, why = NULL, needs = NULL, needs_call = NULL,
               epoch = epoch + 1, forgiven = CASE state WHEN 'dead' THEN attempts ELSE forgiven END
             WHERE id = ?1 AND (state IN ('dead', 'waiting') OR (state = 'held' AND ?2))
             RETURNING id, epoch, handler, lane, attempts, forgiven, replay",
        )?
        .query_row(params![run.0, is_let_go], open_run)
        .optional()?;
    match ready {
        Some(it) => {
            tables.arrived.push(Arrival::Ready(it));
            Ok(Ordered::Done { affected: 1 })
        }
        None => not_open(tables, run),
    }
}

pub(super) fn not_open(tables: &Tables, run: RunId) -> Applying<Ordered> {
    let found: Option<(String, Option<String>)> = tables
        .connection
        .prepare_cached(
            "SELECT state, CASE state WHEN 'held' THEN why END FROM runs_open WHERE id = ?1
             UNION ALL SELECT state, NULL FROM runs_done WHERE id = ?1",
        )?
        .query_row([run.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(Ordered::NotFound(match found {
        Some((state, Some(why))) if why.ends_with("is not in handlers.toml") => format!(
            "run {run} is {state}: {why}; if it was renamed, `hookyard runs move OLD NEW` makes the new one do it"
        ),
        Some((state, Some(why))) => format!("run {run} is {state}: {why}"),
        Some((state, None)) => format!("run {run} is {state}"),
        None => format!("there is no run {run}; `hookyard runs list` shows the runs"),
    }))
}

fn replay(
    tables: &mut Tables,
    event_seq: i64,
    runs: &[PlannedRun],
    call_again: bool,
) -> Applying<Ordered> {
    let range = RunId::range_of(event_seq);
    let known: bool = tables
        .connection
        .prepare_cached("SELECT 1 FROM events WHERE seq = ?1")?
        .exists([event_seq])?;
    if !known {
        return Ok(Ordered::NotFound(format!(
            "there is no event number {event_seq}"
        )));
    }
    let mut made = Vec::new();
    for run in runs {
        let open: Option<i64> = tables
            .connection
            .prepare_cached(
                "SELECT id FROM runs_open WHERE id BETWEEN ?1 AND ?2 AND handler = ?3 LIMIT 1",
            )?
            .query_row(params![range.start(), range.end(), run.handler], |row| {
                row.get(0)
            })
            .optional()?;
        if let Some(open) = open {
            return Err(ApplyError::Refused(format!(
                "run {open} of handler `{}` is still open: `hookyard runs retry {open}` or `hookyard runs drop {open}` first",
                run.handler
            )));
        }
    }
    // What is refused has written nothing.
    next_runs(&tables.connection, event_seq, runs.len())?;
    for run in runs {
        // A run that was moved here brought its number along: no other may have it, or their calls would share keys.
        let (earlier, before): (i64, Option<i64>) = tables
            .connection
            .prepare_cached(
                "SELECT max(count(*), coalesce(max(replay), 0) + 1), max(id) FROM runs_done WHERE id BETWEEN ?1 AND ?2 AND handler = ?3",
            )?
            .query_row(params![range.start(), range.end(), run.handler], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let first = next_runs(&tables.connection, event_seq, 1)?;
        made.append(&mut make_runs(
            tables,
            first,
            std::slice::from_ref(run),
            earlier,
            None,
        )?);
        if call_again {
            once::forget(&tables.connection, range.clone(), &run.handler)?;
        } else if let Some(before) = before {
            go_on_from(tables, RunId(before), first)?;
        }
    }
    Ok(Ordered::Runs(made))
}

/// The calls of a run stand in the journal of the next one too: what is settled is not made a second time.
fn go_on_from(tables: &Tables, before: RunId, run: RunId) -> rusqlite::Result<()> {
    tables
        .connection
        .prepare_cached(
            "INSERT INTO journal (run, number, state, service, method, url, request, content, idempotency_key,
               version, now, seen, intended_at, answered_at, answer, path, decided, once, given_to, sent_by)
             SELECT ?2, number, state, service, method, url, request, content, idempotency_key,
               version, now, seen, intended_at, answered_at, answer, path, decided, once, given_to, sent_by FROM journal WHERE run = ?1",
        )?
        .execute([before.0, run.0])?;
    Ok(())
}

fn set_record(
    tables: &mut Tables,
    key: &RecordKey,
    body: Option<&str>,
    at: UnixMillis,
) -> Applying<Ordered> {
    type Found = (i64, Option<String>, Option<i64>);
    let found: Option<Found> = tables
        .connection
        .prepare_cached(
            "SELECT version, body, newest_event_at FROM records WHERE collection = ?1 AND id = ?2",
        )?
        .query_row([&key.collection, &key.id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let (base_version, before, newest_event_at) = found.unwrap_or((0, None, None));
    if body.is_none() && before.is_none() {
        let RecordKey { collection, id } = key;
        return Ok(Ordered::NotFound(format!(
            "there is no record `{id}` in `{collection}`"
        )));
    }
    let change = Change {
        key: key.clone(),
        base_version,
        before,
        after: body.map(str::to_owned),
        newest_event_at: newest_event_at.map(UnixMillis),
    };
    apply_change(tables, None, &change.into(), None, at)?;
    Ok(Ordered::Done { affected: 1 })
}

/// Looks at the next few of the oldest events and deletes those that are past their time, with all that belongs to them.
/// What an open or dead run needs stays. Answers how many there were, and how many rows of the tables that go by their own
/// age went: an event may leave more of those than a bite takes. When it was the last of the events, the look begins again
/// with the oldest. A look at all of them at once would keep every ack waiting.
fn prune(
    tables: &mut Tables,
    events_before: UnixMillis,
    dedupe_before: UnixMillis,
) -> Applying<Ordered> {
    let connection = &tables.connection;
    // The next number must not be given twice once the highest row is gone.
    for (key, value) in [
        ("next_event_seq", tables.next.event_seq),
        ("next_change", tables.next.change),
    ] {
        connection
            .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
            .execute(params![key, value.to_string()])?;
    }
    let looked_at: Vec<(i64, bool)> = connection
        .prepare_cached(
            "SELECT seq, EXISTS (SELECT 1 FROM runs_open WHERE runs_open.id BETWEEN seq * ?2 AND seq * ?2 + ?2 - 1)
             FROM (SELECT seq, received_at FROM events WHERE seq > ?3 ORDER BY seq LIMIT ?4) WHERE received_at < ?1",
        )?
        .query_map(
            [
                events_before.0,
                RUNS_PER_EVENT_MAX,
                tables.pruned_through,
                EVENTS_PER_BITE,
            ],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .collect::<rusqlite::Result<_>>()?;
    tables.pruned_through = looked_at.last().map_or(0, |(seq, _)| *seq);
    let is_finished = |(seq, is_open): &(i64, bool)| (!is_open).then_some(*seq);
    let seqs: Vec<i64> = looked_at.iter().filter_map(is_finished).collect();
    if let Some(newest) = seqs.last() {
        tables.seen.merge_through(&tables.connection, *newest)?;
    }
    let connection = &tables.connection;
    for seq in &seqs {
        let range = RunId::range_of(*seq);
        let runs = [*range.start(), *range.end()];
        connection
            .prepare_cached("DELETE FROM events WHERE seq = ?1")?
            .execute([seq])?;
        for sql in [
            "DELETE FROM runs_done WHERE id BETWEEN ?1 AND ?2",
            "DELETE FROM attempts WHERE run BETWEEN ?1 AND ?2",
            "DELETE FROM journal WHERE run BETWEEN ?1 AND ?2",
            "DELETE FROM decisions WHERE run BETWEEN ?1 AND ?2",
        ] {
            connection.prepare_cached(sql)?.execute(runs)?;
        }
    }
    // `seen` is in the order of `created`, near enough to that of arrival for a bounded look at its old end.
    let seen = connection
        .prepare_cached(
            "DELETE FROM seen WHERE key IN (SELECT key FROM seen ORDER BY key LIMIT ?2) AND received_at < ?1",
        )?
        .execute([dedupe_before.0, EVENTS_PER_BITE])?;
    let once = once::prune(connection, dedupe_before, EVENTS_PER_BITE)?;
    let changes = connection
        .prepare_cached(
            "DELETE FROM record_changes WHERE id IN (SELECT id FROM record_changes ORDER BY id LIMIT ?2) AND at < ?1",
        )?
        .execute([events_before.0, EVENTS_PER_BITE])?;
    Ok(Ordered::Done {
        affected: looked_at.len() + seen + once + changes,
    })
}

/// Reads `id, epoch, handler, lane, attempts, forgiven, replay`.
pub(super) fn open_run(row: &Row<'_>) -> rusqlite::Result<OpenRun> {
    let handler: String = row.get(2)?;
    Ok(OpenRun {
        claim: Claim {
            id: RunId(row.get(0)?),
            epoch: row.get(1)?,
        },
        handler: Arc::from(handler),
        lane: Lane(row.get(3)?),
        attempts: row.get(4)?,
        forgiven: row.get(5)?,
        replay: row.get(6)?,
        event: None,
    })
}
