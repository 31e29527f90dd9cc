//! Carries out an operator's commands, in a running host or, when none runs, in the command's own process.

use super::command::{Command, RecordByHand, Reply};
use crate::clock::Clock;
use crate::config::no_collection;
use crate::in_force::{Current, LoadedHandler};
use crate::ledger::decision::Decision;
use crate::ledger::request::Order;
use crate::ledger::sqlite::read::Reader;
use crate::ledger::{Ledger, LedgerError, Ordered};
use crate::record::{RECORD_NAME_BYTES_MAX, RECORD_SIZE_BYTES_MAX, RecordKey, no_body};
use crate::reload::Reloader;
use crate::run::RunId;
use crate::worker::{Lost, Turns};
use std::sync::{Arc, Mutex, PoisonError};

pub struct Operator {
    pub ledger: Ledger,
    pub reader: Mutex<Reader>,
    pub current: Current,
    pub clock: Arc<dyn Clock>,
    pub reloader: Arc<Reloader>,
    /// What stuck scripts have cost the host; none when none runs.
    pub lost: Option<Arc<Lost>>,
    /// The turns of its runs, which changes of records by hand take part in.
    pub turns: Arc<Turns>,
    /// Where the host listens; empty when none runs.
    pub address: String,
}

impl Operator {
    pub async fn carry_out(&self, command: Command) -> Reply {
        let at = self.clock.now();
        match command {
            Command::Reload => Reply::Reloaded(self.reloader.reload(true).await),
            Command::Status => {
                let mut problems = self.reloader.problems();
                let in_force = self.current.load();
                let lost = self.lost.as_ref();
                problems.extend(lost.map(|it| it.problems(&in_force)).unwrap_or_default());
                problems.extend(in_force.services.ill());
                problems.extend(self.ledger.unavailable().map(|it| it.to_string()));
                Reply::Status {
                    problems,
                    address: self.address.clone(),
                }
            }
            Command::Services => self.services(),
            Command::RetryRun { run, choice, by } => {
                let decision = choice.map(|choice| Decision { choice, by, at });
                self.retry(RunId(run), decision).await
            }
            Command::DropRun { run } => {
                let run = RunId(run);
                let dropped = self.ledger.order(Order::Drop { run, at }).await;
                // It may have been what others in its lane were waiting for.
                self.reloader.nudge();
                reply(dropped)
            }
            Command::Replay {
                event,
                handler,
                call_again,
            } => self.replay(&event, handler.as_deref(), call_again).await,
            Command::Rollback { handler, version } => {
                let done = match version {
                    Some(it) => self.reloader.pin(&handler, &it).await,
                    None => self.reloader.unpin(&handler).await,
                };
                done.map_or_else(Reply::Refused, Reply::Reloaded)
            }
            Command::MoveRuns { from, to } => match self.reloader.move_runs(&from, &to).await {
                Ok((moved, stay)) => Reply::Moved { moved, stay },
                Err(why) => Reply::Refused(why),
            },
            Command::SetRecords { records } => self.set_records(records).await,
        }
    }

    /// A retry of a run whose handler is held because its script got stuck lets the handler go on.
    async fn retry(&self, run: RunId, decision: Option<Decision>) -> Reply {
        let handler = {
            let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            reader.handler_of(run)
        };
        let stuck = match handler {
            Ok(Some((it, _))) if self.current.load().handler(&it).is_none() => {
                return Reply::Refused(format!(
                    "run {run} cannot be tried again: handler `{it}` is not in handlers.toml; put it back, or `hookyard runs move {it} NEW` makes another handler do its runs"
                ));
            }
            Ok(it) => it.filter(|(_, is_stuck)| *is_stuck),
            Err(error) => return Reply::Refused(error.to_string()),
        };
        let retried = self.ledger.order(Order::Retry { run, decision }).await;
        if let (Ok(Ordered::Done { .. }), Some((handler, _)), Some(lost)) =
            (&retried, stuck, &self.lost)
        {
            lost.forget(&handler);
            if let Err(error) = self.reloader.let_go(&handler).await {
                return Reply::Refused(error.to_string());
            }
        }
        reply(retried)
    }

    fn services(&self) -> Reply {
        let mut services = self.current.load().services.status(self.clock.now());
        let waiting = {
            let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            reader.waiting_for_services()
        };
        match waiting {
            Ok(waiting) => {
                for group in waiting {
                    for it in services.iter_mut().filter(|it| *it.name == *group.service) {
                        it.runs_waiting += group.runs;
                    }
                }
                Reply::Services(services)
            }
            Err(error) => Reply::Refused(error.to_string()),
        }
    }

