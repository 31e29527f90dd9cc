//! Scripts that mean harm, or are careless enough to do it: none of them ends the process, holds it up, or takes more
//! than it may. Each file in tests/golden/hostile/ says in its first line what becomes of it:
//!
//! ```text
//! // expect: harmless
//! // expect: error at line 3: the script used more than 64 MiB of memory
//! // expect: refused by check at line 2: there is no function `sleep`
//! ```
//!
//! Also `dead at line …`, `skipped: …`, `later: …`. Three dots stand for anything, a text need not be told to its end,
//! and where it is chance on which line a limit strikes, the line is left out: `error: ...`. `HOSTILE=rewrite` writes
//! these lines anew, to be read before they are kept.

// A test that unwraps fails where it stands; that is what it is for.
#![allow(clippy::unwrap_used)]

mod outcome;
mod world;

use hookyard::config::Limits;
use hookyard::script::{Engine, Sources};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As for the host's script threads.
const STACK_SIZE_BYTES: usize = 256 * 1024 * 1024;
/// What one native call may take beyond the deadline, before the watch would give its thread up.
const GRACE: Duration = Duration::from_secs(2);
/// The process, whatever scripts it runs.
const PEAK_MIB_MAX: u64 = 300;
const SCRIPTS_MIN: usize = 200;

/// So that what never ends is over soon, in a build that is not optimized, too.
const OPERATIONS_MAX: u64 = 200_000;
/// Longer than any script takes to reach another of its limits, on a machine that has much else to do.
const TIME_MAX: Duration = Duration::from_secs(15);
/// For the folder `slow`: what makes few steps, and long ones. Only the deadline ends it.
const TIME_OF_SLOW_MAX: Duration = Duration::from_secs(1);

fn engine(engine_time_max: Duration) -> Arc<Engine> {
    Engine::new(&Limits {
        operations_max: OPERATIONS_MAX,
        engine_time_max,
        ..Limits::default()
    })
}

struct Slowest {
    cpu: Duration,
    path: PathBuf,
}

#[test]
fn no_script_harms_the_host() {
    let thread = std::thread::Builder::new()
        .stack_size(STACK_SIZE_BYTES)
        .spawn(run_all);
    if let Err(panic) = thread.unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

fn run_all() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hostile");
    let is_rewriting = std::env::var("HOSTILE").is_ok_and(|it| it == "rewrite");
    let (usual, slow) = (engine(TIME_MAX), engine(TIME_OF_SLOW_MAX));
    let libraries = libraries(&folder);
    let scripts = scripts(&folder);
    assert!(SCRIPTS_MIN <= scripts.len(), "{} scripts", scripts.len());
    let mut wrong = Vec::new();
    let mut slowest: Option<Slowest> = None;
    let began = Instant::now();
    for path in &scripts {
        let text = fs::read_to_string(path).unwrap();
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let mut sources = Sources(libraries.clone());
        sources.0.insert(world::SCRIPT.into(), text.clone());
        let before = cpu_time();
        let is_slow = path.starts_with(folder.join("slow"));
        let (engine, time_max) = if is_slow {
            (&slow, TIME_OF_SLOW_MAX)
        } else {
            (&usual, TIME_MAX)
        };
        let found = outcome::of(engine, &sources);
        let cpu = cpu_time() - before;
        let expected = first.strip_prefix("// expect: ").unwrap_or_default();
        if is_rewriting {
            fs::write(path, format!("// expect: {}\n{rest}", found.told())).unwrap();
        } else if !found.is(expected) {
            wrong.push(format!(
                "{}\n  expected {expected}\n  found    {}",
                path.display(),
                found.told()
            ));
        }
        if time_max + GRACE < cpu {
            wrong.push(format!("{} took {cpu:?}", path.display()));
        }
        if slowest.as_ref().is_none_or(|it| it.cpu < cpu) {
            slowest = Some(Slowest {
                cpu,
                path: path.clone(),
            });
        }
    }
    let peak_mib = peak_mib();
    let slowest = slowest.unwrap();
    println!(
        "{} scripts in {:?}; the slowest took {:?}: {}; the most memory that the process had was {peak_mib} MiB",
        scripts.len(),
        began.elapsed(),
        slowest.cpu,
        slowest.path.display(),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(peak_mib < PEAK_MIB_MAX, "{peak_mib} MiB");
}

/// All scripts, those that others import left out.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut all = files_below(folder);
    all.retain(|it| !it.starts_with(folder.join("lib")));
    all.sort();
    all
}

/// What scripts may import: lib/money.rhai is scripts/lib/money.rhai.
fn libraries(folder: &Path) -> BTreeMap<String, String> {
    files_below(&folder.join("lib"))
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(folder).unwrap().display();
            (
                format!("scripts/{name}"),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for it in fs::read_dir(folder).unwrap() {
        let path = it.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// What this thread has worked: another program may have the processor for as long as it likes.
fn cpu_time() -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    // The name, in brackets, may have spaces.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<u32>().unwrap();
    TICK * (ticks(11) + ticks(12))
}

/// The most memory that this process ever had.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}
