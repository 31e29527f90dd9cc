//! Runs that were in an engine when the process ended uncleanly.

use super::Dispatcher;
use crate::ledger::request::Postpone;
use crate::ledger::running::BLAME_MAX;
use crate::run::State;
use std::sync::PoisonError;
use tracing::error;

impl Dispatcher {
    /// Called only while no script runs: suspects run alone.
    pub(super) fn note_suspects(&self) {
        if let Err(error) = self.shared.running.park(&self.suspects) {
            error!(%error, "the file that names the running runs cannot be written: {error}");
        }
    }

    /// A run that is in an engine at one unclean end after another is what ends the process: it must not do so at every
    /// start.
    pub(super) async fn clear_suspects(&mut self) {
        for (id, blame) in self.suspects.clone() {
            let found = {
                let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
                reader.open_run(id)
            };
            let Ok(Some(run)) = found else { continue };
            if blame < BLAME_MAX {
                // It was at the head of its lane, or it would not have run.
                let follow = self.lanes.look_up(run.lane);
                self.follow(follow);
                continue;
            }
            self.suspects.remove(&id);
            error!(run.id = %id, handler = %run.handler, "run {id} is dead: the host ended while it ran, and again when it ran alone");
            let postpone = Postpone {
                claim: run.claim,
                state: State::Dead,
                due_at: None,
                waits_for: None,
                why: "the host ended while this run was in the script engine, and again when it ran alone".into(),
                needs: None,
                attempts: run.attempts,
                attempt: None,
            };
            if let Err(error) = self.shared.ledger.postpone(postpone).await {
                error!(%error, "run {id} could not be set dead: {error}");
            }
        }
        self.note_suspects();
    }
}
