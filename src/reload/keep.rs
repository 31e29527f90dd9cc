//! What is good is kept in the ledger, so that a start with broken files works from it.

use super::choose::programs_of;
use super::{Reloader, last_good};
use crate::in_force::{Chosen, InForce, LoadedHandler};
use crate::ledger::LedgerError;
use crate::ledger::request::Order;
use crate::ledger::sqlite::read::{ReadError, Reader};
use crate::ledger::version_decision::{VersionDecision, VersionDecisions};
use crate::script::Program;
use std::sync::Arc;

/// The most decisions of one order: a thousand handlers may be new at once, and no ack is to wait for them all.
const DECISIONS_AT_ONCE: usize = 100;

impl Reloader {
    /// Called before it comes into force; `before` is what is.
    pub(super) async fn keep(
        &self,
        in_force: &InForce,
        decisions: &VersionDecisions,
        before: Option<&InForce>,
    ) -> Result<(), LedgerError> {
        let unreadable = |it: ReadError| LedgerError::Refused(it.to_string());
        let mut steps = Vec::new();
        let text = &in_force.config.text;
        let names: Vec<&str> = in_force
            .handlers()
            .iter()
            .map(|it| &*it.handler.name)
            .collect();
        let names = serde_json::to_string(&names).unwrap_or_default();
        let (has_other_text, has_other_handlers) = {
            let reader = self.reader();
            for it in in_force.handlers() {
                let is_as_before = before
                    .and_then(|it_before| it_before.handler(&it.handler.name))
                    .is_some_and(|old| is_same(&old.chosen, &it.chosen));
                if !is_as_before {
                    self.steps_of(it, decisions, &reader, &mut steps)
                        .map_err(unreadable)?;
                }
            }
            let is_other = |key: &str, value: &str| {
                let known = reader.meta(key).map_err(unreadable)?;
                Ok::<_, LedgerError>(known.is_none_or(|it| it != value))
            };
            (
                is_other(last_good::CONFIG, text)?,
                is_other(last_good::HANDLERS, &names)?,
            )
        };
        let mut values = Vec::new();
        if has_other_text {
            values.push((last_good::CONFIG.to_owned(), text.clone()));
        }
        if has_other_handlers {
            values.push((last_good::HANDLERS.to_owned(), names));
        }
        if !values.is_empty() {
            self.ledger.order(Order::SetMeta { values }).await?;
        }
        self.decide(steps).await
    }

    pub(super) async fn decide(
        &self,
        mut decisions: Vec<VersionDecision>,
    ) -> Result<(), LedgerError> {
        while !decisions.is_empty() {
            let rest = decisions.split_off(decisions.len().min(DECISIONS_AT_ONCE));
            self.ledger
                .order(Order::DecideVersions { decisions })
                .await?;
            decisions = rest;
        }
        Ok(())
    }

    fn steps_of(
        &self,
        it: &LoadedHandler,
        known: &VersionDecisions,
        reader: &Reader,
        steps: &mut Vec<VersionDecision>,
    ) -> Result<(), ReadError> {
        let at = self.clock.now();
        let handler = &it.handler.name;
        for program in programs_of(&it.chosen) {
            if !reader.knows_version(handler, program.version())? {
                steps.push(kept(program, at));
                steps.push(VersionDecision::Saved {
                    handler: handler.clone(),
                    version: program.version().into(),
                    at,
                });
            }
        }
        let tried = it.chosen.canary.as_ref().map(|it| it.candidate.version());
        let tried_before = known.canaries.get(&**handler).map(String::as_str);
        match tried {
            Some(version) if tried_before != Some(version) => {
                steps.push(VersionDecision::BeginCanary {
                    handler: handler.clone(),
                    version: version.into(),
                    at,
                })
            }
            None if tried_before.is_some() => steps.push(VersionDecision::EndCanary {
                handler: handler.clone(),
                rolled_back: None,
                at,
            }),
            Some(_) | None => {}
        }
        if let Ok(program) = it.program()
            && known.in_force.get(&**handler).map(String::as_str) != Some(program.version())
        {
            steps.push(VersionDecision::InForce {
                handler: handler.clone(),
                version: program.version().into(),
                at,
            });
        }
        Ok(())
    }
}

fn kept(program: &Program, at: crate::clock::UnixMillis) -> VersionDecision {
    VersionDecision::Keep {
        version: program.version().into(),
        script: program.script().to_owned(),
        // A map of texts is always JSON.
        sources: serde_json::to_string(program.sources()).unwrap_or_default(),
        at,
    }
}

fn is_same(old: &Chosen, new: &Chosen) -> bool {
    let mut new = programs_of(new);
    let same = programs_of(old).all(|it| new.next().is_some_and(|new| Arc::ptr_eq(it, new)));
    same && new.next().is_none()
}
