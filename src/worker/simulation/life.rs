//! One life of the host: from a start on what the disk holds to its end.

use super::super::attempt::Once;
use super::super::engines::Engines;
use super::super::lost::Lost;
use super::super::wire::Wire;
use super::super::{Shared, dispatch};
use crate::app::housekeeping::keep_house;
use crate::clock::{Clock, UnixMillis};
use crate::control::Operator;
use crate::in_force::Current;
use crate::ledger::compress::Dictionary;
use crate::ledger::desk::Desk;
use crate::ledger::folder::Folder;
use crate::ledger::running::{Running, Suspect};
use crate::ledger::sqlite::read::Reader;
use crate::ledger::sqlite::{Arrivals, ByHand, open_by_hand};
use crate::ledger::{Ledger, LedgerError};
use crate::reload::{First, Location, Reloader, align_first, align_late, first, judge};
use arc_swap::ArcSwap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Polls of whatever is ready within which everything comes to rest.
const ROUNDS: usize = 16;

pub(super) struct Life {
    pub(super) runtime: Runtime,
    pub(super) ledger: Ledger,
    pub(super) dictionary: Arc<Dictionary>,
    pub(super) writer: ByHand,
    pub(super) current: Current,
    pub(super) looks: Reader,
    pub(super) held_late: Arc<Notify>,
    pub(super) operator: Arc<Operator>,
    engines: Arc<Engines>,
    scripts: Arc<Mutex<Reader>>,
    clock: Arc<Virtual>,
    shutdown: CancellationToken,
    at_the_start: Option<AtTheStart>,
    dispatcher: Option<JoinHandle<()>>,
    folder: Folder,
    shared: std::sync::Weak<Shared>,
    /// Bytes of the log that are certainly on disk.
    synced_bytes: u64,
}

/// What a life has before its runs begin.
struct AtTheStart {
    shared: Arc<Shared>,
    arrivals: Arc<Arrivals>,
    disk: Arc<Mutex<Reader>>,
    suspects: Vec<Suspect>,
    nudge: Arc<Notify>,
    settling: JoinHandle<Result<(), LedgerError>>,
}

/// How the log comes out of the end of a life.
pub(super) enum Log {
    /// The kernel keeps what it was given.
    Whole,
    /// What was not synced is lost from some byte on, which this number says.
    Torn(u64),
}

/// A clock that goes as the runtime's does, which stands still until it is moved.
struct Virtual {
    began: tokio::time::Instant,
    began_at: UnixMillis,
}

impl Clock for Virtual {
    fn now(&self) -> UnixMillis {
        self.began_at.after(self.began.elapsed())
    }
}

