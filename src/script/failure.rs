//! An error of a run, in words: what, where, and what to write instead.

use super::error::{HostError, Place};
use super::library::Program;
use super::state::RunState;
use super::text::shortened;
use super::words::said;
use super::{Failure, json, limits};
use crate::diagnostic::did_you_mean;
use rhai::{EvalAltResult, Position};
use std::collections::BTreeSet;

/// What the engine raised.
pub(super) fn failure_of(error: &EvalAltResult, program: &Program, run: &RunState) -> Failure {
    let (inner, position, source) = innermost(error, program.script());
    if let EvalAltResult::ErrorRuntime(value, _) = inner
        && let Some(error) = value.read_lock::<HostError>()
    {
        return failure_at(error.clone(), place(position, source), program);
    }
    let mut it = said(inner, program, source);
    if let EvalAltResult::ErrorPropertyNotFound(name, _) = inner {
        it = missing_field(name, run);
    }
    failure_at(it, place(position, source), program)
}

/// An error with its place, or else the one given.
pub(super) fn failure_at(error: HostError, place: Option<Place>, program: &Program) -> Failure {
    let HostError {
        message,
        help,
        call,
        place: own,
    } = error;
    let message = shortened(message, limits::MESSAGE_CHARS_MAX);
    let it = Failure {
        message,
        script: program.script().to_owned(),
        line: 0,
        column: 0,
        source_line: String::new(),
        help,
        call: call.map(|it| *it),
    };
    with_place(it, own.map(|it| *it).or(place), program)
}

/// Where the engine was when it stopped.
pub(super) fn place_of(error: &EvalAltResult, program: &Program) -> Option<Place> {
    let (_, position, source) = innermost(error, program.script());
    place(position, source)
}

pub(super) fn with_place(mut it: Failure, place: Option<Place>, program: &Program) -> Failure {
    if let Some(place) = place {
        it.line = place.line;
        it.column = place.column;
        if !place.script.is_empty() {
            it.script = place.script;
        }
    }
    if let Some(text) = program.sources().get(&it.script) {
        it.source_line = text
            .lines()
            .nth(it.line.wrapping_sub(1))
            .unwrap_or_default()
            .to_owned();
    }
    it
}

fn place(position: Position, source: &str) -> Option<Place> {
    Some(Place {
        script: source.to_owned(),
        line: position.line()?,
        column: position.position().unwrap_or(1).max(1),
    })
}

/// Rhai wraps an error once a call; the place that helps is the innermost that is known.
fn innermost<'a>(
    error: &'a EvalAltResult,
    script: &'a str,
) -> (&'a EvalAltResult, Position, &'a str) {
    let mut source = script;
    let mut position = error.position();
    let mut it = error;
    loop {
        let inner = match it {
            EvalAltResult::ErrorInFunctionCall(_, from, inner, _) => {
                if !inner.position().is_none() && !from.is_empty() {
                    source = from;
                }
                inner
            }
            EvalAltResult::ErrorInModule(_, inner, _) => inner,
            _ => return (it, position, source),
        };
        if !inner.position().is_none() {
            position = inner.position();
        }
        it = inner;
    }
}

fn missing_field(name: &str, run: &RunState) -> HostError {
    let mut seen = BTreeSet::new();
    run.answers
        .iter()
        .for_each(|it| json::field_names(&it.text, &mut seen));
    run.view
        .bodies()
        .for_each(|it| json::field_names(it, &mut seen));
    let near = did_you_mean(name, seen.iter().map(String::as_str));
    let ask = format!(
        "if it may be missing, ask for it: `map.get(\"{name}\") ?? \"…\"`, or `\"{name}\" in map`"
    );
    HostError::new(format!("there is no field `{name}` in this map")).help(
        near.map_or(ask.clone(), |near| {
            format!("did you mean `{near}`? Or, {ask}")
        }),
    )
}
