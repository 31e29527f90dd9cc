//! Logs: text on a terminal, JSON otherwise, on standard error. Never a body, never a secret.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging at the level of `HOOKYARD_LOG`, or at this one when it says nothing.
pub fn start(usual: &str) -> Result<(), String> {
    const VARIABLE: &str = "HOOKYARD_LOG";
    let wanted = std::env::var(VARIABLE).unwrap_or_else(|_| usual.into());
    let filter = EnvFilter::try_new(&wanted)
        .map_err(|error| format!("{VARIABLE}={wanted} cannot be read: {error}; write for example `info` or `hookyard=debug`"))?;
    let is_terminal = std::io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    if is_terminal {
        logs.init();
    } else {
        logs.json().flatten_event(true).init();
    }
    Ok(())
}
