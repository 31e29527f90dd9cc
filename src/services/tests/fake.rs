//! A service that says, byte by byte, what a test wants it to say.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What it does once a request is there; then it takes the next one on the same connection.
#[derive(Clone, Debug)]
pub(super) enum Say {
    Bytes(Vec<u8>),
    Wait(Duration),
    Close,
}

pub(super) struct Fake {
    pub(super) port: u16,
    seen: Arc<Mutex<Seen>>,
    _connections: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<String>,
    connections: usize,
    at_once: usize,
    at_once_max: usize,
}

impl Fake {
    pub(super) async fn start(
        answer: impl Fn(&str) -> Vec<Say> + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Seen>>::default();
        let mut connections = JoinSet::new();
        let shared = seen.clone();
        connections.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                open.spawn(talk(stream, answer.clone(), shared.clone()));
            }
        });
        Self {
            port,
            seen,
            _connections: connections,
        }
    }

    /// One that always says the same.
    pub(super) async fn saying(answer: &[Say]) -> Self {
        let answer = answer.to_vec();
        Self::start(move |_| answer.clone()).await
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/api", self.port)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub(super) fn at_once_max(&self) -> usize {
        self.seen.lock().unwrap().at_once_max
    }
}

pub(super) fn text(text: &str) -> Say {
    Say::Bytes(text.into())
}

/// A whole answer.
pub(super) fn ok(body: &str) -> Say {
    bytes(body.as_bytes())
}

/// The same, of what need be no text.
pub(super) fn bytes(body: &[u8]) -> Say {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    Say::Bytes([head.as_bytes(), body].concat())
}

/// Answers the requests of one connection; over TLS too.
async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: impl Fn(&str) -> Vec<Say>,
    seen: Arc<Mutex<Seen>>,
) {
    while let Some(request) = read_request(&mut stream).await {
        let says = answer(&request);
        {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(request);
            seen.at_once += 1;
            seen.at_once_max = seen.at_once_max.max(seen.at_once);
        }
        let goes_on = say(&mut stream, says).await;
        if !goes_on {
            return;
        }
        seen.lock().unwrap().at_once -= 1;
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), says: Vec<Say>) -> bool {
    for it in says {
        match it {
            Say::Bytes(bytes) => {
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    return false;
                }
            }
            Say::Wait(wait) => tokio::time::sleep(wait).await,
            Say::Close => {
                let _ = stream.shutdown().await;
                return false;
            }
        }
    }
    true
}

pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length: usize = head
                .lines()
                .find_map(|it| it.strip_prefix("content-length: "))
                .map_or(0, |it| it.parse().unwrap());
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
