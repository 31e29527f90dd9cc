//! One event at a time: how long until its effect can be read.

use crate::bench::Bench;
use crate::event::EventSource;
use crate::ledger::LedgerView;
use crate::setup::KIND;
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const EFFECT_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_micros(500);
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Probe {
    stream: TcpStream,
    source: EventSource,
    request: Vec<u8>,
}

impl Probe {
    pub(crate) fn new(bench: &Bench, target: SocketAddr) -> Result<Self> {
        let stream =
            TcpStream::connect(target).with_context(|| format!("connecting to {target}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(EFFECT_MAX))?;
        let source = bench.source(KIND)?;
        let request = source.request();
        Ok(Self {
            stream,
            source,
            request,
        })
    }

    /// Posts one event; an error unless it is answered 200.
    pub(crate) fn post(&mut self) -> Result<()> {
        self.source.renew(&mut self.request);
        self.stream.write_all(&self.request)?;
        let mut answer = [0; 4096];
        // The host's answer is small, and comes in one piece.
        let count = self.stream.read(&mut answer)?;
        let text = String::from_utf8_lossy(&answer[..count]);
        ensure!(
            text.starts_with("HTTP/1.1 200"),
            "the host answered {text:?}"
        );
        Ok(())
    }

    /// From posting an event to its invoice being in the ledger, over and over until `is_over`.
    pub(crate) fn effects(
        &mut self,
        ledger: &LedgerView,
        is_over: impl Fn() -> bool,
    ) -> Result<Histogram<u64>> {
        let mut times_ns = Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?;
        while !is_over() {
            let start = Instant::now();
            self.post()?;
            let object = self.source.object_id(&self.request).to_owned();
            let event = self.source.event_id(&self.request).to_owned();
            while !ledger
                .record("invoices", &object)?
                .is_some_and(|it| it.contains(&event))
            {
                ensure!(
                    start.elapsed() < EFFECT_MAX,
                    "no effect of {event} on {object} within {EFFECT_MAX:?}"
                );
                thread::sleep(LOOK_EVERY);
            }
            times_ns
                .saturating_record(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
            thread::sleep(PAUSE);
        }
        Ok(times_ns)
    }
}
