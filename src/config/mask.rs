//! Hides secrets that stand in handlers.toml itself: a diagnostic shows the line, and goes into logs.

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

/// A key may be misspelt, or the file be no TOML: then secrets are known only by how they look. One pass.
fn words_that_look_secret(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut before = "";
    for word in text.split(|it: char| it.is_whitespace() || "\"'`$],{}".contains(it)) {
        if matches!(before, "Bearer" | "Basic") {
            found.push(at..at + word.len());
        } else if let Some(from) = secret_within(word) {
            found.push(at + from..at + word.len());
        }
        before = word;
        at += word.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    found
}

/// Where the part of a word begins that must not be seen. `task_list` holds no `sk_`.
fn secret_within(word: &str) -> Option<usize> {
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
            ("task_list risk_x desk_y", "task_list risk_x desk_y"),
            ("", ""),
        ] {
            assert_eq!(masked(text, Vec::new()), expected);
        }
    }

    #[test]
    fn what_is_known_to_be_a_secret_is_hidden_whole() {
        assert_eq!(masked("ab\ncd ef", vec![1..4, 3..5]), "a*\n** ef");
        assert_eq!(masked("é1é2", vec![0..2, 5..6]), "*1é*");
    }
}
