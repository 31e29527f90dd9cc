//! What came of a load.

use anyhow::Result;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) struct Report {
    pub(crate) latency_ns: Histogram<u64>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Connections lost with a request on its way.
    pub(crate) broken: u64,
    pub(crate) unanswered: u64,
    pub(crate) elapsed: Duration,
    /// CPU time of the generator.
    pub(crate) cpu: Duration,
}

impl Report {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            latency_ns: Histogram::new_with_bounds(1_000, 600_000_000_000, 3)?,
            statuses: BTreeMap::new(),
            broken: 0,
            unanswered: 0,
            elapsed: Duration::ZERO,
            cpu: Duration::ZERO,
        })
    }

    pub(crate) fn ok(&self) -> u64 {
        self.statuses.get(&200).copied().unwrap_or(0)
    }

    /// Events answered 200 a second.
    pub(crate) fn rate(&self) -> f64 {
        self.ok() as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        self.latency_ns.value_at_quantile(quantile) as f64 / 1e6
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.latency_ns.max() as f64 / 1e6
    }

    /// Says what was not answered 200; empty when all was.
    pub(crate) fn troubles(&self) -> String {
        let mut parts: Vec<String> = self
            .statuses
            .iter()
            .filter(|(it, _)| **it != 200)
            .map(|(it, count)| format!("{count} × {it}"))
            .collect();
        if self.broken > 0 {
            parts.push(format!("{} connections broken", self.broken));
        }
        if self.unanswered > 0 {
            parts.push(format!("{} unanswered", self.unanswered));
        }
        parts.join(", ")
    }
}
