//! A connection that ends when the other side takes too long: to begin a request, or to finish its head.
//!
//! Hyper's own head timeout makes a timer for each request and counts a connection's rest between two requests as part
//! of the head. Here a connection has one timer, which is only looked at when there is nothing to read.

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// How long a connection may take for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// From one answer to the next request's first byte.
    pub rest: Duration,
}

/// What a connection is at, as far as waiting goes.
#[derive(Clone, Default)]
pub(super) struct Phase(Arc<AtomicU8>);

const RESTING: u8 = 0;
const IN_HEAD: u8 = 1;
const BUSY: u8 = 2;

impl Phase {
    /// The head is read; from here on others watch the time.
    pub(super) fn begin_request(&self) {
        self.0.store(BUSY, Ordering::Relaxed);
    }

    /// The answer is given.
    pub(super) fn end_request(&self) {
        self.0.store(RESTING, Ordering::Relaxed);
    }

    /// Whether part of a head has come.
    pub(super) fn is_in_head(&self) -> bool {
        self.0.load(Ordering::Relaxed) == IN_HEAD
    }
}

pub(super) struct Stream {
    io: TokioIo<TcpStream>,
    phase: Phase,
    patience: Patience,
    /// The phase that `deadline` is for.
    timed: u8,
    deadline: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Stream {
    pub(super) fn new(stream: TcpStream, phase: Phase, patience: Patience) -> Self {
        // A new connection is to send its head soon; it has no answer to rest after.
        let deadline = Instant::now() + patience.head;
        Self {
            io: TokioIo::new(stream),
            phase,
            patience,
            timed: RESTING,
            deadline,
            timer: Box::pin(tokio::time::sleep_until(deadline)),
        }
    }

    pub(super) fn into_inner(self) -> TcpStream {
        self.io.into_inner()
    }

    /// Ready once the other side has taken too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let phase = self.phase.0.load(Ordering::Relaxed);
        if phase != self.timed {
            self.timed = phase;
            self.deadline = match phase {
                IN_HEAD => Instant::now() + self.patience.head,
                _ => Instant::now() + self.patience.rest,
            };
            // The timer may stand at a later time than this deadline, never at an earlier one that matters.
            if self.deadline < self.timer.deadline() {
                self.timer.as_mut().reset(self.deadline);
            }
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if phase != BUSY && self.deadline <= Instant::now() {
                return Poll::Ready(());
            }
            // While a request is being answered others watch the time; look again later.
            let next = if phase == BUSY {
                Instant::now() + self.patience.rest
            } else {
                self.deadline
            };
            self.timer.as_mut().reset(next);
        }
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(it) = Pin::new(&mut self.io).poll_read(cx, buffer) {
            let _ = self.phase.0.compare_exchange(
                RESTING,
                IN_HEAD,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            return Poll::Ready(it);
        }
        ready!(self.poll_late(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, buffers)
    }
}
