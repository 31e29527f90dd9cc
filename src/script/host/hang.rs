//! For tests of the watchdog only: the native that no script has, one that blocks its thread.

use rhai::Engine;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often a script came back from it.
pub(crate) static CAME_BACK: AtomicUsize = AtomicUsize::new(0);

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("hang_for_test", |milliseconds: i64| {
        std::thread::sleep(Duration::from_millis(milliseconds.cast_unsigned()));
        CAME_BACK.fetch_add(1, Ordering::SeqCst);
    });
}
