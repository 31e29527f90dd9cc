//! Changes of many open runs, a bite at a time: there may be a million of them, and acks go on between two bites. What a
//! crash leaves half done is found by the next start, which asks for the rest.

use super::super::Ordered;
use super::read::Reader;
use super::writer::{Applying, Tables};
use crate::run::{Lane, RunId};
use rusqlite::params;

/// The most runs that one bite changes.
pub const RUNS_PER_BITE: i64 = 500;

/// The worker finds released runs on disk.
pub(super) fn hold(
    tables: &Tables,
    handler: &str,
    why: Option<&str>,
    runs: &[RunId],
) -> Applying<Ordered> {
    let sql = match why {
        Some(_) => {
            "UPDATE runs_open SET state = 'held', due_at = NULL, why = ?3, epoch = epoch + 1
             WHERE id = ?1 AND handler = ?2 AND state IN ('ready', 'waiting')"
        }
        None => {
            "UPDATE runs_open SET state = 'ready', why = ?3, epoch = epoch + 1
             WHERE id = ?1 AND handler = ?2 AND state = 'held'"
        }
    };
    let mut affected = 0;
    for run in runs {
        affected += tables
            .connection
            .prepare_cached(sql)?
            .execute(params![run.0, handler, why])?;
    }
    Ok(Ordered::Done { affected })
}

pub(super) fn relane(tables: &Tables, lanes: &[(RunId, Lane)]) -> Applying<Ordered> {
    let mut affected = 0;
    for (run, lane) in lanes {
        affected += tables
            .connection
            .prepare_cached("UPDATE runs_open SET lane = ?2 WHERE id = ?1")?
            .execute([run.0, lane.0])?;
    }
    Ok(Ordered::Done { affected })
}

/// Dead runs stay dead, and can be retried there; the others begin again.
pub(super) fn move_runs(
    tables: &Tables,
    from: &str,
    to: &str,
    runs: &[(RunId, Lane)],
    held: Option<&str>,
) -> Applying<Ordered> {
    let mut affected = 0;
    for (run, lane) in runs {
        let of_event = RunId::range_of(run.event_seq());
        affected += tables
            .connection
            .prepare_cached(
                "UPDATE runs_open SET handler = ?2, lane = ?3, due_at = NULL, epoch = epoch + 1,
                   state = CASE WHEN state = 'dead' THEN state WHEN ?4 IS NULL THEN 'ready' ELSE 'held' END,
                   why = CASE WHEN state = 'dead' THEN why ELSE ?4 END
                 WHERE id = ?1 AND handler = ?5
                   AND NOT EXISTS (SELECT 1 FROM runs_open AS other WHERE other.id BETWEEN ?6 AND ?7 AND other.handler = ?2)
                   AND NOT EXISTS (SELECT 1 FROM runs_done WHERE runs_done.id BETWEEN ?6 AND ?7 AND runs_done.handler = ?2)",
            )?
            .execute(params![
                run.0,
                to,
                lane.0,
                held,
                from,
                of_event.start(),
                of_event.end()
            ])?;
    }
    Ok(Ordered::Done { affected })
}

impl Reader {
    /// The next bite of a handler's runs that can be held, or of those that are, from the one after `after` up to `to`.
    pub fn runs_to_hold(
        &self,
        handler: &str,
        is_held: bool,
        (after, to): (RunId, RunId),
    ) -> rusqlite::Result<Vec<RunId>> {
        self.connection
            .prepare_cached(
                "SELECT id FROM runs_open WHERE handler = ?1 AND id > ?2 AND id <= ?5
                   AND CASE WHEN ?3 THEN state = 'held' ELSE state IN ('ready', 'waiting') END ORDER BY id LIMIT ?4",
            )?
            .query_map(
                params![handler, after.0, is_held, RUNS_PER_BITE, to.0],
                |row| row.get(0).map(RunId),
            )?
            .collect()
    }
}
