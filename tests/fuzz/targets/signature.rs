//! `Stripe-Signature`: accepted only if one of its signatures is the HMAC, by a simpler reading of the header.
//!
//! An input is the header's lines, an empty line, the body. `{1}` and `{2}` stand for the signature that the first and the
//! second secret give with the first `t` of the header, `{x}` for that of a secret that the endpoint does not have.

use crate::driver::Target;
use hmac::{Hmac, KeyInit, Mac};
use hookyard::clock::UnixMillis;
use hookyard::config::Secret;
use hookyard::ingress::signature::{Key, Reject, verify};
use sha2::Sha256;
use std::time::Duration;

const SECRETS: [&str; 2] = ["whsec_first", "whsec_second"];
const FOREIGN: &str = "whsec_foreign";
const NOW_SECONDS: i64 = 1_700_000_000;
const TOLERANCE_SECONDS: i64 = 300;

pub(crate) const TARGET: Target = Target {
    name: "signature",
    words: &[
        "t=",
        "v1=",
        "v0=",
        ",",
        ", ",
        "=",
        "+",
        "{1}",
        "{2}",
        "{x}",
        "t=1700000000",
        "t=1700000300",
        "t=1699999700",
        "t=1699999699",
        "v1={1}",
        "v1={2}",
        "\n",
        "\n\n",
        " ",
        "\t",
        "{\"id\":\"evt_1\"}",
    ],
    more: &[],
    size_bytes_max: 5_000,
    time_max: Duration::from_millis(200),
    open: || {
        let keys: Vec<_> = SECRETS
            .iter()
            .map(|it| Key::new(&Secret::new(*it)).unwrap())
            .collect();
        Box::new(move |input| attempt(&keys, input))
    },
    must_see: &["accepted", "no v", "it was signed"],
};

fn attempt(keys: &[Key], input: &[u8]) -> String {
    let (head, body) = halves(input);
    let timestamp = timestamp_of(&head);
    let head = filled_in(&head, &timestamp, &body);
    let headers: Vec<&[u8]> = if head.is_empty() {
        Vec::new()
    } else {
        head.split(|it| *it == b'\n').collect()
    };
    let tolerance = Duration::from_secs(TOLERANCE_SECONDS.unsigned_abs());
    let now = UnixMillis(NOW_SECONDS * 1000);
    let result = verify(headers.iter().copied(), &body, keys, tolerance, now);

    let simple = headers
        .first()
        .filter(|_| headers.len() == 1 && !body.is_empty())
        .and_then(|it| simpler(it, &body));
    match &result {
        Ok(number) => {
            let (matched, seconds) = simple.expect("accepted, and no signature is the HMAC");
            assert_eq!(*number, matched, "another secret matched");
            let age = NOW_SECONDS - seconds;
            assert!(age.abs() <= TOLERANCE_SECONDS, "accepted {age} s old");
        }
        Err(Reject::TooOld { .. } | Reject::TooNew { .. }) => {
            let (_, seconds) = simple.expect("a time is told, and no signature is the HMAC");
            assert!(TOLERANCE_SECONDS < (NOW_SECONDS - seconds).abs());
        }
        Err(
            Reject::NoHeader
            | Reject::SeveralHeaders(_)
            | Reject::HeaderTooLong { .. }
            | Reject::Malformed(_)
            | Reject::EmptyBody
            | Reject::NoMatch { .. },
        ) => {
            let is_plain = headers.len() == 1 && is_plain(headers[0]);
            assert!(simple.is_none() || !is_plain, "refused: {result:?}");
        }
    }
    match result {
        Ok(_) => "accepted".into(),
        Err(why) => why.to_string(),
    }
}

fn halves(input: &[u8]) -> (Vec<u8>, Vec<u8>) {
    match input.windows(2).position(|it| it == b"\n\n") {
        Some(at) => (input[..at].to_vec(), input[at + 2..].to_vec()),
        None => (input.to_vec(), b"{}".to_vec()),
    }
}

/// The digits behind the first `t=`.
fn timestamp_of(head: &[u8]) -> Vec<u8> {
    let at = head.windows(2).position(|it| it == b"t=");
    let digits = at.map_or(&head[..0], |it| &head[it + 2..]);
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    digits
        .iter()
        .copied()
        .take_while(u8::is_ascii_digit)
        .collect()
}

fn filled_in(head: &[u8], timestamp: &[u8], body: &[u8]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(head.len());
    let mut rest = head;
    while let Some((first, after)) = rest.split_first() {
        let secret = match rest {
            [b'{', b'1', b'}', ..] => SECRETS[0],
            [b'{', b'2', b'}', ..] => SECRETS[1],
            [b'{', b'x', b'}', ..] => FOREIGN,
            _ => {
                filled.push(*first);
                rest = after;
                continue;
            }
        };
        filled.extend(hex::encode(signed(secret, timestamp, body)).bytes());
        rest = &rest[3..];
    }
    filled
}

fn signed(secret: &str, timestamp: &[u8], body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&[timestamp, b".", body].concat());
    mac.finalize().into_bytes().to_vec()
}

/// Which secret signed it, from 1, and when: the header cut at its commas, and nothing else known of it.
fn simpler(header: &[u8], body: &[u8]) -> Option<(u16, i64)> {
    let mut times = Vec::new();
    let mut signatures = Vec::new();
    for (number, part) in header.split(|it| *it == b',').enumerate() {
        let mut part = String::from_utf8_lossy(part).into_owned();
        if 0 < number {
            part = part.trim_start_matches([' ', '\t']).to_owned();
        }
        if let Some(time) = part.strip_prefix("t=") {
            times.push(time.strip_prefix('+').unwrap_or(time).to_owned());
        }
        if let Some(signature) = part.strip_prefix("v1=") {
            signatures.push(signature.to_ascii_lowercase());
        }
    }
    times.dedup();
    let [time] = times.as_slice() else {
        return None;
    };
    let seconds = time.parse().ok()?;
    let number = SECRETS.iter().position(|secret| {
        let expected = hex::encode(signed(secret, time.as_bytes(), body));
        signatures.contains(&expected)
    })?;
    Some((u16::try_from(number + 1).unwrap(), seconds))
}

/// `t=` and one or two `v1=`, as Stripe sends it.
fn is_plain(header: &[u8]) -> bool {
    let text = String::from_utf8_lossy(header);
    let mut parts = text.split(',');
    let is_time = |it: &str| {
        it.strip_prefix("t=").is_some_and(|it| {
            (1..=12).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit())
        })
    };
    let is_signature = |it: &str| {
        it.strip_prefix("v1=")
            .is_some_and(|it| it.len() == 64 && it.bytes().all(|it| it.is_ascii_hexdigit()))
    };
    parts.next().is_some_and(is_time) && parts.clone().count() <= 2 && parts.all(is_signature)
}
