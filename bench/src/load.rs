//! The load: so many connections, each with one request on its way at a time, on one thread.
//!
//! Closed loop: a connection sends its next event as soon as the last one is answered. Open loop: events are due at fixed
//! times whether the server keeps up or not, and latency counts from then: a stall is felt by all that were due in it.

use crate::connection::{Connection, Progress};
use crate::event::EventSource;
use crate::pace::{Pace, Ticker};
use crate::report::Report;
use anyhow::{Context, Result, bail};
use mio::{Events, Poll, Registry, Token};
use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long answers may be outstanding after the last event was sent.
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// How often a generator that is held back looks again.
const HELD_LOOK_EVERY: Duration = Duration::from_millis(1);
/// How often the end is looked for while nothing happens.
const LOOK_EVERY: Duration = Duration::from_millis(100);
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

/// Sends it all, and waits for the answers.
pub(crate) fn run(load: &Load, source: &mut EventSource) -> Result<Report> {
    let mut poll = Poll::new().context("epoll")?;
    let mut generator = Generator::new(load, source, &poll)?;
    let mut events = Events::with_capacity(1024);
    let cpu_before = thread_cpu();
    let start = Instant::now();
    loop {
        let spent = start.elapsed();
        let is_over = spent >= load.time_max
            || generator.sent >= load.events_max
            || load.reins.stop.load(Ordering::Relaxed);
        let wait = generator.send_what_is_due(source, is_over)?;
        if is_over && generator.outstanding() == 0 {
            break;
        }
        if spent >= load.time_max.saturating_add(DRAIN_MAX) {
            generator.report.unanswered = generator.outstanding();
            break;
        }
        poll.poll(&mut events, Some(wait))
            .or_else(ignore_interrupts)?;
        for event in &events {
            generator.advance(event.token().0, poll.registry())?;
        }
    }
    let mut report = generator.report;
    report.elapsed = start.elapsed();
    report.cpu = thread_cpu().saturating_sub(cpu_before);
    Ok(report)
}

struct Generator<'a> {
    load: &'a Load<'a>,
    connections: Vec<Connection>,
    /// Connections without a request on its way.
    idle: Vec<usize>,
    ticker: Ticker,
    /// Events of the open loop whose time has come, for which no connection was idle yet.
    due: VecDeque<Instant>,
    sent: u64,
    /// Nothing comes due after this.
    end: Instant,
    report: Report,
}

impl<'a> Generator<'a> {
    fn new(load: &'a Load<'a>, source: &EventSource, poll: &Poll) -> Result<Self> {
        let mut connections = Vec::with_capacity(load.connections);
        for number in 0..load.connections {
            connections.push(Connection::open(
                load.target,
                number,
                source.request(),
                poll.registry(),
            )?);
        }
        Ok(Self {
            load,
            connections,
            idle: (0..load.connections).rev().collect(),
            ticker: Ticker::new(load.pace, poll.registry(), Token(load.connections))?,
            due: VecDeque::new(),
            sent: 0,
            end: Instant::now() + load.time_max,
            report: Report::new()?,
        })
    }

    /// Events that are due or on their way.
    fn outstanding(&self) -> u64 {
        let due = if self.sent < self.load.events_max {
            self.due.len()
        } else {
            0
        };
        (self.connections.len() - self.idle.len() + due) as u64
    }

    /// Gives idle connections what they may send; how long to wait for answers then.
    fn send_what_is_due(&mut self, source: &mut EventSource, is_over: bool) -> Result<Duration> {
        if !self.load.reins.stop.load(Ordering::Relaxed) {
            // What came due before the end counts, even if we look only after it.
            self.ticker
                .add_due(Instant::now().min(self.end), &mut self.due)?;
        }
        let allowed = self
            .load
            .reins
            .allowed
            .load(Ordering::Relaxed)
            .min(self.load.events_max);
        while self.sent < allowed {
            let intended = match self.load.pace {
                Pace::Closed if is_over => break,
                Pace::Closed => Some(Instant::now()),
                Pace::PerSecond(_) => self.due.front().copied(),
            };
            let Some(intended) = intended else { break };
            let Some(number) = self.idle.pop() else { break };
            self.due.pop_front();
            let connection = &mut self.connections[number];
            source.renew(connection.request());
            connection.send(intended);
            self.sent += 1;
        }
        let is_held = !is_over && !self.idle.is_empty() && self.sent >= allowed;
        Ok(if is_held { HELD_LOOK_EVERY } else { LOOK_EVERY })
    }

    /// Goes on with a connection that epoll named; the ticker's token is none.
    fn advance(&mut self, number: usize, registry: &Registry) -> Result<()> {
        let Some(connection) = self.connections.get_mut(number) else {
            return Ok(());
        };
        match connection.advance() {
            Progress::Waits => {}
            Progress::Answered { status, intended } => {
                self.report
                    .latency_ns
                    .saturating_record(nanos(intended.elapsed()));
                *self.report.statuses.entry(status).or_insert(0) += 1;
                self.load.reins.answered.fetch_add(1, Ordering::Relaxed);
                self.idle.push(number);
            }
            Progress::Lost { had_request } => {
                self.report.broken += u64::from(had_request);
                if self.report.broken > BROKEN_MAX {
                    bail!("{BROKEN_MAX} connections to {} broke", self.load.target);
                }
                connection.reopen(self.load.target, number, registry)?;
                if had_request {
                    self.idle.push(number);
                }
            }
        }
        Ok(())
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
