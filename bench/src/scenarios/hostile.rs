//! The latency of an ack while handlers run scripts that mean harm, again and again.

use crate::bench::{Bench, IDLE_MAX};
use crate::load::{self, Load, Reins};
use crate::pace::Pace;
use crate::setup::{self, KIND};
use crate::table::number;
use anyhow::{Result, anyhow, ensure};
use std::thread;
use std::time::Duration;

const RATE: u32 = 500;
const LENGTH: Duration = Duration::from_secs(60);
/// Each gives a run of every hostile script, which fails, and comes again a second later.
const HOSTILE_EVENTS: u64 = 100;
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let host = bench.fresh_host("hostile", &setup::hostile())?;
    let reins = Reins::default();
    let mut hostile = bench.source("invoice.created")?;
    let begin = bench.load(host.address(), 1, Pace::Closed, IDLE_MAX, &reins);
    let begin = Load {
        events_max: HOSTILE_EVENTS,
        ..begin
    };
    let begun = load::run(&begin, &mut hostile)?;
    let mut source = bench.source(KIND)?;
    let load = bench.load(
        host.address(),
        16,
        Pace::PerSecond(RATE),
        bench.time(LENGTH),
        &reins,
    );
    let mut rss_peak = host.rss_mib()?;
    let report = thread::scope(|scope| {
        let sender = scope.spawn(|| load::run(&load, &mut source));
        while !sender.is_finished() {
            rss_peak = rss_peak.max(host.rss_mib()?);
            thread::sleep(LOOK_EVERY);
        }
        sender
            .join()
            .map_err(|_| anyhow!("the generator panicked"))?
    })?;
    let open = host.ledger()?.open_runs()?;
    for it in [&begun, &report] {
        ensure!(
            it.troubles().is_empty(),
            "not all answers were 200: {}",
            it.troubles()
        );
    }
    ensure!(0 < open, "no hostile script ran");
    bench.table.add(
        format!(
            "ack p99 at {} events/s while hostile scripts run",
            number(f64::from(RATE))
        ),
        format!("{:.2} ms", report.quantile_ms(0.99)),
        None,
        format!(
            "p50 {:.2}, p99.9 {:.2}, max {:.2} ms from the time it was due; {} acks, all 200; {open} runs were open at the end; at most {rss_peak:.0} MiB RSS",
            report.quantile_ms(0.5),
            report.quantile_ms(0.999),
            report.max_ms(),
            number(report.ok() as f64),
        ),
    );
    // Thousands of attempts are on their way: there is nothing to drain.
    let folder = host.folder().to_owned();
    host.kill()?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
