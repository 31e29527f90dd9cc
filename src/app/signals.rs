//! What the process is told from outside, and what it does then.

use super::FAREWELL;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The signals that a host obeys, received from the moment that this is made.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn receive() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reloads.
pub(super) async fn obey(
    signals: Signals,
    asked: Arc<Notify>,
    shutdown: CancellationToken,
    drain_timeout: Duration,
) {
    let Signals {
        mut terminate,
        mut interrupt,
        mut hangup,
    } = signals;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => asked.notify_one(),
            () = shutdown.cancelled() => break,
        }
    }
    shutdown.cancel();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            // The drain's own bound did not hold: something is stuck.
            () = tokio::time::sleep(drain_timeout * 2 + FAREWELL) => {}
        }
        warn!("ending at once; runs in progress begin again at the next start");
        std::process::exit(130);
    });
}
