//! Whether a service is well, as its calls tell. Pure: the caller brings the time.
//!
//! Closed: calls go. After so many failures in a row it opens: nothing is sent for a while. Then it is half open: one
//! call goes, and what becomes of it decides whether the others may follow or wait twice as long. A service that says
//! when the next call may come is asked no sooner.

use crate::config;
use crate::run::RunId;
use std::time::Duration;
use tokio::time::Instant;

/// Whether calls may go, and why not.
#[derive(Debug)]
pub(super) struct Breaker {
    /// `None`: calls always go.
    policy: Option<config::Breaker>,
    state: State,
    /// How often the service has been found ill.
    illnesses: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Closed {
        /// Whose calls have failed since the last one that did not.
        failed: Vec<RunId>,
    },
    Open(Illness),
    /// One call looks.
    HalfOpen(Illness),
}

/// What is known of a service that is ill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Illness {
    pub since: Instant,
    pub why: String,
    /// When a call may look whether it is over.
    pub look_at: Instant,
    wait: Duration,
}

/// A call's leave to go. Its outcome is told with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leave {
    /// How many illnesses there had been: what a call from before the last one met says nothing of now.
    illnesses: u64,
    pub is_look: bool,
}

/// A call that speaks against its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub why: String,
    pub counts: Counts,
    /// How long the service asks us to wait.
    pub asked_wait: Option<Duration>,
}

/// How often a failure counts, until the service is ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// Whoever calls: there was no connection.
    Always,
    /// The service was there: another call might have fared better. One run alone does not make a service ill so.
    OnceForEachRun,
    /// It says itself when the next call may come. That makes no service ill, and none that is ill well.
    Never,
}

/// What the outcome of a call has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    No,
    Ill,
    StillIll,
    Well,
}

impl Breaker {
    pub(super) fn new(policy: Option<config::Breaker>) -> Self {
        Self {
            policy,
            state: State::Closed { failed: Vec::new() },
            illnesses: 0,
        }
    }

    /// Leave for one call, or why there is none.
    pub(super) fn ask(&mut self, now: Instant) -> Result<Leave, &Illness> {
        let is_look = self.may_look(now);
        if is_look && let State::Open(illness) = &self.state {
            self.state = State::HalfOpen(illness.clone());
        }
        let leave = Leave {
            illnesses: self.illnesses,
            is_look,
        };
        match &self.state {
            State::HalfOpen(_) if is_look => Ok(leave),
            State::Closed { .. } => Ok(leave),
            State::Open(illness) | State::HalfOpen(illness) => Err(illness),
        }
    }

    /// Whether one call would be let through to look.
    pub(super) fn may_look(&self, now: Instant) -> bool {
        match &self.state {
            State::Closed { .. } | State::HalfOpen(_) => false,
            State::Open(illness) => illness.look_at <= now,
        }
    }

    /// The service answered as one that is well.
    pub(super) fn answered(&mut self, leave: Leave) -> Turned {
        let is_current = self.is_current(leave);
        match &mut self.state {
            State::Closed { failed } => {
                failed.clear();
                Turned::No
            }
            State::HalfOpen(_) if is_current => {
                self.state = State::Closed { failed: Vec::new() };
                Turned::Well
            }
            // It was sent before the service was found ill; only a look decides.
            State::Open(_) | State::HalfOpen(_) => Turned::No,
        }
    }

    pub(super) fn failed(
        &mut self,
        leave: Leave,
        run: RunId,
        failure: &Failure,
        now: Instant,
    ) -> Turned {
        let Some(policy) = self.policy else {
            return Turned::No;
        };
        let is_current = self.is_current(leave);
        let asked_wait = failure.asked_wait.unwrap_or_default();
        match &mut self.state {
            State::Closed { failed } if is_current => {
                match failure.counts {
                    Counts::OnceForEachRun if failed.contains(&run) => {}
                    Counts::Always | Counts::OnceForEachRun => failed.push(run),
                    Counts::Never => {}
                }
                if failed.len() < policy.failures_max {
                    return Turned::No;
                }
                self.illnesses += 1;
                self.state = State::Open(Illness {
                    since: now,
                    why: failure.why.clone(),
                    look_at: now + policy.first.max(asked_wait),
                    wait: policy.first,
                });
                Turned::Ill
            }
            State::HalfOpen(illness) if is_current => {
                let wait = (illness.wait * 2).min(policy.max);
                self.state = State::Open(Illness {
                    since: illness.since,
                    why: failure.why.clone(),
                    // `max` bounds our guess, not the service's word.
                    look_at: illness.look_at.max(now + wait.max(asked_wait)),
                    wait,
                });
                Turned::StillIll
            }
            // It was sent before the service was found ill; only a look decides, but not before the time it names.
            State::Open(illness) | State::HalfOpen(illness) => {
                illness.look_at = illness.look_at.max(now + asked_wait);
                Turned::No
            }
            State::Closed { .. } => Turned::No,
        }
    }

    /// The call came to nothing that says how the service is.
    pub(super) fn given_up(&mut self, leave: Leave) {
        if leave.is_look
            && self.is_current(leave)
            && let State::HalfOpen(illness) = &self.state
        {
            self.state = State::Open(illness.clone());
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn illness(&self) -> Option<&Illness> {
        match &self.state {
            State::Closed { .. } => None,
            State::Open(illness) | State::HalfOpen(illness) => Some(illness),
        }
    }

    /// The illness that is, or that has come over this call's service since it was let go.
    pub(super) fn is_ill_for(&self, leave: Leave) -> bool {
        match &self.state {
            State::Closed { .. } => leave.illnesses != self.illnesses,
            State::Open(_) | State::HalfOpen(_) => true,
        }
    }

    fn is_current(&self, leave: Leave) -> bool {
        leave.illnesses == self.illnesses
    }
}

#[cfg(test)]
mod tests;
