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
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// In the place of what a handler's runs are ordered by, while they are put into other lanes.
const CHANGING: &str = "changing";
/// Between two tries.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// So long the alignment after a start may take before `readyz` tells of it.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// Brings open runs in line again, until shutdown, whenever that failed, or a run was held by a version that was in force
/// no more: the reload that brought a good one had released what it found, and this run came after.
pub async fn align_late(
    reloader: Arc<Reloader>,
    held_late: Arc<Notify>,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = held_late.notified() => {}
            () = reloader.unaligned.notified() => {}
        }
        if let Err(error) = reloader.align_again().await {
            warn!(%error, "open runs could not be brought in line, trying again: {error}");
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
    }
}

/// Brings open runs in line after a start, while the host takes events already: there may be a million of them. No run
/// may begin before this returns, which it does early only at a shutdown; what is left then is for the next start.
pub async fn align_first(reloader: &Reloader, shutdown: &CancellationToken) {
    let aligned = async {
        while let Err(error) = reloader.align_again().await {
            warn!(%error, "open runs could not be brought in line with handlers.toml, trying again: {error}");
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
    };
    tokio::pin!(aligned);
    tokio::select! {
        () = &mut aligned => return,
        () = shutdown.cancelled() => return,
        () = tokio::time::sleep(TOLD_AFTER) => {}
    }
    reloader.lock().aligning = true;
    tokio::select! {
        () = aligned => {}
        () = shutdown.cancelled() => {}
    }
    reloader.lock().aligning = false;
}

/// A handler whose runs are not ordered as they are to be, or not known to be.
struct Otherwise<'a> {
    loaded: &'a LoadedHandler,
    /// Of `meta`.
    key: String,
    value: String,
    /// Open runs may be in other lanes: it had another order, or an end came before the order of its runs was noted.
    may_have_runs: bool,
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
        let aligned = self.try_to_align(now).await;
        if aligned.is_err() {
            self.unaligned.notify_one();
        }
        self.nudge.notify_one();
        aligned
    }

    async fn try_to_align(&self, now: &InForce) -> Result<(), LedgerError> {
        let with_runs = self.handlers_with_open_runs().await?;
        let stuck = self.reader().version_decisions().map_err(unreadable)?.stuck;
        let is_stuck = |it: &LoadedHandler| {
            let name = &it.handler.name;
            let (stuck, program) = (stuck.get(&**name)?, it.program().ok()?);
            stuck.holds(name, program.version(), program.script())
        };
        let mut some_are_gone = false;
        for (name, held) in with_runs {
            let handler: Arc<str> = name.into();
            match now.handler(&handler) {
                None => {
                    some_are_gone = true;
                    let why = format!("handler `{handler}` is not in handlers.toml");
                    self.hold(&handler, Some(why)).await?;
                }
                Some(it) if it.program().is_ok() && held > 0 && is_stuck(it).is_none() => {
                    self.hold(&handler, None).await?;
                }
                Some(_) => {}
            }
        }
        self.reorder(now).await?;
        self.note_runs_of_gone(now, some_are_gone).await
    }

    /// The handlers that open runs belong to, and how many of these are held: look by look, since it takes as long as there
    /// are open runs.
    async fn handlers_with_open_runs(&self) -> Result<BTreeMap<String, i64>, LedgerError> {
        let mut found = BTreeMap::new();
        let mut looks = Looks::default();
        while let Some(look) = looks.next(self).await? {
            let of_look = self.look(move |reader| reader.handlers_of_open_runs(look));
            for (name, held) in of_look.await? {
                *found.entry(name).or_default() += held;
            }
            looks.after = look.1;
        }
        Ok(found)
    }

    /// Before it comes into force: no run begins of a handler whose runs are still to be put into other lanes, and the
    /// ledger knows that they are. A run can be accepted into its new lane and the host end at once; the next start may
    /// find that the old order is to be in force again.
    pub(super) async fn unsettle(&self, next: &InForce) -> Result<(), LedgerError> {
        let otherwise = self.ordered_otherwise(next).await?;
        for it in otherwise.iter().filter(|it| it.may_have_runs) {
            next.unsettled.add(it.loaded.handler.name.clone());
        }
        let noted = self.note_changing(&otherwise).await;
        if noted.is_err() {
            // What is in force stays, and its runs begin again.
            self.unaligned.notify_one();
        }
        noted
    }

    async fn note_changing(&self, otherwise: &[Otherwise<'_>]) -> Result<(), LedgerError> {
        let known = otherwise.iter().filter(|it| it.may_have_runs);
        let values: Vec<_> = known
            .map(|it| (it.key.clone(), CHANGING.to_owned()))
            .collect();
        if !values.is_empty() {
            self.ledger.order(Order::SetMeta { values }).await?;
        }
        Ok(())
    }

    async fn reorder(&self, now: &InForce) -> Result<(), LedgerError> {
        let otherwise = self.ordered_otherwise(now).await?;
        // Nothing else tells of lanes that are half changed. And whatever was accepted into the old ones is committed when
        // this is.
        self.note_changing(&otherwise).await?;
        for it in otherwise.iter().filter(|it| it.may_have_runs) {
            self.relane(now, it.loaded).await?;
        }
        if !otherwise.is_empty() {
            let values = otherwise.into_iter().map(|it| (it.key, it.value));
            let values = values.collect();
            self.ledger.order(Order::SetMeta { values }).await?;
        }
        now.unsettled.are_in_place();
        Ok(())
    }

    /// Notes which runs wait for a person because their handler is gone.
    pub(super) async fn note_runs_of_gone(
        &self,
        now: &InForce,
        some_are_gone: bool,
    ) -> Result<(), LedgerError> {
        let of_all = if some_are_gone {
            self.handlers_with_open_runs().await?
        } else {
            BTreeMap::new()
        };
        let of_gone = of_all
            .into_iter()
            .filter(|(name, held)| *held > 0 && now.handler(name).is_none());
        self.lock().of_gone = of_gone
            .map(|(name, held)| of_gone_line(&name, held))
            .collect();
        Ok(())
    }

    /// Handlers whose runs the ledger does not know to be ordered as they are now.
    async fn ordered_otherwise<'a>(
        &self,
        now: &'a InForce,
    ) -> Result<Vec<Otherwise<'a>>, LedgerError> {
        let mut found: Vec<Otherwise<'_>> = Vec::new();
        for loaded in now.handlers() {
            // The ledger knows it, so that a change which was made while no host ran is seen too.
            let key = last_good::order_key_of(&loaded.handler.name);
            let value = format!("{:?}", loaded.handler.order_by);
            let known = self.reader().meta(&key).map_err(unreadable)?;
            if known.as_ref() != Some(&value) {
                found.push(Otherwise {
                    loaded,
                    key,
                    value,
                    may_have_runs: known.is_some(),
                });
            }
        }
        if found.iter().any(|it| !it.may_have_runs) {
            let with_runs = self.handlers_with_open_runs().await?;
            for it in &mut found {
                it.may_have_runs |= with_runs.contains_key(&*it.loaded.handler.name);
            }
        }
        Ok(found)
    }

    /// With a reason: holds a handler's runs; without: releases them.
    async fn hold(&self, handler: &Arc<str>, why: Option<String>) -> Result<(), LedgerError> {
        let mut looks = Looks::default();
        while let Some(look) = looks.next(self).await? {
            let (of, is_held) = (handler.clone(), why.is_none());
            let runs = self.look(move |reader| reader.runs_to_hold(&of, is_held, look));
            let runs = runs.await?;
            let Some(last) = runs.last() else {
                looks.after = look.1;
                continue;
            };
            looks.after = *last;
            let (handler, why) = (handler.clone(), why.clone());
            let order = Order::Hold { handler, why, runs };
            self.ledger.order(order).await?;
        }
        Ok(())
    }

    async fn relane(&self, now: &InForce, loaded: &LoadedHandler) -> Result<(), LedgerError> {
        let mut looks = Looks::default();
        while let Some(lanes) = self
            .bite(&loaded.handler.name, &mut looks, now, loaded)
            .await?
        {
            self.ledger.order(Order::Relane { lanes }).await?;
        }
        Ok(())
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
            return Err(now.no_handler(to));
        };
        let (mut moved, mut looked_at) = (0, 0);
        let mut looks = Looks::default();
        loop {
            let bite = self.bite(from, &mut looks, &now, loaded).await;
            let Some(runs) = bite.map_err(|it| it.to_string())? else {
                break;
            };
            looked_at += runs.len();
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
            .await
            .map_err(|it| it.to_string())?;
        if looked_at == 0 {
            return Err(format!("handler `{from}` has no open runs"));
        }
        Ok((moved, looked_at - moved))
    }

    /// The next open runs of a handler, with the lanes that `loaded` gives them; none when all were looked at.
    async fn bite(
        &self,
        handler: &str,
        looks: &mut Looks,
        now: &InForce,
        loaded: &LoadedHandler,
    ) -> Result<Option<Vec<(RunId, Lane)>>, LedgerError> {
        let handler: Arc<str> = handler.into();
        while let Some(look) = looks.next(self).await? {
            let of = handler.clone();
            let runs = self.look(move |reader| reader.open_runs_of(&of, look, RUNS_PER_BITE));
            let runs = runs.await?;
            let Some(last) = runs.last() else {
                looks.after = look.1;
                continue;
            };
            looks.after = last.claim.id;
            let mut reader = self.reader();
            let mut lanes = Vec::with_capacity(runs.len());
            for run in runs {
                let id = run.claim.id;
                let Some(event) = reader.event(id.event_seq()).map_err(unreadable)? else {
                    continue;
                };
                let parsed = Wanted::read(&now.wanted, &event.body, event.received_at);
                lanes.push((id, loaded.lane(&parsed, &event.scope)));
            }
            return Ok(Some(lanes));
        }
        Ok(None)
    }
}

/// How far the open runs have been looked at.
#[derive(Default)]
struct Looks {
    /// The last run that was.
    after: RunId,
    /// The last one of the present look.
    to: RunId,
}

impl Looks {
    /// After which run, and up to which, the next look goes; none when all were looked at.
    async fn next(&mut self, reloader: &Reloader) -> Result<Option<(RunId, RunId)>, LedgerError> {
        let after = self.after;
        if self.to <= after {
            let end = reloader.look(move |reader| reader.end_of_look(after));
            let Some(to) = end.await? else {
                return Ok(None);
            };
            self.to = to;
        }
        Ok(Some((after, self.to)))
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
