//! Rhai's errors of a run in the words of staff, with what to write instead.

use super::error::HostError;
use super::library::Program;
use super::not_taken::function_not_found;
use super::text::{friendly_type_name, value_text};
use super::{foreign, limits};
use rhai::EvalAltResult;

/// `file` is where the error arose.
pub(super) fn said(error: &EvalAltResult, program: &Program, file: &str) -> HostError {
    match error {
        EvalAltResult::ErrorRuntime(value, _) if value.is_unit() => {
            HostError::new("the script gave up (`throw`)")
        }
        EvalAltResult::ErrorRuntime(value, _) => HostError::new(value_text(value)),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            function_not_found(signature, program, file)
        }
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            HostError::new(format!("there is no variable `{name}`"))
        }
        EvalAltResult::ErrorModuleNotFound(path, _) => {
            HostError::new(format!("there is no file for `{path}`"))
        }
        EvalAltResult::ErrorAssignmentToConstant(name, _) if name == "event" => read_only(),
        EvalAltResult::ErrorAssignmentToConstant(name, _) => {
            HostError::new(format!("`{name}` cannot be changed: it is a `const`"))
        }
        EvalAltResult::ErrorNonPureMethodCallOnConstant(name, _) => {
            HostError::new(format!("`{name}` would change what cannot be changed"))
                .help("change a copy: `let mine = copy(it);`")
        }
        EvalAltResult::ErrorDotExpr(text, _) | EvalAltResult::ErrorIndexingType(text, _) => {
            no_such_property(text)
        }
        EvalAltResult::ErrorMismatchDataType(wanted, got, _)
        | EvalAltResult::ErrorMismatchOutputType(wanted, got, _) => {
            mismatch(friendly_type_name(wanted), friendly_type_name(got))
        }
        EvalAltResult::ErrorArrayBounds(length, index, _) => HostError::new(format!(
            "there is no item {index}: the list has {length}, counted from 0"
        )),
        EvalAltResult::ErrorStringBounds(length, index, _) => HostError::new(format!(
            "there is no character {index}: the text has {length}, counted from 0"
        )),
        EvalAltResult::ErrorFor(_) => HostError::new(
            "`for` goes through lists, ranges and the characters of text, and this is none of them",
        )
        .help("to go through the fields of a map write `for name in map.keys() { … }`"),
        EvalAltResult::ErrorDataRace(..) => HostError::new(
            "a function uses the very value that it is called on, which is in use then",
        )
        .help("make a copy before, `let all = copy(list);`, and use that inside of the function"),
        EvalAltResult::ErrorUnboundThis(_) => HostError::new("there is no `this` here"),
        EvalAltResult::ErrorArithmetic(text, _) => arithmetic(text),
        EvalAltResult::ErrorStackOverflow(_) => HostError::new(format!(
            "functions call each other more than {} deep",
            limits::CALL_DEPTH_MAX
        ))
        .help("does a function call itself without an end?"),
        EvalAltResult::ErrorDataTooLarge(what, _) => too_large(what),
        EvalAltResult::ErrorTooManyVariables(_) => HostError::new(format!(
            "a script has at most {} variables",
            limits::VARIABLES_MAX
        )),
        // Rhai's list grows; what is left is rare, and its own words tell it.
        other => {
            let mut text = other.to_string();
            if let Some(end) = text.rfind(" (line ") {
                text.truncate(end);
            }
            HostError::new(super::parse::lower_first(&text))
        }
    }
}

const TRUTH: &str = "true or false";

fn mismatch(wanted: &str, got: &str) -> HostError {
    let it = HostError::new(format!("here belongs {wanted}, and this is {got}"));
    match ask_for(got).filter(|_| wanted == TRUTH) {
        Some((is_there, _)) => it.help(format!("say what you ask: {is_there}")),
        None => it,
    }
}

/// What people mean by `if x` and by `if !x`, for an `x` of this type.
pub(super) fn ask_for(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        "text" => (
            "`x != ()` (is it there?) or `x != \"\"` (is it not empty?)",
            "`x == ()` (is it missing?) or `x == \"\"` (is it empty?)",
        ),
        "whole number" | "number with decimals" => (
            "`x != 0`, or `x != ()` (is it there?)",
            "`x == 0`, or `x == ()` (is it missing?)",
        ),
        "nothing (`()`)" => ("`x != ()` (is it there?)", "`x == ()` (is it missing?)"),
        "list" | "map" | "object of the event" | "list of the event" => (
            "`x != ()` (is it there?) or `!x.is_empty()`",
            "`x == ()` (is it missing?) or `x.is_empty()`",
        ),
        _ => return None,
    })
}

/// Rhai writes: Error parsing integer number '12a': invalid digit found in string
fn arithmetic(text: &str) -> HostError {
    let written = || text.split('\'').nth(1).unwrap_or_default();
    if text.contains("too large") || text.contains("too small") {
        return HostError::new(format!("`{}` is too large a number", written())).help(format!(
            "whole numbers go up to {}; leave an id as text",
            i64::MAX
        ));
    }
    if text.starts_with("Error parsing integer number") {
        return HostError::new(format!("`{}` is no whole number", written())).help(
            "`parse_int` takes digits alone, with a `-` before them or not: `parse_int(\"42\")`",
        );
    }
    if text.starts_with("Error parsing floating-point number") {
        return HostError::new(format!("`{}` is no number", written()))
            .help("`parse_float` takes digits with a point or not: `parse_float(\"4.2\")`");
    }
    HostError::new(super::parse::lower_first(text))
}

/// Rhai counts all that a value holds.
fn too_large(what: &str) -> HostError {
    if what.contains("string") {
        return HostError::new(format!(
            "this text becomes too long: text has at most {} bytes",
            limits::STRING_SIZE_BYTES_MAX
        ));
    }
    let (kind, most, of) = if what.contains("map") {
        ("map", limits::MAP_LENGTH_MAX, "fields")
    } else {
        ("list", limits::ARRAY_LENGTH_MAX, "items")
    };
    HostError::new(format!(
        "this {kind} becomes too large: {kind}s have at most {most} {of}, those of all that is inside counted"
    ))
    .help("hold less at once: of a service ask for one page after another, of `find` for fewer records")
}

fn read_only() -> HostError {
    HostError::new("`event` cannot be changed")
        .help("change a copy: `let mine = copy(event.data.object); mine.status = \"…\";`")
}

fn no_such_property(text: &str) -> HostError {
    let is_of_event = text.contains("event object") || text.contains("event list");
    // An index that is read; one that is written has a ` = ` in it.
    if is_of_event && text.ends_with(']') {
        return HostError::new(
            "fields of the event have names, and items of its lists have numbers",
        )
        .help("write `event.data.object`, or `event.data.object.lines.data[0]`");
    }
    if is_of_event {
        return read_only();
    }
    // Rhai writes: Unknown property 'x' - a getter is not registered for type 'y'
    let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [property, kind] => {
            let it = HostError::new(format!(
                "`{property}` is not there: this is {}",
                friendly_type_name(kind)
            ));
            if *kind == "()" {
                return it
                    .help("what stands before the dot is missing: ask first, `if x != () { … }`");
            }
            match foreign::function(property) {
                Some((_, instead)) => it.help(instead),
                None => it,
            }
        }
        _ => HostError::new(super::parse::lower_first(text)),
    }
}
