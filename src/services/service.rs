//! One service: what it takes to call it.

use super::client::Client;
use super::dial::Connector;
use super::guard::Guard;
use super::rate::Gate;
use super::tls::Tls;
use super::{CallError, Prepared, prepared};
use crate::call::{Answer, Request};
use crate::config;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use http_body_util::Full;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long a call waits for its service's rate and connections before its run waits in its place.
const TURN_WAIT_MAX: Duration = Duration::from_secs(60);

/// A service, its connections and its gate.
pub(super) struct Service {
    settings: config::Service,
    own_headers: HeaderMap,
    gate: Gate,
    tls: Arc<Tls>,
    /// Made by the first call, which is when the system's root certificates are needed.
    client: OnceLock<Client>,
}

impl Service {
    pub(super) fn new(settings: config::Service, tls: Arc<Tls>) -> Result<Self, String> {
        check_base(&settings)?;
        check_durations(&settings)?;
        Ok(Self {
            own_headers: prepared::own_headers(&settings)?,
            gate: Gate::new(settings.connections_max, settings.rate, TURN_WAIT_MAX),
            settings,
            tls,
            client: OnceLock::new(),
        })
    }

    pub(super) fn is_of(&self, settings: &config::Service) -> bool {
        self.settings == *settings
    }

    pub(super) fn prepare(&self, request: &Request) -> Result<Prepared, CallError> {
        prepared::prepare(request, &self.settings.url, &self.own_headers)
            .map_err(|message| CallError::Refused { message })
    }

    /// Waits for its turn, then sends.
    pub(super) async fn send(
        &self,
        prepared: &Prepared,
        idempotency_key: Option<&str>,
    ) -> Result<Answer, CallError> {
        let request = self
            .request(prepared, idempotency_key)
            .map_err(|message| CallError::Refused { message })?;
        let client = self
            .client()
            .map_err(|message| CallError::NotSent { message })?;
        let _turn = self
            .gate
            .enter()
            .await
            .map_err(|message| CallError::NotSent { message })?;
        client.exchange(request).await
    }

    /// With everything that is ours or secret.
    fn request(
        &self,
        prepared: &Prepared,
        key: Option<&str>,
    ) -> Result<http::Request<Full<Bytes>>, String> {
        let body = Full::new(Bytes::from(prepared.body.clone().unwrap_or_default()));
        let mut request = prepared::to_http(prepared, &self.settings.url, &self.own_headers)?
            .body(body)
            .map_err(|it| it.to_string())?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!(
                "hookyard/",
                env!("CARGO_PKG_VERSION")
            )));
        if let Some(key) = key {
            let value = HeaderValue::from_str(key)
                .map_err(|_| "the idempotency key is no header value".to_owned())?;
            headers.insert("idempotency-key", value);
        }
        headers.extend(self.own_headers.clone());
        Ok(request)
    }

    fn client(&self) -> Result<&Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let it = &self.settings;
        let guard = Guard {
            private_network: it.private_network,
        };
        let connector =
            Connector::new(guard, it.connect_timeout, self.tls.config(it.url.scheme())?);
        let client = Client::new(
            connector,
            it.connections_max,
            it.timeout,
            it.answer_size_bytes_max,
        );
        Ok(self.client.get_or_init(|| client))
    }
}

/// What can be said of a service's URL without asking anybody.
fn check_base(service: &config::Service) -> Result<(), String> {
    let url = &service.url;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(format!(
            "its url must begin with https:// or http://, not with {}:",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "its url holds a user or password; write an `authorization` header instead".to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("its url holds `?` or `#`; scripts write the query with the path".to_owned());
    }
    let literal = match url.host() {
        Some(url::Host::Ipv4(it)) => IpAddr::V4(it),
        Some(url::Host::Ipv6(it)) => IpAddr::V6(it),
        Some(url::Host::Domain(_)) | None => return Ok(()),
    };
    Guard {
        private_network: service.private_network,
    }
    .check(literal)
}

/// No time is added to a clock that would overflow it, and none is nothing.
fn check_durations(service: &config::Service) -> Result<(), String> {
    let rate = service.rate.map(|it| ("rate", it.per));
    let bounds = [
        ("timeout", service.timeout),
        ("connect_timeout", service.connect_timeout),
    ];
    match bounds
        .into_iter()
        .chain(rate)
        .find(|(_, it)| it.is_zero() || *it > DURATION_MAX)
    {
        Some((key, _)) => Err(format!(
            "its {key} must be more than nothing and at most 31 days"
        )),
        None => Ok(()),
    }
}

const DURATION_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);
