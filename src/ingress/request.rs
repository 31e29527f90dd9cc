//! One request: find its endpoint, read its body, verify it, store it, answer.

use super::ack::{self, Answer};
use super::signature::{self, Key};
use crate::clock::Clock;
use crate::config::Endpoint;
use crate::event::Event;
use crate::in_force::{Current, InForce};
use crate::ledger::compress::Dictionary;
use crate::ledger::request::Accept;
use crate::ledger::{Ledger, LedgerError};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tracing::{error, warn};

/// All that a request is answered with; one a runtime.
pub struct Intake {
    current: Current,
    doors: ArcSwapOption<Doors>,
    ledger: Ledger,
    dictionary: Dictionary,
    clock: Arc<dyn Clock>,
    readiness: Readiness,
    held_late: Arc<Notify>,
}

/// What `/readyz` says: nothing when the host is as it should be.
pub type Readiness = Arc<dyn Fn() -> Result<(), Vec<String>> + Send + Sync>;

/// The endpoints of one version of handlers.toml, ready to verify.
struct Doors {
    of: Arc<InForce>,
    doors: Vec<Door>,
}

struct Door {
    endpoint: Endpoint,
    keys: Vec<Key>,
}

impl Doors {
    fn at(&self, path: &str) -> Option<&Door> {
        self.doors.iter().find(|it| it.endpoint.path == path)
    }
}

impl Intake {
    pub fn new(
        current: Current,
        ledger: Ledger,
        dictionary: Dictionary,
        clock: Arc<dyn Clock>,
        readiness: Readiness,
        held_late: Arc<Notify>,
    ) -> Self {
        Self {
            current,
            doors: ArcSwapOption::empty(),
            ledger,
            dictionary,
            clock,
            readiness,
            held_late,
        }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let doors = self.doors();
        match doors.at(request.uri().path()) {
            Some(door) if request.method() == Method::POST => {
                self.take(&doors, door, request, peer).await
            }
            Some(_) => ack::method_not_allowed("POST"),
            None => self.answer_health(&request),
        }
    }

