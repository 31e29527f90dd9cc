//! `hookyard rollback`

use super::operate::operate;
use super::{Places, reload};
use crate::control::Command;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Rollback {
    #[arg(value_name = "HANDLER")]
    handler: String,
    /// The version, or how it begins: `hookyard versions HANDLER` shows them
    #[arg(value_name = "VERSION", required_unless_present = "off")]
    to: Option<String>,
    /// Let the handler's file count again
    #[arg(long, conflicts_with = "to")]
    off: bool,
}

impl Rollback {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let command = Command::Rollback {
            handler: self.handler.clone(),
            version: self.to.clone(),
        };
        reload::tell(operate(places, &command)?)
    }
}
