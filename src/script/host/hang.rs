//! For tests of the watchdog only, and in no release: the native that no script has, one that blocks its thread.

use rhai::Engine;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Without this variable a debug build has only what a release has.
#[cfg(not(test))]
const ALLOWED_BY: &str = "HOOKYARD_HANG_FOR_TEST";

/// How often a script came back from it.
#[cfg(test)]
pub(crate) static CAME_BACK: AtomicUsize = AtomicUsize::new(0);

pub(super) fn register(engine: &mut Engine) {
    #[cfg(not(test))]
    if std::env::var_os(ALLOWED_BY).is_none() {
        return;
    }
    engine.register_fn("hang_for_test", |milliseconds: i64| {
        std::thread::sleep(Duration::from_millis(milliseconds.cast_unsigned()));
        #[cfg(test)]
        CAME_BACK.fetch_add(1, Ordering::SeqCst);
    });
}
