//! The load: so many connections, each with one request on its way at a time, on one thread.
//!
//! Closed loop: a connection sends its next event as soon as the last one is answered. Open loop: events are due at fixed
//! times whether the server keeps up or not, and latency counts from then: a stall is felt by all that were due in it.

use crate::connection::{Connection, Progress};
use crate::event::EventSource;
use crate::pace::{Pace, Ticker};
use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};
use rustix::time::{ClockId, clock_gettime};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long answers may be outstanding after the last event was sent.
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// How often a generator that is held back looks again.
const HELD_LOOK_EVERY: Duration = Duration::from_millis(1);
/// More broken connections than this mean that there is no server.
const BROKEN_MAX: u64 = 10_000;

/// What to send.
pub(crate) struct Load<'a> {
    pub(crate) target: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    pub(crate) time_max: Duration,
    pub(crate) events_max: u64,
    pub(crate) reins: &'a Reins,
}

/// How others follow a load that is on its way, and hold it back.
pub(crate) struct Reins {
    pub(crate) answered: AtomicU64,
    /// No more events than this are sent.
    pub(crate) allowed: AtomicU64,
    pub(crate) stop: AtomicBool,
}

/// What came of it.
pub(crate) struct Report {
    pub(crate) latency_ns: Histogram<u64>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Connections lost with a request on its way.
    pub(crate) broken: u64,
    pub(crate) unanswered: u64,
    pub(crate) elapsed: Duration,
    /// CPU time of the generator.
    pub(crate) cpu: Duration,
}

/// Sends it all, and waits for the answers.
pub(crate) fn run(load: &Load, source: &mut EventSource) -> Result<Report> {
    let mut poll = Poll::new().context("epoll")?;
    let mut connections = Vec::with_capacity(load.connections);
    for number in 0..load.connections {
        connections.push(Connection::open(
            load.target,
            number,
            source.request(),
            poll.registry(),
        )?);
    }
    let mut ticker = Ticker::new(load.pace, poll.registry(), Token(load.connections))?;
    let mut idle: Vec<usize> = (0..load.connections).rev().collect();
    let mut due: VecDeque<Instant> = VecDeque::new();
    let mut events = Events::with_capacity(1024);
    let mut report = Report::new()?;
    let cpu_before = thread_cpu();
    let start = Instant::now();
    let mut sent: u64 = 0;
    loop {
        let now = Instant::now();
        let is_over = now - start >= load.time_max
            || sent >= load.events_max
            || load.reins.stop.load(Ordering::Relaxed);
        let on_the_way = load.connections - idle.len();
        if is_over && on_the_way == 0 && (due.is_empty() || sent >= load.events_max) {
            break;
        }
        if is_over && now - start >= load.time_max.saturating_add(DRAIN_MAX) {
            report.unanswered = on_the_way as u64 + due.len() as u64;
            break;
        }
        if !is_over {
            ticker.add_due(now, &mut due)?;
        }
        let allowed = load
            .reins
            .allowed
            .load(Ordering::Relaxed)
            .min(load.events_max);
        while sent < allowed && !idle.is_empty() {
            let intended = match load.pace {
                Pace::Closed if is_over => break,
                Pace::Closed => Instant::now(),
                Pace::PerSecond(_) => match due.pop_front() {
                    Some(it) => it,
                    None => break,
                },
            };
            let Some(number) = idle.pop() else { break };
            let connection = &mut connections[number];
            source.renew(connection.request());
            sent += 1;
            connection.send(intended);
        }
        let is_held = !is_over && !idle.is_empty() && sent >= allowed;
        let wait = if is_held {
            HELD_LOOK_EVERY
        } else {
            Duration::from_millis(100)
        };
        poll.poll(&mut events, Some(wait))
            .or_else(ignore_interrupts)?;
        for event in &events {
            let number = event.token().0;
            let Some(connection) = connections.get_mut(number) else {
                continue;
            };
            match connection.advance() {
                Progress::Waits => {}
                Progress::Answered { status, intended } => {
                    report
                        .latency_ns
                        .saturating_record(nanos(intended.elapsed()));
                    *report.statuses.entry(status).or_insert(0) += 1;
                    load.reins.answered.fetch_add(1, Ordering::Relaxed);
                    idle.push(number);
                }
                Progress::Lost { had_request } => {
                    report.broken += u64::from(had_request);
                    if report.broken > BROKEN_MAX {
                        bail!("{BROKEN_MAX} connections to {} broke", load.target);
                    }
                    connection.reopen(load.target, number, poll.registry())?;
                    if had_request {
                        idle.push(number);
                    }
                }
            }
        }
    }
    report.elapsed = start.elapsed();
    report.cpu = thread_cpu().saturating_sub(cpu_before);
    Ok(report)
}

impl Report {
    fn new() -> Result<Self> {
        Ok(Self {
            latency_ns: Histogram::new_with_bounds(1_000, 600_000_000_000, 3)?,
            statuses: BTreeMap::new(),
            broken: 0,
            unanswered: 0,
            elapsed: Duration::ZERO,
            cpu: Duration::ZERO,
        })
    }

    pub(crate) fn ok(&self) -> u64 {
        self.statuses.get(&200).copied().unwrap_or(0)
    }

    /// Events answered 200 a second.
    pub(crate) fn rate(&self) -> f64 {
        self.ok() as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        self.latency_ns.value_at_quantile(quantile) as f64 / 1e6
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.latency_ns.max() as f64 / 1e6
    }

    /// Says what was not answered 200; empty when all was.
    pub(crate) fn troubles(&self) -> String {
        let mut parts: Vec<String> = self
            .statuses
            .iter()
            .filter(|(it, _)| **it != 200)
            .map(|(it, count)| format!("{count} × {it}"))
            .collect();
        if self.broken > 0 {
            parts.push(format!("{} connections broken", self.broken));
        }
        if self.unanswered > 0 {
            parts.push(format!("{} unanswered", self.unanswered));
        }
        parts.join(", ")
    }
}

impl Default for Reins {
    fn default() -> Self {
        Self {
            answered: AtomicU64::new(0),
            allowed: AtomicU64::new(u64::MAX),
            stop: AtomicBool::new(false),
        }
    }
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    let it = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(it.tv_sec).unwrap_or(0),
        u32::try_from(it.tv_nsec).unwrap_or(0),
    )
}

fn nanos(it: Duration) -> u64 {
    u64::try_from(it.as_nanos()).unwrap_or(u64::MAX)
}

fn ignore_interrupts(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::Interrupted {
        Ok(())
    } else {
        Err(error)
    }
}
