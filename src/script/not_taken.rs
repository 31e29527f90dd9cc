//! A function or an operator that does not take what it was given.

use super::error::HostError;
use super::library::Program;
use super::text::friendly_type_name;
use super::words::ask_for;
use super::{foreign, usage};

/// Rhai writes: name (type, type)
pub(super) fn function_not_found(signature: &str, program: &Program, file: &str) -> HostError {
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
            let one = types.join(" and ");
            let it = HostError::new(format!("`{name}` cannot do that with {one}"));
            return match ask_for(&one).filter(|_| name == "!") {
                Some((_, is_missing)) => it.help(format!("say what you ask: {is_missing}")),
                None => it,
            };
        };
        let it = HostError::new(format!("`{name}` cannot do that with {a} and {b}"));
        let has_nothing = types.iter().any(|it| it.starts_with("nothing"));
        let has_text = types.contains(&"text");
        let of_money = match (*a, *b) {
            ("money", other) | (other, "money") => foreign::of_money(name, other),
            _ => None,
        };
        return if has_nothing {
            it.help("one of them is missing: give a default, `x ?? 0`")
        } else if let Some(help) = of_money {
            it.help(help)
        } else if has_text && name == "&" {
            it.help("to make one text of two write `+`")
        } else if has_text && name == "*" {
            it.help("make a number of the text by `parse_int(text)`; `decimal` of money is text: count with the money itself, `m * 2`")
        } else if has_text {
            it.help("make a number of the text by `parse_int(text)`, or text of the number by `` `${number}` ``")
        } else {
            it
        };
    }
    let is_known = program.engine().functions.contains_key(name);
    let it = HostError::new(match types.as_slice() {
        [] => format!("there is no function `{name}`"),
        _ if is_known => does_not_take(name, &types).message,
        [one] => format!("there is no function `{name}` for {one}"),
        [first, rest @ ..] => {
            format!(
                "there is no function `{name}` for {first} with {}",
                rest.join(", ")
            )
        }
    });
    let of_kind = match types.first() {
        Some(&"list") if name == "append" => {
            Some("to add one value write `list.push(value)`; `append` takes a list")
        }
        Some(&"collection of records") => foreign::of_records(name),
        Some(&"service") => foreign::of_service(name),
        Some(_) if name == "get" && types.len() == 3 => Some(foreign::DEFAULT),
        Some(_) | None => None,
    };
    if let Some(help) = of_kind {
        return it.help(help);
    }
    if CHANGES.contains(&name) && types.first().is_some_and(|it| it.ends_with("of the event")) {
        return it.help("the event cannot be changed; change a copy: `let mine = copy(it);`");
    }
    with_example(it, name, &types)
}

/// A function of the host that is there, and takes other values.
pub(super) fn does_not_take(name: &str, types: &[&str]) -> HostError {
    let it = HostError::new(format!("`{name}` does not take {}", types.join(" with ")));
    with_example(it, name, types)
}

fn with_example(it: HostError, name: &str, types: &[&str]) -> HostError {
    match (usage::example(name), foreign::function(name)) {
        (Some(example), _) if usage::takes_seconds(name) && types.contains(&"text") => {
            it.help(format!(
                "write for example `{example}`; seconds of a text are `parse_date(\"2026-11-24\")`"
            ))
        }
        (Some(example), _) => it.help(format!("write for example `{example}`")),
        (None, Some((_, instead))) => it.help(instead),
        (None, None) => it,
    }
}

/// What changes the list or the map that it is called on.
const CHANGES: [&str; 9] = [
    "push",
    "append",
    "insert",
    "pop",
    "shift",
    "remove",
    "clear",
    "mixin",
    "fill_with",
];
