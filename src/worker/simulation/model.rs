//! Two services as the model has them: `books` honours keys for a day, `mail` ignores them. They answer when they are told
//! to, and know the laws of calls.

use crate::call::Answer;
use crate::services::modelled::{self, Exchange};
use crate::services::{CallError, Prepared};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use tokio::sync::oneshot;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Well,
    /// It took effect, and the answer's body was cut.
    Cut,
    Busy,
    /// 500, although it took effect.
    BusyAfter,
    Conflict,
    Refused,
    NotSent,
    LostBefore,
    LostAfter,
}

pub(super) const FATES: [Fate; 9] = [
    Fate::Well,
    Fate::Cut,
    Fate::Busy,
    Fate::BusyAfter,
    Fate::Conflict,
    Fate::Refused,
    Fate::NotSent,
    Fate::LostBefore,
    Fate::LostAfter,
];

/// A call that was sent and waits for its answer.
struct Pending {
    service: String,
    key: Option<String>,
    /// The event by whose allowance it went out once more.
    allowed: Option<String>,
    reply: oneshot::Sender<Result<Answer, CallError>>,
}

/// What is known of a key.
struct Known {
    bytes: String,
    about: String,
    honours_keys: bool,
    effects: u32,
    /// How often it went out, as far as that is not known to have come to nothing.
    sendings: u32,
    /// The last sending was not answered.
    is_unanswered: bool,
}

#[derive(Default)]
pub(super) struct Services {
    pending: VecDeque<Pending>,
    by_key: BTreeMap<String, Known>,
    /// Stand settled in the ledger.
    settled: BTreeSet<String>,
    answers: i64,
    /// Took effect, and said 500: a script that was edited since may ask for another thing in its place.
    denied: BTreeSet<String>,
    /// Events of which a call may go out once more although nobody knows whether it arrived.
    resendable: Vec<String>,
    pub(super) violations: Vec<String>,
}

/// The model, put in place of this thread's network.
pub(super) fn install() -> Rc<RefCell<Services>> {
    let it = Rc::new(RefCell::new(Services::default()));
    let model = it.clone();
    modelled::answer_by(Rc::new(move |prepared, key| {
        model.borrow_mut().sent(prepared, key)
    }));
    it
}

impl Services {
    fn sent(&mut self, prepared: &Prepared, key: Option<&str>) -> Exchange {
        let allowed = key.and_then(|it| self.look_at(prepared, it));
        let (reply, answer) = oneshot::channel();
        self.pending.push_back(Pending {
            service: prepared.service.clone(),
            key: key.map(str::to_owned),
            allowed,
            reply,
        });
        Box::pin(async move {
            answer.await.unwrap_or_else(|_| {
                Err(CallError::OutcomeUnknown {
                    message: "cut".into(),
                })
            })
        })
    }

    /// The event whose allowance this uses up, if it does.
    fn look_at(&mut self, prepared: &Prepared, key: &str) -> Option<String> {
        let bytes = serde_json::to_string(prepared).unwrap();
        let body: serde_json::Value =
            serde_json::from_str(prepared.body.as_deref().unwrap_or_default()).unwrap();
        let about = format!("{} {}", body["about"].as_str().unwrap(), body["n"]);
        if self.settled.contains(key) {
            self.violations
                .push(format!("a settled call is sent again: {about}"));
        }
        let known = self.by_key.entry(key.to_owned()).or_insert(Known {
            bytes: bytes.clone(),
            about: about.clone(),
            honours_keys: prepared.service == "books",
            effects: 0,
            sendings: 0,
            is_unanswered: false,
        });
        known.sendings += 1;
        if known.bytes != bytes {
            self.violations
                .push(format!("a key goes out with other bytes: {about}"));
        }
        let event = about.split(' ').nth(1).unwrap();
        let mut allowed = None;
        if known.is_unanswered && !known.honours_keys {
            match self.resendable.iter().position(|it| it == event) {
                Some(at) => allowed = Some(self.resendable.remove(at)),
                None => self.violations.push(format!(
                    "sent again, and nobody knows whether it arrived: {about}"
                )),
            }
        }
        known.is_unanswered = true;
        allowed
    }

