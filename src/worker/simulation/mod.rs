//! A whole host in one thread, on a clock, a disk and services that do as a seed says: the promises hold after each move.
//!
//! All is real but these three: dispatcher, lanes, attempts, calls, breaker, ledger and its SQLite, reloads with canaries
//! and pins, the operator, retention. A move is a delivery, a commit (well, on a full disk, or with a sync that fails), a
//! turn of a script, an answer of a service, a while that passes, a save, an operator's command, a stop, or the end of the
//! process at any of these points.
//!
//! | variable | what it does |
//! |---|---|
//! | `SIM_SEEDS=1000` | how many seeds |
//! | `SIM_FIRST=5000` | which is the first of them |
//! | `SIM_SEED=17` | this one alone; prints its moves |

mod course;
mod facts;
mod files;
mod laws;
mod life;
mod model;
mod moves;
mod operate;
#[path = "../../../tests/fuzz/random.rs"]
mod random;

use course::Course;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const SEEDS: u64 = 100;
/// As for script threads.
const STACK_SIZE_BYTES: usize = 256 * 1024 * 1024;
/// With fewer seeds some kind of move may by chance never happen.
const SEEDS_THAT_SEE_ALL: u64 = 50;
/// With fewer seeds some of what takes several moves may not.
const SEEDS_THAT_COME_TO_ALL: u64 = 2_000;

/// How often each kind of move was made, and each kind of end was seen.
pub(super) type Counts = BTreeMap<&'static str, u64>;

#[test]
fn the_promises_hold_whatever_happens_in_whatever_order() {
    let began = Instant::now();
    if let Some(seed) = variable("SIM_SEED") {
        let counts = on_a_thread(move || Course::new(seed, true).go());
        return print(1, &counts, began);
    }
    let (first, seeds) = (
        variable("SIM_FIRST").unwrap_or(0),
        variable("SIM_SEEDS").unwrap_or(SEEDS),
    );
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = Counts::new();
    std::thread::scope(|scope| {
        let work = || {
            let mut counts = Counts::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if first + seeds <= seed {
                    return counts;
                }
                let went = catch_unwind(AssertUnwindSafe(|| Course::new(seed, false).go()));
                match went {
                    Ok(made) => add(&mut counts, &made),
                    Err(why) => {
                        eprintln!(
                            "seed {seed} fails; its moves: SIM_SEED={seed} cargo test --lib simulation -- --nocapture"
                        );
                        next.store(first + seeds, Ordering::Relaxed);
                        std::panic::resume_unwind(why);
                    }
                }
            }
        };
        let started: Vec<_> = (0..threads)
            .map(|_| {
                std::thread::Builder::new()
                    .stack_size(STACK_SIZE_BYTES)
                    .spawn_scoped(scope, work)
                    .unwrap()
            })
            .collect();
        for it in started {
            match it.join() {
                Ok(counts) => add(&mut all, &counts),
                Err(why) => std::panic::resume_unwind(why),
            }
        }
    });
    print(seeds, &all, began);
    let moves = course::KINDS.iter().filter(|it| !course::RARE.contains(it));
    let moves = moves.filter(|_| SEEDS_THAT_SEE_ALL <= seeds);
    let rare = course::RARE.iter().chain(&course::SEEN);
    let rare = rare.filter(|_| SEEDS_THAT_COME_TO_ALL <= seeds);
    for kind in moves.chain(rare) {
        assert!(all.contains_key(kind), "no seed came to `{kind}`");
    }
}

/// The same seed makes the same moves: what fails can be looked at again.
#[test]
fn a_seed_is_the_same_every_time() {
    let trace = |seed| {
        on_a_thread(move || {
            let mut it = Course::new(seed, false);
            it.make_moves();
            it.into_trace()
        })
    };
    for seed in [3, 4] {
        let (first, second) = (trace(seed), trace(seed));
        let differs = first.iter().zip(&second).position(|(a, b)| a != b);
        if let Some(at) = differs {
            panic!("seed {seed}: {} and then {}", first[at], second[at]);
        }
        assert_eq!(first.len(), second.len());
    }
}

fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new()
        .stack_size(STACK_SIZE_BYTES)
        .spawn(work)
        .unwrap();
    match thread.join() {
        Ok(it) => it,
        Err(why) => std::panic::resume_unwind(why),
    }
}

fn add(to: &mut Counts, more: &Counts) {
    for (kind, count) in more {
        *to.entry(kind).or_default() += count;
    }
}

fn print(seeds: u64, counts: &Counts, began: Instant) {
    let moves: u64 = course::KINDS.iter().filter_map(|it| counts.get(it)).sum();
    println!(
        "{seeds} seeds, {moves} moves, {:?}: {counts:?}",
        began.elapsed()
    );
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|it| {
        it.parse()
            .unwrap_or_else(|_| panic!("{name} is no whole number: {it}"))
    })
}
