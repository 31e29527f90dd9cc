//! Open runs are brought in line with what is in force, a bite at a time: acks go on in between, and a start goes on with
//! what a crash left undone.

use super::{Reloader, last_good};
use crate::envelope::Wanted;
use crate::in_force::{InForce, LoadedHandler};
use crate::ledger::request::Order;
use crate::ledger::sqlite::many::RUNS_PER_BITE;
use crate::ledger::sqlite::read::ReadError;
use crate::ledger::{LedgerError, Ordered};
use crate::run::{Lane, RunId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Runs of a bite with the lanes that a handler gives them, and the last run that was looked at; none when all were.
type Bite = (Vec<(RunId, Lane)>, Option<RunId>);

/// Between two tries to release what was held late.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Looks again whenever a run was held by a version that was in force no more, until shutdown: the reload that brought a
/// good one had released what it found, and this run came after.
pub async fn release_late(
    reloader: Arc<Reloader>,
    held_late: Arc<Notify>,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = held_late.notified() => {}
        }
        if let Err(error) = reloader.align_again().await {
            warn!(%error, "runs that were held late could not be released, trying again: {error}");
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            held_late.notify_one();
        }
    }
}

impl Reloader {
    /// For runs that were held by a version that was in force no more.
    pub async fn align_again(&self) -> Result<(), LedgerError> {
        let _turn = self.turn.lock().await;
        let now = self.current.load_full();
        self.align(&now).await
    }

    /// Holds open runs of handlers that are gone, releases held ones of handlers that are good again, and puts runs into
    /// other lanes where `order_by` changed.
    pub(super) async fn align(&self, now: &InForce) -> Result<(), LedgerError> {
        let with_runs = self
            .reader()
            .handlers_with_open_runs()
            .map_err(unreadable)?;
        let mut some_are_gone = false;
        for (name, held) in with_runs {
            let handler: Arc<str> = name.into();
            match now.handler(&handler) {
                None => {
                    some_are_gone = true;
                    let why = format!("handler `{handler}` is not in handlers.toml");
                    self.hold(&handler, Some(why)).await?;
                }
                Some(it) if it.program().is_ok() && held > 0 => self.hold(&handler, None).await?,
                Some(_) => {}
            }
        }
        let mut values = Vec::new();
        for it in now.handlers() {
            // The ledger knows it, so that a change which was made while no host ran is seen too.
            let key = last_good::order_key_of(&it.handler.name);
            let value = format!("{:?}", it.handler.order_by);
            let known = self.reader().meta(&key).map_err(unreadable)?;
            if known.as_ref() == Some(&value) {
                continue;
            }
            if known.is_some() {
                self.relane(now, it).await?;
            }
            values.push((key, value));
        }
        if !values.is_empty() {
            self.ledger.order(Order::SetMeta { values }).await?;
        }
        self.nudge.notify_one();
        self.note_runs_of_gone(now, some_are_gone)
    }

    /// Notes which runs wait for a person because their handler is gone.
    pub(super) fn note_runs_of_gone(
        &self,
        now: &InForce,
        some_are_gone: bool,
    ) -> Result<(), LedgerError> {
        let of_all = if some_are_gone {
            self.reader()
                .handlers_with_open_runs()
                .map_err(unreadable)?
        } else {
            Vec::new()
        };
        let of_gone = of_all
            .into_iter()
            .filter(|(name, held)| *held > 0 && now.handler(name).is_none());
        self.lock().of_gone = of_gone
            .map(|(name, held)| of_gone_line(&name, held))
            .collect();
        Ok(())
    }

    /// With a reason: holds a handler's runs; without: releases them.
    async fn hold(&self, handler: &Arc<str>, why: Option<String>) -> Result<(), LedgerError> {
        let mut after = RunId::default();
        loop {
            let runs = self
                .reader()
                .runs_to_hold(handler, why.is_none(), after)
                .map_err(unreadable)?;
            let Some(last) = runs.last() else {
                return Ok(());
            };
            after = *last;
            let (handler, why) = (handler.clone(), why.clone());
            let order = Order::Hold { handler, why, runs };
            self.ledger.order(order).await?;
        }
    }

    async fn relane(&self, now: &InForce, loaded: &LoadedHandler) -> Result<(), LedgerError> {
        let mut after = RunId::default();
        loop {
            let (lanes, last) = self.bite(&loaded.handler.name, after, now, loaded)?;
            let Some(last) = last else { return Ok(()) };
            after = last;
            self.ledger.order(Order::Relane { lanes }).await?;
        }
    }

    /// Makes open runs of a handler that is gone runs of another. Answers how many were moved, and how many stay because
    /// their event has a run of the other one already.
    pub async fn move_runs(&self, from: &str, to: &str) -> Result<(usize, usize), String> {
        let _turn = self.turn.lock().await;
        let now = self.current.load_full();
        if now.handler(from).is_some() {
            return Err(format!(
                "handler `{from}` is still in handlers.toml: take it out or rename it first"
            ));
        }
        let Some(loaded) = now.handler(to) else {
            return Err(format!("there is no handler `{to}` in handlers.toml"));
        };
        let (mut moved, mut looked_at) = (0, 0);
        let mut after = RunId::default();
        loop {
            let bite = self.bite(from, after, &now, loaded);
            let (runs, last) = bite.map_err(|it| it.to_string())?;
            let Some(last) = last else { break };
            (after, looked_at) = (last, looked_at + runs.len());
            let order = Order::Move {
                from: from.into(),
                to: loaded.handler.name.clone(),
                runs,
                held: loaded.program().err().map(str::to_owned),
            };
            match self.ledger.order(order).await {
                Ok(Ordered::Done { affected }) => moved += affected,
                Ok(Ordered::Runs(_) | Ordered::NotFound(_)) => {}
                Err(error) => {
                    self.nudge();
                    return Err(format!("{moved} runs were moved, then: {error}"));
                }
            }
        }
        self.nudge();
        self.note_runs_of_gone(&now, true)
            .map_err(|it| it.to_string())?;
        if looked_at == 0 {
            return Err(format!("handler `{from}` has no open runs"));
        }
        Ok((moved, looked_at - moved))
    }

    /// The next open runs of a handler, with the lanes that `loaded` gives them.
    fn bite(
        &self,
        handler: &str,
        after: RunId,
        now: &InForce,
        loaded: &LoadedHandler,
    ) -> Result<Bite, LedgerError> {
        let mut reader = self.reader();
        let runs = reader
            .open_runs_of(handler, after, RUNS_PER_BITE)
            .map_err(unreadable)?;
        let last = runs.last().map(|it| it.claim.id);
        let mut lanes = Vec::with_capacity(runs.len());
        for run in runs {
            let id = run.claim.id;
            let Some(event) = reader.event(id.event_seq()).map_err(unreadable)? else {
                continue;
            };
            let parsed = Wanted::read(&now.wanted, &event.body, event.received_at);
            lanes.push((id, loaded.lane(&parsed, &event.scope)));
        }
        Ok((lanes, last))
    }
}

fn of_gone_line(handler: &str, held: i64) -> String {
    let runs = if held == 1 { "run is" } else { "runs are" };
    format!(
        "{held} {runs} held: handler `{handler}` is not in handlers.toml; `hookyard runs move {handler} NEW` makes another handler do them, `hookyard runs drop` ends them"
    )
}

fn unreadable(it: ReadError) -> LedgerError {
    LedgerError::Refused(it.to_string())
}
