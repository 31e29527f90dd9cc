//! The path of a call, as a script wrote it.
//!
//! It often holds ids from an event, so it is refused rather than repaired: servers and proxies disagree about what
//! `..`, `//` or `%2f` mean, and one of them would leave the base path of the service.

use std::borrow::Cow;

/// Path and query, apart, of what may be sent. The error says what to write instead.
pub fn checked(path_and_query: &str) -> Result<(&str, Option<&str>), String> {
    check_characters(path_and_query)?;
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    check(path)?;
    if let Some(query) = query {
        decode_once(query).map_err(|it| it.message())?;
    }
    Ok((path, query))
}

/// What must stand nowhere, not even in a query.
fn check_characters(text: &str) -> Result<(), String> {
    for it in text.chars() {
        match it {
            '\r' | '\n' => return Err("the path holds a line break".to_owned()),
            '#' => return Err("the path holds `#`, which is never sent; write `%23`".to_owned()),
            '\\' => return Err("the path holds `\\`; write `/`".to_owned()),
            it if it.is_control() || matches!(it, '\u{2028}' | '\u{2029}') => {
                return Err(format!(
                    "the path holds the control character U+{:04X}",
                    u32::from(it)
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a path without a query may be sent.
pub fn check(path: &str) -> Result<(), String> {
    if path.is_empty() {
        // The base URL itself.
        return Ok(());
    }
    let Some(segments) = path.strip_prefix('/') else {
        return Err(if has_scheme(path) {
            "the path is a whole URL; write only what comes after the service's URL, such as `/invoices`".to_owned()
        } else {
            format!(
                "the path must begin with `/`; write `/{}`",
                path.trim_start()
            )
        });
    };
    if path.contains('@') {
        return Err("the path holds `@`; write `%40`".to_owned());
    }
    let last = segments.matches('/').count();
    for (number, segment) in segments.split('/').enumerate() {
        // The last may be empty: `/invoices/`.
        if segment.is_empty() && number != last {
            return Err("a part of the path is empty (`//`): is an id missing there?".to_owned());
        }
        check_segment(segment)?;
    }
    Ok(())
}

/// Looks at a part of the path as the most obliging of servers would: decoded as often as it can be.
fn check_segment(segment: &str) -> Result<(), String> {
    let mut text = Cow::Borrowed(segment);
    for _ in 0..DECODINGS_MAX {
        if text.contains(SLASHES) {
            return Err(format!(
                "`{}` in the path stands for a slash; an id with a slash cannot be sent in a path",
                segment.escape_debug()
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(format!(
                "`{segment}` in the path stands for a control character"
            ));
        }
        // `..;x` is `..` to servers that know path parameters.
        let name = text.split(';').next().unwrap_or_default().trim();
        if !name.is_empty() && name.chars().all(|it| DOTS.contains(&it)) {
            return Err(format!(
                "`{}` in the path leads elsewhere; write the path itself",
                segment.escape_debug()
            ));
        }
        // Once decoded, a `%` may stand for itself (`100%25`), and hides nothing that stands behind it.
        let next = if text == segment {
            decode_once(&text)
        } else {
            decode_what_can_be(&text)
        };
        let next = next.map_err(|it| it.message())?;
        if next == text {
            return Ok(());
        }
        text = Cow::Owned(next);
    }
    Err("the path is percent-encoded too many times".to_owned())
}

const DECODINGS_MAX: usize = 4;
/// With the look-alikes that become slashes and dots under Unicode's compatibility mapping.
const SLASHES: [char; 7] = [
    '/', '\\', '\u{ff0f}', '\u{ff3c}', '\u{fe68}', '\u{2215}', '\u{2044}',
];
const DOTS: [char; 6] = [
    '.', '\u{ff0e}', '\u{2024}', '\u{2025}', '\u{2026}', '\u{fe52}',
];

enum Broken {
    /// A `%` without two hexadecimal digits.
    Percent(String),
    /// Bytes that are no UTF-8 are how a dot is hidden from whoever looks for dots (`%c0%ae`).
    Text,
}

impl Broken {
    fn message(&self) -> String {
        match self {
            Self::Percent(at) => {
                format!("`{at}` in the path is no percent-encoding; a `%` itself is written `%25`")
            }
            Self::Text => "the path's percent-encoded characters are no valid UTF-8".to_owned(),
        }
    }
}

/// Replaces `%41` by `A`.
fn decode_once(text: &str) -> Result<String, Broken> {
    decode(text, Err)
}

/// The same, and a `%` that begins nothing stays.
fn decode_what_can_be(text: &str) -> Result<String, Broken> {
    decode(text, |_| Ok(()))
}

fn decode(text: &str, broken: impl Fn(Broken) -> Result<(), Broken>) -> Result<String, Broken> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let mut byte = [first];
        rest = after;
        if first == b'%' {
            let digits = after.get(..2).unwrap_or_default();
            if hex::decode_to_slice(digits, &mut byte).is_ok() {
                rest = &after[2..];
            } else {
                broken(Broken::Percent(format!(
                    "%{}",
                    String::from_utf8_lossy(digits)
                )))?;
            }
        }
        bytes.extend(byte);
    }
    String::from_utf8(bytes).map_err(|_| Broken::Text)
}

fn has_scheme(path: &str) -> bool {
    path.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it))
    })
}
