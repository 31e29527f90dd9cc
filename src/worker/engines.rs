//! The threads that scripts run on: few, with big stacks, at a lower priority than the threads that answer Stripe.

use super::lost::Lost;
use super::places::{Given, Places};
use super::shares::{AtWork, Kind, Shares};
use crate::ledger::folder::Folder;
use crate::ledger::running::Running;
use crate::ledger::sqlite::read::{ReadError, Reader};
use crate::run::RunId;
use crate::script;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tracing::error;

/// Recursion in native code is bounded by no limit of the engine. Virtual memory: only what is touched is used.
const STACK_SIZE_BYTES: usize = 256 * 1024 * 1024;
/// Added to the threads' niceness, so that an ack goes first.
const NICENESS: i32 = 10;

/// Passes of handlers that take longer share no view of the ledger with others: each thing is read as it is by then.
/// While a view is held the log cannot begin anew, and one after the other they would hold one all the time.
const SHORT_BELOW: Duration = Duration::from_millis(5);

/// What is done on a script thread, with the thread's way to read the ledger.
pub(super) type Work = Box<dyn FnOnce(&Arc<Mutex<Reader>>) + Send>;

/// Tells the run that its thread is lost, after so long a silence; false when its pass has ended meanwhile.
pub(super) type GiveUp = Box<dyn FnOnce(Duration) -> bool + Send>;

/// One pass of one run, to be done on a script thread.
pub(super) struct Turn {
    pub run: RunId,
    pub handler: Arc<str>,
    /// What the run is blamed for of the process's unclean ends.
    pub blame: u32,
    /// The run goes on, after a call: not its first pass.
    pub is_resumed: bool,
    /// Others wait until this pass is over: it comes first.
    pub is_alone: bool,
    pub work: Work,
    pub give_up: GiveUp,
}

/// The script threads and what waits for them. Bounded by the runs in flight.
pub(super) struct Engines {
    waiting: Mutex<Waiting>,
    bell: Condvar,
    /// Rings when there is room for another run of a handler.
    pub room: Notify,
    /// How many runs of one handler may wait to begin.
    room_below: usize,
    folder: Folder,
    running: Arc<Running>,
    places: Places,
}

#[derive(Default)]
struct Waiting {
    turns: Shares<(Instant, Turn)>,
    closed: bool,
}

impl Engines {
    /// Starts the threads, each of which reads the ledger through a connection of its own, and one that watches them:
    /// it ends when all of them have ended.
    pub(super) fn start(
        count: usize,
        folder: &Folder,
        running: Arc<Running>,
        lost: Arc<Lost>,
    ) -> anyhow::Result<(Arc<Self>, JoinHandle<()>)> {
        let engines = Arc::new(Self {
            waiting: Mutex::default(),
            bell: Condvar::new(),
            room: Notify::new(),
            room_below: 16 * count,
            folder: folder.clone(),
            running,
            places: Places::new(count, lost),
        });
        for place in 0..count {
            engines.start_thread(place)?;
        }
        let watched = engines.clone();
        let watch = std::thread::Builder::new()
            .name("script-watch".into())
            .spawn(move || {
                watched.places.watch(
                    |place| watched.start_thread(place),
                    || watched.lock().closed,
                );
            })?;
        Ok((engines, watch))
    }

