//! The command line: one file a subcommand.

mod check;
mod completions;
mod dev;
mod events;
mod exact;
mod init;
mod known;
mod look;
mod move_runs;
mod operate;
mod out;
mod post;
mod records;
mod reload;
mod replay;
mod rollback;
mod runs;
mod serve;
mod services;
mod sql;
mod table;
mod times;
mod trigger;
mod versions;
mod why;

use crate::ledger::folder::Folder;
use crate::reload::Location;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs your scripts for Stripe's webhooks: verified, stored, then run once to effect.
#[derive(Parser)]
#[command(
    name = "hookyard",
    version,
    propagate_version = true,
    max_term_width = 100
)]
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
    #[arg(
        long,
        global = true,
        env = "HOOKYARD_CONFIG",
        default_value = "handlers.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// The data folder: the ledger and all else that the host keeps [default: data; of `dev`: .hookyard-dev]
    #[arg(
        long,
        global = true,
        env = "HOOKYARD_DATA",
        default_value = "data",
        hide_default_value = true,
        value_name = "FOLDER"
    )]
    data: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Try the scripts without any set-up: sample events, a stand-in for all services, everything shown
    ///
    /// Takes events as `serve` does, with a signing secret of its own, a data folder of its own (.hookyard-dev unless
    /// --data is written; HOOKYARD_DATA does not count), and made-up values for variables that are not set. Scripts call
    /// a stand-in, never the real services. A script that is saved gets its sample events again.
    Dev,
    /// Write a sample handlers.toml with its scripts; files that are there stay as they are
    Init,
    /// Take events and run scripts, until stopped
    Serve,
    /// Check handlers.toml and all scripts, as a reload would
    Check(check::Check),
    /// Post a signed sample event to an endpoint
    Trigger(trigger::Trigger),
    /// Look at events
    #[command(subcommand)]
    Events(events::Events),
    /// Look at runs, retry or drop them
    #[command(subcommand)]
    Runs(runs::Runs),
    /// Run a stored event again, as a new run
    Replay(replay::Replay),
    /// Tell all that happened to an event, and why
    Why(why::Why),
    /// Look at records, and change them by hand
    #[command(subcommand)]
    Records(records::Records),
    /// Have the running host look at handlers.toml and the scripts now
    Reload,
    /// Tell how the services are that scripts call, as the running host sees them
    Services(services::Services),
    /// List the versions that a handler's script has had, and how their runs went
    Versions(versions::Versions),
    /// Put a version of a handler's script into force that it had, and keep it there
    ///
    /// It stays in force whatever is saved and over restarts, until `--off`. What is saved meanwhile is kept.
    Rollback(rollback::Rollback),
    /// Ask the ledger in SQL, read-only
    Sql(sql::Sql),
    /// Print the completions of a shell
    Completions(completions::Completions),
}

impl Places {
    fn location(&self) -> Location {
        Location::new(&self.config)
    }

    fn folder(&self) -> Folder {
        Folder::new(&self.data)
    }

    /// The places of `dev`. An environment that was set up for a real host must not lead it to that host's data.
    fn of_dev(&self, matches: &ArgMatches) -> Self {
        let mut it = self.clone();
        let is_given = |it: &ArgMatches| it.value_source("data") == Some(ValueSource::CommandLine);
        let of_subcommand = matches.subcommand().map(|(_, it)| it);
        if !is_given(matches) && !of_subcommand.is_some_and(is_given) {
            it.data = dev::DATA.into();
        }
        it
    }
}

/// Runs the command line. Exit codes: 0 done, 1 it failed or found mistakes, 2 the command line was wrong.
pub fn main() -> ExitCode {
    if let Some(name) = empty_variable(std::env::args_os(), |name| std::env::var_os(name)) {
        complain(&format!(
            "the environment variable {name} is set and empty: give it a value, or unset it"
        ));
        return ExitCode::from(2);
    }
    let matches = Cli::command().get_matches();
    let Cli { places, command } = Cli::from_arg_matches(&matches).unwrap_or_else(|it| it.exit());
    let result = match command {
        Command::Dev => dev::run(&places.of_dev(&matches)),
        Command::Init => init::run(&places),
        Command::Serve => serve::run(&places),
        Command::Check(it) => it.run(&places),
        Command::Trigger(it) => it.run(&places),
        Command::Events(it) => it.run(&places),
        Command::Runs(it) => it.run(&places),
        Command::Replay(it) => it.run(&places),
        Command::Why(it) => it.run(&places),
        Command::Records(it) => it.run(&places),
        Command::Reload => reload::run(&places),
        Command::Services(it) => it.run(&places),
        Command::Versions(it) => it.run(&places),
        Command::Rollback(it) => it.run(&places),
        Command::Sql(it) => it.run(&places),
        Command::Completions(it) => it.run(),
    };
    match result {
        Ok(code) => code,
        Err(error) if error.is::<out::OutputClosed>() => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A variable that would be a flag's value and has none; clap would name only the flag.
fn empty_variable(
    line: impl IntoIterator<Item = OsString>,
    value: impl Fn(&str) -> Option<OsString>,
) -> Option<&'static str> {
    let line: Vec<OsString> = line.into_iter().collect();
    let is_written = |flag: &str| line.iter().any(|it| it.to_string_lossy().starts_with(flag));
    [("--data", "HOOKYARD_DATA"), ("--config", "HOOKYARD_CONFIG")]
        .into_iter()
        .filter(|(flag, name)| !is_written(flag) && value(name).is_some_and(|it| it.is_empty()))
        .map(|(_, name)| name)
        .next()
}

/// An error, on standard error.
fn complain(what: &str) {
    let text = out::clean(what);
    // Findings in files say of themselves that they are errors.
    let text = text.strip_prefix("error:").unwrap_or(&text);
    anstream::eprintln!("{0}error{0:#}: {1}", table::RED, text.trim_start());
}

/// A remark that is no part of the output, on standard error.
fn remark(what: &str) {
    anstream::eprintln!("{0}{1}{0:#}", table::DIM, out::clean(what));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_lawful() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_empty_variable_is_named_unless_its_flag_is_written() {
        let found = |line: &[&str], name: &str| {
            let value = |it: &str| (it == name).then(OsString::new);
            empty_variable(line.iter().map(OsString::from), value)
        };
        assert_eq!(
            found(&["hookyard", "serve"], "HOOKYARD_DATA"),
            Some("HOOKYARD_DATA")
        );
        assert_eq!(
            found(&["hookyard", "--data=x", "serve"], "HOOKYARD_DATA"),
            None
        );
        assert_eq!(
            found(&["hookyard", "serve"], "HOOKYARD_CONFIG"),
            Some("HOOKYARD_CONFIG")
        );
    }

    #[test]
    fn dev_keeps_out_of_the_data_of_a_real_host_unless_told_to() {
        let data_of = |line: &[&str]| {
            let matches = Cli::command().get_matches_from(line);
            let cli = Cli::from_arg_matches(&matches).unwrap();
            cli.places.of_dev(&matches).data
        };
        assert_eq!(data_of(&["hookyard", "dev"]), PathBuf::from(dev::DATA));
        assert_eq!(
            data_of(&["hookyard", "dev", "--data", "x"]),
            PathBuf::from("x")
        );
        assert_eq!(
            data_of(&["hookyard", "--data", "x", "dev"]),
            PathBuf::from("x")
        );
    }
}
