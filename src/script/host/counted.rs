//! For tests only: a native that counts its calls, to see that nothing calls it before a script runs.

use rhai::Engine;
use std::cell::Cell;

thread_local! {
    /// On this thread: tests run side by side.
    pub(in crate::script) static CALLS: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("count_for_test", |it: i64| {
        CALLS.set(CALLS.get() + 1);
        it
    });
}