    /// Without threads: a test has the turns taken, one by one.
    #[cfg(test)]
    pub(super) fn by_hand(folder: &Folder, running: Arc<Running>, lost: Arc<Lost>) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            bell: Condvar::new(),
            room: Notify::new(),
            room_below: 4,
            folder: folder.clone(),
            running,
            places: Places::new(0, lost),
        })
    }

    #[cfg(test)]
    pub(super) fn is_by_hand(&self) -> bool {
        self.places.are_none()
    }

    /// Takes the next turn on this thread; `false` when nothing waits for one. The process may end within it.
    #[cfg(test)]
    pub(super) fn turn(&self, reader: &Arc<Mutex<Reader>>, ends_within: bool) -> bool {
        let Some(((_, turn), at_work)) = self.next_of(&mut self.lock()) else {
            return false;
        };
        // What it really takes would make each time another.
        self.lock().turns.end(&at_work, Duration::from_millis(1));
        note(self.running.enter(0, turn.run, turn.blame));
        if !ends_within {
            (turn.work)(reader);
            note(self.running.leave(0));
        }
        true
    }

    fn start_thread(self: &Arc<Self>, place: usize) -> anyhow::Result<()> {
        let reader = Arc::new(Mutex::new(Reader::open(&self.folder)?));
        let engines = self.clone();
        // Taken from here, so that a watch that looks before the thread has begun sees that one is there.
        let holder = self.places.take(place);
        let thread = std::thread::Builder::new()
            .name(format!("script-{place}"))
            .stack_size(STACK_SIZE_BYTES)
            .spawn(move || {
                engines
                    .places
                    .hold(place, holder, || engines.work(place, holder, &reader));
            });
        if thread.is_err() {
            self.places.leave(place, holder);
        }
        thread.map(drop).map_err(Into::into)
    }

    pub(super) fn push(&self, turn: Turn) {
        let handler = turn.handler.clone();
        let kind = if turn.is_alone {
            Kind::Alone
        } else if turn.is_resumed {
            Kind::Resumed
        } else {
            Kind::Begins
        };
        self.lock()
            .turns
            .push(&handler, kind, (Instant::now(), turn));
        self.bell.notify_one();
    }

    /// Whether another run of this handler may begin; the others stay where operators and later words reach them.
    pub(super) fn has_room(&self, handler: &str) -> bool {
        self.lock().turns.beginning(handler) < self.room_below
    }

    /// Lets the threads end once nothing waits.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_all();
        self.places.look();
    }

    fn work(self: &Arc<Self>, place: usize, holder: u64, reader: &Arc<Mutex<Reader>>) {
        script::set_place(place);
        // Fails only where the system forbids it; then scripts merely have the usual priority.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        let rest = || {
            note(self.running.leave(place));
            note_unread(lock(reader).let_go());
        };
        while let Some(((began_to_wait, turn), at_work)) = self.next(rest) {
            let (run, began) = (turn.run, Instant::now());
            note(self.running.enter(place, run, turn.blame));
            note_unread(if at_work.charged < SHORT_BELOW {
                // All that was committed before its turn was asked for: above all what the run before it in its lane did.
                lock(reader).see_since(began_to_wait)
            } else {
                lock(reader).let_go()
            });
            self.places.begin(
                place,
                Given {
                    run,
                    began,
                    give_up: self.giving_up(turn.give_up, at_work.clone()),
                    reader: reader.clone(),
                },
            );
            let work = turn.work;
            if catch_unwind(AssertUnwindSafe(|| work(reader))).is_err() {
                error!(run.id = %run, "a script thread panicked at run {run}; the attempt counts as failed");
            }
            let is_still = self.places.end(place, holder);
            self.lock().turns.end(&at_work, began.elapsed());
            if !is_still {
                // Given up: another thread works here now, and nobody waits for what this one has found.
                return;
            }
        }
    }

    /// What a thread that is given up was doing keeps no others from theirs.
    fn giving_up(self: &Arc<Self>, give_up: GiveUp, at_work: AtWork) -> GiveUp {
        let engines = self.clone();
        Box::new(move |silent_for| {
            let is_given_up = give_up(silent_for);
            if is_given_up {
                engines.lock().turns.end(&at_work, silent_for);
                engines.bell.notify_one();
            }
            is_given_up
        })
    }

    /// The next turn, or none once closed. `rest` is called before a wait: when turns come one upon the other, the next
    /// run's name takes the place of the last one's.
    fn next(&self, rest: impl FnOnce()) -> Option<((Instant, Turn), AtWork)> {
        let mut rest = Some(rest);
        let mut waiting = self.lock();
        loop {
            if let Some(turn) = self.next_of(&mut waiting) {
                return Some(turn);
            }
            if let Some(rest) = rest.take() {
                drop(waiting);
                rest();
                waiting = self.lock();
                continue;
            }
            if waiting.closed {
                return None;
            }
            waiting = self
                .bell
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn next_of(&self, waiting: &mut Waiting) -> Option<((Instant, Turn), AtWork)> {
        let taken = waiting.turns.take(self.places.held())?;
        if taken.1.left_to_begin == Some(self.room_below - 1) {
            self.room.notify_one();
        }
        Some(taken)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(written: std::io::Result<()>) {
    if let Err(error) = written {
        error!(%error, "the file that names the running runs cannot be written: {error}");
    }
}

pub(super) fn lock(reader: &Mutex<Reader>) -> MutexGuard<'_, Reader> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whatever reads next says what it could not read.
pub(super) fn note_unread(seen: Result<(), ReadError>) {
    if let Err(error) = seen {
        error!(%error, "the ledger cannot be read: {error}");
    }
}
