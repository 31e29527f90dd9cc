//! Two services as the model has them: one honours keys for a day, one ignores them. It keeps count, and knows the laws.

use crate::call::Answer;
use crate::clock::{Clock, ManualClock, UnixMillis};
use crate::services::{CallError, NotNow, Prepared, Sent};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What happens to one sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// No connection: it never left.
    NotSent,
    /// It left and did not arrive, or its answer did not.
    LostBefore,
    LostAfter,
    /// 503, or 500 although it took effect.
    Busy,
    BusyAfter,
    Conflict,
    Refused,
    /// 200, and the body is cut.
    Cut,
    /// The process ends before the call leaves, or before its answer is written down.
    CrashBefore,
    CrashAfter,
    /// There is no turn for it: the service is ill, or has no room. Nothing is written down.
    NoTurn,
    /// The service was found ill since there was a turn: it never left.
    Ill,
    /// 503, or no answer although it took effect; and by that the service is ill.
    IllBusy,
    IllLostAfter,
}

impl Fault {
    fn puts_off(self) -> bool {
        match self {
            Self::NoTurn | Self::Ill | Self::IllBusy | Self::IllLostAfter => true,
            Self::None
            | Self::NotSent
            | Self::LostBefore
            | Self::LostAfter
            | Self::Busy
            | Self::BusyAfter
            | Self::Conflict
            | Self::Refused
            | Self::Cut
            | Self::CrashBefore
            | Self::CrashAfter => false,
        }
    }
}

/// What a service knows of one key.
struct Known {
    bytes: String,
    content: String,
    first_at: UnixMillis,
    is_honoured: bool,
    effects: u32,
    /// The last sending was never answered.
    is_unanswered: bool,
}

#[derive(Default)]
struct State {
    faults: VecDeque<Fault>,
    by_key: HashMap<String, Known>,
    settled: BTreeSet<String>,
    resends_allowed: u32,
    answers: i64,
    /// How many sendings have met an ill service since the attempt began.
    put_off: u32,
    waited_hours: u32,
    is_settled_by_word: bool,
    violations: Vec<String>,
}

pub(in crate::worker) struct Model {
    clock: Arc<ManualClock>,
    state: Mutex<State>,
    pub(super) crashed: Notify,
}

const KEYS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

