//! How the services are, for people.

use super::breaker::State;
use super::service::Service;
use crate::clock::UnixMillis;
use std::time::Duration;
use tokio::time::Instant;

/// One service, as `hookyard services` shows it. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ServiceStatus {
    pub name: String,
    /// Where it is: the host of its URL.
    pub host: String,
    pub state: Health,
    /// Since when it is ill.
    pub since: Option<UnixMillis>,
    /// Why it is ill.
    pub why: Option<String>,
    /// When the next call looks whether it is well again.
    pub next_look_at: Option<UnixMillis>,
    pub calls_in_flight: usize,
    /// How many may be at once; fewer than `connections_max` for a while after an illness.
    pub calls_at_once_max: usize,
    /// Calls of runs in flight that wait for their turn.
    pub calls_waiting: usize,
    /// Runs that were put off until it is well or has room; the ledger keeps them.
    pub runs_waiting: usize,
    pub rate: Option<RateUse>,
    pub last_error: Option<LastError>,
}

/// The breaker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Calls go.
    Closed,
    /// Ill: nothing is sent.
    Open,
    /// Ill: one call looks whether it is well again.
    HalfOpen,
}

/// `used` of `calls_max` calls in the last `per_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RateUse {
    pub used: usize,
    pub calls_max: u32,
    pub per_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LastError {
    pub at: UnixMillis,
    pub message: String,
}

impl Health {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

pub(super) fn of(service: &Service, now: UnixMillis) -> ServiceStatus {
    let settings = service.settings();
    let moment = Instant::now();
    let past = |at: Instant| UnixMillis(now.0 - millis(moment.saturating_duration_since(at)));
    let mut inner = service.gate().lock();
    let (state, illness) = match inner.breaker.state() {
        State::Closed { .. } => (Health::Closed, None),
        State::Open(illness) => (Health::Open, Some(illness.clone())),
        State::HalfOpen(illness) => (Health::HalfOpen, Some(illness.clone())),
    };
    let is_open = state == Health::Open;
    ServiceStatus {
        name: settings.name.to_string(),
        host: settings.url.host_str().unwrap_or_default().to_owned(),
        state,
        since: illness.as_ref().map(|it| past(it.since)),
        next_look_at: illness
            .as_ref()
            .filter(|_| is_open)
            .map(|it| now.after(it.look_at.saturating_duration_since(moment))),
        why: illness.map(|it| it.why),
        calls_in_flight: inner.line.at_once(),
        calls_at_once_max: inner.line.at_once_max(),
        calls_waiting: inner.line.waiting(),
        runs_waiting: 0,
        rate: settings.rate.map(|rate| RateUse {
            used: inner.line.rate_used(moment).unwrap_or(0),
            calls_max: rate.calls_max,
            per_ms: u64::try_from(rate.per.as_millis()).unwrap_or(u64::MAX),
        }),
        last_error: inner.last_failure.as_ref().map(|(message, at)| LastError {
            at: past(*at),
            message: message.clone(),
        }),
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
