//! What a script can do, one family a file; the list is the surface.

pub(super) mod answer;
pub(super) mod compare;
pub(super) mod control;
#[cfg(test)]
pub(super) mod counted;
pub(super) mod encode;
mod form;
#[cfg(any(test, debug_assertions))]
pub(crate) mod hang;
mod json;
mod lists;
mod log;
mod maps;
pub(super) mod money;
pub(super) mod once;
pub(super) mod records;
pub(super) mod services;
mod strings;
pub(super) mod time;

pub(super) use log::Log;

use super::error::HostError;
use crate::diagnostic::did_you_mean;

pub(super) fn register(engine: &mut rhai::Engine) {
    records::register(engine);
    services::register(engine);
    answer::register(engine);
    compare::register(engine);
    control::register(engine);
    log::register(engine);
    money::register(engine);
    time::register(engine);
    strings::register(engine);
    json::register(engine);
    lists::register(engine);
    maps::register(engine);
    super::frozen::register(engine);
    super::error::register(engine);
    #[cfg(test)]
    counted::register(engine);
    #[cfg(any(test, debug_assertions))]
    hang::register(engine);
}

/// The refusal of what a handler was not given. `add` is what to write in handlers.toml.
pub(super) fn not_granted<'a>(
    what: &str,
    name: &str,
    add: &str,
    given: impl Iterator<Item = &'a str>,
) -> HostError {
    let add = format!("add {add} of this handler in handlers.toml");
    HostError::new(format!("this handler was not given the {what} `{name}`")).help(
        match did_you_mean(name, given) {
            Some(near) => format!("did you mean `{near}`? Else {add}"),
            None => add,
        },
    )
}
