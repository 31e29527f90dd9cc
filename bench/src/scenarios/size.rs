//! What a large ledger costs: disk, memory, time to start.

use crate::bench::Bench;
use crate::host::Host;
use crate::load::{self, Load, Reins};
use crate::pace::Pace;
use crate::probe::Probe;
use crate::process::folder_bytes;
use crate::setup::{self, KIND};
use crate::table::number;
use anyhow::Result;
use std::time::{Duration, Instant};

const LOAD_BEFORE_KILL: Duration = Duration::from_secs(5);

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let events = number(bench.fill as f64);
    let filled = bench.filled()?;
    bench.table.add(
        "bytes on disk an event, stored and run",
        number(folder_bytes(&filled.join("data"))? as f64 / bench.fill as f64),
        None,
        format!("{events} events, two record changes each, after a clean stop"),
    );
    acks_only(bench)?;

    let setup = setup::two_records();
    let host = bench.filled_host("size", &setup)?;
    start_row(
        bench,
        &host,
        &format!("start with {events} events, after a clean stop"),
    )?;
    let reins = Reins::default();
    let load = bench.load(
        host.address(),
        64,
        Pace::Closed,
        bench.time(LOAD_BEFORE_KILL),
        &reins,
    );
    load::run(&load, &mut bench.source(KIND)?)?;
    let folder = host.folder().to_owned();
    host.kill()?;
    let host = Host::start(&bench.hookyard, &folder, &setup)?;
    start_row(
        bench,
        &host,
        &format!("start with {events} events, after kill -9 under load"),
    )?;
    bench.done_with(host)
}

fn start_row(bench: &mut Bench, host: &Host, figure: &str) -> Result<()> {
    let begin = Instant::now();
    let mut probe = Probe::new(bench, host.address())?;
    probe.post()?;
    let first_ack = host.started_in + begin.elapsed();
    bench.table.add(
        figure,
        format!("{:.0} ms", host.started_in.as_secs_f64() * 1e3),
        None,
        format!(
            "until it listens; first ack after {:.0} ms; {:.0} MiB RSS",
            first_ack.as_secs_f64() * 1e3,
            host.rss_mib()?
        ),
    );
    Ok(())
}

/// Events that no handler wants, without runs and records.
fn acks_only(bench: &mut Bench) -> Result<()> {
    let events = bench.count(100_000);
    let host = bench.fresh_host("size-acks", &setup::unwanted())?;
    let reins = Reins::default();
    let load = bench.load(
        host.address(),
        64,
        Pace::Closed,
        Duration::from_secs(600),
        &reins,
    );
    let report = load::run(
        &Load {
            events_max: events,
            ..load
        },
        &mut bench.source(KIND)?,
    )?;
    let folder = host.folder().to_owned();
    host.stop()?;
    let bytes = folder_bytes(&folder.join("data"))? as f64 / report.ok().max(1) as f64;
    std::fs::remove_dir_all(folder)?;
    let note = format!("{} events, after a clean stop", number(report.ok() as f64));
    bench.table.add(
        "bytes on disk an event, only stored",
        number(bytes),
        None,
        note,
    );
    Ok(())
}
