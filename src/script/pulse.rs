//! A script thread's sign of life: up to when the script may be silent before its thread counts as lost.
//!
//! The engine ends a script at its first operation after the deadline, so the only way to be silent for longer is to be
//! stuck inside one native call. While the ledger is read for a script, nothing of the script runs, and it is not
//! silent: a slow disk is not its doing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// What a native call may take beyond the deadline before its thread is given up: far more than the longest one takes,
/// on a machine that has much else to do.
const GRACE: Duration = Duration::from_secs(2);

/// How long a script may be silent under these limits.
pub(super) fn silence_max(engine_time_max: Duration) -> Duration {
    engine_time_max + GRACE
}

/// One thread's; whoever watches the thread holds it too.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Milliseconds since the epoch of this process when it is lost; 0 while no script is on it.
    lost_at_ms: AtomicU64,
    silence_max_ms: AtomicU64,
}

/// Times are kept as milliseconds since the first use.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    static PULSE: Arc<Pulse> = Arc::default();
}

impl Pulse {
    /// The one of the thread that calls.
    pub fn of_this_thread() -> Arc<Self> {
        PULSE.with(Arc::clone)
    }

    /// Whether the script on this thread has been silent for longer than it may; and how long that is.
    pub fn is_lost(&self, now: Instant) -> Option<Duration> {
        let lost_at_ms = self.lost_at_ms.load(Ordering::Acquire);
        let is_lost = lost_at_ms != 0 && lost_at_ms < since_epoch_ms(now);
        is_lost.then(|| Duration::from_millis(self.silence_max_ms.load(Ordering::Relaxed)))
    }
}

/// A script begins on this thread.
pub(super) fn begin(engine_time_max: Duration) {
    let silence_max_ms = silence_max(engine_time_max).as_millis() as u64;
    PULSE.with(|it| it.silence_max_ms.store(silence_max_ms, Ordering::Relaxed));
    beat(Instant::now());
}

pub(super) fn beat(now: Instant) {
    PULSE.with(|it| {
        let lost_at_ms = since_epoch_ms(now) + it.silence_max_ms.load(Ordering::Relaxed);
        it.lost_at_ms.store(lost_at_ms, Ordering::Release);
    });
}

/// No script is on this thread any more.
pub(super) fn end() {
    PULSE.with(|it| it.lost_at_ms.store(0, Ordering::Release));
}

/// Does something for a script that is none of its own steps, such as a look at the ledger.
pub(super) fn outside<T>(act: impl FnOnce() -> T) -> T {
    end();
    let it = act();
    beat(Instant::now());
    it
}

fn since_epoch_ms(now: Instant) -> u64 {
    now.saturating_duration_since(*EPOCH).as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_is_silent_for_too_long_is_lost_and_one_that_waits_for_the_ledger_is_not() {
        let it = Pulse::of_this_thread();
        let later = |ms| Instant::now() + Duration::from_millis(ms);
        assert_eq!(it.is_lost(later(1_000_000)), None);
        begin(Duration::from_secs(1));
        assert_eq!(it.is_lost(later(2_900)), None);
        assert_eq!(it.is_lost(later(3_100)), Some(Duration::from_secs(3)));
        outside(|| assert_eq!(it.is_lost(later(1_000_000)), None));
        assert!(it.is_lost(later(3_100)).is_some());
        beat(later(1_000));
        assert_eq!(it.is_lost(later(3_900)), None);
        end();
        assert_eq!(it.is_lost(later(1_000_000)), None);
    }
}