impl Life {
    /// As `app` does it; nothing runs until [`go`](Self::go). None when there are no files to begin with, nor any that
    /// were good before.
    pub(super) fn start(folder: &Path, files: &Path, now: UnixMillis) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let entered = runtime.enter();
        let folder = Folder::new(folder);
        let desk = Desk::new();
        let (ledger, dictionary, arrivals, writer) =
            open_by_hand(&folder, &[], desk.clone()).unwrap();
        let location = Location::new(files.join("handlers.toml"));
        let First {
            in_force, settled, ..
        } = first(&location, &Reader::open(&folder).unwrap()).ok()?;
        runtime.spawn(desk.attend());
        let (running, suspects) = Running::open(&folder.running()).unwrap();
        let running = Arc::new(running);
        let clock = Arc::new(Virtual {
            began: tokio::time::Instant::now(),
            began_at: now,
        });
        let lost = Lost::new(1);
        let engines = Engines::by_hand(&folder, running.clone(), lost.clone());
        let reader = || Arc::new(Mutex::new(Reader::open(&folder).unwrap()));
        let current: Current = Arc::new(ArcSwap::from_pointee(in_force));
        let disk = reader();
        let shared = Arc::new(Shared {
            current: current.clone(),
            ledger: ledger.clone(),
            clock: clock.clone(),
            engines: engines.clone(),
            running,
            lost,
            put_off: Mutex::default(),
            stopping: CancellationToken::new(),
            reader: disk.clone(),
            tried: Arc::default(),
            once: Once::default(),
            wire: Wire::default(),
            // For some, and not for all.
            bodies_room: Arc::new(Semaphore::new(2_000)),
            sights_room: Arc::default(),
            turns: Arc::default(),
            held_late: Arc::default(),
        });
        let nudge = Arc::new(Notify::new());
        let reloader = Arc::new(
            Reloader::new(
                location,
                current.clone(),
                ledger.clone(),
                Reader::open(&folder).unwrap(),
                clock.clone(),
                nudge.clone(),
            )
            .by_hand(),
        );
        let shutdown = CancellationToken::new();
        let settling = {
            let (reloader, shutdown) = (reloader.clone(), shutdown.clone());
            runtime.spawn(async move {
                reloader.settle_first(settled).await?;
                align_first(&reloader, &shutdown).await;
                Ok(())
            })
        };
        let operator = Arc::new(Operator {
            ledger: ledger.clone(),
            reader: Mutex::new(Reader::open(&folder).unwrap()),
            current: current.clone(),
            clock: clock.clone(),
            reloader,
            address: String::new(),
            lost: Some(shared.lost.clone()),
            turns: shared.turns.clone(),
        });
        drop(entered);
        let it = Self {
            ledger,
            dictionary: Arc::new(dictionary),
            writer,
            current,
            looks: Reader::open(&folder).unwrap(),
            held_late: shared.held_late.clone(),
            operator,
            engines,
            scripts: reader(),
            clock,
            shutdown,
            shared: Arc::downgrade(&shared),
            at_the_start: Some(AtTheStart {
                shared,
                arrivals,
                disk,
                suspects,
                nudge,
                settling,
            }),
            dispatcher: None,
            synced_bytes: log_bytes(&folder),
            folder,
            runtime,
        };
        it.settle();
        Some(it)
    }

    /// Whether what is in force is kept, and open runs are in line with it.
    pub(super) fn is_ready(&self) -> bool {
        let settling = self.at_the_start.as_ref().map(|it| &it.settling);
        settling.is_none_or(JoinHandle::is_finished)
    }

    /// Runs begin, and whoever looks after them; false when what is in force could not be kept.
    pub(super) fn go(&mut self) -> bool {
        let Some(AtTheStart {
            shared,
            arrivals,
            disk,
            suspects,
            nudge,
            settling,
        }) = self.at_the_start.take()
        else {
            return true;
        };
        if self.runtime.block_on(settling).unwrap().is_err() {
            return false;
        }
        let (reloader, shutdown) = (self.operator.reloader.clone(), self.shutdown.clone());
        let (tried, held_late) = (shared.tried.clone(), shared.held_late.clone());
        self.runtime
            .spawn(judge(reloader.clone(), tried, shutdown.clone()));
        self.runtime
            .spawn(align_late(reloader.clone(), held_late, shutdown.clone()));
        let (ledger, current) = (self.ledger.clone(), self.current.clone());
        let clock = self.clock.clone();
        self.runtime.spawn(keep_house(
            ledger,
            reloader,
            current,
            clock,
            shutdown.clone(),
        ));
        let dispatcher = dispatch::dispatch(shared, arrivals, disk, suspects, nudge, shutdown);
        self.dispatcher = Some(self.runtime.spawn(dispatcher));
        self.settle();
        true
    }

    pub(super) fn now(&self) -> UnixMillis {
        let _entered = self.runtime.enter();
        self.clock.now()
    }

    /// Lets all that is ready run, until nothing is.
    pub(super) fn settle(&self) {
        self.runtime.block_on(async {
            for _ in 0..ROUNDS {
                tokio::task::yield_now().await;
            }
        });
    }

    pub(super) fn pass(&self, time: Duration) {
        self.runtime.block_on(tokio::time::advance(time));
    }

    pub(super) fn commit(&mut self) -> bool {
        let some = self.writer.commit();
        self.synced_bytes = log_bytes(&self.folder);
        some
    }

    pub(super) fn commit_on_a_full_disk(&mut self) -> bool {
        let some = self.writer.commit_on_a_full_disk();
        self.synced_bytes = log_bytes(&self.folder);
        some
    }

    /// A turn of a script; the process may end within it.
    pub(super) fn turn(&self, ends_within: bool) -> bool {
        self.engines.turn(&self.scripts, ends_within)
    }

    pub(super) fn begin_to_stop(&self) {
        self.shutdown.cancel();
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.dispatcher
            .as_ref()
            .is_some_and(JoinHandle::is_finished)
    }

    /// The end, however it comes: what the next life finds is put into another folder.
    pub(super) fn end(self, log: &Log, keeps_running: bool, next: &Path) {
        fs::create_dir(next).unwrap();
        let here = self.folder.path();
        let bytes = fs::read(here.join("ledger.db-wal")).unwrap_or_default();
        let kept = match log {
            Log::Whole => bytes.len() as u64,
            Log::Torn(chance) => {
                let unsynced = (bytes.len() as u64).saturating_sub(self.synced_bytes);
                // Often whole, or nothing of it.
                let lost = match chance % 4 {
                    0 => 0,
                    1 => unsynced,
                    _ => chance / 4 % (unsynced + 1),
                };
                bytes.len() as u64 - lost
            }
        };
        fs::copy(here.join("ledger.db"), next.join("ledger.db")).unwrap();
        fs::write(
            next.join("ledger.db-wal"),
            &bytes[..usize::try_from(kept).unwrap()],
        )
        .unwrap();
        if keeps_running {
            fs::copy(here.join("running"), next.join("running")).unwrap();
        }
        let old = here.to_owned();
        let weak = self.shared.clone();
        drop(self);
        assert_eq!(weak.strong_count(), 0, "what a life held is still held");
        fs::remove_dir_all(old).unwrap();
    }
}

fn log_bytes(folder: &Folder) -> u64 {
    fs::metadata(folder.path().join("ledger.db-wal")).map_or(0, |it| it.len())
}
