//! Counts the live memory of each thread, in the allocator of the whole program: what bounds the sum of all that a
//! script holds, which no limit on single values does.
//!
//! The one place with `unsafe`. Why it is sound: every call is handed to the system's allocator with the very arguments
//! it came with, so what `GlobalAlloc` asks of its caller holds for that one too, and what it gives back is passed on
//! unchanged.
//! What is added beside it is arithmetic on a `Cell` of the thread. That cell is made by a constant and needs no drop,
//! so it neither allocates (which would come back here without end) nor goes away before its thread does.
//!
//! Memory may be freed on another thread than the one that asked for it; the two counts are then wrong by the same
//! amount, in opposite directions, for good. So a count by itself means nothing: whoever wants to know takes the
//! difference of two, between which little crosses threads. The arithmetic wraps, and never fails.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Bytes that this thread has asked for and not freed, since it began; meaningful as a difference only.
pub fn live_bytes() -> isize {
    LIVE.try_with(Cell::get).unwrap_or(0)
}

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

/// In the library, so that the program and all tests are counted the same way.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

fn count(bytes: isize) {
    let _ = LIVE.try_with(|it| it.set(it.get().wrapping_add(bytes)));
}

/// A layout has at most `isize::MAX` bytes.
fn size(layout: Layout) -> isize {
    layout.size().cast_signed()
}

// SAFETY: the system's allocator does it all, with the arguments that came; see the head of this file.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that it asks for.
        let it = unsafe { System.alloc(layout) };
        if !it.is_null() {
            count(size(layout));
        }
        it
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let it = unsafe { System.alloc_zeroed(layout) };
        if !it.is_null() {
            count(size(layout));
        }
        it
    }

    unsafe fn dealloc(&self, it: *mut u8, layout: Layout) {
        // SAFETY: as above; all memory that is given out came from it.
        unsafe { System.dealloc(it, layout) };
        count(size(layout).wrapping_neg());
    }

    unsafe fn realloc(&self, it: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        let moved = unsafe { System.realloc(it, layout, new_size) };
        if !moved.is_null() {
            count(new_size.cast_signed().wrapping_sub(size(layout)));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_holds_is_counted_and_what_it_frees_is_not() {
        let before = live_bytes();
        let mut it = vec![0_u8; 1_000_000];
        assert_eq!(live_bytes() - before, 1_000_000);
        it.reserve_exact(2_000_000);
        assert_eq!(live_bytes() - before, it.capacity().cast_signed());
        it.truncate(10);
        it.shrink_to_fit();
        assert_eq!(live_bytes() - before, it.capacity().cast_signed());
        drop(it);
        assert_eq!(live_bytes(), before);
    }

    #[test]
    fn each_thread_has_a_count_of_its_own() {
        let before = live_bytes();
        let (theirs, made) = std::thread::spawn(|| {
            let before = live_bytes();
            let made = vec![1_u8; 5_000_000];
            (live_bytes() - before, made)
        })
        .join()
        .unwrap();
        assert!(5_000_000 <= theirs);
        assert!(live_bytes() - before < 1_000_000);
        // What crosses threads is missed by both counts, and harms neither.
        drop(made);
        assert!(live_bytes() - before < -4_000_000);
    }

    #[test]
    fn a_thread_that_ends_may_still_free() {
        struct Last(Vec<u8>);
        impl Drop for Last {
            fn drop(&mut self) {
                self.0 = vec![0; 10_000];
            }
        }
        thread_local! {
            static LAST: Last = const { Last(Vec::new()) };
        }
        std::thread::spawn(|| LAST.with(|it| it.0.len()))
            .join()
            .unwrap();
    }
}
