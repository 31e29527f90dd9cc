//! What an attempt does when a record that it read was changed meanwhile: it begins anew, in the end with a turn alone.

use super::super::alone::{Alone, Losses};
use super::Attempt;
use crate::services::Turn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tracing::debug;

/// How often an attempt begins anew before it waits a moment. From the eighth loss on it has turns alone and loses no
/// more, but after a call that it had to wait for.
pub(super) const LOSSES_MAX: u32 = 200;

/// What was lost, and what is held so that no more is.
#[derive(Default)]
pub(super) struct Contention {
    pub losses: Losses,
    /// While it lasts, others do not change the records that this run looks at.
    alone: Mutex<Option<Alone>>,
    /// A turn at a service that came when the records had been changed meanwhile: the next try does not wait again.
    turn: Mutex<Option<Turn>>,
}

impl Attempt {
    /// After a loss, which spends no attempt: on at once, or once it has a turn alone. False when the host stops.
    pub(super) async fn may_begin_anew(&mut self) -> bool {
        let was_alone = self.is_alone();
        let losses = &mut self.contention.losses;
        losses.note(lock(&self.sight).records_read(), was_alone);
        let granted = self.loaded.handler.records.iter();
        let Some(reach) = losses.reach(granted.map(|it| it.name.clone())) else {
            return true;
        };
        let (id, losses) = (self.run.claim.id, losses.count);
        if let Some(alone) = &*lock(&self.contention.alone) {
            alone.reserve(reach);
            return true;
        }
        let alone = tokio::select! {
            it = self.shared.turns.alone(id, reach) => it,
            () = self.shared.stopping.cancelled() => return false,
        };
        debug!(run.id = %id, losses, "run {id} has a turn alone: its records were changed meanwhile {losses} times");
        *lock(&self.contention.alone) = Some(alone);
        true
    }

    pub(in super::super) fn is_alone(&self) -> bool {
        lock(&self.contention.alone).is_some()
    }

    /// Before anything that may take long: the others go on.
    pub(in super::super) fn end_turn_alone(&self) {
        *lock(&self.contention.alone) = None;
    }

    /// For the next try, if that is one alone: it would have to wait for its service over and over, and lose meanwhile.
    pub(in super::super) fn keep_turn(&self, turn: Turn) {
        if self.contention.losses.is_last_beside_others() {
            *lock(&self.contention.turn) = Some(turn);
        }
    }

    pub(in super::super) fn take_turn(&self, service: &str) -> Option<Turn> {
        let kept = lock(&self.contention.turn).take();
        kept.filter(|it| it.service() == service)
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
