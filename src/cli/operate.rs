//! Changing something: the running host does it, or, when none runs, this process in its place.

use super::Places;
use super::look::must_have_ledger;
use crate::catalog;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Limits, Retention, Server};
use crate::control::{self, Command, Operator, Reply};
use crate::in_force::{Current, InForce};
use crate::ledger::desk::Desk;
use crate::ledger::folder::FolderLock;
use crate::ledger::sqlite::Threads;
use crate::ledger::sqlite::read::Reader;
use crate::ledger::{self, Ledger, Opened};
use crate::reload::{self, Reloader};
use crate::services::Services;
use anyhow::{Context, anyhow, bail};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

/// Carries out one command.
pub(super) fn operate(places: &Places, command: &Command) -> anyhow::Result<Reply> {
    Operations::new(places)?.carry_out(command)
}

/// Several commands, one after another, all by the same host or all by this process.
pub(super) struct Operations {
    places: Places,
    runtime: Runtime,
    by: By,
}

enum By {
    /// Nobody was asked yet.
    Nobody,
    Host,
    Us(Box<InPlace>),
}

impl Operations {
    pub(super) fn new(places: &Places) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            places: places.clone(),
            runtime,
            by: By::Nobody,
        })
    }

    /// What was asked for is durable when this returns.
    pub(super) fn carry_out(&mut self, command: &Command) -> anyhow::Result<Reply> {
        if !matches!(self.by, By::Us(_)) {
            match self.ask_host(command)? {
                Some(reply) => {
                    self.by = By::Host;
                    return Ok(reply);
                }
                None if matches!(self.by, By::Host) => {
                    bail!("the host ended meanwhile; what was reported until now is done")
                }
                None => {
                    says_when_cut_off(&self.places)?;
                    needs_no_host(&self.places, command)?;
                    let _entered = self.runtime.enter();
                    self.by = By::Us(Box::new(InPlace::open(&self.places, command)?));
                }
            }
        }
        match &self.by {
            By::Us(it) => Ok(self
                .runtime
                .block_on(it.operator.carry_out(command.clone()))),
            By::Nobody | By::Host => bail!("nobody is there to carry out the command"),
        }
    }

    fn ask_host(&self, command: &Command) -> anyhow::Result<Option<Reply>> {
        let folder = self.places.folder();
        self.runtime
            .block_on(control::ask(&folder, command))
            .with_context(|| {
                format!(
                    "the running host cannot be asked over {}",
                    folder.control_socket().display()
                )
            })
    }
}

/// A host that runs and whose socket is gone can be reached by no command.
fn says_when_cut_off(places: &Places) -> anyhow::Result<()> {
    let folder = places.folder();
    let Some(pid) = folder.host() else {
        return Ok(());
    };
    if let Some(why) = control::too_long(&folder) {
        bail!(
            "a host runs with the data folder `{}` (process {pid}), but no command reaches it so: {why}",
            places.data.display()
        );
    }
    bail!(
        "a host runs with the data folder `{}` (process {pid}), but no command reaches it: {} is not its socket, or is gone. Events go on being taken; restart the host, which makes the socket anew",
        places.data.display(),
        folder.control_socket().display()
    );
}

/// Some commands are about a running host.
fn needs_no_host(places: &Places, command: &Command) -> anyhow::Result<()> {
    let instead = match command {
        Command::Reload | Command::Status => {
            "A host reads the files when it starts, and `hookyard check` tells whether they are good"
        }
        Command::Services => "Only a running host knows how its services are",
        Command::RetryRun { .. }
        | Command::DropRun { .. }
        | Command::Replay { .. }
        | Command::Rollback { .. }
        | Command::MoveRuns { .. }
        | Command::SetRecords { .. } => return Ok(()),
    };
    bail!(
        "no host runs with the data folder `{}`; is it another one (--data)? {instead}",
        places.data.display()
    );
}

/// A ledger that this process has opened in the place of a host. Nothing runs in it.
struct InPlace {
    operator: Operator,
    ledger: Ledger,
    threads: Option<Threads>,
    /// Last, so that it is given back last.
    _lock: FolderLock,
}