    async fn replay(&self, id: &str, handler: Option<&str>, call_again: bool) -> Reply {
        let in_force = self.current.load_full();
        let planned = {
            let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            let seqs = match reader.event_seqs(id) {
                Ok(it) => it,
                Err(error) => return Reply::Refused(error.to_string()),
            };
            let mut planned = Vec::new();
            for seq in seqs {
                let event = match reader.event(seq) {
                    Ok(Some(it)) => it,
                    Ok(None) => continue,
                    Err(error) => return Reply::Refused(error.to_string()),
                };
                let parsed = in_force.wanted.read(&event.body, event.received_at);
                let runs = match handler {
                    None => in_force.plan(&parsed, &event.endpoint, &event.scope),
                    Some(name) => match in_force.handler(name) {
                        Some(it) => vec![LoadedHandler::plan(it, &parsed, &event.scope)],
                        None => return Reply::Refused(in_force.no_handler(name)),
                    },
                };
                planned.push((seq, runs));
            }
            planned
        };
        if planned.is_empty() {
            return Reply::Refused(format!(
                "there is no event {id}; `hookyard events list` shows the events"
            ));
        }
        let mut made = Vec::new();
        for (event_seq, runs) in planned {
            let replay = Order::Replay {
                event_seq,
                runs,
                call_again,
            };
            match self.ledger.order(replay).await {
                Ok(Ordered::Runs(runs)) => made.extend(runs.iter().map(|it| it.0)),
                Ok(Ordered::Done { .. }) => {}
                Ok(Ordered::NotFound(why)) => return Reply::Refused(why),
                Err(error) => return Reply::Refused(error.to_string()),
            }
        }
        if in_force.is_outdated(&self.current)
            && let Err(error) = self.reloader.align_again().await
        {
            return Reply::Refused(error.to_string());
        }
        if made.is_empty() {
            return Reply::Refused(format!(
                "no handler takes event {id}; name one with --handler"
            ));
        }
        Reply::Runs(made)
    }

    async fn set_records(&self, records: Vec<RecordByHand>) -> Reply {
        // All are looked at before the first is written.
        if let Some(why) = records.iter().find_map(problem_of) {
            return Reply::Refused(why);
        }
        let (keys, bodies): (Vec<RecordKey>, Vec<Option<String>>) = records
            .into_iter()
            .map(|it| {
                let (collection, id) = (it.collection, it.id);
                (RecordKey { collection, id }, it.body)
            })
            .unzip();
        // Until all are written.
        let _turn = self.turns.by_hand(&keys).await;
        // All are asked for before the first is waited for: the ledger commits them together.
        let mut asked = Vec::with_capacity(keys.len());
        for (key, body) in keys.into_iter().zip(bodies) {
            let at = self.clock.now();
            let order = Order::SetRecord { key, body, at };
            let ledger = self.ledger.clone();
            asked.push(tokio::spawn(async move { ledger.order(order).await }));
        }
        let mut affected = 0;
        let mut refused = None;
        for it in asked {
            match it.await {
                Ok(Ok(Ordered::Done { .. } | Ordered::Runs(_))) => affected += 1,
                Ok(Ok(Ordered::NotFound(why))) => refused = Some(why),
                Ok(Err(error)) => refused = Some(error.to_string()),
                Err(error) => refused = Some(error.to_string()),
            }
        }
        if let Some(why) = refused {
            let others = if affected > 0 {
                format!("; {affected} other records are written")
            } else {
                String::new()
            };
            return Reply::Refused(format!("{why}{others}"));
        }
        Reply::Done { affected }
    }
}

/// What is wrong with a record that a person gives.
fn problem_of(it: &RecordByHand) -> Option<String> {
    let RecordByHand {
        collection,
        id,
        body,
    } = it;
    for (what, name) in [("a collection's name", collection), ("a record's id", id)] {
        if name.is_empty() || name.len() > RECORD_NAME_BYTES_MAX {
            return Some(format!(
                "{what} has 1 to {RECORD_NAME_BYTES_MAX} bytes, `{name}` has {}",
                name.len()
            ));
        }
    }
    let body = body.as_deref()?;
    if body.len() > RECORD_SIZE_BYTES_MAX {
        return Some(format!(
            "record `{id}` has {} bytes, the limit is {RECORD_SIZE_BYTES_MAX}",
            body.len()
        ));
    }
    // One that is there by another's doing can still be removed.
    if let Some(why) = no_collection(collection) {
        return Some(why);
    }
    no_body(body, id).map(|why| format!("the body of record `{id}` cannot be taken: {why}"))
}

fn reply(ordered: Result<Ordered, LedgerError>) -> Reply {
    match ordered {
        Ok(Ordered::Done { affected }) => Reply::Done { affected },
        Ok(Ordered::Runs(runs)) => Reply::Runs(runs.iter().map(|it| it.0).collect()),
        Ok(Ordered::NotFound(why)) => Reply::Refused(why),
        Err(error) => Reply::Refused(error.to_string()),
    }
}
