//! What a pass through a script costs, in this process alone: no ledger, no network. `hookyard-bench engine` starts it
//! and adds its lines to the table.
//!
//! A program of its own, because the library brings its allocator along, and the bare server of the other scenarios is
//! to be measured without it.

mod bare;
mod script;
mod world;

use anyhow::{Context, Result, bail};
use hookyard::config::Limits;
use hookyard::script::{Engine, FrozenEvent, Outcome, Program, Sources, freeze, set_place};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use world::Memory;

/// Rounds, each of which measures everything once: the machine is never quiet for long.
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(150);
/// As the host's own threads have it.
const STACK_SIZE_BYTES: usize = 256 * 1024 * 1024;

fn main() -> Result<()> {
    let measured = thread::Builder::new()
        .stack_size(STACK_SIZE_BYTES)
        .spawn(measure)?
        .join();
    measured.unwrap_or_else(|_| bail!("the measuring thread panicked"))
}

fn measure() -> Result<()> {
    let limits = Limits::default();
    let engine = Engine::new(&limits);
    let whole = compile(&engine, script::WHOLE)?;
    let calling = compile(&engine, &format!("{}{}", script::WHOLE, script::CALL))?;
    let nothing = compile(&engine, "let nothing = 1;")?;
    let reading = compile(&engine, &script::reads())?;
    let writing = compile(&engine, &script::writes())?;
    let bare = bare::Bare::new(script::WHOLE)?;
    let payload = bytes::Bytes::from(script::event());
    let event = freeze(&payload).map_err(anyhow::Error::msg)?;

    let mut first = Vec::new();
    let mut again = Vec::new();
    let mut plain = Vec::new();
    let mut suspended = Vec::new();
    let mut empty = Vec::new();
    let mut read = Vec::new();
    let mut written = Vec::new();
    for _ in 0..ROUNDS {
        first.push(per_turn(|| {
            let event = freeze(&payload).map_err(anyhow::Error::msg)?;
            pass(&whole, &event)
        })?);
        plain.push(per_turn(|| bare.run())?);
        again.push(per_turn(|| pass(&whole, &event))?);
        suspended.push(per_turn(|| pass(&calling, &event))?);
        empty.push(per_turn(|| pass(&nothing, &event))?);
        read.push(per_turn(|| pass(&reading, &event))?);
        written.push(per_turn(|| pass(&writing, &event))?);
    }
    let guarded = median(&again);
    let ratio = median(&pairs(&again, &plain, |a, b| a / b));
    tell(
        "a pass through a script of 30 lines, all guards",
        &us(guarded),
        &format!(
            "{ratio:.2} of Rhai with its own limits alone ({} us)",
            us(median(&plain))
        ),
    );
    tell(
        "the same with reading the event of 4 KB: a first attempt",
        &us(median(&first)),
        &format!(
            "of which {} us for the event",
            us(median(&pairs(&first, &again, |a, b| a - b)))
        ),
    );
    tell(
        "a call that suspends it, beside the pass",
        &us(median(&pairs(&suspended, &again, |a, b| a - b))),
        "without what the ledger and the network take",
    );
    tell("a pass that does nothing", &us(median(&empty)), "");
    tell(
        "a record that is read, beside the pass",
        &us(median(&pairs(&read, &empty, |a, b| a - b)) / 10.0),
        "of 300 bytes, from memory; without what SQLite takes",
    );
    tell(
        "a record that is read and updated, beside the pass",
        &us(median(&pairs(&written, &empty, |a, b| a - b)) / 10.0),
        "",
    );
    let mut ours = Vec::new();
    let mut bares = Vec::new();
    for _ in 0..ROUNDS {
        ours.push(two_threads(|| Ok(()), |()| pass(&whole, &event))?);
        bares.push(two_threads(
            || bare::Bare::new(script::WHOLE),
            bare::Bare::run,
        )?);
    }
    tell(
        "passes of two threads, of one's",
        &format!("{:.2}", median(&ours)),
        &format!(
            "{:.2} on Rhai alone, each thread with an engine and a script of its own",
            median(&bares)
        ),
    );
    Ok(())
}

fn compile(engine: &Arc<Engine>, text: &str) -> Result<Program> {
    let sources = Sources(BTreeMap::from([(
        world::SCRIPT.to_owned(),
        text.to_owned(),
    )]));
    engine
        .compile(world::SCRIPT, &sources, &world::grants())
        .map_err(|findings| anyhow::anyhow!("{findings:?}"))
}

fn pass(program: &Program, event: &Arc<FrozenEvent>) -> Result<()> {
    let pass = program.run(&world::attempt(), event, Box::new(Memory));
    match pass.outcome {
        Outcome::Done { .. } | Outcome::Needs(_) => Ok(()),
        outcome @ (Outcome::Skipped { .. }
        | Outcome::RetryIn { .. }
        | Outcome::Dead(_)
        | Outcome::Failed(_)) => bail!("{outcome:?}"),
    }
}

/// Microseconds that a turn takes, over a round of them.
fn per_turn(mut turn: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    let mut turns = 0_u32;
    while start.elapsed() < ROUND {
        for _ in 0..50 {
            turn()?;
        }
        turns += 50;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(turns))
}

/// How many times as many turns two threads make as one does, each with what it made for itself.
fn two_threads<Own>(
    own: impl Fn() -> Result<Own> + Sync,
    turn: impl Fn(&Own) -> Result<()> + Sync,
) -> Result<f64> {
    let of_one = {
        let mine = own()?;
        per_turn(|| turn(&mine))?
    };
    let of_both = thread::scope(|scope| {
        let start = |place| {
            thread::Builder::new()
                .stack_size(STACK_SIZE_BYTES)
                .spawn_scoped(scope, {
                    let (own, turn) = (&own, &turn);
                    move || {
                        set_place(place);
                        let mine = own()?;
                        per_turn(|| turn(&mine))
                    }
                })
        };
        let threads = [start(0)?, start(1)?];
        let mut turns_per_us = 0.0;
        for it in threads {
            turns_per_us += 1.0 / it.join().unwrap_or_else(|_| bail!("a thread panicked"))?;
        }
        anyhow::Ok(turns_per_us)
    })?;
    Ok(of_both * of_one)
}

fn pairs(a: &[f64], b: &[f64], of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| of(*a, *b)).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn us(it: f64) -> String {
    format!("{it:.1}")
}

/// One line of the table.
fn tell(figure: &str, value: &str, note: &str) {
    println!("{figure}\t{value}\t{note}");
}

/// A payload's text, for whoever needs it with its place named when it fails.
pub(crate) fn json(text: &str) -> Result<rhai::Map> {
    rhai::Engine::new()
        .parse_json(text, true)
        .context("the event of the bench is JSON")
}
