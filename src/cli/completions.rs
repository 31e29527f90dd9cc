//! `hookyard completions`

use super::Cli;
use super::out::Out;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "hookyard", &mut script);
        let mut out = Out::open();
        out.bytes(&script)?;
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}
