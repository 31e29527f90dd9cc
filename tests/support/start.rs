//! Starting the program, until it listens or ends.

use super::faults::Faults;
use super::setup::HostSetup;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a start may take: with sanitizers, under load, on a slow machine.
pub(super) const START_WAIT_MAX: Duration = Duration::from_secs(30);

/// A host that ended before it listened.
#[derive(Debug)]
pub struct NotStarted {
    pub status: ExitStatus,
    pub log: String,
}

/// In the folder of handlers.toml: stdout and stderr of all starts.
pub(super) const LOG: &str = "host.log";

/// Starts the program and waits until it says where it listens.
pub(super) fn spawn(
    folder: &Path,
    setup: &HostSetup,
    faults: Option<&Faults>,
) -> Result<(Child, SocketAddr), NotStarted> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join(LOG))
        .expect("the log can be written");
    let mut command = setup.program(folder);
    command.args(["serve", "--config", "handlers.toml", "--data", "data"]);
    if let Some(faults) = faults {
        command.envs(faults.environment());
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.try_clone().expect("a descriptor can be copied"));
    let mut child = command.spawn().expect("the program can be started");
    let stdout = child.stdout.take().expect("stdout is piped");
    let (listening, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut log = log;
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line
                .strip_prefix("listening on http://")
                .and_then(|it| it.parse().ok())
            {
                // Nobody waits for a second one.
                let _ = listening.send(address);
            }
            let _ = writeln!(log, "{line}");
        }
    });
    let start = Instant::now();
    loop {
        if let Ok(address) = heard.recv_timeout(Duration::from_millis(10)) {
            return Ok((child, address));
        }
        if let Some(status) = child.try_wait().expect("the process can be waited for") {
            let log = fs::read_to_string(folder.join(LOG)).unwrap_or_default();
            return Err(NotStarted { status, log });
        }
        if start.elapsed() > START_WAIT_MAX {
            let _ = child.kill();
            panic!(
                "the host does not listen:\n{}",
                fs::read_to_string(folder.join(LOG)).unwrap_or_default()
            );
        }
    }
}
