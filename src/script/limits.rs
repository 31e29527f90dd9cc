//! What one pass through a script may use, and the count of what it has used.
//!
//! Rhai's own operation count does not add up over callbacks, and its limits bound single values; so operations are
//! counted here, on the thread that runs the script, and natives that loop charge for each turn.

use super::pulse;
use crate::config::Limits;
use crate::memory::live_bytes;
use std::cell::Cell;
use std::time::Instant;

/// The most bytes that one source file may have; parsing is not bounded otherwise.
pub(super) const SOURCE_SIZE_BYTES_MAX: usize = 64 * 1024;
/// The most files that one script may import, all levels together.
pub(super) const IMPORTS_MAX: usize = 64;
/// Bytes of one text, and of all text inside one array or map.
pub(super) const STRING_SIZE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Values in one array, those in arrays inside of it included. What an index writes (`map[key] = value`) escapes it;
/// operations bound that.
pub(super) const ARRAY_LENGTH_MAX: usize = 50_000;
pub(super) const MAP_LENGTH_MAX: usize = 100_000;
pub(super) const CALL_DEPTH_MAX: usize = 32;
pub(super) const EXPRESSION_DEPTH_MAX: usize = 64;
pub(super) const VARIABLES_MAX: usize = 500;
pub(super) const FUNCTIONS_MAX: usize = 500;
/// Building the message about an unknown function is quadratic in its arguments.
pub(super) const ARGUMENTS_MAX: usize = 32;
/// How deep natives go into nested values when they print, compare or turn them into JSON.
pub(super) const NESTING_DEPTH_MAX: usize = 64;
pub(super) const LOG_LINES_MAX: usize = 200;
pub(super) const LOG_LINE_CHARS_MAX: usize = 2000;
pub(super) const CALL_BODY_SIZE_BYTES_MAX: usize = 1024 * 1024;
pub(super) const CALL_PATH_SIZE_BYTES_MAX: usize = 8 * 1024;
pub(super) const FIND_LIMIT_MAX: usize = 1000;
pub(super) const MESSAGE_CHARS_MAX: usize = 2000;

/// Reading the clock costs as much as an operation. One that goes through a long text takes milliseconds, so that many
/// more between two looks would make the deadline vague.
const OPERATIONS_BETWEEN_CLOCK_READS: u64 = 16;

/// Which limit ended a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exceeded {
    Operations,
    EngineTime,
    Memory,
}

/// The count of the pass that is on this thread, beside its state because it is asked at every operation.
struct Gate {
    stopped: Cell<bool>,
    operations: Cell<u64>,
    operations_max: Cell<u64>,
    clock_read_at: Cell<u64>,
    deadline: Cell<Option<Instant>>,
    /// Live bytes of the thread when the pass began; what counts is the difference.
    memory_before: Cell<isize>,
    memory_bytes_max: Cell<isize>,
    exceeded: Cell<Option<Exceeded>>,
}

thread_local! {
    static GATE: Gate = const {
        Gate {
            stopped: Cell::new(false),
            operations: Cell::new(0),
            operations_max: Cell::new(0),
            clock_read_at: Cell::new(0),
            deadline: Cell::new(None),
            memory_before: Cell::new(0),
            memory_bytes_max: Cell::new(0),
            exceeded: Cell::new(None),
        }
    };
}

/// Starts to count; until then nothing may be charged.
pub(super) fn open(limits: &Limits, deadline: Instant) {
    // Zero means "no limit" to Rhai. A limit we forgot must not become infinity.
    assert!(0 < limits.operations_max && 0 < limits.memory_mib);
    let memory_bytes_max = limits.memory_mib.saturating_mul(1024 * 1024);
    GATE.with(|it| {
        it.stopped.set(false);
        it.operations.set(0);
        it.operations_max.set(limits.operations_max);
        it.clock_read_at.set(0);
        it.deadline.set(Some(deadline));
        it.memory_before.set(live_bytes());
        it.memory_bytes_max
            .set(isize::try_from(memory_bytes_max).unwrap_or(isize::MAX));
        it.exceeded.set(None);
    });
    pulse::begin(limits.engine_time_max);
}

/// Ends the count: how many operations, and the limit that ended them.
pub(super) fn close() -> (u64, Option<Exceeded>) {
    pulse::end();
    GATE.with(|it| {
        it.stopped.set(false);
        it.deadline.set(None);
        (it.operations.replace(0), it.exceeded.take())
    })
}

/// From now on every operation ends the script, whatever its `try` catches.
pub(super) fn stop() {
    GATE.with(|it| it.stopped.set(true));
}

/// Counts operations; false when the script has to end.
pub(super) fn charge(operations: u64) -> bool {
    GATE.with(|it| {
        if it.stopped.get() {
            return false;
        }
        let count = it.operations.get().saturating_add(operations);
        it.operations.set(count);
        // No deadline: constants of a library, evaluated while it is compiled. They are literals.
        let Some(deadline) = it.deadline.get() else {
            return true;
        };
        if it.operations_max.get() < count {
            return exceed(it, Exceeded::Operations);
        }
        if is_over_memory(it, 0) {
            return exceed(it, Exceeded::Memory);
        }
        if it.clock_read_at.get() <= count {
            it.clock_read_at
                .set(count.saturating_add(OPERATIONS_BETWEEN_CLOCK_READS));
            let now = Instant::now();
            pulse::beat(now);
            if deadline <= now {
                return exceed(it, Exceeded::EngineTime);
            }
        }
        true
    })
}

/// Whether the script may have so many bytes more, before a native takes them all at once; false when it has to end.
pub(super) fn reserve(bytes: usize) -> bool {
    GATE.with(|it| {
        if it.stopped.get() {
            return false;
        }
        let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
        if it.deadline.get().is_some() && is_over_memory(it, bytes) {
            return exceed(it, Exceeded::Memory);
        }
        true
    })
}

fn is_over_memory(gate: &Gate, more: isize) -> bool {
    let held = live_bytes().wrapping_sub(gate.memory_before.get());
    gate.memory_bytes_max.get() < held.saturating_add(more)
}

fn exceed(gate: &Gate, what: Exceeded) -> bool {
    gate.exceeded.set(Some(what));
    gate.stopped.set(true);
    false
}
