//! The HTTP that scripts may make: to a service's base URL and nowhere else, bounded in time, size and number.

use crate::call::{Answer, Request};
use crate::clock::UnixMillis;
use crate::config;
use service::Service;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

mod answer;
mod breaker;
mod client;
mod dial;
mod gate;
mod guard;
mod key;
mod line;
#[cfg(test)]
pub(crate) mod modelled;
mod prepared;
mod service;
mod stand_in;
mod status;
mod target;
#[cfg(test)]
mod tests;
mod tls;

pub use answer::retry_after;
pub use gate::{Caller, NotNow, Turn};
pub use key::{KeyParts, idempotency_key, once_key};
pub use prepared::{BODY_BYTES_MAX, Prepared};
pub use stand_in::{Asked, stand_in};
pub use status::{Health, LastError, RateUse, ServiceStatus};

/// The services of one version of the configuration. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    by_name: Arc<BTreeMap<Arc<str>, Arc<Service>>>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// By us, and it was never sent; a retry changes nothing.
    #[error("{message}")]
    Refused { message: String },
    /// It provably never left: it leaves no trace.
    #[error("{message}")]
    NotSent { message: String },
    /// It was sent, at least in part, and no head of an answer came.
    #[error("{message}")]
    OutcomeUnknown { message: String },
}

/// What became of a call that had its turn.
#[derive(Debug)]
pub struct Sent {
    pub outcome: Result<Answer, CallError>,
    /// The service is ill: the run of a call that failed waits until it is well, and spends no attempt.
    pub not_now: Option<NotNow>,
}

/// Whether runs that were put off may call a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    None,
    /// One may, to look whether it is well.
    OneLook,
    /// So many at once.
    Calls(usize),
}

/// A service that cannot be called as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("service `{service}`: {message}")]
pub struct BadService {
    pub service: Arc<str>,
    pub message: String,
}

impl Services {
    /// Does no I/O.
    pub fn new(services: &[config::Service]) -> Result<Self, BadService> {
        Self::build(services, Arc::default(), &BTreeMap::new())
    }

    /// The services of the next version. One that did not change keeps its connections, and its rate goes on counting:
    /// saving a script must not double what a service is sent.
    pub fn renew(&self, services: &[config::Service]) -> Result<Self, BadService> {
        Self::build(services, Arc::default(), &self.by_name)
    }

    /// Trusts these root certificates instead of the system's.
    #[cfg(test)]
    fn trusting(
        services: &[config::Service],
        roots: rustls::RootCertStore,
    ) -> Result<Self, BadService> {
        Self::build(
            services,
            Arc::new(tls::Tls::trusting(roots)),
            &BTreeMap::new(),
        )
    }

    fn build(
        services: &[config::Service],
        tls: Arc<tls::Tls>,
        known: &BTreeMap<Arc<str>, Arc<Service>>,
    ) -> Result<Self, BadService> {
        let mut by_name = BTreeMap::new();
        for settings in services {
            let name = settings.name.clone();
            let service = match known.get(&name).filter(|it| it.is_of(settings)) {
                Some(unchanged) => unchanged.clone(),
                None => Service::new(settings.clone(), tls.clone())
                    .map(Arc::new)
                    .map_err(|message| BadService {
                        service: name.clone(),
                        message,
                    })?,
            };
            by_name.insert(name, service);
        }
        Ok(Self {
            by_name: Arc::new(by_name),
        })
    }

    /// What a request will look like on the wire. Pure; what it returns holds no secret and is stored as the call's
    /// intent.
    pub fn prepare(&self, request: &Request) -> Result<Prepared, CallError> {
        let service = self.service(&request.service)?;
        service
            .prepare(request)
            .map_err(|it| it.of_service(&request.service))
    }

    /// Waits for this call's turn. To be asked for before the call is written down: while the service is ill, or too many
    /// wait for it, nothing is written and nothing sent.
    pub async fn turn(
        &self,
        request: &Request,
        caller: &Caller,
    ) -> Result<Result<Turn, NotNow>, CallError> {
        let service = self.service(&request.service)?;
        Ok(service.gate().enter(caller, &request.accept).await)
    }

    /// Sends it once. A dropped future is a call whose outcome is unknown.
    pub async fn send(
        &self,
        turn: Turn,
        prepared: &Prepared,
        idempotency_key: Option<&str>,
    ) -> Sent {
        let service = match self.service(&prepared.service) {
            Ok(it) => it,
            Err(error) => {
                return Sent {
                    outcome: Err(error),
                    not_now: None,
                };
            }
        };
        let mut sent = service.send(turn, prepared, idempotency_key).await;
        sent.outcome = sent.outcome.map_err(|it| it.of_service(&prepared.service));
        sent
    }

    /// Whether runs that wait for this service may go on. One that is gone keeps nobody waiting: his call says so.
    pub fn room(&self, service: &str) -> Room {
        self.by_name
            .get(service)
            .map_or(Room::Calls(1), |it| it.room())
    }

    /// What there is to say of services that are ill.
    pub fn ill(&self) -> Vec<String> {
        self.by_name.values().filter_map(|it| it.ill()).collect()
    }

    /// How every service is.
    pub fn status(&self, now: UnixMillis) -> Vec<ServiceStatus> {
        self.by_name
            .values()
            .map(|it| status::of(it, now))
            .collect()
    }

    fn service(&self, name: &str) -> Result<&Service, CallError> {
        self.by_name
            .get(name)
            .map(Arc::as_ref)
            .ok_or_else(|| CallError::Refused {
                message: format!("there is no service `{name}` in handlers.toml any more"),
            })
    }
}

impl fmt::Debug for Services {
    /// Names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

impl CallError {
    pub fn message(&self) -> &str {
        match self {
            Self::Refused { message }
            | Self::NotSent { message }
            | Self::OutcomeUnknown { message } => message,
        }
    }

    fn of_service(mut self, name: &str) -> Self {
        let (Self::Refused { message }
        | Self::NotSent { message }
        | Self::OutcomeUnknown { message }) = &mut self;
        *message = format!("service `{name}`: {message}");
        self
    }
}
