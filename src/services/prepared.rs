//! A call as it will go out, and the checks that need nothing but the call.

use super::target;
use crate::call::{Method, Request};
use crate::config;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;

/// The most bytes that a call's body may have.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// The most headers that a call may have.
const HEADERS_MAX: usize = 32;
/// The most bytes that all names and values together may have.
const HEADERS_BYTES_MAX: usize = 8 * 1024;

/// A request as it will look on the wire, without the service's own headers: it holds no secret and can be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    pub service: String,
    pub method: Method,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
}

/// The error says what to write instead.
pub(super) fn prepare(request: &Request, base: &Url, own: &HeaderMap) -> Result<Prepared, String> {
    let prepared = Prepared {
        service: request.service.clone(),
        method: request.method,
        url: target::join(base, &request.path)?.into(),
        headers: request
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        body: request.body.clone(),
    };
    // What could not be sent must not be written down as an intent.
    to_http(&prepared, base, own)?;
    Ok(prepared)
}

/// The request without the service's own headers. A stored one may be older than the configuration: all is checked.
pub(super) fn to_http(
    prepared: &Prepared,
    base: &Url,
    own: &HeaderMap,
) -> Result<http::request::Builder, String> {
    let url = Url::parse(&prepared.url).map_err(|it| format!("the URL cannot be read: {it}"))?;
    if !target::is_within(base, &url) {
        return Err("the service's URL was changed since this call was written down; it is not sent elsewhere".into());
    }
    let size_bytes = prepared.body.as_ref().map_or(0, String::len);
    if size_bytes > BODY_BYTES_MAX {
        return Err(format!(
            "the body has {size_bytes} bytes, over the limit of {BODY_BYTES_MAX}"
        ));
    }
    let mut builder = http::Request::builder()
        .method(prepared.method.as_str())
        .uri(prepared.url.as_str());
    if let Some(headers) = builder.headers_mut() {
        add_headers(headers, &prepared.headers, own)?;
        Ok(builder)
    } else {
        Err("the path holds characters that no URL may have".to_owned())
    }
}

fn add_headers(
    headers: &mut HeaderMap,
    wanted: &[(String, String)],
    own: &HeaderMap,
) -> Result<(), String> {
    if wanted.len() > HEADERS_MAX {
        return Err(format!(
            "{} headers are over the limit of {HEADERS_MAX}",
            wanted.len()
        ));
    }
    let size_bytes: usize = wanted
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size_bytes > HEADERS_BYTES_MAX {
        return Err(format!(
            "the headers have {size_bytes} bytes, over the limit of {HEADERS_BYTES_MAX}"
        ));
    }
    for (name, value) in wanted {
        let key = header_name(name)?;
        if own.contains_key(&key) {
            return Err(format!(
                "the header `{key}` of this service is set in handlers.toml; take it out of the script"
            ));
        }
        let value = HeaderValue::from_str(value).map_err(|_| {
            format!("the value of the header `{key}` holds characters that no header may have")
        })?;
        headers.append(key, value);
    }
    Ok(())
}

/// The service's own headers, marked so that no debug output shows their values.
pub(super) fn own_headers(service: &config::Service) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, secret) in &service.headers {
        let key = header_name(name)?;
        // The value is not shown: it may be a secret that lacks its last character.
        let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| {
            format!("the value of the header `{key}` holds characters that no header may have, such as a line break")
        })?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    let key = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{}` is no name of a header", name.escape_debug()))?;
    match FORBIDDEN.iter().find(|(forbidden, _)| *forbidden == key) {
        Some((_, why)) => Err(format!("the header `{key}` cannot be set: {why}")),
        None => Ok(key),
    }
}

const FORBIDDEN: &[(&str, &str)] = &[
    (
        "accept-encoding",
        "answers are taken as they are, uncompressed",
    ),
    ("connection", CONNECTION),
    ("content-length", "it follows from the body"),
    ("expect", CONNECTION),
    ("host", "it follows from the service's URL"),
    (
        "idempotency-key",
        "the host makes one for every call, the same whenever the call is tried again",
    ),
    ("keep-alive", CONNECTION),
    ("proxy-authorization", CONNECTION),
    ("proxy-connection", CONNECTION),
    ("te", CONNECTION),
    ("trailer", CONNECTION),
    ("transfer-encoding", "it follows from the body"),
    ("upgrade", CONNECTION),
];

const CONNECTION: &str = "it is about the connection, which is the host's";
