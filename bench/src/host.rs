//! The real host: `hookyard serve` in a process and a folder of its own.

use crate::event::SECRET;
use crate::ledger::LedgerView;
use crate::process;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A large ledger after an unclean end may take a while.
const START_MAX: Duration = Duration::from_secs(120);
const STOP_MAX: Duration = Duration::from_secs(60);

/// A running host; killed when dropped.
pub(crate) struct Host {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    /// From the start of the process to the line that says where it listens.
    pub(crate) started_in: Duration,
}

/// handlers.toml and the scripts beside it.
pub(crate) struct Setup {
    pub(crate) config: String,
    pub(crate) scripts: Vec<(&'static str, String)>,
}

impl Host {
    /// Writes the setup into the folder and starts the host there. What is in `data` already stays.
    pub(crate) fn start(program: &Path, folder: &Path, setup: &Setup) -> Result<Self> {
        fs::create_dir_all(folder.join("scripts"))?;
        fs::write(folder.join("handlers.toml"), &setup.config)?;
        for (path, text) in &setup.scripts {
            fs::write(folder.join(path), text)?;
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("host.log"))?;
        let start = Instant::now();
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--config")
            .arg(folder.join("handlers.toml"))
            .arg("--data")
            .arg(folder.join("data"))
            .env("STRIPE_WEBHOOK_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let address = listening(stdout);
        let started_in = start.elapsed();
        match address {
            Some(address) => Ok(Self {
                child,
                address,
                folder: folder.to_owned(),
                started_in,
            }),
            None => {
                // It may have ended by itself.
                let _ = child.kill();
                let status = child.wait()?;
                let log = fs::read_to_string(folder.join("host.log")).unwrap_or_default();
                bail!("the host does not listen ({status}):\n{log}")
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn cpu(&self) -> Result<Duration> {
        process::cpu(self.pid())
    }

    pub(crate) fn rss_mib(&self) -> Result<f64> {
        Ok(process::rss_kib(self.pid())? as f64 / 1024.0)
    }

    pub(crate) fn ledger(&self) -> Result<LedgerView> {
        LedgerView::open(&self.folder.join("data"))
    }

    /// SIGTERM, and waits until it has drained.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(
                    status.success(),
                    "the host ended with {status}; see {}",
                    self.folder.join("host.log").display()
                );
                return Ok(());
            }
            ensure!(
                start.elapsed() < STOP_MAX,
                "the host does not end within {STOP_MAX:?}"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself, or been stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it listens; `None` if it ends or does not say so in time. Goes on reading, so that the pipe never fills.
fn listening(stdout: impl std::io::Read + Send + 'static) -> Option<SocketAddr> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line
                .strip_prefix("listening on http://")
                .and_then(|it| it.parse().ok())
            {
                // Nobody waits for a second one.
                let _ = sender.send(address);
            }
        }
    });
    receiver.recv_timeout(START_MAX).ok()
}
