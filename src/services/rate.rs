//! A call's turn: so many calls at once, so many in a time, first come first served.

use crate::config::Rate;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// A service's gate. How many wait before it is bounded by the runs in flight: a run makes one call at a time.
#[derive(Debug)]
pub(super) struct Gate {
    /// Tokio's semaphore and mutex are fair: whoever came first goes first.
    connections: Semaphore,
    window: Option<Window>,
    wait_max: Duration,
}

/// One call's leave; the next call may go when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _connection: SemaphorePermit<'a>,
}

impl Gate {
    pub(super) fn new(connections_max: usize, rate: Option<Rate>, wait_max: Duration) -> Self {
        Self {
            connections: Semaphore::new(connections_max.clamp(1, Semaphore::MAX_PERMITS)),
            window: rate.map(Window::new),
            wait_max,
        }
    }

    /// Waits for a turn. The error says what it waited for in vain.
    pub(super) async fn enter(&self) -> Result<Turn<'_>, String> {
        let deadline = Instant::now() + self.wait_max;
        let connection = tokio::time::timeout_at(deadline, self.connections.acquire()).await;
        let Ok(Ok(connection)) = connection else {
            return Err(format!(
                "waited {:?} for one of its connections to become free",
                self.wait_max
            ));
        };
        if let Some(window) = &self.window {
            let passed = tokio::time::timeout_at(deadline, window.pass()).await;
            passed
                .map_err(|_| format!("waited {:?} for its rate to allow a call", self.wait_max))?;
        }
        Ok(Turn {
            _connection: connection,
        })
    }
}

/// The moments of the last calls: never more than `calls_max` in any stretch of `per`.
///
/// The usual leaky bucket holds this only without bursts, and then `60/h` would let a run with three calls wait three
/// minutes.
#[derive(Debug)]
struct Window {
    calls_max: usize,
    per: Duration,
    passed: Mutex<VecDeque<Instant>>,
}

/// Of a higher rate the same share of a shorter time is kept, so that memory stays bounded.
const CALLS_REMEMBERED_MAX: u32 = 10_000;

impl Window {
    fn new(rate: Rate) -> Self {
        let (mut calls_max, mut per) = (rate.calls_max.max(1), rate.per);
        while calls_max > CALLS_REMEMBERED_MAX {
            (calls_max, per) = (calls_max / 2, per / 2);
        }
        Self {
            calls_max: usize::try_from(calls_max).unwrap_or(usize::MAX),
            per,
            passed: Mutex::default(),
        }
    }

    /// Waits until a call may go, and counts it.
    async fn pass(&self) {
        // Held while waiting: the others queue behind it, in order.
        let mut passed = self.passed.lock().await;
        if passed.len() >= self.calls_max
            && let Some(&oldest) = passed.front()
        {
            tokio::time::sleep_until(oldest + self.per).await;
            passed.pop_front();
        }
        passed.push_back(Instant::now());
    }
}
