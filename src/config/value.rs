//! One value of handlers.toml with its place, and how it becomes text, a list, a number.

use super::findings::{self, Findings};
use super::variables::Variables;
use std::ops::{Range, RangeInclusive};
use toml::Spanned;
use toml::de::DeValue;

/// More items than a list of names can need.
const LIST_ITEMS_MAX: usize = 1000;

#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub key: &'a str,
    pub inner: &'a Spanned<DeValue<'a>>,
    pub findings: &'a Findings<'a>,
    pub variables: &'a Variables<'a>,
}

/// A string with its variables filled in.
pub(super) struct Text<'a> {
    pub value: String,
    /// As it stands in the file.
    written: &'a str,
    pub at: Range<usize>,
    pub findings: &'a Findings<'a>,
}

impl<'a> Value<'a> {
    pub(super) fn at(&self) -> Range<usize> {
        self.inner.span()
    }

    /// Never shows it from here on, whatever it is: what it holds is secret, or belongs to a key that nobody knows.
    pub(super) fn hide(&self) {
        hide(self.inner, self.findings);
    }

    /// Text; `example` is what one would write, quotes included.
    pub(super) fn text(&self, example: &str) -> Option<Text<'a>> {
        let DeValue::String(written) = self.inner.get_ref() else {
            self.is_no("text", example);
            return None;
        };
        match self.variables.fill_in(written) {
            Ok(value) => Some(Text {
                value,
                written,
                at: self.at(),
                findings: self.findings,
            }),
            Err(it) => {
                if !it.is_said {
                    self.findings.error(self.at(), it.message, it.help);
                }
                None
            }
        }
    }

    /// A list of texts; those that cannot be read are left out, and said.
    pub(super) fn texts(&self, example: &str) -> Option<Vec<Text<'a>>> {
        let DeValue::Array(items) = self.inner.get_ref() else {
            self.is_no("a list", example);
            return None;
        };
        if LIST_ITEMS_MAX < items.len() {
            let message = format!(
                "`{}` has {} items, at most {LIST_ITEMS_MAX} are allowed",
                self.key,
                items.len()
            );
            self.findings
                .error(self.at(), message, "write a shorter list");
            return None;
        }
        let text = |inner| {
            let it = Value { inner, ..*self };
            if let DeValue::String(_) = inner.get_ref() {
                return it.text(example);
            }
            it.is_no("a list of texts", example);
            None
        };
        Some(items.iter().filter_map(text).collect())
    }

    pub(super) fn is_empty_list(&self) -> bool {
        matches!(self.inner.get_ref(), DeValue::Array(it) if it.is_empty())
    }

    pub(super) fn flag(&self) -> Option<bool> {
        let DeValue::Boolean(it) = self.inner.get_ref() else {
            self.is_no("a yes or no", "true` or `false");
            return None;
        };
        Some(*it)
    }

    pub(super) fn number(&self, usual: u64, bounds: RangeInclusive<u64>) -> Option<u64> {
        let DeValue::Integer(written) = self.inner.get_ref() else {
            let meant = match self.inner.get_ref() {
                DeValue::String(it) => it.trim().parse().ok(),
                _ => None,
            };
            let meant = meant.filter(|it| bounds.contains(it)).unwrap_or(usual);
            self.is_no("a whole number", &meant.to_string());
            return None;
        };
        let number = u64::from_str_radix(written.as_str(), written.radix());
        match number {
            Ok(it) if bounds.contains(&it) => Some(it),
            Ok(_) | Err(_) => {
                let message = format!(
                    "`{}` must be between {} and {}, this is {}",
                    self.key,
                    bounds.start(),
                    bounds.end(),
                    findings::quoted(&written.to_string())
                );
                let help = format!("without this line it is {usual}");
                self.findings.error(self.at(), message, help);
                None
            }
        }
    }

    /// Of a web address that stands in the file only scheme and host are shown from here on.
    pub(super) fn hide_web_address(&self) {
        match self.inner.get_ref() {
            DeValue::String(written) if is_variable(written) => {}
            DeValue::String(written) if written.contains('@') => self.hide(),
            DeValue::String(_) => self.findings.hide_behind_host(self.at()),
            _ => {}
        }
    }

    /// The value is of another kind than its key asks for.
    pub(super) fn is_no(&self, wanted: &str, example: &str) {
        let found = match self.inner.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "a yes or no",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        if let DeValue::Table(_) | DeValue::Array(_) = self.inner.get_ref() {
            // Whatever it was meant to be, what is in it may be a service's.
            self.hide();
        }
        let message = format!("`{}` must be {wanted}, this is {found}", self.key);
        self.findings.error(
            self.at(),
            message,
            format!("write `{} = {example}`", self.key),
        );
    }
}

