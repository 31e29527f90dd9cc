//! Reads what a service answered, within bounds.

use super::client::Until;
use super::tls::tls_error;
use crate::call::Answer;
use crate::clock::UnixMillis;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, HeaderName, RETRY_AFTER, SET_COOKIE, TRANSFER_ENCODING};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::{Duration, UNIX_EPOCH};

/// The most bytes of names and values that an answer's headers keep; what has no room is left out.
pub(super) const ANSWER_HEADERS_BYTES_MAX: usize = 16 * 1024;
/// How much is kept of a body that is not whole, for people to look at.
const PARTIAL_BODY_BYTES_MAX: usize = 4 * 1024;
/// How much is shown of an encoding that nobody asked for.
const ENCODING_CHARS_MAX: usize = 40;
/// A service that asks for more is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How much of a body, and until when.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) body_size_bytes_max: usize,
    pub(super) until: Until,
}

/// Never fails: the head is there, so the call is settled, whatever becomes of the body.
pub(super) async fn read(answer: http::Response<Incoming>, bounds: Bounds) -> Answer {
    let (head, body) = answer.into_parts();
    let (bytes, body_missing) = match encoded(&head.headers) {
        Some(why) => (Vec::new(), Some(why)),
        None => read_body(body, bounds).await,
    };
    let text = String::from_utf8_lossy(&bytes);
    Answer {
        status: head.status.as_u16(),
        headers: kept_headers(&head.headers),
        // What is borrowed is as it came.
        has_bad_utf8: matches!(text, Cow::Owned(_)),
        text: text.into_owned(),
        body_missing,
    }
}

/// What came of the body, and why it is not all.
async fn read_body(mut body: Incoming, bounds: Bounds) -> (Vec<u8>, Option<String>) {
    let mut bytes = Vec::new();
    let too_large = || {
        format!(
            "it is larger than the limit of {} bytes",
            bounds.body_size_bytes_max
        )
    };
    let announced_bytes = body.size_hint().lower();
    if announced_bytes > u64::try_from(bounds.body_size_bytes_max).unwrap_or(u64::MAX) {
        return (bytes, Some(too_large()));
    }
    let missing = loop {
        let frame = match tokio::time::timeout_at(bounds.until.moment, body.frame()).await {
            Ok(None) => return (bytes, None),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => break broken(&error),
            Err(_) => {
                break format!("it did not end within {}", bounds.until.shown);
            }
        };
        // Trailers are no part of the body.
        if let Ok(chunk) = frame.into_data() {
            if bytes.len() + chunk.len() > bounds.body_size_bytes_max {
                break too_large();
            }
            bytes.extend_from_slice(&chunk);
        }
    };
    bytes.truncate(PARTIAL_BODY_BYTES_MAX);
    (bytes, Some(missing))
}

/// Who ended the body, in words: whoever cut the connection, or we, because of what came.
fn broken(error: &hyper::Error) -> String {
    let cause = std::iter::successors(error.source(), |&it| it.source())
        .find_map(|it| it.downcast_ref::<io::Error>());
    match cause {
        Some(it) if tls_error(it).is_some() => {
            format!("its TLS connection broke before its end: {it}")
        }
        // hyper's words for framing that is none, and for more of it than it takes.
        Some(it) if it.kind() == ErrorKind::InvalidInput => {
            format!("its answer breaks the rules of HTTP: {it}")
        }
        Some(it) if it.kind() == ErrorKind::InvalidData => {
            format!("its answer breaks the rules of HTTP or the bounds that we set to them: {it}")
        }
        Some(_) | None => "the connection was cut before its end".to_owned(),
    }
}

/// Why the body is no plain text, by its headers. We ask for none such; its bytes would be given to a script as if they
/// were text.
fn encoded(headers: &HeaderMap) -> Option<String> {
    let is_not_identity = |it: &String| !it.is_empty() && it != "identity";
    let mut transfer = words(headers, &TRANSFER_ENCODING);
    // hyper takes this one off, when it is the last.
    if transfer.last().is_some_and(|it| it == "chunked") {
        transfer.pop();
    }
    if let Some(it) = transfer.into_iter().find(is_not_identity) {
        return Some(format!(
            "it came with the transfer encoding {it}, and only `chunked` is taken, once"
        ));
    }
    let it = words(headers, &CONTENT_ENCODING)
        .into_iter()
        .find(is_not_identity)?;
    Some(format!(
        "it came compressed ({it}) although we asked for plain text"
    ))
}

/// What stands between the commas of a header, in lower case. Shortened: it is shown.
fn words(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    let mut words = Vec::new();
    for value in values {
        let value = String::from_utf8_lossy(value.as_bytes());
        words.extend(value.split(',').map(|it| {
            let word: String = it.trim().chars().take(ENCODING_CHARS_MAX).collect();
            word.to_lowercase()
        }));
    }
    words
}

/// Without cookies: a session is a secret, and scripts have no use for it. Each name is kept with all its values, or not
/// at all; what has no room hides nothing that comes after it.
fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut names: Vec<&HeaderName> = headers.keys().filter(|it| **it != SET_COOKIE).collect();
    // How long to wait has room first, whatever else comes.
    names.sort_by_key(|it| **it != RETRY_AFTER);
    let mut kept = BTreeMap::new();
    let mut left_bytes = ANSWER_HEADERS_BYTES_MAX;
    for name in names {
        let values = headers.get_all(name).iter();
        let values: Vec<Cow<'_, str>> = values
            .map(|it| String::from_utf8_lossy(it.as_bytes()))
            .collect();
        let value = values.join(", ");
        if let Some(left) = left_bytes.checked_sub(name.as_str().len() + value.len()) {
            left_bytes = left;
            kept.insert(name.as_str().to_owned(), value);
        }
    }
    kept
}

/// How long a service asks us to wait: its `Retry-After`, in seconds or as a date, at most 24 hours.
pub fn retry_after(answer_header: &str, now: UnixMillis) -> Option<Duration> {
    let text = answer_header.trim();
    let wait = if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
        // More digits than fit are a very long time.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let at = httpdate::parse_http_date(text)
            .ok()?
            .duration_since(UNIX_EPOCH)
            .ok()?;
        UnixMillis(i64::try_from(at.as_millis()).ok()?).since(now)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}
