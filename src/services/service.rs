//! One service: what it takes to call it.

use super::breaker::{Counts, Failure, State};
use super::client::Client;
use super::dial::Connector;
use super::gate::{Gate, Turn, Verdict};
use super::guard::Guard;
use super::tls::Tls;
use super::{CallError, Prepared, Room, Sent, prepared, retry_after};
use crate::call::{Answer, Request};
use crate::clock::{Clock, SystemClock};
use crate::config;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use http_body_util::Full;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// A service, its connections and its gate.
pub(super) struct Service {
    settings: config::Service,
    own_headers: HeaderMap,
    gate: Arc<Gate>,
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
            gate: Gate::new(&settings),
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

    pub(super) fn settings(&self) -> &config::Service {
        &self.settings
    }

    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Sends a call whose turn it is.
    pub(super) async fn send(
        &self,
        mut turn: Turn,
        prepared: &Prepared,
        idempotency_key: Option<&str>,
    ) -> Sent {
        if let Err(not_now) = turn.send() {
            let message = not_now.why.clone();
            return Sent {
                outcome: Err(CallError::NotSent { message }),
                not_now: Some(not_now),
            };
        }
        let outcome = self.exchange(prepared, idempotency_key).await;
        let not_now = turn.judge(verdict(&outcome, &turn.accept));
        Sent { outcome, not_now }
    }

    async fn exchange(
        &self,
        prepared: &Prepared,
        idempotency_key: Option<&str>,
    ) -> Result<Answer, CallError> {
        let request = self
            .request(prepared, idempotency_key)
            .map_err(|message| CallError::Refused { message })?;
        #[cfg(test)]
        if let Some(modelled) = super::modelled::exchange(prepared, idempotency_key) {
            return modelled.await;
        }
        let client = self
            .client()
            .map_err(|message| CallError::NotSent { message })?;
        client.exchange(request).await
    }

    /// What a run that waits for this service may do.
    pub(super) fn room(&self) -> Room {
        let inner = self.gate.lock();
        match inner.breaker.state() {
            State::Closed { .. } => Room::Calls(inner.line.at_once_max()),
            State::Open(_) if inner.breaker.may_look(Instant::now()) => Room::OneLook,
            State::Open(_) | State::HalfOpen(_) => Room::None,
        }
    }

    /// What there is to say of it when it is ill.
    pub(super) fn ill(&self) -> Option<String> {
        let inner = self.gate.lock();
        self.gate.ill(&inner.breaker, Instant::now())
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
        let client = Client::new(connector, it);
        Ok(self.client.get_or_init(|| client))
    }
}

/// What a call says of its service. A body that does not come after its head says nothing: the call is settled.
fn verdict(outcome: &Result<Answer, CallError>, accept: &[u16]) -> Verdict {
    let unanswered = |message: &str, counts: Counts| {
        Verdict::Failed(Failure {
            why: message.to_owned(),
            counts,
            asked_wait: None,
        })
    };
    match outcome {
        Ok(it) if accept.contains(&it.status) => Verdict::Well,
        Ok(it) if matches!(it.status, 429 | 500..=599) => Verdict::Failed(failure(it)),
        Ok(_) => Verdict::Well,
        Err(CallError::Refused { .. }) => Verdict::Neither,
        Err(CallError::NotSent { message }) => unanswered(message, Counts::Always),
        Err(CallError::OutcomeUnknown { message }) => unanswered(message, Counts::OnceForEachRun),
    }
}

/// What an answer says that speaks against the service.
fn failure(answer: &Answer) -> Failure {
    let status = answer.status;
    let asked_wait = asked_wait(answer);
    let (counts, more) = match (status, asked_wait) {
        (429, None) => (
            Counts::OnceForEachRun,
            " and does not say for how long".to_owned(),
        ),
        (429, Some(it)) => (Counts::Never, asks_for(it)),
        (_, Some(it)) => (Counts::OnceForEachRun, asks_for(it)),
        (_, None) => (Counts::OnceForEachRun, String::new()),
    };
    Failure {
        why: format!("it answered {status}{more}"),
        counts,
        asked_wait,
    }
}

/// How long the service asks us to wait. Words that nobody can read ask for nothing.
fn asked_wait(answer: &Answer) -> Option<Duration> {
    let header = answer.headers.get("retry-after")?;
    retry_after(header, SystemClock.now())
}

fn asks_for(wait: Duration) -> String {
    format!(" and asks for a wait of {}", super::gate::shown(wait))
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
        ("head_timeout", service.head_timeout),
        ("body_timeout", service.body_timeout),
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
