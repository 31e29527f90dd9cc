//! The server to compare with: hyper that reads the body, verifies the signature and answers 200. Nothing is kept.

use crate::event::SECRET;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::net::TcpListener;

/// Serves until it is killed; says `listening on http://…` first.
pub(crate) fn serve(listen: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("listening on {listen}"))?;
        println!("listening on http://{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let key = key.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(request, key.clone()));
                // A client that goes away is no concern of ours.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    })
}

async fn answer(
    request: Request<Incoming>,
    key: Hmac<Sha256>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let header = head
        .headers
        .get("stripe-signature")
        .map(hyper::header::HeaderValue::as_bytes);
    let is_genuine = header.is_some_and(|it| verify(it, &body, key));
    let status = if is_genuine {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"received\":true}")));
    *response.status_mut() = status;
    Ok(response)
}

fn verify(header: &[u8], body: &[u8], mut key: Hmac<Sha256>) -> bool {
    let mut parts = header.split(|it| *it == b',');
    let (Some([b't', b'=', time @ ..]), Some([b'v', b'1', b'=', code @ ..])) =
        (parts.next(), parts.next())
    else {
        return false;
    };
    let mut wanted = [0; 32];
    if hex::decode_to_slice(code, &mut wanted).is_err() {
        return false;
    }
    key.update(time);
    key.update(b".");
    key.update(body);
    key.verify_slice(&wanted).is_ok()
}

/// That server in a process of its own; killed when dropped.
pub(crate) struct Bare {
    child: Child,
    address: SocketAddr,
}

impl Bare {
    pub(crate) fn start(this_program: &Path) -> Result<Self> {
        let mut child = Command::new(this_program)
            .args(["bare", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the bare server")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            bail!("the bare server said {line:?}");
        };
        let address = address.parse()?;
        Ok(Self { child, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
