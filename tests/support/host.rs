//! The real program, started in a folder of its own, killed and started again.

use super::event::{Event, SECRET};
use super::faults::Faults;
use super::http::{Answer, Client};
use super::ledger::LedgerView;
use super::wait::eventually_some;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a start may take: with sanitizers, under load, on a slow machine.
const START_WAIT_MAX: Duration = Duration::from_secs(30);
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

/// What is in the folder and the environment of a host to be.
#[derive(Clone, Debug, Default)]
pub struct HostSetup {
    files: Vec<(String, String)>,
    environment: Vec<(OsString, OsString)>,
}

/// A host that ended before it listened.
#[derive(Debug)]
pub struct NotStarted {
    pub status: ExitStatus,
    pub log: String,
}

impl HostSetup {
    /// `config` is handlers.toml; without a `[server]` it listens on a free port.
    pub fn new(config: &str) -> Self {
        Self::default()
            .file("handlers.toml", &on_a_free_port(config))
            .env("STRIPE_WEBHOOK_SECRET", SECRET)
    }

    /// One endpoint at `PATH`, and one handler for these events that runs this script.
    pub fn one_handler(events: &str, collections: &str, script: &str) -> Self {
        Self::new(&format!(
            "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
             [handlers.only]\nevents = {events}\nscript = \"scripts/only.rhai\"\nrecords = {collections}\n"
        ))
        .file("scripts/only.rhai", script)
    }

    /// A file in the folder of handlers.toml: `scripts/a.rhai`.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub fn start(self) -> Host {
        self.try_start()
            .unwrap_or_else(|it| panic!("the host ended with {}:\n{}", it.status, it.log))
    }

    /// For hosts that must refuse to start.
    pub fn try_start(self) -> Result<Host, NotStarted> {
        let folder = TempDir::with_prefix("hookyard-").expect("a temporary folder can be made");
        for (path, text) in &self.files {
            write(&folder.path().join(path), text);
        }
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
        let mut command = program(self.folder.path(), &self.setup);
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

const LOG: &str = "host.log";

fn program(folder: &Path, setup: &HostSetup) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
    command
        .current_dir(folder)
        .envs(setup.environment.iter().map(|(name, value)| (name, value)));
    command
}

fn spawn(
    folder: &Path,
    setup: &HostSetup,
    faults: Option<&Faults>,
) -> Result<(Child, SocketAddr), NotStarted> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join(LOG))
        .expect("the log can be written");
    let mut command = program(folder, setup);
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

fn on_a_free_port(config: &str) -> String {
    if config.contains("[server]") {
        config.to_owned()
    } else {
        format!("[server]\nlisten = \"127.0.0.1:0\"\n\n{config}")
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file is in a folder"))
        .expect("the folder can be made");
    fs::write(path, text).expect("the file can be written");
}
