//! One keep-alive connection of the load: a request out, an answer in.

use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

/// An answer of the host is a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

pub(crate) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    /// How much of the request is sent; all of it when nothing is to be written.
    written: usize,
    answer: Vec<u8>,
    received: usize,
    /// When the request that is on its way was due.
    intended: Option<Instant>,
}

pub(crate) enum Progress {
    Waits,
    Answered { status: u16, intended: Instant },
    Lost { had_request: bool },
}

impl Connection {
    pub(crate) fn open(
        target: SocketAddr,
        number: usize,
        request: Vec<u8>,
        registry: &Registry,
    ) -> Result<Self> {
        let stream = connect(target, number, registry)?;
        let written = request.len();
        Ok(Self {
            stream,
            request,
            written,
            answer: vec![0; ANSWER_BYTES_MAX],
            received: 0,
            intended: None,
        })
    }

    pub(crate) fn reopen(
        &mut self,
        target: SocketAddr,
        number: usize,
        registry: &Registry,
    ) -> Result<()> {
        self.stream = connect(target, number, registry)?;
        self.written = self.request.len();
        self.received = 0;
        self.intended = None;
        Ok(())
    }

    /// The request's bytes; only while none is on its way.
    pub(crate) fn request(&mut self) -> &mut [u8] {
        &mut self.request
    }

    /// Sends the request as far as it goes now. A lost connection shows in `advance`.
    pub(crate) fn send(&mut self, intended: Instant) {
        self.intended = Some(intended);
        self.written = 0;
        self.received = 0;
        self.write();
    }

    /// After epoll named it: writes what is left, reads what came.
    pub(crate) fn advance(&mut self) -> Progress {
        self.write();
        loop {
            let room = &mut self.answer[self.received..];
            let room_bytes = room.len();
            match self.stream.read(room) {
                Ok(0) => {
                    return Progress::Lost {
                        had_request: self.intended.is_some(),
                    };
                }
                Ok(count) => {
                    self.received += count;
                    if let Some(status) = whole_answer(&self.answer[..self.received])
                        && let Some(intended) = self.intended.take()
                    {
                        return Progress::Answered { status, intended };
                    }
                    // Less than there was room for: nothing more is there, and epoll will say when it is.
                    if count < room_bytes {
                        return Progress::Waits;
                    }
                }
                Err(it) if it.kind() == ErrorKind::WouldBlock => return Progress::Waits,
                Err(it) if it.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    return Progress::Lost {
                        had_request: self.intended.is_some(),
                    };
                }
            }
        }
    }

    fn write(&mut self) {
        while self.written < self.request.len() {
            match self.stream.write(&self.request[self.written..]) {
                Ok(count) => self.written += count,
                Err(it) if it.kind() == ErrorKind::Interrupted => {}
                // Blocked, or lost: reading tells which.
                Err(_) => return,
            }
        }
    }
}

/// Connects at once, so that the load begins with all of its connections.
fn connect(target: SocketAddr, number: usize, registry: &Registry) -> Result<TcpStream> {
    let stream =
        std::net::TcpStream::connect(target).with_context(|| format!("connecting to {target}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    registry.register(
        &mut stream,
        Token(number),
        Interest::READABLE | Interest::WRITABLE,
    )?;
    Ok(stream)
}

/// The status, once head and body are there.
fn whole_answer(bytes: &[u8]) -> Option<u16> {
    let head = bytes.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let length = text
        .lines()
        .filter_map(|it| it.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    (bytes.len() >= head + length).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        assert_eq!(
            whole_answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
            Some(200)
        );
        assert_eq!(
            whole_answer(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
            Some(503)
        );
        assert_eq!(
            whole_answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"),
            None
        );
        assert_eq!(whole_answer(b"HTTP/1.1 200 OK\r\ncontent-le"), None);
    }
}
