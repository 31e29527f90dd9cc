//! A service's gate: whether it is well, and whose turn it is to call it.

use super::breaker::{Breaker, Counts, Failure, Illness, Leave, Turned};
use super::line::Line;
use crate::config;
use crate::run::RunId;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{debug, info, warn};

pub(super) struct Gate {
    service: Arc<str>,
    inner: Mutex<Inner>,
}

pub(super) struct Inner {
    pub breaker: Breaker,
    pub line: Line<Waiting>,
    /// The last call that spoke against the service, and when.
    pub last_failure: Option<(String, Instant)>,
}

/// Who wants to call.
#[derive(Clone, Debug)]
pub struct Caller {
    pub handler: Arc<str>,
    pub run: RunId,
    /// When so many calls of this handler wait for the service, later ones are put off: each holds a run in flight.
    pub waiting_max: usize,
}

/// The call cannot go now, and that is not its fault: its run waits, and no attempt is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotNow {
    pub service: Arc<str>,
    pub why: String,
}

/// One call's turn; the next call may have it when it is dropped.
pub struct Turn {
    gate: Arc<Gate>,
    run: RunId,
    /// Statuses that the script wants to see: they speak for the service.
    pub(super) accept: Vec<u16>,
    leave: Leave,
    /// Until then the rate allows no further call.
    not_before: Option<Instant>,
    is_sent: bool,
    is_judged: bool,
}

/// What a call says of its service.
pub(super) enum Verdict {
    Well,
    Failed(Failure),
    /// Nothing.
    Neither,
}

pub(super) struct Waiting {
    run: RunId,
    accept: Vec<u16>,
    leave: Leave,
    tell: oneshot::Sender<Result<Turn, NotNow>>,
}

impl Gate {
    pub(super) fn new(settings: &config::Service) -> Arc<Self> {
        Arc::new(Self {
            service: settings.name.clone(),
            inner: Mutex::new(Inner {
                breaker: Breaker::new(settings.breaker),
                line: Line::new(settings.connections_max, settings.rate),
                last_failure: None,
            }),
        })
    }

    /// Waits for a turn.
    pub(super) async fn enter(
        self: &Arc<Self>,
        caller: &Caller,
        accept: &[u16],
    ) -> Result<Turn, NotNow> {
        let told = self.join(caller, accept)?;
        // The gate outlives whoever waits at it.
        let mut turn = told.await.unwrap_or_else(|_| {
            Err(self.not_now(format!("service `{}` has closed its gate", self.service)))
        })?;
        turn.wait_for_rate().await;
        Ok(turn)
    }

    fn join(
        self: &Arc<Self>,
        caller: &Caller,
        accept: &[u16],
    ) -> Result<oneshot::Receiver<Result<Turn, NotNow>>, NotNow> {
        let mut inner = self.lock();
        let waiting = inner.line.waiting_of(&caller.handler);
        if waiting >= caller.waiting_max {
            let why = format!(
                "{waiting} calls of this handler wait for their turn at service `{}` already",
                self.service
            );
            return Err(self.not_now(why));
        }
        let now = Instant::now();
        let leave = match inner.breaker.ask(now) {
            Ok(it) => it,
            Err(illness) => return Err(self.not_now(self.is_ill(illness))),
        };
        let (tell, told) = oneshot::channel();
        let waiting = Waiting {
            run: caller.run,
            accept: accept.to_vec(),
            leave,
            tell,
        };
        inner.line.join(&caller.handler, waiting);
        self.give_turns(inner);
        Ok(told)
    }

    /// Gives turns to those that come next, while there is room.
    fn give_turns(self: &Arc<Self>, mut inner: MutexGuard<'_, Inner>) {
        let now = Instant::now();
        let mut given = Vec::new();
        while let Some((it, not_before)) = inner.line.next(now) {
            if it.tell.is_closed() {
                // Whoever waits no longer: thousands may go at once, so it is not left to what a turn does when dropped.
                if not_before.is_some() {
                    inner.line.paced();
                }
                inner.breaker.given_up(it.leave);
                inner.line.left(false);
                continue;
            }
            let turn = Turn {
                gate: self.clone(),
                run: it.run,
                accept: it.accept,
                leave: it.leave,
                not_before,
                is_sent: false,
                is_judged: false,
            };
            given.push((it.tell, turn));
        }
        drop(inner);
        for (tell, turn) in given {
            // Whoever has gone just now gives it back: it is dropped here, with the lock free.
            let _ = tell.send(Ok(turn));
        }
    }

