//! Names that authors choose, and the places that refer to them.

use super::value::Text;
use std::sync::Arc;

const NAME_CHARS_MAX: usize = 64;

/// Names go into file names, log lines and lane keys: `[a-z0-9][a-z0-9_-]{0,63}`. The error is what to write instead.
pub(super) fn check(name: &str) -> Result<(), String> {
    let good = is_name(name) && !name.starts_with(['-', '_']);
    if good {
        return Ok(());
    }
    let rule = format!(
        "a name has 1 to {NAME_CHARS_MAX} of a-z, 0-9, `-` and `_`, and begins with a letter or digit"
    );
    Err(match nearest_name(name) {
        Some(it) => format!("{rule}: `{it}`"),
        None => rule,
    })
}

/// `[a-z0-9_-]{1,64}`, the names of collections.
pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-_".contains(&it))
}

/// Which of the known names a text refers to; says so if it is none of them.
pub(super) fn resolve(it: &Text<'_>, what: &str, known: &[Arc<str>]) -> Option<Arc<str>> {
    let found = known.iter().find(|name| ***name == *it.value).cloned();
    if found.is_none() {
        let help = match it.findings.near(&it.value, known.iter().map(|it| &**it)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("add a table `[{what}s.{}]`", it.shown()),
            None => format!(
                "the {what}s here are {}; or add a table `[{what}s.{}]`",
                list(known),
                it.shown()
            ),
        };
        it.error(format!("there is no {what} `{}`", it.shown()), help);
    }
    found
}

/// The texts of a list, each once; says so of those that come again.
pub(super) fn each_once<'a>(items: Vec<Text<'a>>) -> Vec<Text<'a>> {
    let mut kept: Vec<Text<'a>> = Vec::with_capacity(items.len());
    for it in items {
        if kept.iter().any(|other| other.value == it.value) {
            // It may be a secret.
            it.warning("this stands in the list twice", "remove one of them");
        } else {
            kept.push(it);
        }
    }
    kept
}

fn list(known: &[Arc<str>]) -> String {
    const SHOWN_MAX: usize = 8;
    let mut text = known
        .iter()
        .take(SHOWN_MAX)
        .map(|it| format!("`{it}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if SHOWN_MAX < known.len() {
        text.push_str(", …");
    }
    text
}

/// What the author may have meant, if something is left of it.
fn nearest_name(name: &str) -> Option<String> {
    let near: String = name
        .to_lowercase()
        .chars()
        .map(|it| {
            if it.is_ascii_alphanumeric() || it == '_' {
                it
            } else {
                '-'
            }
        })
        .take(NAME_CHARS_MAX)
        .collect();
    let near = near.trim_matches(['-', '_']);
    (!near.is_empty()).then(|| near.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for good in ["a", "invoice-paid", "0_x", &"a".repeat(64)] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a b", "a.b", "é", &"a".repeat(65)] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bad_name_is_answered_with_a_good_one() {
        assert!(check("Invoice Paid").is_err_and(|it| it.ends_with(": `invoice-paid`")));
        assert!(check("é").is_err_and(|it| it.ends_with("letter or digit")));
    }
}
