//! A new version of a script that is tried on a share of the runs, before it takes all of them.

use crate::config::{CanaryPolicy, Share};
use crate::ledger::version_decision::Score;
use crate::run::RunId;
use crate::script::Program;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3Default;

/// One that is going on.
#[derive(Clone)]
pub struct Canary {
    /// What is tried.
    pub candidate: Arc<Program>,
    pub policy: CanaryPolicy,
}

/// What follows from a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not certain yet.
    Open,
    Promote,
    RollBack,
}

impl Canary {
    /// Whether the candidate takes a run. The same whenever it is asked, and another part of the runs for each version.
    pub fn takes(&self, run: RunId) -> bool {
        let mut hash = Xxh3Default::new();
        hash.update(&run.0.to_le_bytes());
        hash.update(self.candidate.version().as_bytes());
        hash.digest() % u64::from(Share::WHOLE.0) < u64::from(self.policy.share.0)
    }
}

/// Decides as soon as it is certain: the candidate is rolled back with the first failure that is one too many for all its
/// runs, and promoted once it had all of them. What a service failed counts only when that is most of its runs.
pub fn verdict(policy: &CanaryPolicy, score: Score) -> Verdict {
    let may_fail = u64::from(policy.runs) * u64::from(policy.errors.0) / u64::from(Share::WHOLE.0);
    let certain = score.done.saturating_add(score.failed);
    let is_failed_by_services =
        score.doubtful > certain && score.doubtful.saturating_add(certain) >= policy.runs;
    if u64::from(score.failed) > may_fail || is_failed_by_services {
        Verdict::RollBack
    } else if certain >= policy.runs {
        Verdict::Promote
    } else {
        Verdict::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(runs: u32, errors: u32, done: u32, failed: u32, expected: Verdict) {
        check_with(runs, errors, [done, failed, 0], expected);
    }

    fn check_with(runs: u32, errors: u32, score: [u32; 3], expected: Verdict) {
        let [done, failed, doubtful] = score;
        let policy = CanaryPolicy {
            share: Share(1000),
            runs,
            errors: Share(errors),
        };
        assert_eq!(
            verdict(
                &policy,
                Score {
                    done,
                    failed,
                    doubtful
                }
            ),
            expected
        );
    }

    #[test]
    fn a_candidate_that_had_its_runs_and_failed_seldom_enough_is_promoted() {
        check(50, 500, 47, 2, Verdict::Open);
        check(50, 500, 48, 2, Verdict::Promote);
        check(1, 0, 1, 0, Verdict::Promote);
    }

    #[test]
    fn what_a_service_failed_speaks_against_a_candidate_only_when_it_is_most_of_its_runs() {
        check_with(10, 0, [5, 0, 5], Verdict::Open);
        check_with(10, 0, [10, 0, 9], Verdict::Promote);
        check_with(10, 0, [0, 0, 9], Verdict::Open);
        check_with(10, 0, [4, 0, 6], Verdict::RollBack);
    }

    #[test]
    fn a_candidate_is_rolled_back_as_soon_as_it_cannot_be_promoted_any_more() {
        check(50, 500, 0, 2, Verdict::Open);
        check(50, 500, 0, 3, Verdict::RollBack);
        check(50, 0, 0, 1, Verdict::RollBack);
    }
}
