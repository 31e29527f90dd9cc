//! A thousand scripts: what the host costs while none of them changes, and how long one save of them takes.

use crate::bench::{Bench, IDLE_MAX};
use crate::host::Host;
use crate::ledger::LedgerView;
use crate::load::{self, Reins};
use crate::pace::Pace;
use crate::setup::{self, KIND, mark, mark_prefix};
use anyhow::{Result, anyhow, ensure};
use hdrhistogram::Histogram;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

const SAVES: u64 = 100;
const RATE: u32 = 300;
/// Some of the host's periodic looks, which come every 10 s.
const IDLE_FOR: Duration = Duration::from_secs(40);
const IN_FORCE_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let folder = bench.empty_folder("scripts")?;
    let scripts = folder.join("scripts");
    fs::create_dir_all(&scripts)?;
    for at in 0..setup::SCRIPTS {
        fs::write(
            scripts.join(format!("h{at}.rhai")),
            mark(&format!("h{at}"), 0),
        )?;
    }
    let host = Host::start(&bench.hookyard, &folder, &setup::many_scripts())?;
    let started_in = host.started_in;
    let before = host.cpu()?;
    let idle_for = bench.time(IDLE_FOR);
    thread::sleep(idle_for);
    let idle = host.cpu()?.saturating_sub(before);
    bench.table.add(
        format!("CPU while none of {} scripts changes", setup::SCRIPTS),
        format!(
            "{:.2} % of a core",
            100.0 * idle.as_secs_f64() / idle_for.as_secs_f64()
        ),
        None,
        format!(
            "over {} s; first start {:.2} s",
            idle_for.as_secs(),
            started_in.as_secs_f64()
        ),
    );
    let ledger = host.ledger()?;
    let saves = usize::try_from(bench.count(SAVES).max(10))?;
    let reins = Reins::default();
    let load = bench.load(
        host.address(),
        16,
        Pace::PerSecond(RATE),
        Duration::from_secs(3600),
        &reins,
    );
    let mut source = bench.source(KIND)?;
    let times = thread::scope(|scope| {
        let sender = scope.spawn(|| load::run(&load, &mut source));
        let times = save_and_wait(&scripts, &ledger, saves);
        reins.stop.store(true, Ordering::Relaxed);
        sender
            .join()
            .map_err(|_| anyhow!("the generator panicked"))??;
        times
    })?;
    ledger.wait_until_idle(IDLE_MAX)?;
    let ms = |quantile| times.value_at_quantile(quantile) as f64 / 1e6;
    bench.table.add(
        format!(
            "save to in force among {} scripts, p99 of {}",
            setup::SCRIPTS,
            times.len()
        ),
        format!("{:.0} ms", ms(0.99)),
        None,
        format!(
            "p50 {:.0}, max {:.0} ms, seen by the effect of a run",
            ms(0.5),
            ms(1.0)
        ),
    );
    bench.done_with(host)
}

fn save_and_wait(scripts: &Path, ledger: &LedgerView, saves: usize) -> Result<Histogram<u64>> {
    let mut times_ns = Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?;
    let name = setup::SAVED;
    for version in 1..=saves {
        let part = scripts.join(".part");
        fs::write(&part, mark(name, version))?;
        let start = Instant::now();
        fs::rename(part, scripts.join(format!("{name}.rhai")))?;
        while !ledger.has_record("marks", &mark_prefix(name, version))? {
            ensure!(
                start.elapsed() < IN_FORCE_MAX,
                "version {version} is not in force within {IN_FORCE_MAX:?}"
            );
            thread::sleep(LOOK_EVERY);
        }
        times_ns.saturating_record(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(times_ns)
}
