//! Measures hookyard from the outside and prints one table. Start it with `bench/run`.

mod bare;
mod bench;
mod connection;
mod event;
mod host;
mod ledger;
mod load;
mod pace;
mod probe;
mod process;
mod report;
mod scenarios;
mod setup;
mod slow;
mod table;

use anyhow::{Context, Result};
use bench::Bench;
use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// Measures hookyard against a server that only verifies signatures, and prints a table.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// What to measure; everything if none is named.
    scenarios: Vec<scenarios::Scenario>,
    /// A smoke run: a second each, one round, a small ledger. Its figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Events in the filled ledger.
    #[arg(long, default_value_t = 1_000_000)]
    fill: u64,
    /// How often bare server and host are measured in turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of one such round.
    #[arg(long, default_value_t = 5)]
    round_seconds: u64,
    /// For how long runs are to keep up.
    #[arg(long, default_value_t = 60)]
    sustained_seconds: u64,
    /// The hookyard program; by default the one beside this one.
    #[arg(long)]
    hookyard: Option<PathBuf>,
    /// Where data folders are made, the filled ledger too; it is kept for the next time.
    #[arg(long, default_value = "target/bench")]
    work: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// The server to compare with.
    Bare {
        #[arg(long)]
        listen: SocketAddr,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Command::Bare { listen }) = arguments.command {
        return bare::serve(listen);
    }
    let this_program = std::env::current_exe()?;
    let hookyard = arguments
        .hookyard
        .unwrap_or_else(|| this_program.with_file_name("hookyard"));
    std::fs::create_dir_all(&arguments.work)?;
    let mut bench = Bench {
        this_program,
        hookyard: hookyard
            .canonicalize()
            .with_context(|| format!("no program at {}", hookyard.display()))?,
        work: arguments.work.canonicalize()?,
        is_quick: arguments.quick,
        fill: if arguments.quick {
            arguments.fill.min(5_000)
        } else {
            arguments.fill
        },
        filled: OnceLock::new(),
        rounds: if arguments.quick {
            1
        } else {
            arguments.rounds.max(1)
        },
        round: Duration::from_secs(if arguments.quick {
            1
        } else {
            arguments.round_seconds.max(1)
        }),
        sustained: Duration::from_secs(arguments.sustained_seconds.max(1)),
        table: table::Table::default(),
    };
    let outcome = scenarios::run(&mut bench, &arguments.scenarios);
    // What was measured before something went wrong is worth seeing.
    println!("{}", bench.table.markdown(&bench.work));
    outcome
}
