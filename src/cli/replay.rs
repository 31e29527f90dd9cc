//! `hookyard replay`

use super::Places;
use super::operate::operate;
use super::out::Out;
use crate::control::{Command, Reply};
use anyhow::bail;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Replay {
    #[arg(value_name = "EVENT_ID")]
    event: String,
    /// Through this handler only, whether or not it takes such events
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// Make calls again that were answered in the run before; without it their answers are used
    #[arg(long)]
    call_again: bool,
}

impl Replay {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let command = Command::Replay {
            event: self.event.clone(),
            handler: self.handler.clone(),
            call_again: self.call_again,
        };
        let runs = match operate(places, &command)? {
            Reply::Runs(it) => it,
            Reply::Refused(why) => bail!("{why}"),
            it @ (Reply::Done { .. }
            | Reply::Reloaded(_)
            | Reply::Moved { .. }
            | Reply::Services(_)
            | Reply::Status { .. }) => {
                bail!("unexpected answer: {it:?}")
            }
        };
        let mut out = Out::open();
        for it in runs {
            out.line(format_args!("run {it} is made"))?;
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}
