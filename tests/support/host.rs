//! The real program, started in a folder of its own, killed and started again.

use super::event::Event;
use super::faults::Faults;
use super::http::{Answer, Client};
use super::ledger::LedgerView;
use super::setup::{HostSetup, write};
use super::start::{LOG, NotStarted, START_WAIT_MAX, spawn};
use super::wait::eventually_some;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const STOP_WAIT_MAX: Duration = Duration::from_secs(60);
/// Where the endpoint of the tests' configurations stands.
pub const PATH: &str = "/webhooks/stripe";

/// A running `hookyard serve`; killed when dropped.
pub struct Host {
    child: Child,
    address: SocketAddr,
    setup: HostSetup,
    folder: TempDir,
}

impl HostSetup {
    pub fn start(self) -> Host {
        self.try_start()
            .unwrap_or_else(|it| panic!("the host ended with {}:\n{}", it.status, it.log))
    }

    /// For hosts that must refuse to start.
    pub fn try_start(self) -> Result<Host, NotStarted> {
        let folder = TempDir::with_prefix("hookyard-").expect("a temporary folder can be made");
        self.write_files(folder.path());
        let (child, address) = spawn(folder.path(), &self, None)?;
        Ok(Host {
            child,
            address,
            setup: self,
            folder,
        })
    }
}

impl Host {
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes a file of the folder in place, as an editor would.
    pub fn save(&self, path: &str, text: &str) {
        write(&self.folder.path().join(path), text);
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address).expect("the host listens")
    }

    /// Posts an event on a connection of its own.
    #[track_caller]
    pub fn post(&self, event: &Event) -> Answer {
        self.client().post(PATH, event).expect("the host answers")
    }

    pub fn get(&self, path: &str) -> Answer {
        self.client().get(path).expect("the host answers")
    }

    pub fn ledger(&self) -> LedgerView {
        eventually_some(START_WAIT_MAX, || LedgerView::open(&self.data()))
    }

    /// A subcommand on this host's folder: `hookyard ARGS --data …`.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.setup.program(self.folder.path());
        command.args(args).arg("--data").arg(self.data());
        command
    }

    /// Everything that the host has said so far, over all its starts.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default()
    }

    /// SIGKILL: nothing of the process goes on.
    pub fn kill9(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process can be waited for");
    }

    /// SIGTERM, without waiting.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process can be signalled");
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for a process that ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        eventually_some(STOP_WAIT_MAX, || {
            self.child
                .try_wait()
                .expect("the process can be waited for")
        })
    }

    pub fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the process can be waited for")
            .is_none()
    }

    /// Starts again in the same folder, after an end of whatever kind. The address may be another one.
    pub fn restart(&mut self) {
        self.try_restart(None)
            .unwrap_or_else(|it| panic!("the host ended with {}:\n{}", it.status, it.log));
    }

    /// Starts again with these disk faults, this time only.
    pub fn restart_with(&mut self, faults: &Faults) {
        self.try_restart(Some(faults))
            .unwrap_or_else(|it| panic!("the host ended with {}:\n{}", it.status, it.log));
    }

    pub fn try_restart(&mut self, faults: Option<&Faults>) -> Result<(), NotStarted> {
        if self.is_running() {
            self.kill9();
        }
        (self.child, self.address) = spawn(self.folder.path(), &self.setup, faults)?;
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the host said ---\n{}", self.log());
        }
    }
}
