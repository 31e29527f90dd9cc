//! Rhai's errors of a run in the words of staff, with what to write instead.

use super::error::HostError;
use super::library::Program;
use super::limits;
use super::text::{friendly_type_name, value_text};
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
        | EvalAltResult::ErrorMismatchOutputType(wanted, got, _) => HostError::new(format!(
            "here belongs {}, and this is {}",
            friendly_type_name(wanted),
            friendly_type_name(got)
        )),
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
        EvalAltResult::ErrorArithmetic(text, _) => HostError::new(super::parse::lower_first(text)),
        EvalAltResult::ErrorStackOverflow(_) => HostError::new(format!(
            "functions call each other more than {} deep",
            limits::CALL_DEPTH_MAX
        ))
        .help("does a function call itself without an end?"),
        EvalAltResult::ErrorDataTooLarge(what, _) => HostError::new(format!(
            "this becomes too large ({}): text has at most {} bytes, lists {} items, maps {} fields, all inside counted",
            super::parse::lower_first(what),
            limits::STRING_SIZE_BYTES_MAX,
            limits::ARRAY_LENGTH_MAX,
            limits::MAP_LENGTH_MAX
        )),
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
            it
        }
        _ => HostError::new(super::parse::lower_first(text)),
    }
}

/// Rhai writes: name (type, type)
fn function_not_found(signature: &str, program: &Program, file: &str) -> HostError {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    let types: Vec<&str> = types
        .strip_suffix(')')
        .unwrap_or(types)
        .split(", ")
        .filter(|it| !it.is_empty())
        .map(friendly_type_name)
        .collect();
    if program
        .closures()
        .get(name)
        .is_some_and(|files| files.contains(file))
    {
        return HostError::new("this function is called with more or fewer values than it takes");
    }
    if name.starts_with("anon$") {
        return HostError::new(
            "this function was made in an imported file, and ended with the call that made it (or it takes another number of values)",
        )
        .help("let that file return values, or have a `fn` with a name that is called as `alias::name(…)`");
    }
    if !name.starts_with(|it: char| it.is_alphanumeric() || it == '_') {
        let [a, b] = types.as_slice() else {
            return HostError::new(format!(
                "`{name}` cannot do that with {}",
                types.join(" and ")
            ));
        };
        let it = HostError::new(format!("`{name}` cannot do that with {a} and {b}"));
        let has_nothing = types.iter().any(|it| it.starts_with("nothing"));
        let has_text = types.contains(&"text");
        return if has_nothing {
            it.help("one of them is missing: give a default, `x ?? 0`")
        } else if has_text {
            it.help("make a number of the text by `parse_int(text)`, or text of the number by `` `${number}` ``")
        } else {
            it
        };
    }
    match types.as_slice() {
        [] => HostError::new(format!("there is no function `{name}`")),
        [one] => HostError::new(format!("there is no function `{name}` for {one}")),
        [first, rest @ ..] => HostError::new(format!(
            "there is no function `{name}` for {first} with {}",
            rest.join(", ")
        )),
    }
}
