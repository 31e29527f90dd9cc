//! The `Idempotency-Key` of a call.

use super::Prepared;
use sha2::{Digest, Sha256};

/// What makes a call the same call. No row ids: a ledger that was restored from a backup would give them out again.
#[derive(Clone, Copy, Debug)]
pub struct KeyParts<'a> {
    pub scope: &'a str,
    pub event_id: &'a str,
    pub handler: &'a str,
    /// 0 is the run that the event made.
    pub replay_number: u64,
    /// Service, method, URL and body of this; its headers do not count.
    pub call: &'a Prepared,
    /// The n-th call with this content in the run, from 1.
    pub nth: u64,
    /// Rises when a refused call is made anew.
    pub generation: u64,
}

/// 32 hexadecimal digits: short enough for every service that limits the length of keys.
pub fn idempotency_key(parts: &KeyParts<'_>) -> String {
    let KeyParts {
        scope,
        event_id,
        handler,
        replay_number,
        call,
        nth,
        generation,
    } = *parts;
    let Prepared {
        service,
        method,
        url,
        headers: _,
        body,
    } = call;
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        // The length goes first, so that `ab` + `c` is not `a` + `bc`.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    };
    // Changing anything here makes other keys: a call that waits would be made twice after an upgrade.
    add(b"hookyard idempotency key 1");
    add(scope.as_bytes());
    add(event_id.as_bytes());
    add(handler.as_bytes());
    add(&replay_number.to_be_bytes());
    add(service.as_bytes());
    add(method.as_str().as_bytes());
    add(url.as_bytes());
    add(&[u8::from(body.is_some())]);
    add(body.as_deref().unwrap_or_default().as_bytes());
    add(&nth.to_be_bytes());
    add(&generation.to_be_bytes());
    hex::encode(&hash.finalize()[..16])
}

/// The key of a call that is made once over all runs: nothing of the run is in it, so that a ledger which was restored
/// from a backup asks with the same key, whichever of its events comes first.
pub fn once_key(service: &str, name: &str, generation: i64) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    };
    add(b"hookyard idempotency key of a call made once 1");
    add(service.as_bytes());
    add(name.as_bytes());
    add(&generation.to_be_bytes());
    hex::encode(&hash.finalize()[..16])
}
