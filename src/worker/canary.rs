//! Runs on which a new version of a script is tried. What fails there is run again by the version before it, at once and
//! in its place, and that one's attempt says whose fault it was.

use super::Shared;
use crate::in_force::LoadedHandler;
use crate::ledger::LedgerError;
use crate::ledger::request::{OpenRun, Order};
use crate::ledger::version_decision::{CanaryOutcome, CanaryRun, VersionDecision};
use crate::script::Program;
use std::sync::{Arc, PoisonError};
use tracing::warn;

/// What an attempt says about a version that is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Nothing,
    /// It is made by that version.
    HowItDoes(Arc<str>),
    /// That version failed at the run, and the one before it makes this attempt.
    WhoseFaultItWas {
        version: Arc<str>,
        at_service: bool,
    },
}

/// How an attempt ended, as far as a canary is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Finished,
    /// The script asked to be run again later.
    Waits,
    Failed,
    /// Which call is which of those before is not certain.
    CallsChanged,
    /// At a service that gave no answer, or one that may be another the next time.
    FailedAtService,
}

impl Says {
    /// What is to be noted after an attempt that ended so.
    fn outcome(&self, ended: Ended) -> Option<(&Arc<str>, CanaryOutcome)> {
        match (self, ended) {
            (Self::Nothing, _) | (Self::HowItDoes(_), Ended::Waits) => None,
            (Self::HowItDoes(it), Ended::Finished) => Some((it, CanaryOutcome::Done)),
            (Self::HowItDoes(it), Ended::Failed | Ended::CallsChanged) => {
                Some((it, CanaryOutcome::Failed))
            }
            (Self::HowItDoes(it), Ended::FailedAtService) => Some((it, CanaryOutcome::Ill)),
            (
                Self::WhoseFaultItWas {
                    version,
                    at_service,
                },
                Ended::Finished | Ended::Waits,
            ) => {
                let outcome = if *at_service {
                    CanaryOutcome::Doubtful
                } else {
                    CanaryOutcome::Guilty
                };
                Some((version, outcome))
            }
            // By the other calls that the version which is tried has made.
            (Self::WhoseFaultItWas { version, .. }, Ended::CallsChanged) => {
                Some((version, CanaryOutcome::Guilty))
            }
            (Self::WhoseFaultItWas { version, .. }, Ended::Failed | Ended::FailedAtService) => {
                Some((version, CanaryOutcome::Excused))
            }
        }
    }
}

/// Which version makes an attempt: `usual`, unless a canary takes the run.
pub(super) async fn pick(
    shared: &Shared,
    loaded: &LoadedHandler,
    usual: &Arc<Program>,
    run: &OpenRun,
) -> (Arc<Program>, Says) {
    let id = run.claim.id;
    let Some(canary) = loaded.chosen.canary.as_ref().filter(|it| it.takes(id)) else {
        return (usual.clone(), Says::Nothing);
    };
    let version: Arc<str> = canary.candidate.version().into();
    // A run that comes straight from its acceptance has no past.
    let has_past = run.attempts > 0 || run.claim.epoch > 0 || run.event.is_none();
    let past = if has_past {
        past(shared, run, version.clone()).await
    } else {
        CanaryRun::Its
    };
    match past {
        CanaryRun::Its => (canary.candidate.clone(), Says::HowItDoes(version)),
        CanaryRun::FailedThere { at_service } => {
            let says = Says::WhoseFaultItWas {
                version,
                at_service,
            };
            (usual.clone(), says)
        }
        CanaryRun::NotIts => (usual.clone(), Says::Nothing),
    }
}

/// What cannot be read is left to the version that is known to be good.
async fn past(shared: &Shared, run: &OpenRun, version: Arc<str>) -> CanaryRun {
    let (reader, handler, id) = (shared.reader.clone(), run.handler.clone(), run.claim.id);
    let look = move || {
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.canary_run(&handler, &version, id)
    };
    #[cfg(test)]
    if shared.engines.is_by_hand() {
        return look().unwrap_or(CanaryRun::NotIts);
    }
    match tokio::task::spawn_blocking(look).await {
        Ok(Ok(it)) => it,
        Ok(Err(error)) => {
            warn!(%error, run.id = %id, "whether run {id} belongs to a canary could not be read: {error}");
            CanaryRun::NotIts
        }
        Err(_) => CanaryRun::NotIts,
    }
}

/// Notes what an attempt says about the version that is tried, and has the canary looked at.
pub(super) async fn note(
    shared: &Shared,
    run: &OpenRun,
    says: &Says,
    ended: Ended,
) -> Result<(), LedgerError> {
    let Some((version, outcome)) = says.outcome(ended) else {
        return Ok(());
    };
    let tried = VersionDecision::Tried {
        handler: run.handler.clone(),
        version: version.clone(),
        run: run.claim.id,
        outcome,
    };
    let decisions = vec![tried];
    shared
        .ledger
        .order(Order::DecideVersions { decisions })
        .await?;
    shared.tried.notify_one();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_the_candidates_fault_when_the_version_before_it_does_not_fail_there() {
        let version: Arc<str> = "v2".into();
        let check = |says: &Says, ended, expected: Option<CanaryOutcome>| {
            assert_eq!(says.outcome(ended).map(|it| it.1), expected);
        };
        let candidate = Says::HowItDoes(version.clone());
        check(&candidate, Ended::Finished, Some(CanaryOutcome::Done));
        check(&candidate, Ended::Waits, None);
        check(&candidate, Ended::Failed, Some(CanaryOutcome::Failed));
        check(&candidate, Ended::FailedAtService, Some(CanaryOutcome::Ill));
        let old = |at_service| Says::WhoseFaultItWas {
            version: version.clone(),
            at_service,
        };
        check(&old(true), Ended::Finished, Some(CanaryOutcome::Doubtful));
        check(&old(true), Ended::Failed, Some(CanaryOutcome::Excused));
        check(&candidate, Ended::CallsChanged, Some(CanaryOutcome::Failed));
        check(&old(true), Ended::CallsChanged, Some(CanaryOutcome::Guilty));
        check(
            &old(false),
            Ended::CallsChanged,
            Some(CanaryOutcome::Guilty),
        );
        let old = old(false);
        check(&old, Ended::Finished, Some(CanaryOutcome::Guilty));
        check(&old, Ended::Waits, Some(CanaryOutcome::Guilty));
        check(&old, Ended::Failed, Some(CanaryOutcome::Excused));
        check(&old, Ended::FailedAtService, Some(CanaryOutcome::Excused));
        check(&Says::Nothing, Ended::Failed, None);
    }
}
