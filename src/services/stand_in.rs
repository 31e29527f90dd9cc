//! A stand-in for every service: it answers 200 to whatever it is asked, and nothing real happens.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

const CONNECTIONS_MAX: usize = 256;
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
const REST_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Names under which services commonly tell the id of what they made.
const IDS: [&str; 5] = ["id", "booking_id", "message_id", "ticket_id", "reference"];

/// A question that no journal keeps: it can change nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// With the query.
    pub path: String,
}

/// Answers until shutdown, and tells of questions while there is room for them.
pub async fn stand_in(
    listener: TcpListener,
    asked: mpsc::Sender<Asked>,
    shutdown: CancellationToken,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(REST_AFTER_ERROR).await;
            continue;
        };
        let (asked, shutdown) = (asked.clone(), shutdown.clone());
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                tell(&asked, &request);
                answer(request)
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // Whoever hangs up has what he wanted.
            tokio::select! {
                _ = connection => {}
                () = shutdown.cancelled() => {}
            }
            drop(permit);
        });
    }
}

fn tell(asked: &mpsc::Sender<Asked>, request: &Request<Incoming>) {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return;
    }
    let path = request.uri().path_and_query().map(ToString::to_string);
    // Who shows them may be busy; an answer does not wait for that.
    let _ = asked.try_send(Asked {
        method: request.method().to_string(),
        path: path.unwrap_or_default(),
    });
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let key = request
        .headers()
        .get("idempotency-key")
        .and_then(|it| it.to_str().ok())
        .unwrap_or(request.uri().path())
        .to_owned();
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX);
    let body = match body.collect().await {
        Ok(it) => it.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let text = document(&key, &body).to_string();
    Ok(Response::builder()
        .header("content-type", "application/json")
        .body(Full::new(text.into()))
        .unwrap_or_default())
}

/// What was sent comes back, with ids; the same ones for the same key.
fn document(key: &str, body: &[u8]) -> Value {
    let id = format!("standin_{}", hex::encode(&Sha256::digest(key)[..5]));
    let mut document = Map::from_iter([("stand_in".to_owned(), json!(true))]);
    document.extend(IDS.map(|it| (it.to_owned(), json!(id))));
    document.insert("status".into(), json!("ok"));
    if let Ok(sent) = serde_json::from_slice::<Map<String, Value>>(body) {
        document.extend(sent);
    }
    document.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_tells_what_it_was_sent_and_an_id_that_belongs_to_the_key() {
        let first = document("a", br#"{"amount":1}"#);
        assert_eq!(
            (&first["amount"], &first["status"]),
            (&json!(1), &json!("ok"))
        );
        assert_eq!(first["booking_id"], first["id"]);
        assert_eq!(first, document("a", br#"{"amount":1}"#));
        assert_ne!(first["id"], document("b", b"no JSON")["id"]);
    }
}
