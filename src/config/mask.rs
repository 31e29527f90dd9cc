//! Hides secrets that stand in handlers.toml itself: a diagnostic shows the line, and goes into logs.
//!
//! Of a file that is no TOML nobody knows which value belongs to which key: there only what is surely none is shown.

use std::ops::Range;

/// The text with a star for each character of a secret; lines and columns stay where they are.
pub(super) fn masked(text: &str, mut secrets: Vec<Range<usize>>) -> String {
    secrets.extend(words_that_look_secret(text));
    secrets.retain(|it| !it.is_empty());
    secrets.sort_by_key(|it| it.start);
    // Disjoint, so that they can be searched.
    secrets.dedup_by(|next, before| {
        let overlaps = next.start < before.end;
        if overlaps {
            before.end = before.end.max(next.end);
        }
        overlaps
    });
    let is_secret = |at: usize| {
        let next = secrets.partition_point(|it| it.end <= at);
        secrets.get(next).is_some_and(|it| it.start <= at)
    };
    text.char_indices()
        .map(|(at, it)| {
            if !matches!(it, '\n' | '\r') && is_secret(at) {
                '*'
            } else {
                it
            }
        })
        .collect()
}

/// What is said of a file may quote a part of it.
pub(super) fn masked_words(said: &str) -> String {
    masked(said, Vec::new())
}

/// Where values stand in a text that is no TOML; but for those of keys that hold no secret and have their line alone.
pub(super) fn values(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let from = start + shown_of(line);
        values_within(&text[from..start + line.len()], from, &mut found);
        start += line.len();
    }
    found
}

/// Keys whose values are no secrets.
const PLAIN_KEYS: [&str; 26] = [
    "answer_size_max",
    "body_timeout",
    "connect_timeout",
    "connections_max",
    "dedupe",
    "dedupe_scope",
    "drain_timeout",
    "endpoints",
    "events",
    "head_timeout",
    "idempotency",
    "keep_alive",
    "listen",
    "memory_mib",
    "on_dead",
    "operations_max",
    "order_by",
    "path",
    "private_network",
    "rate",
    "records",
    "runs_in_flight_max",
    "script",
    "services",
    "timeout",
    "tolerance",
];
/// More words that are keys and no values.
const OTHER_KEYS: [&str; 11] = [
    "attempts",
    "authorization",
    "breaker",
    "canary",
    "failures",
    "first",
    "headers",
    "max",
    "retry",
    "signing_secrets",
    "url",
];
const SECTIONS: [&str; 6] = [
    "server",
    "limits",
    "retention",
    "endpoints",
    "services",
    "handlers",
];
/// What stands around values; word processors' quotes too, which are often what is wrong.
const AROUND_VALUES: &str = "[]{},=:\"'“”„‟«»‘’‚‹›";

fn is_of_key(it: char) -> bool {
    it.is_ascii_alphanumeric() || "_-.".contains(it)
}

/// So many bytes of a line are no value: all of one that surely holds no secret, else a header, or a key with its sign.
fn shown_of(line: &str) -> usize {
    let from = line.len() - line.trim_start().len();
    let name = from + length_while(&line[from..], |it| it == '[');
    let end = name + length_while(&line[name..], is_of_key);
    let (key, rest) = (&line[name..end], line[end..].trim_start());
    if from < name {
        let section = key.split('.').next().unwrap_or_default();
        return if SECTIONS.contains(&section) {
            end
        } else {
            from
        };
    }
    let Some(value) = rest.strip_prefix(['=', ':']) else {
        return from;
    };
    let holds_more = value.contains(['=', '{']) || OTHER_KEYS.iter().any(|it| value.contains(it));
    if PLAIN_KEYS.contains(&key) && !holds_more {
        return line.len();
    }
    // `c2VjcmV0==` in a text of several lines looks like a key.
    let is_key = OTHER_KEYS.contains(&key) || !value.trim_start_matches('=').trim().is_empty();
    if is_key && !value.starts_with('=') {
        line.len() - value.len()
    } else {
        from
    }
}

fn length_while(text: &str, is_in: impl Fn(char) -> bool) -> usize {
    text.find(|it| !is_in(it)).unwrap_or(text.len())
}

/// What is longer between `${` and `}` is no name of a variable.
const VARIABLE_BYTES_MAX: usize = 4096;

