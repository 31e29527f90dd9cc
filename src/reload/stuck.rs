//! An operator lets a handler go on that was held because its script got stuck.

use super::Reloader;
use super::choose::Choice;
use super::last_good::kept;
use crate::in_force::Chosen;
use crate::ledger::LedgerError;
use std::sync::Arc;

impl Reloader {
    /// Called once the ledger has forgotten it: its version takes runs again, those first that were held.
    pub async fn let_go(&self, handler: &str) -> Result<(), LedgerError> {
        let _turn = self.turn.lock().await;
        let before = self.current.load_full();
        let decisions = self
            .reader()
            .version_decisions()
            .map_err(|it| LedgerError::Refused(it.to_string()))?;
        let program = before.handler(handler).and_then(|it| {
            let version = decisions.in_force.get(handler)?;
            let reader = self.reader();
            let of_ledger = |version: &str| kept(&reader, version);
            let choice = Choice::new(&before.config, Some(&before), &decisions, &of_ledger);
            // It may be held for another reason by now.
            let is_held_by_it = it.program().is_err() && !decisions.stuck.contains_key(handler);
            let program = choice.version(&it.handler, version)?;
            is_held_by_it.then_some((it.clone(), program))
        });
        let mut now = before.clone();
        if let Some((loaded, program)) = program {
            let chosen = Chosen {
                program: Ok(program),
                ..loaded.chosen.clone()
            };
            now = Arc::new(before.with(handler, chosen));
            self.current.store(now.clone());
        }
        let held = format!("handler `{handler}` is held: ");
        self.lock().decided.retain(|it| !it.starts_with(&held));
        self.align(&now).await
    }
}
