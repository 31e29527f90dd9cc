//! Opens connections: names are resolved here, and what was looked at is what is dialled.
//!
//! A filter that only sees names would miss URLs with a literal address; one that resolves for itself and then lets
//! another resolve again would miss a name whose address changes in between.

use super::guard::Guard;
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service;

/// Why there is no connection. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DialError {
    /// Not allowed; trying again changes nothing.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Failed(String),
}

/// Dials and, for `https`, shakes hands, all within one bound.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    https: HttpsConnector<Dialler>,
    connect_timeout: Duration,
}

impl Connector {
    pub(super) fn new(
        guard: Guard,
        connect_timeout: Duration,
        tls: Arc<rustls::ClientConfig>,
    ) -> Self {
        Self {
            https: HttpsConnector::from((
                Dialler {
                    guard,
                    connect_timeout,
                },
                tls,
            )),
            connect_timeout,
        }
    }
}

type Opening<T> = Pin<Box<dyn Future<Output = Result<T, DialError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = DialError;
    type Future = Opening<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default().to_owned();
        let connect_timeout = self.connect_timeout;
        let opening = self.https.call(uri);
        Box::pin(async move {
            match tokio::time::timeout(connect_timeout, opening).await {
                Ok(opened) => opened.map_err(|it| dial_error(&host, it.as_ref())),
                Err(_) => Err(DialError::Failed(format!(
                    "no connection to {host} within {connect_timeout:?}"
                ))),
            }
        })
    }
}

/// Finds out the name's addresses and dials those that are allowed, in turn.
#[derive(Clone, Debug)]
struct Dialler {
    guard: Guard,
    connect_timeout: Duration,
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<TcpStream>;
    type Error = DialError;
    type Future = Opening<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self {
            guard,
            connect_timeout,
        } = *self;
        Box::pin(async move {
            let deadline = Instant::now() + connect_timeout;
            let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
            let port = uri
                .port_u16()
                .unwrap_or(if uri.scheme_str() == Some("https") {
                    443
                } else {
                    80
                });
            let addresses = allowed(host, guard, resolve(host, port).await?)?;
            dial(&addresses, deadline, connect_timeout)
                .await
                .map(TokioIo::new)
        })
    }
}

/// A name with more addresses than this is dialled at the first of them only.
const ADDRESSES_MAX: usize = 16;

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    if let Ok(literal) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(literal, port)]);
    }
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<_> = found
        .map_err(|it| DialError::Failed(format!("no address found for {host}: {it}")))?
        .take(ADDRESSES_MAX)
        .collect();
    if addresses.is_empty() {
        return Err(DialError::Failed(format!("no address found for {host}")));
    }
    Ok(addresses)
}

fn allowed(host: &str, guard: Guard, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, DialError> {
    let mut why_not = String::new();
    let mut addresses = found;
    addresses.retain(|it| match guard.check(it.ip()) {
        Ok(()) => true,
        Err(why) => {
            why_not = why;
            false
        }
    });
    if addresses.is_empty() {
        let is_literal = host.parse::<IpAddr>().is_ok();
        let message = if is_literal {
            why_not
        } else {
            format!("{host} leads to {why_not}")
        };
        return Err(DialError::Refused(message));
    }
    Ok(addresses)
}

async fn dial(
    addresses: &[SocketAddr],
    deadline: Instant,
    connect_timeout: Duration,
) -> Result<TcpStream, DialError> {
    let mut failure = String::new();
    for (number, address) in addresses.iter().enumerate() {
        // An address that swallows packets must leave time for the next: each gets its share of what is left.
        let left = u32::try_from(addresses.len() - number).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        failure = match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small requests must not wait for the answer to the packet before.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => format!("no connection to {address}: {error}"),
            // The failure that is told is the last address's, and its share ends with the whole time.
            Err(_) => format!("no connection to {address} within {connect_timeout:?}"),
        };
    }
    Err(DialError::Failed(failure))
}

/// What hyper-rustls made of it, in words.
fn dial_error(host: &str, error: &(dyn std::error::Error + 'static)) -> DialError {
    if let Some(own) = error.downcast_ref::<DialError>() {
        return own.clone();
    }
    if let Some(tls) = super::tls::tls_error(error) {
        return DialError::Failed(super::tls::explain(host, tls));
    }
    DialError::Failed(format!("no TLS connection to {host}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(addresses: &[&str], private_network: bool) -> Result<Vec<String>, DialError> {
        let found = addresses
            .iter()
            .map(|it| SocketAddr::new(it.parse().unwrap(), 443))
            .collect();
        let kept = allowed("books.example", Guard { private_network }, found)?;
        Ok(kept.iter().map(|it| it.ip().to_string()).collect())
    }

    /// What is left of the time by then is no round number.
    #[tokio::test]
    async fn an_address_that_does_not_answer_is_told_with_the_time_that_is_configured() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody accepts: once the queue is full, who comes next is not answered.
        let connect_timeout = Duration::from_millis(300);
        let mut open = Vec::new();
        let message = loop {
            let deadline = Instant::now() + connect_timeout;
            match dial(&[address, address], deadline, connect_timeout).await {
                Ok(stream) => open.push(stream),
                Err(DialError::Failed(it) | DialError::Refused(it)) => break it,
            }
            assert!(open.len() < 100, "the queue is never full");
        };
        assert_eq!(message, format!("no connection to {address} within 300ms"));
    }

    /// A name may answer with anything, and with something else the next time: what was looked at is what is dialled.
    #[test]
    fn of_a_names_addresses_only_those_are_dialled_that_may_be_called() {
        let mixed = ["127.0.0.1", "1.1.1.1", "::ffff:10.0.0.1", "169.254.169.254"];
        assert_eq!(of(&mixed, false).unwrap(), ["1.1.1.1"]);
        assert_eq!(
            of(&mixed, true).unwrap(),
            ["127.0.0.1", "1.1.1.1", "::ffff:10.0.0.1"]
        );
        for (addresses, why) in [
            (
                ["10.0.0.1", "::1"],
                "books.example leads to ::1 is this machine itself; if this service is meant to be there, write \
                 `private_network = true` for it in handlers.toml",
            ),
            (
                ["fe80::1", "64:ff9b::169.254.169.254"],
                "books.example leads to 64:ff9b::a9fe:a9fe is a link-local address (cloud metadata is there), and such \
                 addresses are never called",
            ),
        ] {
            assert_eq!(
                of(&addresses, false).unwrap_err(),
                DialError::Refused(why.to_owned())
            );
        }
    }
}
