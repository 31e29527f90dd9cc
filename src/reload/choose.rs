//! Which version of each handler's script takes its runs: that of the files, unless something speaks against it.

use super::check::{compile, engine_for, loaded_alike};
use super::pins::pinned_line;
use super::{Report, short};
use crate::config::{CanaryPolicy, Config, Handler};
use crate::diagnostic::Diagnostic;
use crate::in_force::{Canary, Chosen, InForce};
use crate::ledger::version_decision::VersionDecisions;
use crate::script::{Engine, Program, Sources};
use std::cell::OnceCell;
use std::sync::Arc;

/// The script of a version and its files, by its hash, as the ledger keeps them.
pub(super) type Kept<'a> = &'a dyn Fn(&str) -> Option<(String, Sources)>;

/// What is known when it is chosen.
pub(super) struct Choice<'a> {
    pub config: &'a Config,
    pub before: Option<&'a InForce>,
    pub decisions: &'a VersionDecisions,
    pub kept: Kept<'a>,
    engine: OnceCell<Arc<Engine>>,
}

impl<'a> Choice<'a> {
    pub(super) fn new(
        config: &'a Config,
        before: Option<&'a InForce>,
        decisions: &'a VersionDecisions,
        kept: Kept<'a>,
    ) -> Self {
        let engine = OnceCell::new();
        Self {
            config,
            before,
            decisions,
            kept,
            engine,
        }
    }

    /// For all handlers, in their order; `programs` are those of the files.
    pub(super) fn of_all(
        &self,
        programs: Vec<Result<Arc<Program>, Vec<Diagnostic>>>,
        report: &mut Report,
    ) -> Vec<Chosen> {
        let handlers = self.config.handlers.iter().zip(programs);
        handlers
            .map(|(handler, program)| self.of(handler, program, report))
            .collect()
    }

    /// For all handlers, where handlers.toml itself is not in force: no other save is, either. Each handler goes on with its
    /// last good version. What the files hold serves only where there is none to be had.
    pub(super) fn of_all_as_before(
        &self,
        programs: Vec<Result<Arc<Program>, Vec<Diagnostic>>>,
        report: &mut Report,
    ) -> Vec<Chosen> {
        let handlers = self.config.handlers.iter().zip(programs);
        handlers
            .map(|(handler, program)| {
                let chosen = match self.decisions.pins.get(&*handler.name) {
                    Some(version) => self.pinned(handler, version, None, report),
                    None => self.as_before(handler, program, report),
                };
                self.unless_stuck(handler, chosen, report)
            })
            .collect()
    }

    fn as_before(
        &self,
        handler: &Handler,
        program: Result<Arc<Program>, Vec<Diagnostic>>,
        report: &mut Report,
    ) -> Chosen {
        match (self.last_good(handler), program) {
            (Some((old, canary)), program) => {
                let is_tried = |version: &str| {
                    let tried = canary.as_ref().map(|it| it.candidate.version());
                    tried == Some(version)
                };
                let of_file = program.as_ref().map(|it| it.version());
                if !of_file.is_ok_and(|it| it == old.version() || is_tried(it)) {
                    report.changes.push(stays(handler, &old));
                }
                Chosen {
                    program: Ok(old),
                    canary,
                    saved: None,
                }
            }
            (None, Ok(program)) => {
                report.problems.push(format!(
                    "handler `{}` runs version {} as {} holds it: no version that was in force before can be had",
                    handler.name,
                    short(program.version()),
                    handler.script
                ));
                Chosen {
                    program: Ok(program.clone()),
                    canary: None,
                    saved: Some(program),
                }
            }
            (None, Err(found)) => self.broken(handler, &found, report),
        }
    }

    /// The version that was in force, and the one that was tried beside it.
    fn last_good(&self, handler: &Handler) -> Option<(Arc<Program>, Option<Canary>)> {
        let name = &*handler.name;
        let old = self.version(handler, self.decisions.in_force.get(name)?)?;
        let tried = self.decisions.canaries.get(name);
        let canary = handler.canary.and_then(|policy| {
            let candidate = self.version(handler, tried?)?;
            Some(Canary { candidate, policy })
        });
        Some((old, canary))
    }

    fn of(
        &self,
        handler: &Handler,
        program: Result<Arc<Program>, Vec<Diagnostic>>,
        report: &mut Report,
    ) -> Chosen {
        let chosen = match (self.decisions.pins.get(&*handler.name), program) {
            (Some(version), program) => self.pinned(handler, version, program.ok(), report),
            (None, Ok(it)) => self.good(handler, it, report),
            (None, Err(found)) => self.broken(handler, &found, report),
        };
        self.unless_stuck(handler, chosen, report)
    }

