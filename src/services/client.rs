//! One exchange with a service: a request, and what became of it.

use super::CallError;
use super::answer::{self, Bounds};
use super::dial::{Connector, DialError};
use crate::call::Answer;
use crate::config;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::time::Duration;
use tokio::time::Instant;

/// Shorter than any usual server's patience (Node's is 5 s): a connection that the server closes just as we use it
/// again leaves a call whose outcome nobody knows.
const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(4);
/// The most bytes of an answer's head.
pub(super) const ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;

/// A service's connections.
#[derive(Debug)]
pub(super) struct Client {
    pool: legacy::Client<Connector, Full<Bytes>>,
    timeout: Duration,
    head_timeout: Duration,
    body_timeout: Duration,
    answer_size_bytes_max: usize,
}

/// Until when something may take, and how long that is, in words.
#[derive(Clone, Debug)]
pub(super) struct Until {
    pub(super) moment: Instant,
    pub(super) shown: String,
}

impl Client {
    pub(super) fn new(connector: Connector, settings: &config::Service) -> Self {
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION_MAX)
            .pool_max_idle_per_host(settings.connections_max)
            .http1_max_buf_size(ANSWER_HEAD_BYTES_MAX)
            // Goes on with another connection only when the request came back from the first one unsent.
            .retry_canceled_requests(true)
            .build(connector);
        Self {
            pool,
            timeout: settings.timeout,
            head_timeout: settings.head_timeout,
            body_timeout: settings.body_timeout,
            answer_size_bytes_max: settings.answer_size_bytes_max,
        }
    }

    /// Redirects are answers. An answer whose head came is an answer, whatever becomes of its body.
    ///
    /// No `async fn`: its future would keep room for the request beside what became of it, for as long as the service
    /// takes.
    pub(super) fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> impl Future<Output = Result<Answer, CallError>> + Send {
        let begun = Instant::now();
        let connection = capture_connection(&mut request);
        let exchange = self.pool.request(request);
        async move {
            let answer = self.head(begun, connection, exchange).await?;
            let bounds = Bounds {
                body_size_bytes_max: self.answer_size_bytes_max,
                until: self.until(begun, self.body_timeout),
            };
            Ok(answer::read(answer, bounds).await)
        }
    }

    async fn head(
        &self,
        begun: Instant,
        mut connection: CaptureConnection,
        mut exchange: legacy::ResponseFuture,
    ) -> Result<Response<Incoming>, CallError> {
        // Until a connection takes the request, the connector's own bound counts.
        let early = tokio::select! {
            biased;
            head = &mut exchange => Some(head),
            _ = connection.wait_for_connection_metadata() => None,
        };
        let until = self.until(begun, self.head_timeout);
        let head = match early {
            Some(head) => head,
            None => tokio::time::timeout_at(until.moment, exchange)
                .await
                .map_err(|_| CallError::OutcomeUnknown {
                    message: format!("sent, but no answer within {}", until.shown),
                })?,
        };
        let was_handed_over = connection.connection_metadata().is_some();
        let head = head.map_err(|error| failure(&error, was_handed_over))?;
        if head_size_bytes(&head) > ANSWER_HEAD_BYTES_MAX {
            return Err(CallError::OutcomeUnknown {
                message: unreadable(TOO_LARGE),
            });
        }
        Ok(head)
    }

    /// The end of a part of the call that begins now: its own time, or what is left of the whole call's.
    fn until(&self, begun: Instant, part: Duration) -> Until {
        let (own, whole) = (Instant::now() + part, begun + self.timeout);
        if own <= whole || part == self.timeout {
            Until {
                moment: own.min(whole),
                shown: format!("{part:?}"),
            }
        } else {
            Until {
                moment: whole,
                shown: format!("the {:?} of the whole call", self.timeout),
            }
        }
    }
}

/// Unknown, unless it is certain that nothing was sent.
fn failure(error: &legacy::Error, was_handed_over: bool) -> CallError {
    match find::<DialError>(error) {
        Some(DialError::Refused(message)) => {
            return CallError::Refused {
                message: message.clone(),
            };
        }
        Some(DialError::Failed(message)) => {
            return CallError::NotSent {
                message: message.clone(),
            };
        }
        None => {}
    }
    // hyper says "canceled" only of a request that it gives back whole, not one byte of it written.
    let came_back = find::<hyper::Error>(error).is_some_and(hyper::Error::is_canceled);
    if !was_handed_over || came_back {
        return CallError::NotSent {
            message: format!(
                "the connection closed before the call was sent{}",
                why(error)
            ),
        };
    }
    let message = match find::<hyper::Error>(error) {
        Some(it) if it.is_parse_too_large() => unreadable(TOO_LARGE),
        Some(it) if it.is_parse() => unreadable(&why(error)),
        Some(_) | None => format!(
            "sent, but the connection was cut before an answer came{}",
            why(error)
        ),
    };
    CallError::OutcomeUnknown { message }
}

/// hyper has one word for all three.
const TOO_LARGE: &str =
    " (its head is over 64 KiB, has over 100 headers, or announces a length that no answer has)";

fn unreadable(why: &str) -> String {
    format!("sent, but the answer is no HTTP that we can read{why}")
}

/// What a head takes on the wire, without spaces that mean nothing. hyper bounds what it has read at once: a head that
/// is larger passes when it comes in few pieces, and the same call must not end now so and now so.
fn head_size_bytes(head: &Response<Incoming>) -> usize {
    let of_header = |name: &HeaderName, value: &HeaderValue| name.as_str().len() + value.len() + 4;
    let reason = head.extensions().get::<ReasonPhrase>();
    let reason_bytes = match reason {
        Some(it) => it.as_bytes().len(),
        None => head.status().canonical_reason().map_or(0, str::len),
    };
    let headers_bytes: usize = head
        .headers()
        .iter()
        .map(|(name, it)| of_header(name, it))
        .sum();
    "HTTP/1.1 200 \r\n\r\n".len() + reason_bytes + headers_bytes
}

/// The innermost cause, as ` (…)`.
fn why(error: &legacy::Error) -> String {
    let innermost = std::iter::successors(error.source(), |&it| it.source()).last();
    innermost.map(|it| format!(" ({it})")).unwrap_or_default()
}

fn find<E: Error + 'static>(error: &legacy::Error) -> Option<&E> {
    std::iter::successors(error.source(), |&it| it.source()).find_map(|it| it.downcast_ref())
}