    pub(super) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Answers one that waits; says which.
    pub(super) fn answer(&mut self, at: usize, fate: Fate) -> String {
        let Some(it) = self.pending.remove(at) else {
            return String::new();
        };
        self.answers += 1;
        let known = it.key.as_ref().and_then(|it| self.by_key.get_mut(it));
        let mut fate = fate;
        if let Some(known) = known {
            if fate == Fate::Refused && known.effects > 0 {
                // What it took once it does not refuse.
                fate = Fate::Well;
            }
            if fate == Fate::BusyAfter && !known.honours_keys {
                // That it is done again then is nobody's fault but the service's.
                fate = Fate::Busy;
            }
            let takes_effect = match fate {
                Fate::Well | Fate::Cut | Fate::BusyAfter | Fate::LostAfter => true,
                Fate::Busy | Fate::Conflict | Fate::Refused | Fate::NotSent | Fate::LostBefore => {
                    false
                }
            };
            if takes_effect && (known.effects == 0 || !known.honours_keys) {
                known.effects += 1;
            }
            if fate == Fate::BusyAfter {
                self.denied.insert(known.about.clone());
            }
            known.is_unanswered = match fate {
                Fate::LostBefore | Fate::LostAfter => true,
                // Says nothing of an earlier sending; of this one it says that there was none.
                Fate::NotSent => known.is_unanswered && known.effects > 0,
                Fate::Well
                | Fate::Cut
                | Fate::Busy
                | Fate::BusyAfter
                | Fate::Conflict
                | Fate::Refused => false,
            };
        }
        if fate == Fate::NotSent {
            self.resendable.extend(it.allowed);
            if let Some(key) = it.key.as_ref() {
                self.never_left(key);
            }
        }
        let told = format!("{fate:?} {} {:?}", it.service, it.key);
        let _ = it.reply.send(outcome(fate, self.answers));
        told
    }

    /// A key that the service has not seen at all may become another call's.
    fn never_left(&mut self, key: &str) {
        let Some(known) = self.by_key.get_mut(key) else {
            return;
        };
        known.sendings -= 1;
        if known.sendings == 0 {
            self.by_key.remove(key);
        }
    }

    /// The host ended: nobody hears what these are answered. Some took effect.
    pub(super) fn host_ended(&mut self, took_effect: &mut dyn FnMut() -> bool) {
        for it in std::mem::take(&mut self.pending) {
            let known = it.key.as_ref().and_then(|it| self.by_key.get_mut(it));
            if let Some(known) = known
                && took_effect()
                && (known.effects == 0 || !known.honours_keys)
            {
                known.effects += 1;
            }
        }
    }

    /// An operator says that it may.
    pub(super) fn allow_resend(&mut self, event: String) {
        self.resendable.push(event);
    }

    /// How often a call about this took effect.
    pub(super) fn took_effect(&self, about: &str) -> u32 {
        let all = self.by_key.values().filter(|it| it.about == about);
        all.map(|it| it.effects).sum()
    }

    pub(super) fn settled(&mut self, keys: impl IntoIterator<Item = String>) {
        self.settled.extend(keys);
    }

    /// How many calls about each thing took effect, where nobody was told otherwise.
    pub(super) fn effects(&self) -> BTreeMap<&str, u32> {
        let mut effects = BTreeMap::new();
        let is_told = |it: &&Known| !self.denied.contains(&it.about);
        for it in self.by_key.values().filter(is_told) {
            *effects.entry(it.about.as_str()).or_default() += it.effects;
        }
        effects
    }
}

fn outcome(fate: Fate, n: i64) -> Result<Answer, CallError> {
    let answer = |status, body_missing: Option<&str>| {
        Ok(Answer {
            status,
            headers: BTreeMap::new(),
            text: format!("{{\"n\":{n}}}"),
            body_missing: body_missing.map(str::to_owned),
            has_bad_utf8: false,
        })
    };
    match fate {
        Fate::Well => answer(200, None),
        Fate::Cut => answer(200, Some("it was cut")),
        Fate::Busy => answer(503, None),
        Fate::BusyAfter => answer(500, None),
        Fate::Conflict => answer(409, None),
        Fate::Refused => answer(422, None),
        Fate::NotSent => Err(CallError::NotSent {
            message: "no connection".into(),
        }),
        Fate::LostBefore | Fate::LostAfter => Err(CallError::OutcomeUnknown {
            message: "cut".into(),
        }),
    }
}