impl Text<'_> {
    /// As messages show it: as it stands in the file, since a variable may hold a secret.
    pub(super) fn shown(&self) -> String {
        findings::quoted(self.written)
    }

    /// What is wrong with it, and what to write instead.
    pub(super) fn error(&self, message: impl Into<String>, help: impl Into<String>) {
        let (message, help) = (self.unfilled(message.into()), self.unfilled(help.into()));
        self.findings.error(self.at.clone(), message, help);
    }

    pub(super) fn warning(&self, message: impl Into<String>, help: impl Into<String>) {
        let (message, help) = (self.unfilled(message.into()), self.unfilled(help.into()));
        self.findings.warning(self.at.clone(), message, help);
    }

    /// Whether a variable stands in it.
    pub(super) fn is_filled_in(&self) -> bool {
        self.value != self.written
    }

    /// What is said of it, as it stands in the file.
    fn unfilled(&self, said: String) -> String {
        if self.is_filled_in() {
            put_back(&said, &self.value, self.written)
        } else {
            said
        }
    }
}

/// What has fewer characters can stand inside of the host's own words too.
const CHARS_FOUND_ANYWHERE: usize = 6;

/// Writes what stands in the file in the place of its value; of a short one only where it is a word by itself.
fn put_back(said: &str, value: &str, written: &str) -> String {
    if value.trim().is_empty() {
        return said.to_owned();
    }
    let is_anywhere = value.chars().count() >= CHARS_FOUND_ANYWHERE;
    let is_outside = |it: Option<char>| is_anywhere || !it.is_some_and(char::is_alphanumeric);
    let mut out = String::new();
    let mut told = 0;
    for (at, _) in said.match_indices(value) {
        let end = at + value.len();
        let is_word =
            is_outside(said[..at].chars().next_back()) && is_outside(said[end..].chars().next());
        out.push_str(&said[told..at]);
        out.push_str(if is_word { written } else { value });
        told = end;
    }
    out.push_str(&said[told..]);
    out
}

fn hide(it: &Spanned<DeValue<'_>>, findings: &Findings<'_>) {
    match it.get_ref() {
        DeValue::String(written) if is_variable(written) => {}
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => findings.hide(it.span()),
        DeValue::Array(items) => items.iter().for_each(|it| hide(it, findings)),
        DeValue::Table(entries) => entries.iter().for_each(|(_, it)| hide(it, findings)),
    }
}

/// `Bearer ${TOKEN}`: what is secret stands elsewhere.
fn is_variable(written: &str) -> bool {
    let bare = ["Bearer ", "Basic "]
        .iter()
        .find_map(|it| written.strip_prefix(it))
        .unwrap_or(written);
    let inner = bare.strip_prefix("${").and_then(|it| it.strip_suffix('}'));
    inner.is_some_and(|it| !it.contains('}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_value_is_put_back_where_it_is_a_word_and_a_long_one_everywhere() {
        let put_back = |said, value| put_back(said, value, "${X}");
        assert_eq!(
            put_back("`5` is no time, such as \"5m\"; without it 5", "5"),
            "`${X}` is no time, such as \"5m\"; without it ${X}"
        );
        assert_eq!(
            put_back("write the whole address: a", "a"),
            "write the whole address: ${X}"
        );
        assert_eq!(put_back("a secret is empty", " "), "a secret is empty");
        assert_eq!(put_back("xsecret1m, secret1", "secret1"), "x${X}m, ${X}");
    }
}
