//! `#{ once: "…" }`: the name by which a call is made once over all runs.

use crate::call::Method;
use crate::script::error::HostError;
use crate::script::text::type_name;
use rhai::Dynamic;

/// The most characters of a name.
const NAME_CHARS_MAX: usize = 255;

const EXAMPLE: &str =
    "write what the call is about, for example `` #{ once: `paid-${invoice.id}` } ``";

pub(in crate::script) fn name_of(method: Method, name: &Dynamic) -> Result<String, HostError> {
    if !method.changes_something() {
        return Err(HostError::new(is_not_for(method)).help(LOOKS_ALREADY));
    }
    let Ok(text) = name.as_immutable_string_ref() else {
        return Err(HostError::new(format!(
            "`once` has to be text, and this is {}",
            type_name(name)
        ))
        .help(EXAMPLE));
    };
    match mistake(&text) {
        Some(why) => Err(HostError::new(why).help(EXAMPLE)),
        None => Ok(text.to_string()),
    }
}

pub(in crate::script) const LOOKS_ALREADY: &str =
    "leave `once` out: a call that only looks may be made as often as you like";

pub(in crate::script) fn is_not_for(method: Method) -> String {
    format!(
        "`once` is for calls that can change something, and `{}` only looks",
        method.as_str().to_ascii_lowercase()
    )
}

/// What is wrong with a name, if something is.
fn mistake(name: &str) -> Option<String> {
    let count = name.chars().count();
    if count == 0 {
        return Some("`once` is empty, and it has to be the name of this call".into());
    }
    if NAME_CHARS_MAX < count {
        return Some(format!(
            "`once` has {count} characters, and {NAME_CHARS_MAX} is the most"
        ));
    }
    let odd = name.chars().find(|it| it.is_control())?;
    Some(format!("`once` cannot have {odd:?} in it"))
}
