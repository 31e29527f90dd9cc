//! What is good is kept in the ledger, so that a start with broken files works from it.

use super::{Reloader, last_good};
use crate::in_force::InForce;
use crate::ledger::LedgerError;
use crate::ledger::request::Order;

impl Reloader {
    /// Keeps what is good in the ledger, so that a start with broken files works from it.
    pub(super) async fn keep(&self, in_force: &InForce) -> Result<(), LedgerError> {
        let at = self.clock.now();
        let set = |key: String, value: String| self.ledger.order(Order::SetMeta { key, value });
        set(last_good::CONFIG.into(), in_force.config.text.clone()).await?;
        for it in in_force.handlers() {
            let Ok(program) = &it.program else { continue };
            let key = last_good::key_of(&it.handler.name);
            let known = self.reader().meta(&key).ok().flatten();
            if known.as_deref() == Some(program.version()) {
                continue;
            }
            let sources = serde_json::to_string(program.sources())
                .map_err(|it| LedgerError::Refused(it.to_string()))?;
            self.ledger
                .order(Order::KeepVersion {
                    hash: program.version().into(),
                    script: program.script().to_owned(),
                    sources,
                    at,
                })
                .await?;
            set(key, program.version().to_owned()).await?;
        }
        Ok(())
    }
}
