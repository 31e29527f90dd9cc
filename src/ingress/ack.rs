//! What Stripe is told. Only a receipt makes a yes.

use crate::ledger::{LedgerError, Receipt};
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;

pub(super) type Answer = Response<Full<Bytes>>;

/// After which time a sender may try again when the host cannot store.
const RETRY_AFTER_SECONDS: u16 = 10;

/// Says yes to Stripe. Takes the receipt by value: no receipt, no yes.
pub(super) fn ok(receipt: Receipt) -> Answer {
    let body: &'static [u8] = if receipt.is_duplicate {
        br#"{"received":true,"duplicate":true}"#
    } else {
        br#"{"received":true}"#
    };
    json(StatusCode::OK, Bytes::from_static(body))
}

/// The signature does not hold. Which of all reasons it was is for the log alone.
pub(super) fn bad_signature() -> Answer {
    refuse(
        StatusCode::BAD_REQUEST,
        r#"{"error":"the signature could not be verified"}"#,
    )
}

pub(super) fn bad_body() -> Answer {
    closing(refuse(
        StatusCode::BAD_REQUEST,
        r#"{"error":"the body could not be read"}"#,
    ))
}

pub(super) fn not_found() -> Answer {
    refuse(
        StatusCode::NOT_FOUND,
        r#"{"error":"no endpoint has this path"}"#,
    )
}

pub(super) fn method_not_allowed(allow: &'static str) -> Answer {
    let mut it = refuse(
        StatusCode::METHOD_NOT_ALLOWED,
        r#"{"error":"this path takes another method"}"#,
    );
    it.headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    it
}

pub(super) fn timeout() -> Answer {
    closing(refuse(
        StatusCode::REQUEST_TIMEOUT,
        r#"{"error":"the body did not arrive in time"}"#,
    ))
}

pub(super) fn too_large() -> Answer {
    closing(refuse(
        StatusCode::PAYLOAD_TOO_LARGE,
        r#"{"error":"the body is larger than this host takes"}"#,
    ))
}

/// Not stored: the sender is to try again.
pub(super) fn unavailable(why: &LedgerError) -> Answer {
    let text = match why {
        LedgerError::Closing => r#"{"error":"the host is shutting down"}"#,
        LedgerError::QueueFull { .. }
        | LedgerError::DiskFull
        | LedgerError::Failed(_)
        | LedgerError::Refused(_) => r#"{"error":"the event could not be stored"}"#,
    };
    let mut it = refuse(StatusCode::SERVICE_UNAVAILABLE, text);
    it.headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    it
}

/// `/healthz` and `/readyz`.
pub(super) fn health(is_well: bool, body: String) -> Answer {
    let status = if is_well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, body.into())
}

fn refuse(status: StatusCode, body: &'static str) -> Answer {
    json(status, Bytes::from_static(body.as_bytes()))
}

fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut it = Response::new(Full::new(body));
    *it.status_mut() = status;
    it.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    it
}

/// What is left of the request is not worth reading.
fn closing(mut answer: Answer) -> Answer {
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
