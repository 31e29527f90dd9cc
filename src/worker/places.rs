//! Which thread works at which place, and the watch over them: one that is stuck inside a native call is given up, and
//! another takes its place. The stuck one is left behind; should it ever come back, it finds its place taken and ends.

use super::engines::{GiveUp, note_unread};
use super::lost::Lost;
use crate::ledger::sqlite::read::Reader;
use crate::run::RunId;
use crate::script::Pulse;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::error;

/// How often the watch looks; a stuck thread is found that much later.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a pass may keep its view of the ledger: one that is held keeps the log from beginning anew. What it reads
/// later it reads as it is then; whether that goes together is looked at when it ends.
const VIEW_AGE_MAX: Duration = Duration::from_millis(100);

/// The places of the script threads.
pub(super) struct Places {
    places: Mutex<Vec<Place>>,
    /// How many of them have a thread.
    held: AtomicUsize,
    /// Rings when the watch has something to look at before its time.
    bell: Condvar,
    lost: Arc<Lost>,
}

#[derive(Default)]
struct Place {
    /// The number of the thread that works here; rises with each that takes the place.
    holder: u64,
    is_held: bool,
    /// It was lost to a stuck script, and another thread is to take it.
    is_to_be_filled: bool,
    pulse: Option<Arc<Pulse>>,
    given: Option<Given>,
}

/// What a thread is at work on.
pub(super) struct Given {
    pub run: RunId,
    pub began: Instant,
    pub give_up: GiveUp,
    pub reader: Arc<Mutex<Reader>>,
}

impl Given {
    /// Ends the view of the ledger that the pass holds, unless it reads just now.
    fn let_go(&self) {
        if let Ok(mut reader) = self.reader.try_lock() {
            note_unread(reader.let_go());
        }
    }
}

impl Places {
    pub(super) fn new(count: usize, lost: Arc<Lost>) -> Self {
        Self {
            places: Mutex::new((0..count).map(|_| Place::default()).collect()),
            held: AtomicUsize::new(0),
            bell: Condvar::new(),
            lost,
        }
    }

    #[cfg(test)]
    pub(super) fn are_none(&self) -> bool {
        self.lock().is_empty()
    }

    /// Looks after the threads until all of them have ended after the close. `fill` starts one at a place.
    pub(super) fn watch(
        &self,
        fill: impl Fn(usize) -> anyhow::Result<()>,
        is_closed: impl Fn() -> bool,
    ) {
        loop {
            let empty = {
                let places = self.lock();
                if is_closed() && places.iter().all(|it| !it.is_held && !it.is_to_be_filled) {
                    return;
                }
                let (mut places, _) = self
                    .bell
                    .wait_timeout(places, LOOK_EVERY)
                    .unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                for place in places.iter_mut() {
                    self.look_at(place, now);
                }
                places.iter().position(|it| it.is_to_be_filled)
            };
            if let Some(place) = empty
                && let Err(error) = fill(place)
            {
                error!(%error, "a lost script thread cannot be replaced, trying again: {error}");
            }
        }
    }

    fn look_at(&self, place: &mut Place, now: Instant) {
        let too_long = |it: &&Given| VIEW_AGE_MAX < now.saturating_duration_since(it.began);
        if let Some(given) = place.given.as_ref().filter(too_long) {
            given.let_go();
        }
        let silent_for = place.pulse.as_ref().and_then(|it| it.is_lost(now));
        let Some(silent_for) = silent_for else { return };
        let Some(given) = place.given.take() else {
            return;
        };
        if !(given.give_up)(silent_for) {
            return;
        }
        error!(
            run.id = %given.run,
            "run {} is stuck in one step of its script for longer than {silent_for:?}: it is given up, and its thread left behind",
            given.run
        );
        self.held.fetch_sub(1, Ordering::AcqRel);
        place.is_held = false;
        place.pulse = None;
        place.is_to_be_filled = self.lost.thread();
    }

    /// How many threads there are.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    /// Takes a place for a new thread, which holds it under the number that is returned.
    pub(super) fn take(&self, place: usize) -> u64 {
        let mut places = self.lock();
        let place = &mut places[place];
        place.holder += 1;
        if !place.is_held {
            self.held.fetch_add(1, Ordering::AcqRel);
        }
        place.is_held = true;
        place.is_to_be_filled = false;
        place.holder
    }

    /// Works at a place, on the thread that took it, and leaves it at the end, also by a panic.
    pub(super) fn hold(&self, place: usize, holder: u64, work: impl FnOnce()) {
        struct Held<'a>(&'a Places, usize, u64);
        impl Drop for Held<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    error!("a script thread panicked");
                }
                self.0.leave(self.1, self.2);
            }
        }
        self.lock()[place].pulse = Some(Pulse::of_this_thread());
        let _held = Held(self, place, holder);
        work();
    }

    pub(super) fn leave(&self, place: usize, holder: u64) {
        let mut places = self.lock();
        let place = &mut places[place];
        if place.holder == holder && place.is_held {
            self.held.fetch_sub(1, Ordering::AcqRel);
            place.is_held = false;
            place.pulse = None;
            place.given = None;
        }
        drop(places);
        self.look();
    }

    pub(super) fn begin(&self, place: usize, given: Given) {
        self.lock()[place].given = Some(given);
    }

    /// Whether the place is still the thread's after its turn.
    pub(super) fn end(&self, place: usize, holder: u64) -> bool {
        let mut places = self.lock();
        let place = &mut places[place];
        let is_still = place.holder == holder && place.is_held;
        if is_still {
            place.given = None;
        }
        is_still
    }

    /// Has the watch look at once.
    pub(super) fn look(&self) {
        self.bell.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
