//! Waiting for a call that another run is making: a moment in place, then parked.

use super::super::calls::UnderWay;
use super::super::once::{look_again_at, why_waiting};
use super::end::end_of;
use super::{Attempt, End};
use crate::ledger::request::Postpone;
use crate::run::State;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

/// How long a run waits in its place among those in flight.
const PATIENCE: Duration = Duration::from_secs(1);
/// Whoever waits for one name is woken by a few others, too.
const BELLS: usize = 64;

/// Tells those who wait that a call with a name has ended in this process, however it did.
pub(in super::super) struct Once {
    /// How many have ended of the names of each of them.
    ended: Vec<watch::Sender<u64>>,
    patience: Duration,
}

/// What a run waits for in its place.
pub(super) struct Waiting {
    until: Instant,
    bell: usize,
    /// How many had ended before the script looked.
    ended: u64,
}

impl Default for Once {
    fn default() -> Self {
        Self::with_patience(PATIENCE)
    }
}

impl Once {
    pub(in super::super) fn with_patience(patience: Duration) -> Self {
        Self {
            ended: (0..BELLS).map(|_| watch::Sender::new(0)).collect(),
            patience,
        }
    }

    pub(in super::super) fn has_ended(&self, service: &str, name: &str) {
        self.ended[bell(service, name)].send_modify(|it| *it = it.wrapping_add(1));
    }

    /// Before the script looks at the ledger: what ends from now on it may not see.
    pub(super) fn before_a_look(&self, waiting: &mut Option<Waiting>) {
        if let Some(it) = waiting {
            it.ended = *self.ended[it.bell].borrow();
        }
    }
}

fn bell(service: &str, name: &str) -> usize {
    let mut hash = Xxh3Default::new();
    hash.update(service.as_bytes());
    hash.update(name.as_bytes());
    (hash.digest() % BELLS as u64) as usize
}

impl Attempt {
    /// Waits until the call may have ended, and then the script looks again; one that takes longer is waited for in the
    /// ledger. That is no attempt of this run, and no loss.
    pub(super) async fn wait_for(
        &self,
        it: UnderWay,
        waiting: &mut Option<Waiting>,
    ) -> Option<End> {
        self.end_turn_alone();
        drop(self.take_turn(&it.service));
        let once = &self.shared.once;
        let bell = bell(&it.service, &it.name);
        let (until, ended) = match waiting {
            Some(known) if known.bell == bell => (known.until, known.ended),
            // It may have ended since it was looked at: once more, and listening from now on.
            other => {
                let until = other.as_ref().map(|it| it.until);
                *other = Some(Waiting {
                    until: until.unwrap_or_else(|| Instant::now() + once.patience),
                    bell,
                    ended: 0,
                });
                return None;
            }
        };
        let mut news = once.ended[bell].subscribe();
        let news = async move {
            // Its sender lives as long as this attempt.
            let _ = news.wait_for(|count| *count != ended).await;
        };
        tokio::select! {
            biased;
            () = self.shared.stopping.cancelled() => Some(End::Unwritten),
            () = tokio::time::sleep_until(until) => Some(self.park(&it).await),
            () = news => None,
        }
    }

    async fn park(&self, it: &UnderWay) -> End {
        let until = look_again_at(it.since, self.shared.clock.now());
        let postpone = Postpone {
            claim: self.run.claim,
            state: State::Waiting,
            due_at: Some(until),
            waits_for: None,
            why: why_waiting(it.owner, &it.name, it.for_word),
            needs: None,
            attempts: self.run.attempts,
            attempt: None,
        };
        let postponed = self.shared.ledger.postpone(postpone).await;
        end_of(postponed, End::Parked { until: Some(until) })
    }
}
