//! What stands in a cell of a CSV file, so that no spreadsheet takes a text that somebody else wrote for a formula.
//!
//! Source: OWASP, "CSV Injection": such a text gets a `'` in front. Here import takes it off again.

use std::borrow::Cow;

/// A text as it is written into a cell.
pub(super) fn to_cell(text: &str) -> Cow<'_, str> {
    if is_formula(text) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text of which [`to_cell`] made this cell.
pub(super) fn from_cell(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if is_formula(text) => text,
        Some(_) | None => cell,
    }
}

/// Whether a spreadsheet would compute it, or would without the `'`s in front. Numbers are none, nor are telephone numbers
/// that have no other sign in them.
fn is_formula(text: &str) -> bool {
    let text = text.trim_start_matches('\'');
    match text.chars().next() {
        Some('=' | '@' | '＝' | '＠' | '＋' | '－' | '\t' | '\r' | '\n') => true,
        Some('+' | '-') => !text[1..]
            .chars()
            .all(|it| it.is_ascii_digit() || matches!(it, '.' | ',' | ' ')),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula() {
        for text in [
            "=HYPERLINK(\"https://evil.example\",\"open\")",
            "@SUM(1)",
            "＝1+1",
            "+31-20-1234567",
            "+cmd|' /C calc'!A0",
            "-2+3+cmd",
            "\t=1",
            "\r=1",
            "\n=1",
        ] {
            assert_eq!(to_cell(text), format!("'{text}"));
        }
    }

    #[test]
    fn what_is_no_formula_stays_as_it_is() {
        for text in [
            "",
            "Zoë",
            "-12.50",
            "+31 20 123 4567",
            "'t Hart",
            "a=b",
            "-",
        ] {
            assert_eq!(to_cell(text), text);
        }
    }

    #[test]
    fn every_text_comes_out_of_its_cell_as_it_went_in() {
        let pieces = ["'", "=", "+", "-", "1", "x"];
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            let longer: Vec<String> = texts
                .iter()
                .flat_map(|it| pieces.map(|piece| format!("{it}{piece}")))
                .collect();
            texts.extend(longer);
        }
        for text in &texts {
            assert_eq!(from_cell(&to_cell(text)), text);
        }
    }
}
