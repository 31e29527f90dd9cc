//! Saves of scripts under load: how long until the new version is in force, and whether a broken one ever runs.

use crate::bench::{Bench, IDLE_MAX};
use crate::host::Host;
use crate::ledger::LedgerView;
use crate::load::{self, Reins};
use crate::pace::Pace;
use crate::setup::{self, KIND, WAYS, mark, mark_prefix};
use crate::table::number;
use anyhow::{Result, anyhow, ensure};
use hdrhistogram::Histogram;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

const SAVES: u64 = 200;
const RATE: u32 = 300;
/// Every so many-th save does not compile.
const BROKEN_EVERY: usize = 10;
/// How long a broken version gets to show that it does not run.
const BROKEN_WAIT: Duration = Duration::from_millis(700);
/// How long a file that is written in place is empty.
const EMPTY_FOR: Duration = Duration::from_millis(5);
const IN_FORCE_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let setup = setup::marks();
    let folder = bench.empty_folder("reload")?;
    fs::create_dir_all(folder.join("scripts"))?;
    let host = Host::start(&bench.hookyard, &folder, &setup)?;
    let ledger = host.ledger()?;
    let saves = usize::try_from(bench.count(SAVES).max(20))?;
    let reins = Reins::default();
    let load = bench.load(
        host.address(),
        16,
        Pace::PerSecond(RATE),
        Duration::from_secs(3600),
        &reins,
    );
    let mut source = bench.source(KIND)?;
    let (report, times) = thread::scope(|scope| {
        let sender = scope.spawn(|| load::run(&load, &mut source));
        let times = save_and_wait(&folder, &ledger, saves);
        reins.stop.store(true, Ordering::Relaxed);
        let report = sender
            .join()
            .map_err(|_| anyhow!("the generator panicked"))?;
        anyhow::Ok((report?, times?))
    })?;
    ledger.wait_until_idle(IDLE_MAX)?;
    for version in (1..=saves).filter(|it| is_broken(*it)) {
        let prefix = mark_prefix(WAYS[version % WAYS.len()], version);
        ensure!(
            !ledger.has_record("marks", &prefix)?,
            "version {version} is broken, and was run"
        );
    }
    let marks = ledger.count_records("marks", "")?;
    let ms = |quantile| times.value_at_quantile(quantile) as f64 / 1e6;
    bench.table.add(
        format!("save to in force, p99 of {} good saves under load", times.len()),
        format!("{:.0} ms", ms(0.99)),
        None,
        format!("p50 {:.0}, max {:.0} ms, seen by the effect of a run; written, renamed and linked in turn", ms(0.5), ms(1.0)),
    );
    let lost = (report.ok() * WAYS.len() as u64).saturating_sub(marks);
    bench.table.add(
        "runs without their effect over those saves",
        number(lost as f64),
        None,
        format!(
            "{} events, 3 runs each; runs of a broken version: 0 {}",
            number(report.ok() as f64),
            report.troubles()
        ),
    );
    // What went wrong stays to be looked at.
    ensure!(
        lost == 0,
        "{lost} runs left no mark; see {}",
        folder.display()
    );
    bench.done_with(host)
}

/// Saves versions 1, 2, 3 … in turn, and waits for each to be in force.
fn save_and_wait(folder: &Path, ledger: &LedgerView, saves: usize) -> Result<Histogram<u64>> {
    let mut times_ns = Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?;
    for way in WAYS {
        wait_for_mark(ledger, &mark_prefix(way, 0))?;
    }
    for version in 1..=saves {
        let way = WAYS[version % WAYS.len()];
        let good = mark(way, version);
        let text = if is_broken(version) {
            format!("{good}let unfinished = ;\n")
        } else {
            good
        };
        save(folder, way, version, &text)?;
        let prefix = mark_prefix(way, version);
        if is_broken(version) {
            thread::sleep(BROKEN_WAIT);
        } else {
            let time = wait_for_mark(ledger, &prefix)?;
            times_ns.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        }
    }
    Ok(times_ns)
}

fn is_broken(version: usize) -> bool {
    version.is_multiple_of(BROKEN_EVERY)
}

fn wait_for_mark(ledger: &LedgerView, prefix: &str) -> Result<Duration> {
    let start = Instant::now();
    while !ledger.has_record("marks", prefix)? {
        ensure!(
            start.elapsed() < IN_FORCE_MAX,
            "no run of {prefix} within {IN_FORCE_MAX:?}"
        );
        thread::sleep(LOOK_EVERY);
    }
    Ok(start.elapsed())
}

fn save(folder: &Path, way: &str, version: usize, text: &str) -> Result<()> {
    let scripts = folder.join("scripts");
    let script = scripts.join(format!("{way}.rhai"));
    match way {
        // As editors and copies over the network do it: for a while the file is there and empty.
        "written" => {
            let mut file = File::create(script)?;
            thread::sleep(EMPTY_FOR);
            file.write_all(text.as_bytes())?;
        }
        "renamed" => {
            let part = scripts.join(format!(".{way}.part"));
            fs::write(&part, text)?;
            fs::rename(part, script)?;
        }
        // As Kubernetes does it: the script is a link through `..data`, and that is what is swapped.
        _ => {
            let content = format!("..version-{version}");
            fs::create_dir_all(scripts.join(&content))?;
            fs::write(scripts.join(&content).join(format!("{way}.rhai")), text)?;
            let part = scripts.join("..data_part");
            symlink(content, &part)?;
            fs::rename(part, scripts.join("..data"))?;
            if !script.is_symlink() {
                let part = scripts.join(".link.part");
                symlink(Path::new("..data").join(format!("{way}.rhai")), &part)?;
                fs::rename(part, script)?;
            }
        }
    }
    Ok(())
}
