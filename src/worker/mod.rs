//! Claim -> run -> commit, or wait, or give up.

mod attempt;
mod calls;
mod dispatch;
mod engines;
#[cfg(test)]
mod histories;
mod journal;
mod lanes;
mod outcome;
mod past;
mod waiting;
mod wire;
mod world;

use crate::clock::Clock;
use crate::in_force::Current;
use crate::ledger::Ledger;
use crate::ledger::folder::Folder;
use crate::ledger::running::{Running, Suspect};
use crate::ledger::sqlite::Arrivals;
use crate::ledger::sqlite::read::Reader;
use engines::Engines;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wire::Wire;

/// What the worker works with.
pub struct Worker {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    arrivals: Arc<Arrivals>,
    reader: Arc<Mutex<Reader>>,
    suspects: Vec<Suspect>,
    nudge: Arc<Notify>,
}

/// What all runs on their way share.
struct Shared {
    current: Current,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    engines: Arc<Engines>,
    running: Arc<Running>,
    wire: Wire,
}

impl Worker {
    /// Starts the script threads. Nothing runs until [`Worker::run`].
    pub fn start(
        folder: &Folder,
        current: Current,
        ledger: Ledger,
        arrivals: Arc<Arrivals>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let (running, suspects) = Running::open(&folder.running())?;
        Running::mark_aborts(&folder.running())?;
        let running = Arc::new(running);
        let count = current.load().config.limits.script_threads;
        let (engines, threads) = Engines::start(count, folder, running.clone())?;
        let reader = Arc::new(Mutex::new(Reader::open(folder)?));
        let shared = Arc::new(Shared {
            current,
            ledger,
            clock,
            engines,
            running,
            wire: Wire::default(),
        });
        Ok(Self {
            shared,
            threads,
            arrivals,
            reader,
            suspects,
            nudge: Arc::default(),
        })
    }

    /// Rings when open runs have changed by another way than acceptance: a reload released some, say.
    pub fn nudge(&self) -> Arc<Notify> {
        self.nudge.clone()
    }

    /// Runs what is open and what comes, until shutdown; then finishes the attempts that have begun.
    pub async fn run(self, shutdown: CancellationToken) {
        let engines = self.shared.engines.clone();
        dispatch::dispatch(
            self.shared,
            self.arrivals,
            self.reader,
            self.suspects,
            self.nudge,
            shutdown,
        )
        .await;
        engines.close();
        let joined = tokio::task::spawn_blocking(move || {
            for it in self.threads {
                if it.join().is_err() {
                    tracing::error!("a script thread panicked");
                }
            }
        });
        let _ = joined.await;
    }
}
