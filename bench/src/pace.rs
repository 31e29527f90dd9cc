//! When events are due.

use anyhow::{Context, Result};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// As fast as answers come.
    Closed,
    /// So many a second, evenly, come what may.
    PerSecond(u32),
}

/// Wakes the generator for each event that is due: epoll's own timeout counts in whole milliseconds.
pub(crate) struct Ticker {
    timer: Option<Timer>,
}

struct Timer {
    descriptor: OwnedFd,
    gap: Duration,
    next: Instant,
}

impl Ticker {
    pub(crate) fn new(pace: Pace, registry: &Registry, token: Token) -> Result<Self> {
        let timer = match pace {
            Pace::Closed => None,
            Pace::PerSecond(rate) => {
                let descriptor = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)
                    .context("a timer")?;
                registry.register(
                    &mut SourceFd(&descriptor.as_raw_fd()),
                    token,
                    Interest::READABLE,
                )?;
                Some(Timer {
                    descriptor,
                    gap: Duration::from_secs(1) / rate.max(1),
                    next: Instant::now(),
                })
            }
        };
        Ok(Self { timer })
    }

    /// Appends the times that have come, and sets the timer to the next one.
    pub(crate) fn add_due(&mut self, now: Instant, due: &mut VecDeque<Instant>) -> Result<()> {
        let Some(timer) = &mut self.timer else {
            return Ok(());
        };
        while timer.next <= now {
            due.push_back(timer.next);
            timer.next += timer.gap;
        }
        let wait = timer.next - now;
        let spec = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: i64::try_from(wait.as_secs())?,
                tv_nsec: i64::from(wait.subsec_nanos()).max(1),
            },
        };
        // Setting it also clears what it had to say: no read is needed.
        timerfd_settime(&timer.descriptor, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }
}
