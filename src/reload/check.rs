//! Checks files as a reload would, and changes nothing.

use super::choose::programs_of;
use super::{Files, mistaken};
use crate::config::{self, Config, Handler, Variable};
use crate::diagnostic::Diagnostic;
use crate::in_force::{InForce, LoadedHandler};
use crate::script::{self, Engine, Grants, Program, Sources};
use std::sync::Arc;

/// Files, checked: what would be in force, and what is wrong.
pub struct Checked {
    /// Nothing when handlers.toml itself is wrong.
    pub config: Option<Config>,
    /// The handlers' programs, in their order.
    pub programs: Vec<Result<Arc<Program>, Vec<Diagnostic>>>,
    pub problems: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

/// Checks files as a reload would, and changes nothing.
pub fn check(files: &Files) -> Checked {
    check_beside(files, None)
}

/// The same, with the programs at hand that are unchanged since a version before.
pub(super) fn check_beside(files: &Files, before: Option<&InForce>) -> Checked {
    let variables = |variable: Variable<'_>| variable_of(files, variable);
    let parsed = match &files.handlers {
        Ok(text) => config::parse(text, &files.name, &variables),
        Err(why) => return bad(vec![Diagnostic::of_file(&files.name, why.clone())], vec![]),
    };
    let config = match parsed {
        Ok(mut it) => {
            if let Some(rehearsal) = files.location.rehearsal() {
                rehearsal.adapt(&mut it);
            }
            it
        }
        Err(it) => {
            let (problems, warnings) = mistaken::findings(files, it);
            return bad(problems, warnings);
        }
    };
    let engine = engine_for(&config, before);
    let mut warnings = config.warnings.clone();
    let mut problems = files.problems.clone();
    let mut programs = Vec::with_capacity(config.handlers.len());
    for handler in &config.handlers {
        let compiled = match unchanged(before, &config, handler, &files.sources) {
            Some(it) => Ok(it),
            None => compile(&engine, handler, &files.sources)
                .map_err(|found| with_causes(found, files))
                .map_err(|found| where_named(found, handler, &config, &files.name))
                .map_err(|found| whose(found, handler, &config)),
        };
        match &compiled {
            Ok(program) => add(&mut warnings, program.warnings()),
            Err(found) => add(&mut problems, found),
        }
        programs.push(compiled);
    }
    for program in programs.iter().flatten() {
        add(&mut warnings, &unheard_of(program, &config));
    }
    Checked {
        config: Some(config),
        programs,
        problems,
        warnings,
    }
}

fn bad(problems: Vec<Diagnostic>, warnings: Vec<Diagnostic>) -> Checked {
    Checked {
        config: None,
        programs: Vec::new(),
        problems,
        warnings,
    }
}

/// Event types that a script asks for, and that no handler with this script gets.
fn unheard_of(program: &Program, config: &Config) -> Vec<Diagnostic> {
    let of_script = |it: &&Handler| it.script == program.script();
    let handlers = config.handlers.iter().filter(of_script);
    let events: Vec<_> = handlers.flat_map(|it| &it.events).collect();
    program.unheard_of(&events)
}

/// A script that is there and cannot be read is not missing.
pub(super) fn with_causes(found: Vec<Diagnostic>, files: &Files) -> Vec<Diagnostic> {
    let told = found.into_iter().map(|it| {
        let cause = script::missing_file(&it.message).and_then(|path| files.why_missing(path));
        cause.unwrap_or(it)
    });
    told.collect()
}

/// Of handlers that share a script one may be given what another is not.
fn whose(mut found: Vec<Diagnostic>, handler: &Handler, config: &Config) -> Vec<Diagnostic> {
    let of_script = |it: &&Handler| it.script == handler.script;
    if config.handlers.iter().filter(of_script).count() < 2 {
        return found;
    }
    let named = |text: &str| text.replace("this handler", &format!("handler `{}`", handler.name));
    for it in &mut found {
        it.message = named(&it.message);
        it.help = it.help.as_deref().map(named);
    }
    found
}

/// A script that is not there is a mistake of the line that names it.
fn where_named(
    found: Vec<Diagnostic>,
    handler: &Handler,
    config: &Config,
    file: &str,
) -> Vec<Diagnostic> {
    let missing = script::no_such_file(&handler.script);
    let named = |it: Diagnostic| {
        if it.line != 0 || it.message != missing {
            return it;
        }
        let key = ("handlers", &*handler.name, "script");
        let message = format!("{missing}, and handler `{}` runs it", handler.name);
        let help = it.help.or_else(|| {
            let help = format!("write {}, or correct the name", handler.script);
            Some(help)
        });
        Diagnostic {
            help,
            ..config.finding(file, key, message)
        }
    };
    found.into_iter().map(named).collect()
}

/// Two handlers may share a script: each finding is told once.
pub(super) fn add(all: &mut Vec<Diagnostic>, found: &[Diagnostic]) {
    for it in found {
        if !all.contains(it) {
            all.push(it.clone());
        }
    }
}

/// A thousand scripts, and one of them was saved.
fn unchanged(
    before: Option<&InForce>,
    config: &Config,
    handler: &Handler,
    sources: &Sources,
) -> Option<Arc<Program>> {
    let program = loaded_alike(before, config, handler)?
        .chosen
        .saved
        .as_ref()?;
    let mut files = program.sources().iter();
    let is_same = program.script() == handler.script
        && files.all(|(path, text)| sources.0.get(path) == Some(text));
    is_same.then(|| program.clone())
}

/// The handler as it was before, when what it was compiled for is as it was.
pub(super) fn loaded_alike<'a>(
    before: Option<&'a InForce>,
    config: &Config,
    handler: &Handler,
) -> Option<&'a LoadedHandler> {
    let before = before?;
    let old = before.handler(&handler.name)?;
    let is_alike = before.config.limits == config.limits
        && old.handler.records == handler.records
        && old.handler.services == handler.services;
    is_alike.then_some(&**old)
}

/// The one that is there, as long as the limits are the same: each saved script would keep another one.
pub(super) fn engine_for(config: &Config, before: Option<&InForce>) -> Arc<Engine> {
    let handlers = before.into_iter().flat_map(InForce::handlers);
    let mut engines = handlers.flat_map(|it| programs_of(&it.chosen).map(|it| it.engine()));
    match engines.find(|it| it.is_for(&config.limits)) {
        Some(it) => it.clone(),
        None => Engine::new(&config.limits),
    }
}

pub(super) fn compile(
    engine: &Arc<Engine>,
    handler: &Handler,
    sources: &Sources,
) -> Result<Arc<Program>, Vec<Diagnostic>> {
    let grants = Grants {
        collections: handler.records.clone(),
        services: handler.services.clone(),
    };
    engine
        .compile(&handler.script, sources, &grants)
        .map(Arc::new)
}

fn variable_of(files: &Files, variable: Variable<'_>) -> Result<String, String> {
    let value = value_of(files, variable);
    match files.location.rehearsal() {
        Some(rehearsal) if value.is_err() => Ok(match variable {
            Variable::Env(name) => rehearsal.stand_in_for(name),
            Variable::File(path) => rehearsal.stand_in_for(&path.display().to_string()),
        }),
        Some(_) | None => value,
    }
}

fn value_of(files: &Files, variable: Variable<'_>) -> Result<String, String> {
    match variable {
        Variable::Env(name) => std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => "is not set".to_owned(),
            std::env::VarError::NotUnicode(_) => "is not UTF-8 text".to_owned(),
        }),
        Variable::File(path) => files.secret(path),
    }
}

#[cfg(test)]
mod tests;