impl Model {
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            crashed: Notify::new(),
        }
    }

    /// Forgets all of the history before.
    pub(super) fn begin(&self) {
        *self.state() = State::default();
    }

    pub(super) fn faults(&self, faults: &[Fault]) {
        let mut state = self.state();
        state.faults = faults.iter().copied().collect();
        state.put_off = 0;
    }

    /// These keys stand settled in the ledger: nothing with one of them is ever sent again.
    pub(super) fn settled(&self, keys: impl IntoIterator<Item = String>) {
        self.state().settled.extend(keys);
    }

    pub(super) fn allow_resend(&self) {
        self.state().resends_allowed += 1;
    }

    /// Somebody says that a call has taken effect, whether it has or not.
    pub(super) fn settle_by_word(&self) {
        self.state().is_settled_by_word = true;
    }

    pub(super) fn is_settled_by_word(&self) -> bool {
        self.state().is_settled_by_word
    }

    pub(super) fn waited(&self, hours: u32) {
        self.state().waited_hours += hours;
    }

    pub(super) fn waited_hours(&self) -> u32 {
        self.state().waited_hours
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// How many calls of each content took effect: `service path body`.
    pub(super) fn effects(&self) -> BTreeMap<String, u32> {
        let mut effects = BTreeMap::new();
        for it in self.state().by_key.values() {
            *effects.entry(it.content.clone()).or_default() += u32::from(it.effects > 0);
        }
        effects
    }

    /// The keys that took effect, of each call with a name: `service name`.
    pub(super) fn keys_by_name(&self) -> BTreeMap<String, u32> {
        let mut keys = BTreeMap::new();
        for it in self.state().by_key.values().filter(|it| it.effects > 0) {
            if let Some((service, body)) = it.content.split_once(" once ") {
                let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
                let name = body["name"].as_str().unwrap_or_default();
                *keys.entry(format!("{service} {name}")).or_default() += 1;
            }
        }
        keys
    }

    /// The highest number of times that one key of a service that honours keys took effect.
    pub(super) fn effects_of_one_key_max(&self) -> u32 {
        let state = self.state();
        let honoured = state.by_key.values().filter(|it| it.is_honoured);
        honoured.map(|it| it.effects).max().unwrap_or(0)
    }

    /// Whether the run of the attempt that goes on is to wait for its service.
    pub(super) fn has_put_off(&self) -> bool {
        self.state().put_off > 0
    }

    /// Why there is no turn for the next call, if there is none.
    pub(in crate::worker) fn puts_off(&self, service: &str) -> Option<NotNow> {
        let mut state = self.state();
        let is_so = state.faults.front() == Some(&Fault::NoTurn);
        is_so.then(|| {
            state.faults.pop_front();
            state.put_off += 1;
            not_now(service)
        })
    }

    pub(in crate::worker) async fn send(&self, prepared: &Prepared, key: Option<&str>) -> Sent {
        let (fault, outcome) = self.state().take(prepared, key, self.clock.now());
        if matches!(fault, Fault::CrashBefore | Fault::CrashAfter) {
            self.crashed.notify_one();
            return std::future::pending().await;
        }
        Sent {
            outcome,
            not_now: fault.puts_off().then(|| not_now(&prepared.service)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(
        &mut self,
        prepared: &Prepared,
        key: Option<&str>,
        now: UnixMillis,
    ) -> (Fault, Result<Answer, CallError>) {
        let mut fault = self.faults.pop_front().unwrap_or(Fault::None);
        let has_taken = |it: &Known| it.effects > 0;
        if fault == Fault::Refused
            && key
                .and_then(|it| self.by_key.get(it))
                .is_some_and(has_taken)
        {
            // What it took once it does not refuse.
            fault = Fault::None;
        }
        self.answers += 1;
        self.put_off += u32::from(fault.puts_off());
        let result = outcome(fault, self.answers);
        let Some(key) = key else {
            return (fault, result);
        };
        let bytes = serde_json::to_string(prepared).unwrap_or_default();
        let path = prepared.url.rsplit('/').next().unwrap_or_default();
        let body = prepared.body.as_deref().unwrap_or_default();
        let content = format!("{} {path} {body}", prepared.service);
        let is_honoured = prepared.service == "books";
        let never_left = matches!(fault, Fault::NotSent | Fault::NoTurn | Fault::Ill);
        if never_left && !self.by_key.contains_key(key) {
            // The service has not seen this key, which may still become another call's.
            return (fault, result);
        }
        let known = self.by_key.entry(key.to_owned()).or_insert(Known {
            bytes: bytes.clone(),
            content: content.clone(),
            first_at: now,
            is_honoured,
            effects: 0,
            is_unanswered: false,
        });
        if self.settled.contains(key) {
            self.violations
                .push(format!("a settled call is sent again: {content}"));
        }
        if known.bytes != bytes {
            self.violations.push(format!(
                "key {key} goes out with {bytes} after {}",
                known.bytes
            ));
        }
        let is_forgotten = !is_honoured || known.first_at.after(KEYS_KEPT) < now;
        if known.is_unanswered && is_forgotten && !never_left {
            if self.resends_allowed == 0 {
                self.violations.push(format!(
                    "sent again, and nobody knew whether it arrived: {content}"
                ));
            }
            self.resends_allowed = self.resends_allowed.saturating_sub(1);
        }
        known.is_unanswered = match fault {
            Fault::LostBefore
            | Fault::LostAfter
            | Fault::IllLostAfter
            | Fault::CrashBefore
            | Fault::CrashAfter => true,
            // What never left says nothing of the sending before.
            Fault::NotSent | Fault::NoTurn | Fault::Ill => known.is_unanswered,
            Fault::None
            | Fault::Busy
            | Fault::BusyAfter
            | Fault::IllBusy
            | Fault::Conflict
            | Fault::Refused
            | Fault::Cut => false,
        };
        let takes_effect = match fault {
            Fault::None
            | Fault::Cut
            | Fault::LostAfter
            | Fault::IllLostAfter
            | Fault::CrashAfter
            | Fault::BusyAfter => true,
            Fault::NotSent
            | Fault::NoTurn
            | Fault::Ill
            | Fault::IllBusy
            | Fault::LostBefore
            | Fault::CrashBefore
            | Fault::Busy
            | Fault::Conflict
            | Fault::Refused => false,
        };
        // Who honours keys does a thing once.
        if takes_effect && (is_forgotten || known.effects == 0) {
            known.effects += 1;
        }
        (fault, result)
    }
}

fn outcome(fault: Fault, number: i64) -> Result<Answer, CallError> {
    let answer = |status, body_missing: Option<&str>| {
        Ok(Answer {
            status,
            headers: BTreeMap::new(),
            text: format!("{{\"n\":{number}}}"),
            body_missing: body_missing.map(str::to_owned),
            has_bad_utf8: false,
        })
    };
    match fault {
        Fault::None => answer(200, None),
        Fault::Cut => answer(200, Some("it was cut")),
        Fault::Busy | Fault::IllBusy => answer(503, None),
        Fault::BusyAfter => answer(500, None),
        Fault::Conflict => answer(409, None),
        Fault::Refused => answer(422, None),
        Fault::NotSent | Fault::NoTurn | Fault::Ill => Err(CallError::NotSent {
            message: "no connection".into(),
        }),
        Fault::LostBefore
        | Fault::LostAfter
        | Fault::IllLostAfter
        | Fault::CrashBefore
        | Fault::CrashAfter => Err(CallError::OutcomeUnknown {
            message: "cut".into(),
        }),
    }
}

fn not_now(service: &str) -> NotNow {
    NotNow {
        service: service.into(),
        why: format!("service `{service}` is ill"),
    }
}
