//! A service that answers after a while, to as many as ask at once, and can be dead for a time.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpSocket;

/// Connections that come in one burst wait here to be accepted.
const BACKLOG: u32 = 8192;

/// Runs on a thread of its own until the program ends.
pub(crate) struct SlowService {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicU64,
    waiting_peak: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    is_dead: AtomicBool,
}

impl SlowService {
    pub(crate) fn start(delay: Duration) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = runtime.block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
            socket.listen(BACKLOG)
        })?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let shared = counts.clone();
        std::thread::Builder::new()
            .name("slow-service".into())
            .spawn(move || {
                runtime.block_on(async {
                    // Out of descriptors is the one error that can come here; the next round may have some.
                    loop {
                        let Ok((stream, _)) = listener.accept().await else {
                            tokio::time::sleep(Duration::from_millis(10)).await;
                            continue;
                        };
                        let counts = shared.clone();
                        tokio::spawn(async move {
                            let service =
                                service_fn(move |request| answer(request, delay, counts.clone()));
                            // A client that goes away is counted by what it did not get.
                            let _ = hyper::server::conn::http1::Builder::new()
                                .serve_connection(TokioIo::new(stream), service)
                                .await;
                        });
                    }
                });
            })
            .context("a thread")?;
        Ok(Self { address, counts })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn answered(&self) -> u64 {
        self.counts.answered.load(Ordering::Relaxed)
    }

    /// From now on every call is answered 503, or no longer.
    pub(crate) fn set_dead(&self, is_dead: bool) {
        self.counts.is_dead.store(is_dead, Ordering::Relaxed);
    }

    /// Calls that came while it was dead.
    pub(crate) fn refused(&self) -> u64 {
        self.counts.refused.load(Ordering::Relaxed)
    }

    /// The most that waited at once.
    pub(crate) fn waiting_peak(&self) -> u64 {
        self.counts.waiting_peak.load(Ordering::Relaxed)
    }
}

async fn answer(
    request: Request<Incoming>,
    delay: Duration,
    counts: Arc<Counts>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    request.into_body().collect().await?;
    if counts.is_dead.load(Ordering::Relaxed) {
        counts.refused.fetch_add(1, Ordering::Relaxed);
        let mut dead = Response::new(Full::default());
        *dead.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(dead);
    }
    let waiting = counts.waiting.fetch_add(1, Ordering::Relaxed) + 1;
    counts.waiting_peak.fetch_max(waiting, Ordering::Relaxed);
    tokio::time::sleep(delay).await;
    counts.waiting.fetch_sub(1, Ordering::Relaxed);
    counts.answered.fetch_add(1, Ordering::Relaxed);
    Ok(Response::new(Full::new(Bytes::from_static(
        b"{\"booked\":true}",
    ))))
}
