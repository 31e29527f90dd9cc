//! Which numbers survive as `i64` or `f64`, and how the others become text.

use serde::de::IgnoredAny;
use std::borrow::Cow;

/// Whether a text is JSON by its grammar, whatever its numbers may be.
pub(in crate::script) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Puts quotes around numbers that would not survive as `i64` or `f64`.
pub(in crate::script) fn quote_inexact_numbers(json: &[u8]) -> Cow<'_, [u8]> {
    let mut quoted: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut at = 0;
    while at < json.len() {
        match json[at] {
            b'"' => at = end_of_string(json, at),
            b'-' | b'0'..=b'9' => {
                let is_part =
                    |it: &u8| matches!(it, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let end = at + json[at..].iter().take_while(|it| is_part(it)).count();
                let number = std::str::from_utf8(&json[at..end]).unwrap_or_default();
                if !is_exact(number) {
                    let out = quoted.get_or_insert_default();
                    out.extend_from_slice(&json[copied..at]);
                    out.push(b'"');
                    out.extend_from_slice(number.as_bytes());
                    out.push(b'"');
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    match quoted {
        None => Cow::Borrowed(json),
        Some(mut out) => {
            out.extend_from_slice(&json[copied..]);
            Cow::Owned(out)
        }
    }
}

fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < json.len() && json[at] != b'"' {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn is_exact(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok();
    }
    number
        .parse::<f64>()
        .is_ok_and(|it| it.is_finite() && digits(number) == digits(&format!("{it:e}")))
}

/// Significant digits and exponent, so that 1.50 equals 15e-1.
fn digits(number: &str) -> (String, i64) {
    let number = number.trim_start_matches('-').to_ascii_lowercase();
    let (mantissa, exponent) = number.split_once('e').unwrap_or((&number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return (String::new(), 0);
    }
    let leading_zeros = all.len() - all.trim_start_matches('0').len();
    let point = whole.len() as i64 - leading_zeros as i64;
    let exponent = exponent
        .trim_start_matches('+')
        .parse::<i64>()
        .unwrap_or(i64::MAX / 2);
    (significant.to_owned(), point.saturating_add(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        assert_eq!(
            String::from_utf8_lossy(&quote_inexact_numbers(json.as_bytes())),
            expected
        );
    }

    #[test]
    fn only_numbers_that_would_change_become_text() {
        check(
            "[1,-1,0,9223372036854775807]",
            "[1,-1,0,9223372036854775807]",
        );
        check(
            "[9223372036854775808, -9223372036854775809]",
            r#"["9223372036854775808", "-9223372036854775809"]"#,
        );
        check(
            "[0.1,12.340,1.5e3,-0.0,1E+2]",
            "[0.1,12.340,1.5e3,-0.0,1E+2]",
        );
        check(
            "[0.10000000000000000001,1e400]",
            r#"["0.10000000000000000001","1e400"]"#,
        );
    }

    #[test]
    fn digits_inside_of_text_are_left_alone() {
        let json = r#"{"99999999999999999999":"99999999999999999999 \" 99999999999999999999"}"#;
        check(json, json);
    }
}
