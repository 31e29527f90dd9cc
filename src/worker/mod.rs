//! Claim -> run -> commit, or wait, or give up.

mod alone;
mod attempt;
mod calls;
mod canary;
mod dispatch;
mod engines;
#[cfg(test)]
mod histories;
mod journal;
mod lanes;
mod lost;
mod once;
mod outcome;
mod past;
mod places;
mod put_off;
mod shares;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
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
pub use alone::Turns;
use attempt::{Once, Room, WAITING_BODIES_BYTES_MAX};
use engines::Engines;
pub use lost::Lost;
use put_off::PutOff;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use wire::Wire;

/// What the worker works with.
pub struct Worker {
    shared: Arc<Shared>,
    /// Ends when all script threads have.
    watch: JoinHandle<()>,
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
    lost: Arc<Lost>,
    put_off: Mutex<PutOff>,
    turns: Arc<Turns>,
    /// No more calls are made; those that were sent get their time.
    stopping: CancellationToken,
    reader: Arc<Mutex<Reader>>,
    /// Rings when there is news of a version that is tried.
    tried: Arc<Notify>,
    /// Rings when a run was held by a version that was in force no more.
    held_late: Arc<Notify>,
    /// What is known of calls that are made once over all runs.
    once: Once,
    wire: Wire,
    /// Room for the bodies of events whose runs wait for a service.
    bodies_room: Arc<Semaphore>,
    /// Room, in KiB, for what runs that wait for a service have read and were answered.
    sights_room: Arc<Room>,
}

impl Shared {
    fn put_off(&self) -> MutexGuard<'_, PutOff> {
        self.put_off.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let lost = Lost::new(count);
        let reader = Reader::open(folder)?;
        lost.remember(reader.version_decisions()?.stuck);
        let (engines, watch) = Engines::start(count, folder, running.clone(), lost.clone())?;
        let reader = Arc::new(Mutex::new(reader));
        let shared = Arc::new(Shared {
            current,
            ledger,
            clock,
            engines,
            running,
            lost,
            put_off: Mutex::default(),
            turns: Arc::default(),
            stopping: CancellationToken::new(),
            reader: reader.clone(),
            tried: Arc::default(),
            held_late: Arc::default(),
            once: Once::default(),
            wire: Wire::default(),
            bodies_room: Arc::new(Semaphore::new(WAITING_BODIES_BYTES_MAX)),
            sights_room: Arc::default(),
        });
        Ok(Self {
            shared,
            watch,
            arrivals,
            reader,
            suspects,
            nudge: Arc::default(),
        })
    }

    /// What stuck scripts have cost so far.
    pub fn lost(&self) -> Arc<Lost> {
        self.shared.lost.clone()
    }

    /// For whoever changes records beside the runs.
    pub fn turns(&self) -> Arc<Turns> {
        self.shared.turns.clone()
    }

    /// Rings when open runs have changed by another way than acceptance: a reload released some, say.
    pub fn nudge(&self) -> Arc<Notify> {
        self.nudge.clone()
    }

    /// Rings when there is news of a version that is tried.
    pub fn tried(&self) -> Arc<Notify> {
        self.shared.tried.clone()
    }

    /// Rings when a run was held by a version that was in force no more.
    pub fn held_late(&self) -> Arc<Notify> {
        self.shared.held_late.clone()
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
            if self.watch.join().is_err() {
                tracing::error!("the watch over the script threads panicked");
            }
        });
        let _ = joined.await;
    }
}
