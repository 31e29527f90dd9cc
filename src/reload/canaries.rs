//! Canaries come to an end: the version that is tried takes all runs, or is rolled back.

use super::{Reloader, short};
use crate::in_force::{Canary, Chosen, LoadedHandler, Verdict, verdict};
use crate::ledger::LedgerError;
use crate::ledger::version_decision::{Score, VersionDecision};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Looks at canaries whenever one of their runs ended, until shutdown.
pub async fn judge(reloader: Arc<Reloader>, tried: Arc<Notify>, shutdown: CancellationToken) {
    loop {
        // At the start too: the host may have ended between a run's end and the verdict.
        reloader.judge().await;
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tried.notified() => {}
        }
    }
}

impl Reloader {
    async fn judge(&self) {
        let _turn = self.turn.lock().await;
        self.look_at_canaries().await;
    }

    /// For whoever has the turn.
    pub(super) async fn look_at_canaries(&self) {
        let now = self.current.load_full();
        for it in now.handlers() {
            let Some(canary) = &it.chosen.canary else {
                continue;
            };
            let score = match self.reader().canary_score(&it.handler.name) {
                Ok(it) => it,
                Err(error) => {
                    warn!(%error, "a canary could not be looked at: {error}");
                    continue;
                }
            };
            let ended = match verdict(&canary.policy, score) {
                Verdict::Open => Ok(()),
                Verdict::Promote => self.promote(it, canary, score).await,
                Verdict::RollBack => self.roll_back(it, canary, score).await,
            };
            if let Err(error) = ended {
                warn!(%error, "the end of a canary could not be written down: {error}");
            }
        }
    }

    async fn promote(
        &self,
        loaded: &LoadedHandler,
        canary: &Canary,
        score: Score,
    ) -> Result<(), LedgerError> {
        let (handler, candidate) = (&loaded.handler.name, &canary.candidate);
        let at = self.clock.now();
        let end = VersionDecision::EndCanary {
            handler: handler.clone(),
            rolled_back: None,
            at,
        };
        let begin = VersionDecision::InForce {
            handler: handler.clone(),
            version: candidate.version().into(),
            at,
        };
        self.decide(vec![end, begin]).await?;
        self.choose(
            handler,
            Chosen {
                program: Ok(candidate.clone()),
                canary: None,
                saved: loaded.chosen.saved.clone(),
            },
        );
        let version = short(candidate.version());
        info!(
            handler = %handler, version,
            "the canary of handler `{handler}` went well ({}): version {version} takes all runs", said(score)
        );
        Ok(())
    }

    async fn roll_back(
        &self,
        loaded: &LoadedHandler,
        canary: &Canary,
        score: Score,
    ) -> Result<(), LedgerError> {
        let (handler, candidate) = (&loaded.handler.name, &canary.candidate);
        let end = VersionDecision::EndCanary {
            handler: handler.clone(),
            rolled_back: Some(said(score)),
            at: self.clock.now(),
        };
        self.decide(vec![end]).await?;
        self.choose(
            handler,
            Chosen {
                canary: None,
                ..loaded.chosen.clone()
            },
        );
        let version = short(candidate.version());
        let old = loaded.program().map_or("", |it| short(it.version()));
        let line = format!(
            "handler `{handler}` stays on version {old}: its canary rolled back version {version} ({})",
            said(score)
        );
        error!(handler = %handler, version, "{line}");
        self.decided_anew(handler, Some(line));
        Ok(())
    }

    /// Each handler has its own turn of this loop: what an earlier one put into force must stay.
    fn choose(&self, handler: &str, chosen: Chosen) {
        let now = self.current.load_full();
        self.current.store(Arc::new(now.with(handler, chosen)));
    }
}

fn said(score: Score) -> String {
    let Score {
        done,
        failed,
        doubtful,
    } = score;
    let certain = done.saturating_add(failed);
    let by_itself =
        format!("{failed} of {certain} runs failed that the version before it could do");
    match (certain, doubtful) {
        (_, 0) => by_itself,
        (0, it) => format!(
            "{it} runs failed at a service that failed none of them on the version before it"
        ),
        (_, it) => format!("{by_itself}, and {it} more failed on it alone, at a service"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_a_canary_reads_as_a_sentence() {
        let check = |done: u32, failed: u32, doubtful: u32, expected: &str| {
            let score = Score {
                done,
                failed,
                doubtful,
            };
            assert_eq!(said(score), expected);
        };
        let by_itself = "2 of 10 runs failed that the version before it could do";
        check(8, 2, 0, by_itself);
        let more = format!("{by_itself}, and 3 more failed on it alone, at a service");
        check(8, 2, 3, &more);
        let by_services =
            "10 runs failed at a service that failed none of them on the version before it";
        check(0, 0, 10, by_services);
    }
}
