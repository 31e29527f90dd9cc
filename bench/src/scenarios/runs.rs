//! End to end: stored, run by a script of 20 lines that updates two records, committed.

use crate::bare::Bare;
use crate::bench::{Bench, IDLE_MAX, run_within_backlog};
use crate::host::Host;
use crate::load::{self, Reins};
use crate::pace::Pace;
use crate::process;
use crate::setup::{self, KIND};
use crate::table::number;
use anyhow::Result;
use std::collections::BTreeMap;
use std::time::Duration;

const SATURATED: Duration = Duration::from_secs(10);

pub(crate) fn fresh(bench: &mut Bench) -> Result<()> {
    let host = bench.fresh_host("runs", &setup::two_records())?;
    sustained(bench, &host, "empty ledger")?;
    saturated(bench, &host)?;
    bench.done_with(host)
}

pub(crate) fn filled(bench: &mut Bench) -> Result<()> {
    let host = bench.filled_host("runs-filled", &setup::two_records())?;
    let label = format!("{} events in the ledger", number(bench.fill as f64));
    sustained(bench, &host, &label)?;
    bench.done_with(host)
}

/// Events come as fast as runs are finished.
fn sustained(bench: &mut Bench, host: &Host, label: &str) -> Result<()> {
    let ledger = host.ledger()?;
    let done_before = ledger.done_runs()?;
    let before = bare_rate(bench)?;
    let (cpu_before, threads_before) = (host.cpu()?, process::cpu_by_thread(host.pid())?);
    let reins = Reins::default();
    let load = bench.load(
        host.address(),
        64,
        Pace::Closed,
        bench.time(bench.sustained),
        &reins,
    );
    let report = run_within_backlog(&load, &mut bench.source(KIND)?, &ledger)?;
    let finished = report.ok().saturating_sub(ledger.open_runs()?);
    ledger.wait_until_idle(IDLE_MAX)?;
    let cpu = host.cpu()?.saturating_sub(cpu_before);
    let threads = process::cpu_by_thread(host.pid())?;
    let after = bare_rate(bench)?;
    let done = ledger.done_runs()? - done_before;
    let rate = finished as f64 / report.elapsed.as_secs_f64();
    bench.table.add(
        format!(
            "events/s stored, run and committed for {:.0} s, {label}",
            report.elapsed.as_secs_f64()
        ),
        number(rate),
        Some(rate / ((before + after) / 2.0)),
        format!(
            "ack p50 {:.2} ms, p99 {:.2} ms; {} acknowledged, {} finished in the end {}",
            report.quantile_ms(0.5),
            report.quantile_ms(0.99),
            number(report.ok() as f64),
            number(done as f64),
            report.troubles()
        ),
    );
    let per_event = |it: Duration| it.as_secs_f64() * 1e6 / report.ok().max(1) as f64;
    bench.table.add(
        format!("CPU us an event, stored, run and committed, {label}"),
        number(per_event(cpu)),
        None,
        split(&threads_before, &threads, per_event),
    );
    bench.table.add(
        format!("memory after that, {label}"),
        format!("{:.0} MiB", host.rss_mib()?),
        None,
        "RSS",
    );
    Ok(())
}

/// Events come as fast as they are acknowledged, whatever becomes of their runs.
fn saturated(bench: &mut Bench, host: &Host) -> Result<()> {
    let ledger = host.ledger()?;
    let reins = Reins::default();
    let load = bench.load(
        host.address(),
        64,
        Pace::Closed,
        bench.time(SATURATED),
        &reins,
    );
    let report = load::run(&load, &mut bench.source(KIND)?)?;
    let open = ledger.open_runs()?;
    ledger.wait_until_idle(IDLE_MAX)?;
    let troubles = report.troubles();
    bench.table.add(
        "acks/s while runs fall behind",
        number(report.rate()),
        None,
        format!(
            "p50 {:.2} ms, p99 {:.2} ms; {} runs open at the end; other answers: {}",
            report.quantile_ms(0.5),
            report.quantile_ms(0.99),
            number(open as f64),
            if troubles.is_empty() {
                "none"
            } else {
                &troubles
            },
        ),
    );
    Ok(())
}

fn bare_rate(bench: &Bench) -> Result<f64> {
    let bare = Bare::start(&bench.this_program)?;
    let reins = Reins::default();
    let load = bench.load(bare.address(), 64, Pace::Closed, bench.round, &reins);
    Ok(load::run(&load, &mut bench.source(KIND)?)?.rate())
}

/// The stages by their threads, the costliest first.
fn split(
    before: &BTreeMap<String, Duration>,
    after: &BTreeMap<String, Duration>,
    per_event: impl Fn(Duration) -> f64,
) -> String {
    let mut parts: Vec<(f64, &String)> = after
        .iter()
        .map(|(name, spent)| {
            (
                per_event(spent.saturating_sub(before.get(name).copied().unwrap_or_default())),
                name,
            )
        })
        .filter(|(it, _)| *it >= 0.05)
        .collect();
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let parts: Vec<String> = parts
        .iter()
        .map(|(it, name)| format!("{name} {it:.1}"))
        .collect();
    format!("by thread: {}", parts.join(", "))
}