/// All of a text but what stands around values, `${…}`, and known keys.
fn values_within(text: &str, offset: usize, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        let variable = rest.strip_prefix("${").and_then(|it| {
            let mut bytes = it.bytes().take(VARIABLE_BYTES_MAX);
            bytes.position(|it| it == b'}')
        });
        if variable.is_some() || next.is_whitespace() || AROUND_VALUES.contains(next) {
            at += variable.map_or(next.len_utf8(), |it| it + "${}".len());
            continue;
        }
        let is_end = |it: &str| {
            it.starts_with("${")
                || it.starts_with(|it: char| it.is_whitespace() || AROUND_VALUES.contains(it))
        };
        let mut ends = rest.char_indices().map(|(at, _)| at).skip(1);
        let length = ends.find(|it| is_end(&rest[*it..])).unwrap_or(rest.len());
        let word = &rest[..length];
        let is_key = (PLAIN_KEYS.contains(&word) || OTHER_KEYS.contains(&word))
            && rest[length..].trim_start().starts_with('=');
        if !is_key {
            found.push(offset + at..offset + at + length);
        }
        at += length;
    }
}

/// A key may be misspelt, or the file be no TOML: then secrets are known only by how they look. One pass.
fn words_that_look_secret(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut before = "";
    for word in text.split(|it: char| it.is_whitespace() || "\"'`$],{}".contains(it)) {
        if matches!(before, "Bearer" | "Basic") {
            found.push(at..at + word.len());
        } else if let Some(it) = secret_within(word) {
            found.push(at + it.start..at + it.end);
        }
        before = word;
        at += word.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    found
}

/// The part of a word that must not be seen. `task_list` holds no `sk_`.
fn secret_within(word: &str) -> Option<Range<usize>> {
    if let Some((before, behind)) = word.split_once("://")
        && let Some(end) = behind.rfind('@')
    {
        let from = before.len() + "://".len();
        return Some(from..from + end);
    }
    ["whsec_", "sk_", "rk_"]
        .iter()
        .filter_map(|start| {
            let is_start =
                |at: &usize| !word[..*at].ends_with(|it: char| it.is_alphanumeric() || it == '_');
            word.match_indices(start)
                .map(|(at, _)| at)
                .find(is_start)
                .map(|at| at + start.len())
        })
        .min()
        .map(|from| from..word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_hidden_wherever_it_stands() {
        for (text, expected) in [
            ("a = \"whsec_abc\"", "a = \"whsec_***\""),
            (
                "a = [\"sk_live_1\", \"rk_2\"",
                "a = [\"sk_******\", \"rk_*\"",
            ),
            ("k = \"Bearer abc\"", "k = \"Bearer ***\""),
            ("k = \"Basic é=\"\n", "k = \"Basic **\"\n"),
            ("k = \"Bearer ${TOKEN}\"", "k = \"Bearer ${TOKEN}\""),
            ("a = \"https://joe:pw@x/\"", "a = \"https://******@x/\""),
            ("task_list risk_x desk_y", "task_list risk_x desk_y"),
            ("", ""),
        ] {
            assert_eq!(masked(text, Vec::new()), expected);
        }
    }

    #[test]
    fn no_value_of_what_is_no_toml_is_shown() {
        for (text, expected) in [
            (
                "headers = { authorization = “Bearer TOPSECRET” }\n",
                "headers = { authorization = “****** *********” }\n",
            ),
            (
                "rate = \"20/s\", headers = { a = \"TOPSECRET\" }",
                "rate = \"****\", headers = { * = \"*********\" }",
            ),
            ("a = \"x${TOKEN}y\"", "a = \"*${TOKEN}*\""),
            (
                "\"TOPSECRET\",\nTOPSECRET=\nTOPSECRET==\n",
                "\"*********\",\n*********=\n*********==\n",
            ),
            ("signing_secrets: TOPSECRET", "signing_secrets: *********"),
            ("[services.s] # TOPSECRET", "[services.s] * *********"),
            (
                "rate = \"20/s\" headers: TOPSECRET",
                "rate = \"****\" *******: *********",
            ),
            ("[TOPSECRET]", "[*********]"),
            ("events = [\"invoice.paid]", "events = [\"invoice.paid]"),
        ] {
            assert_eq!(masked(text, values(text)), expected);
        }
    }

    #[test]
    fn what_is_known_to_be_a_secret_is_hidden_whole() {
        assert_eq!(masked("ab\ncd ef", vec![1..4, 3..5]), "a*\n** ef");
        assert_eq!(masked("é1é2", vec![0..2, 5..6]), "*1é*");
    }
}
