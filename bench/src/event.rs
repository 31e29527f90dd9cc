//! Signed events, made as cheaply as can be: the generator shares the machine with what it measures.
//!
//! A request is built once for each connection. For every event after that its ids, times and amounts are overwritten
//! in place, and it is signed anew.

use anyhow::{Context, Result, ensure};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const SECRET: &str = "whsec_bench_secret";
pub(crate) const PATH: &str = "/webhooks/stripe";
/// How many invoices the events are about; each customer has two of them.
pub(crate) const OBJECTS: u64 = 100_000;

const TEMPLATE: &str = include_str!("invoice.json");

/// Makes events of one type.
pub(crate) struct EventSource {
    request: Vec<u8>,
    slots: Vec<Slot>,
    body: usize,
    signed_at: Range<usize>,
    signature: Range<usize>,
    key: Hmac<Sha256>,
    random: Random,
}

/// A place in the request that differs from event to event.
struct Slot {
    at: Range<usize>,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    /// `~`: letters and digits that never come again.
    Unique,
    /// `^`: the invoice's own letters and digits.
    Invoice,
    /// `@`: those of its customer.
    Customer,
    /// `%`: any digits.
    Digits,
    /// `#`: now, in Unix seconds.
    Now,
}

impl EventSource {
    /// `kind` is the events' type; `seed` makes two sources differ.
    pub(crate) fn new(kind: &str, seed: u64) -> Result<Self> {
        let body = TEMPLATE.trim_end().replace("{kind}", kind);
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: hookyard-bench\r\n\
             Content-Type: application/json; charset=utf-8\r\nStripe-Signature: t=0000000000,v1={}\r\n\
             Content-Length: {}\r\n\r\n",
            "0".repeat(64),
            body.len()
        );
        let signed_at = head.find("t=0").context("the head has a time")? + 2;
        let signature = head.find("v1=").context("the head has a signature")? + 3;
        let request = [head.as_bytes(), body.as_bytes()].concat();
        let slots = slots(&request, head.len());
        ensure!(!slots.is_empty(), "the template has no slot");
        Ok(Self {
            request,
            slots,
            body: head.len(),
            signed_at: signed_at..signed_at + 10,
            signature: signature..signature + 64,
            key: Hmac::new_from_slice(SECRET.as_bytes()).context("any key length will do")?,
            random: Random(seed),
        })
    }

    /// A request to be overwritten by `renew`.
    pub(crate) fn request(&self) -> Vec<u8> {
        self.request.clone()
    }

    pub(crate) fn body_bytes(&self) -> usize {
        self.request.len() - self.body
    }

    /// Makes the request one of a new event, signed now.
    pub(crate) fn renew(&mut self, request: &mut [u8]) {
        let object = self.random.next() % OBJECTS;
        let now = decimal(unix_seconds());
        for slot in &self.slots {
            let place = &mut request[slot.at.clone()];
            match slot.content {
                Content::Unique => self.random.letters(place),
                Content::Invoice => Random(object).letters(place),
                Content::Customer => Random(u64::MAX - object / 2).letters(place),
                Content::Digits => self.random.digits(place),
                Content::Now => place.copy_from_slice(&now),
            }
        }
        let mut mac = self.key.clone();
        mac.update(&now);
        mac.update(b".");
        mac.update(&request[self.body..]);
        request[self.signed_at.clone()].copy_from_slice(&now);
        let code = mac.finalize().into_bytes();
        // 32 bytes always fit 64 digits.
        let _ = hex::encode_to_slice(code, &mut request[self.signature.clone()]);
    }

    /// `data.object.id` of a renewed request.
    pub(crate) fn object_id<'a>(&self, request: &'a [u8]) -> &'a str {
        let slot = self
            .slots
            .iter()
            .find(|it| matches!(it.content, Content::Invoice));
        // The slot follows `in_1`, and holds ASCII.
        slot.map_or("", |it| {
            std::str::from_utf8(&request[it.at.start - 4..it.at.end]).unwrap_or_default()
        })
    }

    /// The id of a renewed request's event.
    pub(crate) fn event_id<'a>(&self, request: &'a [u8]) -> &'a str {
        let first = &self.slots[0].at;
        std::str::from_utf8(&request[first.start - 5..first.end]).unwrap_or_default()
    }
}

fn slots(request: &[u8], from: usize) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    let mut at = from;
    while at < request.len() {
        let mark = request[at];
        let content = match mark {
            b'~' => Content::Unique,
            b'^' => Content::Invoice,
            b'@' if request[at - 1] != b'~' => Content::Customer,
            b'%' => Content::Digits,
            b'#' => Content::Now,
            _ => {
                at += 1;
                continue;
            }
        };
        let length = request[at..].iter().take_while(|it| **it == mark).count();
        slots.push(Slot {
            at: at..at + length,
            content,
        });
        at += length;
    }
    slots
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// Ten digits: enough until the year 2286.
fn decimal(mut number: u64) -> [u8; 10] {
    let mut digits = [b'0'; 10];
    for it in digits.iter_mut().rev() {
        *it = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}

/// SplitMix64: a few cycles a number, and good enough for ids.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    fn letters(&mut self, place: &mut [u8]) {
        // 64 letters, two of them twice: a mask is cheaper than a division.
        const LETTERS: &[u8; 64] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzAZ";
        for chunk in place.chunks_mut(10) {
            let mut bits = self.next();
            for it in chunk {
                *it = LETTERS[(bits & 63) as usize];
                bits >>= 6;
            }
        }
    }

    fn digits(&mut self, place: &mut [u8]) {
        let mut number = self.next();
        for it in place {
            *it = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_as_long_as_stripes_and_leaves_no_slot_open() {
        let mut source = EventSource::new("invoice.paid", 1).unwrap();
        assert!(
            (4400..4900).contains(&source.body_bytes()),
            "{} bytes",
            source.body_bytes()
        );
        let mut request = source.request();
        source.renew(&mut request);
        let body = std::str::from_utf8(&request[source.body..]).unwrap();
        assert!(
            !body.contains(['~', '^', '#', '%']) && !body.contains("@@"),
            "{body}"
        );
        assert!(source.event_id(&request).starts_with("evt_1"));
        assert!(source.object_id(&request).starts_with("in_1"));
        assert!(body.contains("post-") && body.contains("@example.com"));
    }

    #[test]
    fn two_events_have_different_ids_and_signatures() {
        let mut source = EventSource::new("invoice.paid", 1).unwrap();
        let (mut one, mut two) = (source.request(), source.request());
        source.renew(&mut one);
        source.renew(&mut two);
        assert_ne!(source.event_id(&one), source.event_id(&two));
        assert_ne!(one[source.signature.clone()], two[source.signature.clone()]);
    }
}
