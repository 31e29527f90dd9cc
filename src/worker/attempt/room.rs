//! Room in memory for what runs have read and were answered so far, from their first call on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// For all runs together.
const ROOM_KIB: usize = 64 * 1024;
/// Whoever has more takes no more room than this: it would never get so much.
const COUNTED_KIB_MAX: usize = ROOM_KIB / 2;

/// A handler may hold as much as is left free: one whose runs wait long takes half of it, and the others share the rest in
/// the same way.
#[derive(Debug, Default)]
pub(in crate::worker) struct Room(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    kib: usize,
    by_handler: HashMap<Arc<str>, usize>,
}

/// What one run holds; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    handler: Arc<str>,
    kib: usize,
}

impl Room {
    /// A place for a run of this handler, with nothing in it.
    pub(super) fn place(self: &Arc<Self>, handler: Arc<str>) -> Place {
        Place {
            room: self.clone(),
            handler,
            kib: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Makes it as large as what is to be held, never smaller; false when there is no room for that.
    pub(super) fn grow(&mut self, size_bytes: usize) -> bool {
        let more = (size_bytes / 1024)
            .min(COUNTED_KIB_MAX)
            .saturating_sub(self.kib);
        if more == 0 {
            return true;
        }
        let mut held = self.room.lock();
        let of_handler = held.by_handler.get(&self.handler).copied().unwrap_or(0);
        if of_handler + more > ROOM_KIB - held.kib {
            return false;
        }
        held.kib += more;
        *held.by_handler.entry(self.handler.clone()).or_default() += more;
        self.kib += more;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.kib == 0 {
            return;
        }
        let mut held = self.room.lock();
        held.kib -= self.kib;
        if let Some(it) = held.by_handler.get_mut(&self.handler) {
            *it -= self.kib;
            if *it == 0 {
                held.by_handler.remove(&self.handler);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn take(room: &Arc<Room>, handler: &str, size_bytes: usize) -> Option<Place> {
        let mut place = room.place(handler.into());
        place.grow(size_bytes).then_some(place)
    }

    /// As many runs as there is room for.
    fn fill(room: &Arc<Room>, handler: &str) -> Vec<Place> {
        std::iter::from_fn(|| take(room, handler, MIB)).collect()
    }

    #[test]
    fn a_handler_whose_runs_wait_long_leaves_room_to_the_others() {
        let room = Arc::new(Room::default());
        let slow = fill(&room, "slow");
        assert_eq!(slow.len(), 32);
        let other = fill(&room, "other");
        assert_eq!(other.len(), 16);
        assert!(take(&room, "third", MIB).is_some());
        drop((slow, other));
        assert_eq!(fill(&room, "slow").len(), 32);
    }

    #[test]
    fn the_largest_run_finds_room_beside_others() {
        let room = Arc::new(Room::default());
        let other = take(&room, "other", MIB);
        let largest = take(&room, "h", 1000 * MIB);
        assert!(other.is_some() && largest.is_some());
        assert!(take(&room, "h", MIB).is_none(), "its handler has its part");
    }

    #[test]
    fn what_is_given_back_is_all_that_was_taken() {
        let room = Arc::new(Room::default());
        let mut place = room.place("h".into());
        assert!(place.grow(3 * MIB) && place.grow(5 * MIB) && place.grow(MIB));
        assert_eq!(room.lock().kib, 5 * 1024);
        drop(place);
        let held = room.lock();
        assert_eq!((held.kib, held.by_handler.len()), (0, 0));
    }
}
