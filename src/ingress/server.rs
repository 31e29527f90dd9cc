//! Accepts connections and serves them, bounded in number and time.

use super::deadline::{Patience, Phase, Stream};
use super::request::Intake;
use crate::config::Server;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// What all connections share.
#[derive(Clone)]
pub struct Serving {
    pub server: Server,
    pub shutdown: CancellationToken,
}

/// A connection on its way to the runtime that will serve it. Its permit travels with it.
pub struct Accepted {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
}

/// Connections that may be on their way to a runtime.
pub const HANDOVERS_MAX: usize = 128;
/// How long the loop rests when the system has no more descriptors or memory for a connection.
const REST_AFTER_ERROR: Duration = Duration::from_millis(100);
/// How long a farewell may take.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// Accepts until shutdown and gives each runtime its turn: whoever accepts for himself takes a whole burst, and the
/// others rest.
pub async fn accept(
    listener: TcpListener,
    runtimes: Vec<mpsc::Sender<Accepted>>,
    shutdown: CancellationToken,
    connections_max: usize,
) {
    let connections = Arc::new(Semaphore::new(connections_max));
    for turn in (0..runtimes.len()).cycle() {
        // The permit comes first, so that what is over the bound waits in the system's queue.
        let permit = tokio::select! {
            permit = connections.clone().acquire_owned() => permit,
            () = shutdown.cancelled() => break,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
            Ok((stream, peer)) => {
                let accepted = Accepted {
                    stream,
                    peer,
                    permit,
                };
                // A runtime that is gone is one that shuts down.
                let _ = runtimes[turn].send(accepted).await;
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted: {error}");
                tokio::time::sleep(REST_AFTER_ERROR).await;
            }
        }
    }
}

/// Serves what is handed over until shutdown, then lets the requests that have begun finish.
pub async fn serve(mut handed: mpsc::Receiver<Accepted>, intake: Arc<Intake>, serving: Serving) {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = handed.recv() => accepted,
            () = serving.shutdown.cancelled() => None,
        };
        let Some(Accepted {
            stream,
            peer,
            permit,
        }) = accepted
        else {
            break;
        };
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                let (intake, serving) = (intake.clone(), serving.clone());
                tasks.spawn(async move {
                    converse(stream, peer, intake, &serving).await;
                    drop(permit);
                });
            }
            Err(error) => warn!(%error, "a connection could not be served: {error}"),
        }
    }
    drop(handed);
    tasks.close();
    tasks.wait().await;
}

async fn converse(stream: TcpStream, peer: SocketAddr, intake: Arc<Intake>, serving: &Serving) {
    // Answers are small and must not wait for more to come.
    let _ = stream.set_nodelay(true);
    let phase = Phase::default();
    let patience = Patience {
        head: serving.server.head_timeout,
        rest: serving.server.keep_alive,
    };
    let service = service_fn({
        let phase = phase.clone();
        move |request| {
            phase.begin_request();
            let (intake, phase) = (intake.clone(), phase.clone());
            async move {
                let answer = intake.answer(request, peer).await;
                phase.end_request();
                Ok::<_, Infallible>(answer)
            }
        }
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(serving.server.head_size_bytes_max)
        .serve_connection(Stream::new(stream, phase.clone(), patience), service);
    let result = tokio::select! {
        result = &mut connection => result,
        () = serving.shutdown.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if let Err(error) = result {
        debug!(%peer, "a connection ended: {error}");
        if phase.is_in_head() && is_timeout(&error) {
            // Hyper hangs up without a word; a sender is owed the reason.
            let stream = connection.into_parts().io.into_inner();
            let _ = tokio::time::timeout(FAREWELL_MAX, say_timeout(stream)).await;
        }
    }
}

async fn say_timeout(mut stream: TcpStream) -> std::io::Result<()> {
    stream
        .write_all(
            b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        )
        .await?;
    stream.shutdown().await
}

fn is_timeout(error: &hyper::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|it| it.downcast_ref::<std::io::Error>())
        .is_some_and(|it| it.kind() == std::io::ErrorKind::TimedOut)
}
