//! Each script thread has a copy of its own of what it runs. Inside are counts of references, and two threads that count
//! at the same places wait for each other's caches.

use std::cell::Cell;
use std::sync::OnceLock;

/// Threads beyond so many share copies with others.
const COPIES_MAX: usize = 8;

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(0) };
}

/// Says which of the script threads this one is, from 0. A thread that never said it counts as the first.
pub fn set_place(place: usize) {
    PLACE.set(place);
}

/// Copies for all threads but the first, which has the original. Each is made when its thread first asks for it.
pub(super) struct Copies<T>(Box<[OnceLock<T>]>);

impl<T> Copies<T> {
    pub(super) fn for_threads(threads: usize) -> Self {
        let copies = threads.min(COPIES_MAX).saturating_sub(1);
        Self((0..copies).map(|_| OnceLock::new()).collect())
    }

    pub(super) fn none() -> Self {
        Self::for_threads(0)
    }

    /// None for a thread that uses the original.
    pub(super) fn of_this_thread(&self, make: impl FnOnce() -> T) -> Option<&T> {
        let at = (PLACE.get() % COPIES_MAX).checked_sub(1)?;
        Some(self.0.get(at)?.get_or_init(make))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_its_own_and_the_first_has_the_original() {
        let copies = Copies::for_threads(3);
        let at = |place: usize| {
            set_place(place);
            copies.of_this_thread(|| place).copied()
        };
        // A limit that was raised since counts from the next start on.
        assert_eq!([0, 1, 2, 3].map(at), [None, Some(1), Some(2), None]);
        let many = Copies::for_threads(100);
        let at = |place: usize| {
            set_place(place);
            many.of_this_thread(|| place).copied()
        };
        assert_eq!(
            [1, 7, 8, 9, 15].map(at),
            [Some(1), Some(7), None, Some(1), Some(7)]
        );
    }
}