    /// What a call has shown; why its run is to wait, if the service is ill.
    fn judge(self: &Arc<Self>, leave: Leave, run: RunId, verdict: Verdict) -> Option<NotNow> {
        let mut inner = self.lock();
        let now = Instant::now();
        let turned = match &verdict {
            Verdict::Well => {
                inner.line.succeeded();
                inner.breaker.answered(leave)
            }
            Verdict::Failed(failure) => {
                inner.last_failure = Some((failure.why.clone(), now));
                inner.breaker.failed(leave, run, failure, now)
            }
            Verdict::Neither => {
                inner.breaker.given_up(leave);
                Turned::No
            }
        };
        let put_off = match &verdict {
            Verdict::Well | Verdict::Neither => None,
            Verdict::Failed(failure) => self.put_off(&inner.breaker, leave, failure),
        };
        let service = &self.service;
        match turned {
            Turned::No => {}
            Turned::Ill => {
                let illness = inner.breaker.illness();
                let why = illness.map(|it| self.is_ill(it)).unwrap_or_default();
                let why_now = self.ill(&inner.breaker, now).unwrap_or_default();
                let waiting = inner.line.clear();
                drop(inner);
                warn!(service = %service, waiting = waiting.len(), "{why_now}; runs that need it wait");
                for it in waiting {
                    let _ = it.tell.send(Err(self.not_now(why.clone())));
                }
            }
            Turned::StillIll => {
                debug!(service = %service, "service `{service}` is still ill");
            }
            Turned::Well => {
                inner.line.begin_gently();
                info!(service = %service, "service `{service}` is well again; runs that waited for it go on");
            }
        }
        put_off
    }

    /// Why the run of a call that failed is to wait, if not for its own sake.
    fn put_off(&self, breaker: &Breaker, leave: Leave, failure: &Failure) -> Option<NotNow> {
        if !breaker.is_ill_for(leave) {
            return None;
        }
        let why = match (breaker.illness(), failure.counts) {
            (Some(illness), _) => self.is_ill(illness),
            // It is well by now. Runs that were put off go on at once, and this one is to wait as long as it was told.
            (None, Counts::Never) => return None,
            (None, Counts::Always | Counts::OnceForEachRun) => {
                format!("service `{}` was ill: {}", self.service, failure.why)
            }
        };
        Some(self.not_now(why))
    }

    /// What there is to say just now of a service that is ill.
    pub(super) fn ill(&self, breaker: &Breaker, now: Instant) -> Option<String> {
        let illness = breaker.illness()?;
        let left = illness.look_at.saturating_duration_since(now);
        let next = if left.is_zero() {
            "the next call looks whether it is well".to_owned()
        } else {
            format!("next look in {}", shown(left))
        };
        Some(format!("{}; {next}", self.is_ill(illness)))
    }

    /// Without a time that runs on: runs keep these words for as long as they wait.
    fn is_ill(&self, illness: &Illness) -> String {
        format!("service `{}` is ill: {}", self.service, illness.why)
    }

    fn not_now(&self, why: String) -> NotNow {
        NotNow {
            service: self.service.clone(),
            why,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// The service's name.
    pub fn service(&self) -> &str {
        &self.gate.service
    }

    async fn wait_for_rate(&mut self) {
        let Some(moment) = self.not_before else {
            return;
        };
        tokio::time::sleep_until(moment).await;
        self.not_before = None;
        let mut inner = self.gate.lock();
        inner.line.paced();
        self.gate.give_turns(inner);
    }

    /// Counts the call as sent, which it is next. Refused when the service was found ill since the turn was given.
    pub(super) fn send(&mut self) -> Result<(), NotNow> {
        let mut inner = self.gate.lock();
        let now = Instant::now();
        if inner.breaker.is_ill_for(self.leave)
            && !self.leave.is_look
            && let Some(illness) = inner.breaker.illness()
        {
            return Err(self.gate.not_now(self.gate.is_ill(illness)));
        }
        inner.line.sent(now);
        self.is_sent = true;
        self.gate.give_turns(inner);
        Ok(())
    }

    /// What became of the call; why its run is to wait, if the service is ill.
    pub(super) fn judge(&mut self, verdict: Verdict) -> Option<NotNow> {
        self.is_judged = true;
        self.gate.judge(self.leave, self.run, verdict)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut inner = self.gate.lock();
        if self.not_before.is_some() {
            inner.line.paced();
        }
        if !self.is_judged {
            inner.breaker.given_up(self.leave);
        }
        inner.line.left(self.is_sent);
        self.gate.give_turns(inner);
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("service", &self.gate.service)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

/// Whole seconds, rounded up.
pub(super) fn shown(time: Duration) -> String {
    let s = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    humantime::format_duration(Duration::from_secs(s)).to_string()
}
