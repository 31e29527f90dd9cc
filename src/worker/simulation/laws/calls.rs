//! What the services have seen.

use super::super::course::Course;
use super::super::files::script_of;
use crate::run::RunId;

impl Course {
    /// What the services have seen is lawful, and they did nothing twice, and nothing less than runs that are done say.
    pub(super) fn check_calls(&mut self) {
        let settled = self
            .life()
            .looks
            .texts("SELECT idempotency_key FROM journal WHERE state = 'settled'");
        let violation = self.services.borrow().violations.first().cloned();
        if let Some(it) = violation {
            panic!("{it}\n{}", self.told());
        }
        let keys = settled.into_iter().map(|mut it| it.remove(0));
        self.services.borrow_mut().settled(keys);
        let broken = self.doubled().or_else(|| self.missing());
        if let Some(it) = broken {
            panic!("{it}\n{}", self.told());
        }
    }

    fn doubled(&self) -> Option<String> {
        let services = self.services.borrow();
        services.effects().into_iter().find_map(|(about, times)| {
            let mut words = about.split(' ');
            let (script, of) = (words.next()?, words.next()?);
            let allowed = match script {
                "named" => 1 + self.allowed_again_about(of),
                _ => {
                    let seq = *self.facts.events.iter().find(|it| it.1.0 == of)?.0;
                    self.facts.may_call(seq, script)
                }
            };
            (allowed < times).then(|| format!("{about} took effect {times} times, of {allowed}"))
        })
    }

    /// How often an operator allowed that calls of events about an object are made once more.
    fn allowed_again_about(&self, object: &str) -> u32 {
        let all = self.facts.allowed_again.iter();
        let its = all.filter(|(seq, _)| self.object_of(**seq) == object);
        its.map(|(_, times)| times).sum()
    }

    /// A run that is done has made its call, or another one that has the same name, unless an operator said that it was
    /// made.
    fn missing(&self) -> Option<String> {
        let services = self.services.borrow();
        self.facts.runs.iter().find_map(|(id, run)| {
            let seq = RunId(*id).event_seq();
            let script = script_of(&run.handler);
            let (about, answered_by_hand) = match self.mood_of(seq) {
                "call" | "mail" => {
                    let by_hand = self.facts.settled_by_hand.contains(&seq);
                    (format!("{script} {} 1", self.id_of(seq)), by_hand)
                }
                "named" => {
                    let object = self.object_of(seq);
                    let mut by_hand = self.facts.settled_by_hand.iter();
                    let by_hand = by_hand.any(|it| self.object_of(*it) == object);
                    (format!("named {object} 1"), by_hand)
                }
                _ => return None,
            };
            if answered_by_hand || run.ended.as_deref() != Some("done") {
                return None;
            }
            (services.took_effect(&about) == 0).then(|| format!("run {id} is done without {about}"))
        })
    }
}