    /// A delivery: read, verify, store, and only then say yes.
    async fn take(
        &self,
        doors: &Doors,
        door: &Door,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Answer {
        let server = &doors.of.config.server;
        let (head, body) = request.into_parts();
        let body = match read(body, server.body_size_bytes_max, server.body_timeout).await {
            Ok(it) => it,
            Err(why) => return why.answer(door, peer),
        };
        // What has come into force since its head was read counts. An endpoint that is gone takes what it has begun to take.
        let newest = self.doors();
        let (in_force, door) = match newest.at(&door.endpoint.path) {
            Some(door) => (&newest.of, door),
            None => (&doors.of, door),
        };
        let now = self.clock.now();
        let headers = head
            .headers
            .get_all("stripe-signature")
            .iter()
            .map(|it| it.as_bytes());
        let tolerance = door.endpoint.tolerance;
        let secret_number = match signature::verify(headers, &body, &door.keys, tolerance, now) {
            Ok(it) => it,
            Err(why) => {
                warn!(endpoint = %door.endpoint.name, %peer, "a delivery was refused (400): {why}");
                return ack::bad_signature();
            }
        };
        let mut parsed = in_force.wanted.read(&body, now);
        let endpoint = door.endpoint.name.clone();
        let scope = door.endpoint.scope.clone();
        if let Some(why) = &parsed.envelope.unreadable {
            warn!(%endpoint, event.id = %parsed.envelope.id, "a verified payload is no event; it is kept as unreadable: {why}");
        }
        let runs = in_force.plan(&parsed, &endpoint, &scope);
        let is_held = runs.iter().any(|it| it.held.is_some());
        let packed = match self.dictionary.pack(&body) {
            Ok(it) => it,
            Err(error) => return self.not_stored(&LedgerError::Refused(error.to_string())),
        };
        let envelope = std::mem::take(&mut parsed.envelope);
        let event = Event {
            envelope,
            endpoint,
            scope,
            received_at: now,
            secret_number,
            body,
        };
        match self
            .ledger
            .accept(Accept {
                event: Arc::new(event),
                packed,
                runs,
            })
            .await
        {
            Ok(receipt) => {
                if is_held && in_force.is_outdated(&self.current) {
                    self.held_late.notify_one();
                }
                ack::ok(receipt)
            }
            Err(why) => self.not_stored(&why),
        }
    }

    fn not_stored(&self, why: &LedgerError) -> Answer {
        match why {
            LedgerError::QueueFull { .. } | LedgerError::Closing => {
                warn!("a delivery was answered 503: {why}");
            }
            LedgerError::DiskFull | LedgerError::Failed(_) | LedgerError::Refused(_) => {
                error!("a delivery was answered 503: {why}");
            }
        }
        ack::unavailable(why)
    }

    fn answer_health(&self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().path();
        if !matches!(path, "/healthz" | "/readyz") {
            return ack::not_found();
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return ack::method_not_allowed("GET, HEAD");
        }
        if path == "/healthz" {
            return ack::health(true, r#"{"alive":true}"#.into());
        }
        let mut problems = (self.readiness)().err().unwrap_or_default();
        let unavailable = self.ledger.unavailable();
        let is_ready = unavailable.is_none();
        problems.extend(unavailable.map(|it| it.to_string()));
        let problems: Vec<String> = problems.iter().map(|it| brief(it)).collect();
        let body = serde_json::json!({
            "ready": is_ready, "degraded": !problems.is_empty(), "problems": problems,
        });
        ack::health(is_ready, body.to_string())
    }

    /// The endpoints in force. Their keys are made anew when handlers.toml changed.
    fn doors(&self) -> Arc<Doors> {
        let in_force = self.current.load();
        if let Some(doors) = &*self.doors.load()
            && Arc::ptr_eq(&doors.of, &in_force)
        {
            return doors.clone();
        }
        let endpoints = &in_force.config.endpoints;
        let doors = endpoints
            .iter()
            .map(|it| Door {
                endpoint: it.clone(),
                keys: it.signing_secrets.iter().filter_map(Key::new).collect(),
            })
            .collect();
        let doors = Arc::new(Doors {
            of: in_force.clone(),
            doors,
        });
        self.doors.store(Some(doors.clone()));
        doors
    }
}

/// Why a body could not be read.
enum Unread {
    TooLarge { limit_bytes: usize },
    TooSlow { limit: Duration },
    Broken(hyper::Error),
}

impl Unread {
    fn answer(self, door: &Door, peer: SocketAddr) -> Answer {
        let endpoint = &door.endpoint.name;
        match self {
            Self::TooLarge { limit_bytes } => {
                warn!(%endpoint, %peer, limit_bytes, "a delivery was refused (413): its body has more than {limit_bytes} bytes");
                ack::too_large()
            }
            Self::TooSlow { limit } => {
                warn!(%endpoint, %peer, "a delivery was refused (408): its body took more than {limit:?}");
                ack::timeout()
            }
            Self::Broken(error) => {
                warn!(%endpoint, %peer, "a delivery's body broke off: {error}");
                ack::bad_body()
            }
        }
    }
}

/// Reads a body whole, bounded in size and time.
async fn read(mut body: Incoming, limit_bytes: usize, limit: Duration) -> Result<Bytes, Unread> {
    let hint = body.size_hint();
    if hint.lower() > limit_bytes as u64 {
        return Err(Unread::TooLarge { limit_bytes });
    }
    let whole = async {
        // Of its own, and of its exact size: a piece of the connection's buffer would keep all of that in memory for as
        // long as a run of the event waits.
        let mut whole = Vec::with_capacity(usize::try_from(hint.lower()).unwrap_or(0));
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(Unread::Broken)?.into_data() else {
                continue;
            };
            if whole.len() + piece.len() > limit_bytes {
                return Err(Unread::TooLarge { limit_bytes });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Bytes::from(whole))
    };
    tokio::time::timeout(limit, whole)
        .await
        .unwrap_or(Err(Unread::TooSlow { limit }))
}

/// What is wrong and where, without the line of the file and the help to it: `/readyz` answers anybody.
fn brief(problem: &str) -> String {
    let mut lines = problem.lines();
    let first = lines.next().unwrap_or_default();
    let mut places = lines.filter_map(|it| it.trim_start().strip_prefix("--> "));
    match places.next() {
        Some(place) => format!("{first} ({place})"),
        None => problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostic;

    #[test]
    fn a_problem_is_told_without_the_line_of_its_file() {
        let it = Diagnostic::at("handlers.toml", "a = \"secret\"", 1, 5, "no such a").help("b");
        assert_eq!(
            brief(&it.to_string()),
            "error: no such a (handlers.toml:1:5)"
        );
        let it = Diagnostic::of_file("handlers.toml", "nothing in it");
        assert_eq!(
            brief(&it.to_string()),
            "error: nothing in it (handlers.toml)"
        );
        assert_eq!(brief("handler `h` is held"), "handler `h` is held");
    }
}
