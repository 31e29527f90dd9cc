//! Open runs are brought in line with what is in force.

use super::{Reloader, last_good};
use crate::envelope::Wanted;
use crate::in_force::InForce;
use crate::ledger::LedgerError;
use crate::ledger::request::Order;
use crate::ledger::sqlite::read::ReadError;
use crate::run::RunId;
use std::sync::Arc;

impl Reloader {
    /// Holds open runs of handlers that are gone, releases held ones of handlers that are good again, and puts runs into
    /// other lanes where `order_by` changed.
    pub(super) async fn align(&self, now: &InForce) -> Result<(), LedgerError> {
        let with_runs = self
            .reader()
            .handlers_with_open_runs()
            .map_err(|it| LedgerError::Refused(it.to_string()))?;
        for (name, has_held) in with_runs {
            let handler: Arc<str> = name.into();
            let order = match now.handler(&handler) {
                None => Some(format!("handler `{handler}` is not in handlers.toml")),
                Some(it) if it.program.is_ok() && has_held => None,
                Some(_) => continue,
            };
            self.ledger
                .order(Order::Hold {
                    handler,
                    why: order,
                })
                .await?;
        }
        for it in now.handlers() {
            // The ledger knows it, so that a change which was made while no host ran is seen too.
            let key = last_good::order_key_of(&it.handler.name);
            let value = format!("{:?}", it.handler.order_by);
            let known = self.reader().meta(&key).ok().flatten();
            if known.as_ref() == Some(&value) {
                continue;
            }
            if known.is_some() {
                self.relane(now, &it.handler.name).await?;
            }
            self.ledger.order(Order::SetMeta { key, value }).await?;
        }
        self.nudge.notify_one();
        Ok(())
    }

    async fn relane(&self, now: &InForce, handler: &str) -> Result<(), LedgerError> {
        const RUNS_AT_ONCE: i64 = 500;
        let unreadable = |it: ReadError| LedgerError::Refused(it.to_string());
        let Some(loaded) = now.handler(handler) else {
            return Ok(());
        };
        let mut after = RunId::default();
        loop {
            let mut lanes = Vec::new();
            {
                let mut reader = self.reader();
                for run in reader
                    .open_runs_of(handler, after, RUNS_AT_ONCE)
                    .map_err(unreadable)?
                {
                    after = run.claim.id;
                    let seq = run.claim.id.event_seq();
                    let Some(event) = reader.event(seq).map_err(unreadable)? else {
                        continue;
                    };
                    let parsed = Wanted::read(&now.wanted, &event.body, event.received_at);
                    lanes.push((run.claim.id, loaded.lane(&parsed, &event.scope)));
                }
            }
            if lanes.is_empty() {
                return Ok(());
            }
            self.ledger.order(Order::Relane { lanes }).await?;
        }
    }
}
