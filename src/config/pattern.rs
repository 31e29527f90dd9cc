//! Event patterns: `invoice.paid`, `invoice.*`, `*`, and `?invoice.new_type` for what Stripe added since.

use super::Pattern;
use super::value::Text;
use crate::catalog;

pub(super) const EXAMPLE: &str = "[\"invoice.paid\"]";
const PATTERN_SIZE_BYTES_MAX: usize = 200;

pub(super) fn read(it: &Text<'_>) -> Option<Pattern> {
    let written = it.value.as_str();
    // The author says: I know that this type is not in the list.
    let (is_said_new, text) = written
        .strip_prefix('?')
        .map_or((false, written), |rest| (true, rest));
    let Some(pattern) = parse(text) else {
        let help = help_for(it, || shape_help(text));
        it.error(format!("`{}` is not an event type", it.shown()), help);
        return None;
    };
    let is_known = match &pattern {
        Pattern::Exact(kind) => catalog::is_known(kind),
        Pattern::Prefix(start) => catalog::kinds().any(|it| it.name.starts_with(start.as_str())),
        Pattern::All => true,
    };
    match (is_known, is_said_new) {
        (true, false) | (false, true) => {}
        (true, true) => it.warning(
            format!("`{text}` is in the list of event types"),
            "leave the `?` out, so that a later mistake in it is found",
        ),
        (false, false) => {
            let help = help_for(it, || unknown_help(text));
            it.error(format!("Stripe has no event type `{}`", it.shown()), help);
            return None;
        }
    }
    Some(pattern)
}

fn parse(text: &str) -> Option<Pattern> {
    if text == "*" {
        return Some(Pattern::All);
    }
    let name = text.strip_suffix(".*").unwrap_or(text);
    // Names of thin events hold brackets: `v2.core.account[requirements].updated`.
    let is_name = (1..=PATTERN_SIZE_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"._[]".contains(&it))
        && name.split('.').all(|part| !part.is_empty());
    if !is_name {
        return None;
    }
    Some(if name.len() < text.len() {
        Pattern::Prefix(format!("{name}."))
    } else {
        Pattern::Exact(text.to_owned())
    })
}

/// A part of what a variable holds may be part of a secret.
fn help_for(it: &Text<'_>, help: impl FnOnce() -> String) -> String {
    if it.findings.is_full() {
        String::new()
    } else if it.is_filled_in() {
        "write the type itself: a variable stands here".to_owned()
    } else {
        help()
    }
}

fn shape_help(text: &str) -> String {
    let bare = text.trim_matches(['*', '.', ' ']);
    if text.contains('*') && !bare.contains('*') && !bare.is_empty() {
        return format!("a star stands alone or at the end after a dot: \"{bare}.*\"");
    }
    match catalog::nearest(text.trim()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write a type such as \"invoice.paid\", or \"invoice.*\" for all that begin so"
            .to_owned(),
    }
}

fn unknown_help(text: &str) -> String {
    let escape = format!("if Stripe has it by now, write \"?{text}\"");
    match text
        .strip_suffix(".*")
        .map_or_else(|| catalog::nearest(text), catalog::nearest_family)
    {
        Some(near) if text.ends_with(".*") => format!("did you mean `{near}.*`? {escape}"),
        Some(near) => format!("did you mean `{near}`? {escape}"),
        None => format!("{escape}; all types: https://docs.stripe.com/api/events/types"),
    }
}
