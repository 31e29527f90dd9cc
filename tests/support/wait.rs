//! Waiting for what must come, without sleeping longer than it takes; and what a test has to tell.

use std::io::Write;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(3);

/// Waits until `condition` holds; fails the test when it does not within `bound`.
#[track_caller]
pub fn eventually(bound: Duration, mut condition: impl FnMut() -> bool) {
    eventually_some(bound, || condition().then_some(()));
}

/// Waits until `look` finds something, and returns it; fails the test when it does not within `bound`.
#[track_caller]
pub fn eventually_some<T>(bound: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(it) = look() {
            return it;
        }
        assert!(
            start.elapsed() < bound,
            "did not come true within {bound:?}"
        );
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A line of figures that is to be seen when the test passes, too: the test runner keeps `println!` to itself.
pub fn tell(line: &str) {
    // A test is not about its output.
    let _ = writeln!(std::io::stderr(), "{line}");
}
