//! `[limits]`

use super::Limits;
use super::quantity::MINUTE;
use super::table::Table;
use std::time::Duration;

const ENGINE_TIME_LEAST: Duration = Duration::from_millis(10);

pub(super) fn read(table: &Table<'_>) -> Limits {
    let usual = Limits::default();
    Limits {
        operations_max: table.number("operations_max", usual.operations_max, 1000..=1_000_000_000),
        engine_time_max: table.time(
            "engine_time_max",
            usual.engine_time_max,
            ENGINE_TIME_LEAST..=MINUTE,
        ),
        memory_mib: table.count("memory_mib", usual.memory_mib, 8..=1024),
        calls_max: table.count("calls_max", usual.calls_max, 1..=1000),
        changes_max: table.count("changes_max", usual.changes_max, 1..=100_000),
        script_threads: table.count("script_threads", usual.script_threads, 1..=256),
        runs_in_flight_max: table.count(
            "runs_in_flight_max",
            usual.runs_in_flight_max,
            1..=1_000_000,
        ),
    }
}
