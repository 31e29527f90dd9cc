//! `hookyard runs move`

use super::operate::operate;
use super::out::Out;
use super::{Places, remark};
use crate::control::{Command, Reply};
use anyhow::bail;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct MoveRuns {
    /// The handler that is gone from handlers.toml
    #[arg(value_name = "OLD")]
    from: String,
    /// The handler that is to do its runs
    #[arg(value_name = "NEW")]
    to: String,
}

impl MoveRuns {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let Self { from, to } = self;
        let command = Command::MoveRuns {
            from: from.clone(),
            to: to.clone(),
        };
        let (moved, stay) = match operate(places, &command)? {
            Reply::Moved { moved, stay } => (moved, stay),
            Reply::Refused(why) => bail!("{why}"),
            it @ (Reply::Done { .. }
            | Reply::Runs(_)
            | Reply::Reloaded(_)
            | Reply::Services(_)
            | Reply::Status { .. }) => bail!("unexpected answer: {it:?}"),
        };
        let mut out = Out::open();
        out.line(format_args!(
            "{moved} {} of `{to}` now",
            match moved {
                1 => format!("run of `{from}` is a run"),
                _ => format!("runs of `{from}` are runs"),
            }
        ))?;
        out.finish()?;
        if stay > 0 {
            remark(&format!(
                "{stay} stay: their events have a run of `{to}` already; `hookyard runs drop` finishes them"
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}
