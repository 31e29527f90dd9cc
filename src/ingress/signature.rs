//! Whether a payload comes from Stripe: `Stripe-Signature`, as the official libraries take it and no laxer.

use crate::clock::UnixMillis;
use crate::config::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::Duration;

/// More is no header of Stripe's.
const HEADER_SIZE_BYTES_MAX: usize = 4096;
/// Stripe sends one signature for each active secret, and two at most are active.
const SIGNATURES_MAX: usize = 16;

/// A signing secret, ready to verify with.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// The whole text of the secret is the key, `whsec_` included.
    pub fn new(secret: &Secret) -> Option<Self> {
        Hmac::new_from_slice(secret.reveal().as_bytes())
            .ok()
            .map(Self)
    }

    /// The signature that goes with a payload, as Stripe would make it.
    pub fn sign(&self, timestamp: &str, body: &[u8]) -> [u8; 32] {
        self.mac(timestamp, body).finalize().into_bytes().into()
    }

    fn mac(&self, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac
    }
}

/// Why a delivery is refused. Goes to the log; the caller only learns that it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    #[error("it has no Stripe-Signature header; is it sent by Stripe?")]
    NoHeader,
    #[error("it has {0} Stripe-Signature headers; does a proxy add one?")]
    SeveralHeaders(usize),
    #[error(
        "its Stripe-Signature header has {size_bytes} bytes, the limit is {HEADER_SIZE_BYTES_MAX}"
    )]
    HeaderTooLong { size_bytes: usize },
    #[error("its Stripe-Signature header is malformed: {0}")]
    Malformed(&'static str),
    #[error("its body is empty; does something before the host read it?")]
    EmptyBody,
    #[error(
        "no v1 signature fits any of the endpoint's {secrets} signing secrets; is the secret that of this endpoint, and does anything before the host change the body?"
    )]
    NoMatch { secrets: usize },
    #[error(
        "it was signed {by_seconds} s ago, the tolerance is {tolerance_seconds} s; is the clock right?"
    )]
    TooOld {
        by_seconds: i64,
        tolerance_seconds: i64,
    },
    #[error(
        "it was signed {by_seconds} s in the future, the tolerance is {tolerance_seconds} s; is the clock right?"
    )]
    TooNew {
        by_seconds: i64,
        tolerance_seconds: i64,
    },
}

/// Verifies a payload against all of an endpoint's secrets. Says which one matched, counted from 1.
///
/// The time is looked at last, so that a wrong clock is told apart from a wrong secret. It may lie as far in the future
/// as in the past: of the official libraries some take any future time, others do as we do.
pub fn verify<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    body: &[u8],
    keys: &[Key],
    tolerance: Duration,
    now: UnixMillis,
) -> Result<u16, Reject> {
    let header = single(headers)?;
    if body.is_empty() {
        return Err(Reject::EmptyBody);
    }
    let signed = Header::parse(header)?;
    let number = matching(&signed, body, keys).ok_or(Reject::NoMatch {
        secrets: keys.len(),
    })?;
    let age = now.seconds() - signed.seconds;
    let tolerance_seconds = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
    if age > tolerance_seconds {
        return Err(Reject::TooOld {
            by_seconds: age,
            tolerance_seconds,
        });
    }
    if -age > tolerance_seconds {
        return Err(Reject::TooNew {
            by_seconds: -age,
            tolerance_seconds,
        });
    }
    Ok(number)
}

fn single<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<&'a [u8], Reject> {
    let mut headers = headers.into_iter();
    let first = headers.next().ok_or(Reject::NoHeader)?;
    match headers.count() {
        0 => Ok(first),
        more => Err(Reject::SeveralHeaders(more + 1)),
    }
}

/// Every signature is held against every secret, all of them, so that the time taken says nothing.
fn matching(signed: &Header<'_>, body: &[u8], keys: &[Key]) -> Option<u16> {
    let mut found = None;
    for (number, key) in (1..).zip(keys) {
        let mac = key.mac(signed.timestamp, body);
        for signature in &signed.signatures {
            // `verify_slice` compares in constant time.
            if mac.clone().verify_slice(signature).is_ok() && found.is_none() {
                found = Some(number);
            }
        }
    }
    found
}

/// `t=<unix seconds>,v1=<hex>[,v1=<hex>…]`; every other scheme is ignored.
struct Header<'a> {
    /// Its digits as they were written: this text is part of what is signed.
    timestamp: &'a str,
    seconds: i64,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Header<'a> {
    fn parse(header: &'a [u8]) -> Result<Self, Reject> {
        if header.len() > HEADER_SIZE_BYTES_MAX {
            return Err(Reject::HeaderTooLong {
                size_bytes: header.len(),
            });
        }
        let mut timestamp = None;
        let mut signatures = Vec::new();
        let mut signatures_seen = 0;
        for (at, part) in header.split(|it| *it == b',').enumerate() {
            // White space may stand behind a comma; elsewhere the libraries take it as part of a key or a value.
            let part = if at == 0 { part } else { trim_start(part) };
            let Some(at) = part.iter().position(|it| *it == b'=') else {
                continue;
            };
            let (key, value) = (&part[..at], &part[at + 1..]);
            match key {
                b"t" => {
                    let text = digits(value)?;
                    // A proxy that joins two equal headers writes it twice; two times are no time.
                    if timestamp.replace(text).is_some_and(|before| before != text) {
                        return Err(Reject::Malformed("it has two different `t`"));
                    }
                }
                b"v1" => {
                    signatures_seen += 1;
                    if signatures_seen > SIGNATURES_MAX {
                        return Err(Reject::Malformed("it has more than 16 v1 signatures"));
                    }
                    let mut signature = [0; 32];
                    // One that is no hex of 32 bytes fits no secret.
                    if hex::decode_to_slice(value, &mut signature).is_ok() {
                        signatures.push(signature);
                    }
                }
                _ => {}
            }
        }
        let timestamp = timestamp.ok_or(Reject::Malformed("it has no `t`"))?;
        if signatures_seen == 0 {
            return Err(Reject::Malformed("it has no v1 signature"));
        }
        let seconds = timestamp
            .parse()
            .map_err(|_| Reject::Malformed("`t` is no number"))?;
        Ok(Self {
            timestamp,
            seconds,
            signatures,
        })
    }
}

fn digits(value: &[u8]) -> Result<&str, Reject> {
    const DIGITS_MAX: usize = 12;
    // All libraries read a plus sign as part of the number, and none has it in what is signed.
    let value = value.strip_prefix(b"+").unwrap_or(value);
    let is_number =
        !value.is_empty() && value.len() <= DIGITS_MAX && value.iter().all(u8::is_ascii_digit);
    match std::str::from_utf8(value) {
        Ok(text) if is_number => Ok(text),
        Ok(_) | Err(_) => Err(Reject::Malformed("`t` is no number of 1 to 12 digits")),
    }
}

fn trim_start(mut part: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = part {
        part = rest;
    }
    part
}

#[cfg(test)]
mod tests;
