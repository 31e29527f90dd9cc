//! The latency of an ack under a steady load, with runs going on and a filled ledger.

use crate::bare::Bare;
use crate::bench::{Bench, IDLE_MAX};
use crate::ledger::LedgerView;
use crate::load::{self, Load, Reins};
use crate::pace::Pace;
use crate::report::Report;
use crate::setup::{self, KIND};
use crate::table::number;
use anyhow::{Result, anyhow};
use std::thread;
use std::time::{Duration, Instant};

const RATE: u32 = 1_000;
const LENGTH: Duration = Duration::from_secs(60);
const WARM_UP: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let reins = Reins::default();
    let bare = Bare::start(&bench.this_program)?;
    let load = bench.load(
        bare.address(),
        64,
        Pace::PerSecond(RATE),
        bench.time(WARM_UP * 2),
        &reins,
    );
    let report = load::run(&load, &mut bench.source(KIND)?)?;
    add(bench, "bare", &report);
    drop(bare);

    let host = bench.filled_host("paced", &setup::two_records())?;
    let ledger = host.ledger()?;
    let mut source = bench.source(KIND)?;
    let warm_up = bench.load(
        host.address(),
        64,
        Pace::PerSecond(RATE),
        bench.time(WARM_UP),
        &reins,
    );
    load::run(&warm_up, &mut source)?;
    let cpu_before = host.cpu()?;
    let load = Load {
        time_max: bench.time(LENGTH),
        ..warm_up
    };
    let (report, stall) = thread::scope(|scope| {
        let sender = scope.spawn(|| load::run(&load, &mut source));
        let stall = longest_without_commit(&ledger, || sender.is_finished());
        let report = sender
            .join()
            .map_err(|_| anyhow!("the generator panicked"))?;
        anyhow::Ok((report?, stall?))
    })?;
    let cpu = host.cpu()?.saturating_sub(cpu_before);
    ledger.wait_until_idle(IDLE_MAX)?;
    let label = format!(
        "hookyard, runs going on, {} events in the ledger",
        number(bench.fill as f64)
    );
    add(bench, &label, &report);
    bench.table.add(
        "longest stall of the writer meanwhile",
        format!("{:.1} ms", stall.as_secs_f64() * 1e3),
        None,
        "longest time between two commits, seen from another process",
    );
    bench.table.add(
        "CPU and memory meanwhile",
        format!(
            "{:.0} % of a core",
            cpu.as_secs_f64() * 100.0 / report.elapsed.as_secs_f64()
        ),
        None,
        format!("{:.0} MiB RSS at the end", host.rss_mib()?),
    );
    bench.done_with(host)
}

fn add(bench: &mut Bench, label: &str, report: &Report) {
    bench.table.add(
        format!("ack p99 at {} events/s: {label}", number(f64::from(RATE))),
        format!("{:.2} ms", report.quantile_ms(0.99)),
        None,
        format!(
            "p50 {:.2}, p99.9 {:.2}, max {:.2} ms from the time it was due; {} acks {}",
            report.quantile_ms(0.5),
            report.quantile_ms(0.999),
            report.max_ms(),
            number(report.ok() as f64),
            report.troubles(),
        ),
    );
}

fn longest_without_commit(ledger: &LedgerView, is_over: impl Fn() -> bool) -> Result<Duration> {
    let mut longest = Duration::ZERO;
    let (mut version, mut seen) = (ledger.data_version()?, Instant::now());
    while !is_over() {
        thread::sleep(LOOK_EVERY);
        let now = ledger.data_version()?;
        if now != version {
            longest = longest.max(seen.elapsed());
            (version, seen) = (now, Instant::now());
        }
    }
    Ok(longest)
}
