//! A service that is dead for a minute: what needs it waits, and what does not goes on as before.

use super::waiting::{add, beside};
use crate::bench::{Bench, IDLE_MAX};
use crate::load::{self, Reins};
use crate::pace::Pace;
use crate::setup;
use crate::slow::SlowService;
use crate::table::number;
use anyhow::{Result, anyhow};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Events that need the service, beside as many that need another one.
const RATE: u32 = 200;
const QUIET: Duration = Duration::from_secs(10);
const DEAD: Duration = Duration::from_secs(60);
const ANSWER_AFTER: Duration = Duration::from_millis(5);

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let (well, ill) = (
        SlowService::start(ANSWER_AFTER)?,
        SlowService::start(ANSWER_AFTER)?,
    );
    let host = bench.fresh_host("ill", &setup::ill(&well.url(), &ill.url()))?;
    let ledger = host.ledger()?;
    let reins = Reins::default();
    let load = bench.load(
        host.address(),
        16,
        Pace::PerSecond(RATE),
        Duration::from_secs(600),
        &reins,
    );
    let mut source = bench.source("invoice.created")?;
    let (quiet, dead, sent, put_off, growth_mib) = thread::scope(|scope| {
        let sender = scope.spawn(|| load::run(&load, &mut source));
        let measured = (|| {
            let quiet_end = Instant::now() + bench.time(QUIET);
            let quiet = beside(bench, &host, || Ok(Instant::now() < quiet_end))?;
            let rss_before = host.rss_mib()?;
            ill.set_dead(true);
            let dead_end = Instant::now() + bench.time(DEAD);
            let dead = beside(bench, &host, || Ok(Instant::now() < dead_end))?;
            anyhow::Ok((
                quiet,
                dead,
                ledger.put_off_runs()?,
                host.rss_mib()? - rss_before,
            ))
        })();
        ill.set_dead(false);
        reins.stop.store(true, Ordering::Relaxed);
        let sent = sender
            .join()
            .map_err(|_| anyhow!("the generator panicked"))?;
        let (quiet, dead, put_off, growth_mib) = measured?;
        anyhow::Ok((quiet, dead, sent?, put_off, growth_mib))
    })?;
    let well_again = Instant::now();
    ledger.wait_until_idle(IDLE_MAX)?;
    let (attempts, not_done) = ledger.failures()?;

    bench.table.add(
        "time until all runs were done, after their service was well again",
        format!("{:.1} s", well_again.elapsed().as_secs_f64()),
        None,
        format!(
            "{} waited; {} events needed it {}",
            number(put_off as f64),
            number(sent.ok() as f64),
            sent.troubles()
        ),
    );
    bench.table.add(
        "attempts that failed, and runs that did not end well",
        format!("{attempts}, {not_done}"),
        None,
        format!("{} calls were sent while it was dead", ill.refused()),
    );
    bench.table.add(
        "memory growth meanwhile",
        format!("{growth_mib:.0} MiB"),
        None,
        "RSS",
    );
    add(
        bench,
        "ack p99 while they wait",
        &quiet.acks.latency_ns,
        &dead.acks.latency_ns,
        &dead.acks.troubles(),
    );
    add(
        bench,
        "handler of another service, event to effect, p99 while they wait",
        &quiet.effects_ns,
        &dead.effects_ns,
        "",
    );
    bench.done_with(host)
}
