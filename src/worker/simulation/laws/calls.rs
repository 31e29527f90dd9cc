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
            let (script, event) = (words.next()?, words.next()?);
            let seq = *self.facts.events.iter().find(|it| it.1.0 == event)?.0;
            let allowed = self.facts.may_call(seq, script);
            (allowed < times).then(|| format!("{about} took effect {times} times, of {allowed}"))
        })
    }

    /// A run that is done has made its call, unless an operator said that it was made.
    fn missing(&self) -> Option<String> {
        let services = self.services.borrow();
        self.facts.runs.iter().find_map(|(id, run)| {
            let seq = RunId(*id).event_seq();
            let calls = matches!(self.mood_of(seq), "call" | "mail");
            let is_done = run.ended.as_deref() == Some("done");
            if !calls || !is_done || self.facts.settled_by_hand.contains(&seq) {
                return None;
            }
            let about = format!("{} {} 1", script_of(&run.handler), self.id_of(seq));
            (services.took_effect(&about) == 0).then(|| format!("run {id} is done without {about}"))
        })
    }
}