    /// A version on which too many runs got stuck takes no more of them.
    fn unless_stuck(&self, handler: &Handler, mut chosen: Chosen, report: &mut Report) -> Chosen {
        let name = &handler.name;
        if let Some(stuck) = self.decisions.stuck.get(&**name)
            && let Ok(program) = &chosen.program
            && let Some(why) = stuck.holds(name, program.version(), program.script())
        {
            report.decided.push(why.clone());
            chosen.program = Err(why);
        }
        chosen
    }

    /// The file is good: its version takes all runs, or is tried on some first.
    fn good(&self, handler: &Handler, program: Arc<Program>, report: &mut Report) -> Chosen {
        let name = &handler.name;
        let at_once = Chosen {
            program: Ok(program.clone()),
            canary: None,
            saved: Some(program.clone()),
        };
        let Some((policy, old)) = handler
            .canary
            .zip(self.decisions.in_force.get(&**name))
            .filter(|(_, old)| *old != program.version())
        else {
            return at_once;
        };
        let version = short(program.version());
        let Some(old) = self.version(handler, old) else {
            report.changes.push(format!(
                "handler `{name}` runs version {version} without a canary: the version before it does not fit the new handlers.toml"
            ));
            return at_once;
        };
        let key = (name.to_string(), program.version().to_owned());
        if let Some(why) = self.decisions.rolled_back.get(&key) {
            report.decided.push(format!(
                "handler `{name}` stays on version {}: its canary rolled back version {version}, which {} holds ({why})",
                short(old.version()),
                handler.script
            ));
            return Chosen {
                program: Ok(old),
                canary: None,
                saved: Some(program),
            };
        }
        Chosen {
            program: Ok(old),
            canary: Some(self.canary(handler, policy, program.clone(), report)),
            saved: Some(program),
        }
    }

    fn canary(
        &self,
        handler: &Handler,
        policy: CanaryPolicy,
        candidate: Arc<Program>,
        report: &mut Report,
    ) -> Canary {
        let known = self.decisions.canaries.get(&*handler.name);
        if known.map(String::as_str) != Some(candidate.version()) {
            report.changes.push(format!(
                "handler `{}` tries version {} of {} on {} of its runs",
                handler.name,
                short(candidate.version()),
                handler.script,
                policy.share
            ));
        }
        Canary { candidate, policy }
    }

    /// The file is no good: what was good before goes on, a canary too.
    fn broken(&self, handler: &Handler, found: &[Diagnostic], report: &mut Report) -> Chosen {
        let name = &handler.name;
        let Some((old, canary)) = self.last_good(handler) else {
            report.changes.push(format!(
                "handler `{name}` has no good version of {}: its runs are held",
                handler.script
            ));
            let first = found
                .first()
                .map(|it| it.message.clone())
                .unwrap_or_default();
            return Chosen {
                program: Err(format!("{} has errors: {first}", handler.script)),
                canary: None,
                saved: None,
            };
        };
        report.changes.push(stays(handler, &old));
        Chosen {
            program: Ok(old),
            canary,
            saved: None,
        }
    }

    /// A person has decided.
    fn pinned(
        &self,
        handler: &Handler,
        version: &str,
        saved: Option<Arc<Program>>,
        report: &mut Report,
    ) -> Chosen {
        let (name, pin) = (&handler.name, short(version));
        let line = pinned_line(name, version, saved.as_deref().map(Program::version));
        report.decided.push(line);
        let program = self.version(handler, version).ok_or_else(|| {
            let why = format!("version {pin}, to which it is pinned, does not fit handlers.toml");
            report
                .problems
                .push(format!("handler `{name}` is held: {why}"));
            why
        });
        Chosen {
            program,
            canary: None,
            saved,
        }
    }

    /// A version that was good, if it still is.
    pub(super) fn version(&self, handler: &Handler, version: &str) -> Option<Arc<Program>> {
        let old = self.before.and_then(|it| it.handler(&handler.name));
        let is_it = |it: &&Arc<Program>| it.version() == version;
        let of_old = old.and_then(|it| programs_of(&it.chosen).find(is_it));
        if let Some(program) = of_old
            && loaded_alike(self.before, self.config, handler).is_some()
        {
            return Some(program.clone());
        }
        // It may be of the time when the handler had another script.
        let (script, sources) = match of_old {
            Some(it) => (it.script().to_owned(), Sources(it.sources().clone())),
            None => (self.kept)(version)?,
        };
        let engine = self
            .engine
            .get_or_init(|| engine_for(self.config, self.before));
        let mut handler = handler.clone();
        handler.script = script;
        compile(engine, &handler, &sources).ok()
    }
}

fn stays(handler: &Handler, old: &Program) -> String {
    format!(
        "handler `{}` stays on version {} of {}, the last good one",
        handler.name,
        short(old.version()),
        old.script()
    )
}

/// Every program of a choice.
pub(super) fn programs_of(it: &Chosen) -> impl Iterator<Item = &Arc<Program>> {
    let tried = it.canary.as_ref().map(|it| &it.candidate);
    it.saved.iter().chain(it.program.as_ref().ok()).chain(tried)
}