impl InPlace {
    fn open(places: &Places, command: &Command) -> anyhow::Result<Self> {
        let folder = places.folder();
        must_have_ledger(&folder)?;
        let lock = folder.lock()?;
        if folder.ended_uncleanly()
            && let Some(pid) = folder.other_user()
        {
            bail!(
                "the last host ended uncleanly and process {pid} still has the ledger open; end that process first"
            );
        }
        let desk = Desk::new();
        let Opened {
            ledger, threads, ..
        } = ledger::open(&folder, &catalog::all_samples(), desk.clone())?;
        tokio::spawn(desk.attend());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let in_force = in_force(places, &Reader::open(&folder)?, command)?;
        let current: Current = Arc::new(ArcSwap::from_pointee(in_force));
        let reloader = Reloader::new(
            places.location(),
            current.clone(),
            ledger.clone(),
            Reader::open(&folder)?,
            clock.clone(),
            Arc::default(),
        );
        let operator = Operator {
            ledger: ledger.clone(),
            reader: Mutex::new(Reader::open(&folder)?),
            current,
            clock,
            reloader: Arc::new(reloader),
            lost: None,
            turns: Arc::default(),
            address: String::new(),
        };
        Ok(Self {
            operator,
            ledger,
            threads: Some(threads),
            _lock: lock,
        })
    }
}

impl Drop for InPlace {
    /// All that was answered is on disk already; this puts it into the database itself, as a host does at its end.
    fn drop(&mut self) {
        self.ledger.close();
        if let Some(it) = self.threads.take() {
            it.join();
        }
    }
}

/// What would be in force if a host started now. Only a replay needs handlers: without a good handlers.toml all else
/// can be done.
fn in_force(places: &Places, reader: &Reader, command: &Command) -> anyhow::Result<InForce> {
    match (reload::first(&places.location(), reader), command) {
        (Ok(it), _) => Ok(it.in_force),
        (Err(why), Command::Replay { .. }) => {
            Err(anyhow!("a replay needs a good handlers.toml:\n{why}"))
        }
        (Err(why), Command::Rollback { .. } | Command::MoveRuns { .. }) => Err(anyhow!(
            "handlers are looked up in handlers.toml, which is no good:\n{why}"
        )),
        (
            Err(_),
            Command::Reload
            | Command::Status
            | Command::Services
            | Command::RetryRun { .. }
            | Command::DropRun { .. }
            | Command::SetRecords { .. },
        ) => nothing(),
    }
}

fn nothing() -> anyhow::Result<InForce> {
    let config = Config {
        text: String::new(),
        server: Server::default(),
        limits: Limits::default(),
        retention: Retention::default(),
        endpoints: Vec::new(),
        services: Vec::new(),
        handlers: Vec::new(),
        watched_files: Vec::new(),
        warnings: Vec::new(),
    };
    let services = Services::new(&config.services)?;
    Ok(InForce::new(config, services, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::RecordByHand;

    /// A data folder with a ledger that no host has open, and no handlers.toml.
    fn scene() -> (tempfile::TempDir, Places) {
        let dir = tempfile::tempdir().unwrap();
        let places = Places {
            config: dir.path().join("handlers.toml"),
            data: dir.path().join("data"),
        };
        let lock = places.folder().lock().unwrap();
        let opened = ledger::open(&places.folder(), &[], Desk::new()).unwrap();
        opened.ledger.close();
        opened.threads.join();
        drop(lock);
        (dir, places)
    }

    fn set(id: &str) -> Command {
        let body = Some("{}".to_owned());
        Command::SetRecords {
            records: vec![RecordByHand {
                collection: "c".into(),
                id: id.into(),
                body,
            }],
        }
    }

    #[test]
    fn without_a_host_a_command_does_it_itself_and_needs_no_good_handlers_toml() {
        let (_dir, places) = scene();
        let mut operations = Operations::new(&places).unwrap();
        for id in ["a", "b"] {
            assert_eq!(
                operations.carry_out(&set(id)).unwrap(),
                Reply::Done { affected: 1 }
            );
        }
        drop(operations);
        let reader = Reader::open(&places.folder()).unwrap();
        assert_eq!(reader.list_collections().unwrap()[0].records, 2);
        assert!(!places.folder().ended_uncleanly());
    }

    #[test]
    fn what_is_about_a_host_or_its_handlers_says_what_is_lacking() {
        let (_dir, places) = scene();
        let why = |command| operate(&places, &command).unwrap_err().to_string();
        assert!(why(Command::Reload).starts_with("no host runs with the data folder"));
        let replay = Command::Replay {
            event: "evt_1".into(),
            handler: None,
            call_again: false,
        };
        assert!(why(replay).starts_with("a replay needs a good handlers.toml"));
    }

    #[test]
    fn a_folder_that_another_process_has_is_left_alone() {
        let (_dir, places) = scene();
        let _lock = places.folder().lock().unwrap();
        let why = operate(&places, &set("a")).unwrap_err().to_string();
        assert!(why.contains("is in use by process"), "{why}");
    }
}
