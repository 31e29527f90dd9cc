//! One file for each question. A scenario measures, and adds its figures to the table.

mod acks;
mod engine;
mod hostile;
mod ill;
mod paced;
mod reload;
mod runs;
mod scripts;
mod size;
mod waiting;

use crate::bench::Bench;
use anyhow::{Context, Result};
use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Durable acks of events that no handler wants, 64 connections and 1, beside the bare server.
    Acks,
    /// The same with a filled ledger.
    AcksFilled,
    /// Stored, run by a script that updates two records, committed: as fast as it goes for a minute.
    Runs,
    /// The same with a filled ledger.
    RunsFilled,
    /// Latency of acks at 1,000 events/s with runs going on and a filled ledger.
    Paced,
    /// Bytes an event, memory, start-up time with a filled ledger.
    Size,
    /// 5,000 runs that wait for a slow service at once.
    Waiting,
    /// A service that is dead for a minute under 200 events/s that need it.
    Ill,
    /// A pass through a script, and what its guards cost.
    Engine,
    /// 200 saves of scripts under load.
    Reload,
    /// Latency of acks at 500 events/s while scripts that mean harm run again and again.
    Hostile,
    /// A thousand scripts: CPU while nothing changes, and saves of one of them.
    Scripts,
}

pub(crate) fn run(bench: &mut Bench, wanted: &[Scenario]) -> Result<()> {
    for scenario in Scenario::value_variants() {
        if wanted.is_empty() || wanted.contains(scenario) {
            eprintln!("{scenario:?} …");
            let outcome = match scenario {
                Scenario::Acks => acks::fresh(bench),
                Scenario::AcksFilled => acks::filled(bench),
                Scenario::Runs => runs::fresh(bench),
                Scenario::RunsFilled => runs::filled(bench),
                Scenario::Paced => paced::run(bench),
                Scenario::Size => size::run(bench),
                Scenario::Waiting => waiting::run(bench),
                Scenario::Ill => ill::run(bench),
                Scenario::Engine => engine::run(bench),
                Scenario::Reload => reload::run(bench),
                Scenario::Hostile => hostile::run(bench),
                Scenario::Scripts => scripts::run(bench),
            };
            outcome.with_context(|| format!("measuring {scenario:?}"))?;
        }
    }
    Ok(())
}
