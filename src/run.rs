//! A run: one event on its way through one handler. Its states, its place in a lane, and what follows an attempt.

use crate::clock::UnixMillis;
use crate::config::RetryPolicy;
use std::fmt;
use std::time::Duration;
use xxhash_rust::xxh3::Xxh3Default;

/// How many runs an event can have, replays included.
pub const RUNS_PER_EVENT_MAX: i64 = 10_000;

/// Which run: the event's number times 10,000, plus 1 for its first run, 2 for its second. Rises with acceptance.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl RunId {
    /// The `ordinal`-th run of an event, from 1.
    pub fn of(event_seq: i64, ordinal: i64) -> Self {
        debug_assert!((1..RUNS_PER_EVENT_MAX).contains(&ordinal));
        Self(event_seq * RUNS_PER_EVENT_MAX + ordinal)
    }

    /// The event's number in the ledger.
    pub fn event_seq(self) -> i64 {
        self.0 / RUNS_PER_EVENT_MAX
    }

    /// The ids that the runs of one event can have.
    pub fn range_of(event_seq: i64) -> std::ops::RangeInclusive<i64> {
        event_seq * RUNS_PER_EVENT_MAX..=event_seq * RUNS_PER_EVENT_MAX + RUNS_PER_EVENT_MAX - 1
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a run stands. That it is being run is known in memory only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ready,
    /// Until a time: a retry, or a script that asked for it.
    Waiting,
    /// Its handler has no good version, or is gone.
    Held,
    /// Given up, kept to inspect and retry.
    Dead,
    Done,
    /// The script said `skip`.
    Skipped,
    /// An operator took it out.
    Dropped,
}

impl State {
    pub const ALL: [Self; 7] = [
        Self::Ready,
        Self::Waiting,
        Self::Held,
        Self::Dead,
        Self::Done,
        Self::Skipped,
        Self::Dropped,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Dead => "dead",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Dropped => "dropped",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// Whether the run lies in the small table of those that are not finished.
    pub fn is_open(self) -> bool {
        match self {
            Self::Ready | Self::Waiting | Self::Held | Self::Dead => true,
            Self::Done | Self::Skipped | Self::Dropped => false,
        }
    }
}

/// The runs that must go one after another share a lane: a hash of handler, scope, account and order value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub i64);

impl Lane {
    /// The lane of a run with an order value.
    pub fn of(handler: &str, scope: &str, account: Option<&str>, value: &str) -> Self {
        Self(hash(&[handler, scope, account.unwrap_or_default(), value]))
    }

    /// The lane of a run that goes on its own: nothing else can be in it.
    pub fn own(handler: &str, scope: &str, event_id: &str) -> Self {
        // A fifth part, which no shared lane has.
        Self(hash(&[handler, scope, "", "", event_id]))
    }
}

fn hash(parts: &[&str]) -> i64 {
    let mut it = Xxh3Default::new();
    for part in parts {
        it.update(&(part.len() as u64).to_le_bytes());
        it.update(part.as_bytes());
    }
    it.digest().cast_signed()
}

/// What becomes of a run after an attempt that did not finish it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Wait { until: UnixMillis },
    GiveUp { why: String },
}

/// Decides what follows a failed attempt. Pure: the caller brings the time and a random number from 0 to 1.
///
/// The wait doubles with each failure from `first` to `max`, and is then drawn evenly from zero to that ("full jitter"),
/// so that runs which failed together do not come back together. It is never shorter than a service's `Retry-After`; a
/// service that says 0, or whose clock is behind, does not make all attempts come at once.
pub fn after_failure(
    attempt: u32,
    policy: &RetryPolicy,
    retry_after: Option<Duration>,
    now: UnixMillis,
    random: f64,
) -> Next {
    if attempt >= policy.attempts_max {
        return Next::GiveUp {
            why: format!("{attempt} of {} attempts failed", policy.attempts_max),
        };
    }
    let doubled = policy
        .first
        .saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1)));
    let jittered = doubled.min(policy.max).mul_f64(random.clamp(0.0, 1.0));
    Next::Wait {
        until: now.after(jittered.max(retry_after.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            attempts_max: 4,
            first: Duration::from_secs(5),
            max: Duration::from_secs(15),
        }
    }

    #[track_caller]
    fn check(attempt: u32, retry_after_s: Option<u64>, random: f64, expected: Next) {
        let retry_after = retry_after_s.map(Duration::from_secs);
        assert_eq!(
            after_failure(attempt, &policy(), retry_after, UnixMillis(0), random),
            expected
        );
    }

    fn wait(until_ms: i64) -> Next {
        Next::Wait {
            until: UnixMillis(until_ms),
        }
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_the_maximum() {
        check(1, None, 1.0, wait(5_000));
        check(2, None, 1.0, wait(10_000));
        check(3, None, 1.0, wait(15_000));
    }

    #[test]
    fn the_wait_is_drawn_evenly_from_zero() {
        check(2, None, 0.0, wait(0));
        check(2, None, 0.5, wait(5_000));
    }

    #[test]
    fn a_service_that_says_when_is_obeyed() {
        check(1, Some(120), 0.0, wait(120_000));
        check(1, Some(120), 1.0, wait(120_000));
    }

    #[test]
    fn a_service_that_asks_for_no_wait_shortens_none() {
        check(2, Some(0), 0.5, wait(5_000));
        check(2, Some(3), 0.5, wait(5_000));
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        check(
            4,
            Some(120),
            0.5,
            Next::GiveUp {
                why: "4 of 4 attempts failed".into(),
            },
        );
    }

    #[test]
    fn a_run_of_its_own_shares_no_lane() {
        assert_ne!(
            Lane::of("h", "s", None, "evt_1"),
            Lane::own("h", "s", "evt_1")
        );
        assert_ne!(
            Lane::of("h", "s", Some("a"), "b"),
            Lane::of("h", "s", None, "ab")
        );
        assert_eq!(
            Lane::of("h", "s", None, "cus_1"),
            Lane::of("h", "s", None, "cus_1")
        );
    }

    #[test]
    fn a_run_id_tells_its_event() {
        assert_eq!(RunId::of(15, 1), RunId(150_001));
        assert_eq!(RunId(150_001).event_seq(), 15);
        assert!(RunId::range_of(15).contains(&RunId::of(15, 9_999).0));
        assert!(!RunId::range_of(15).contains(&RunId::of(16, 1).0));
    }
}
