//! The command line: one file a subcommand.

mod serve;

use crate::ledger::folder::Folder;
use crate::reload::Location;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs your scripts for Stripe's webhooks: verified, stored, then run once to effect.
#[derive(Parser)]
#[command(name = "hookyard", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    command: Command,
}

/// Where things are.
#[derive(Args, Clone, Debug)]
struct Places {
    /// The configuration; scripts lie in the folder `scripts` beside it
    #[arg(long, global = true, env = "HOOKYARD_CONFIG", default_value = "handlers.toml", value_name = "FILE")]
    config: PathBuf,
    /// The data folder: the ledger and all else that the host keeps
    #[arg(long, global = true, env = "HOOKYARD_DATA", default_value = "data", value_name = "FOLDER")]
    data: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Take events and run scripts, until stopped
    Serve,
}

impl Places {
    fn location(&self) -> Location {
        Location::new(&self.config)
    }

    fn folder(&self) -> Folder {
        Folder::new(&self.data)
    }
}

/// Runs the command line. Exit codes: 0 done, 1 it failed or found mistakes, 2 the command line was wrong.
pub fn main() -> ExitCode {
    let Cli { places, command } = Cli::parse();
    let result = match command {
        Command::Serve => serve::run(&places),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Findings in files say of themselves that they are errors.
            let text = format!("{error:#}");
            let shown = if text.starts_with("error") { text } else { format!("error: {text}") };
            anstream::eprintln!("{shown}");
            ExitCode::FAILURE
        }
    }
}
