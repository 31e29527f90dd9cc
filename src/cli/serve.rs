//! `hookyard serve`

use super::Places;
use crate::app::{Host, Options};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

pub(super) fn run(places: &Places) -> anyhow::Result<ExitCode> {
    crate::telemetry::start("info").map_err(|it| anyhow::anyhow!(it))?;
    let options = Options {
        location: places.location(),
        folder: places.folder(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let host = {
        let _entered = runtime.enter();
        Host::build(options)?
    };
    // The one line on standard output, for people and for scripts that start a host.
    println!("listening on http://{}", host.address()?);
    runtime.block_on(host.run(CancellationToken::new()))?;
    Ok(ExitCode::SUCCESS)
}
