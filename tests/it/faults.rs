//! The disk faults do what they say: each law on a child process that writes with SQLite or plain files.
//!
//! The child is this program again, running the one ignored test in `child`.

mod child;

use crate::support::{Faults, LedgerView, eventually_some};
use rusqlite::Connection;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const SIGABRT: i32 = 6;

#[test]
fn syncs_of_the_named_file_fail_from_the_nth_on() {
    let folder = TempDir::new().unwrap();
    let said = run(
        "insert_10",
        folder.path(),
        &Faults::none().sync_fails_from("ledger.db-wal", 4),
    );
    let failed = said
        .iter()
        .position(|it| it != "ok")
        .expect("one insert fails");
    assert!((1..=4).contains(&failed), "{said:?}");
    assert!(
        said[failed..]
            .iter()
            .all(|it| it.contains("disk I/O error")),
        "{said:?}"
    );
    let other = TempDir::new().unwrap();
    let said = run(
        "insert_10",
        other.path(),
        &Faults::none().sync_fails_from("other.db-wal", 1),
    );
    assert_eq!(said, ["ok"; 10]);
}

#[test]
fn a_trigger_makes_one_sync_fail() {
    let folder = TempDir::new().unwrap();
    let trigger = folder.path().join("trigger");
    let said = run(
        "insert_with_trigger_at_4_and_7",
        folder.path(),
        &Faults::none().sync_fails_when("-wal", &trigger),
    );
    let failed: Vec<usize> = (0..said.len()).filter(|n| said[*n] != "ok").collect();
    assert_eq!(failed, [4, 7], "{said:?}");
    assert!(!trigger.exists());
}

#[test]
fn a_full_disk_has_room_again_once_the_trigger_is_gone() {
    let folder = TempDir::new().unwrap();
    let trigger = folder.path().join("trigger");
    let said = run(
        "insert_while_full_from_4_to_7",
        folder.path(),
        &Faults::none().full_while(folder.path(), &trigger),
    );
    for (n, it) in said.iter().enumerate() {
        let expected = if (4..7).contains(&n) {
            "database or disk is full"
        } else {
            "ok"
        };
        assert!(it.contains(expected), "{said:?}");
    }
    assert_eq!(
        LedgerView::open(folder.path())
            .unwrap()
            .number("SELECT count(*) FROM t"),
        7
    );
}

#[test]
fn a_full_disk_still_takes_writes_into_blocks_that_are_there() {
    let folder = TempDir::new().unwrap();
    let trigger = folder.path().join("trigger");
    let faults = Faults::none()
        .full_while(folder.path(), &trigger)
        .full_for_growth_only();
    assert_eq!(
        run("overwrite_then_grow", folder.path(), &faults),
        ["ok", "No space left on device (os error 28)"]
    );
}

#[test]
fn what_was_committed_with_full_syncs_survives_a_power_cut() {
    for (percent, seed) in [(0, 1), (50, 2), (50, 3), (90, 4)] {
        let (acked, twin) = cut_the_power("insert_for_ever_full", 150, percent, seed);
        assert!(
            committed(&twin) >= acked,
            "{percent} %, seed {seed}: {} of {acked} left",
            committed(&twin)
        );
    }
}

#[test]
fn what_was_never_synced_is_lost_in_a_power_cut() {
    let (acked, twin) = cut_the_power("insert_for_ever_off", 150, 0, 1);
    assert!(committed(&twin) < acked, "all of {acked} left");
}

#[test]
fn a_renamed_file_is_whole_after_a_power_cut_only_if_it_was_synced_before() {
    let folder = TempDir::new().unwrap();
    let (disk, twin) = (folder.path().join("disk"), folder.path().join("twin"));
    let faults = Faults::none().power(&disk, &twin, 0, 1);
    assert_eq!(run("rename", &disk, &faults), ["ok"]);
    let left = |name: &str| fs::read_to_string(twin.join(name)).ok();
    assert_eq!(
        left("synced"),
        Some("new".into()),
        "synced, renamed, folder synced"
    );
    assert_eq!(
        left("unsynced"),
        Some(String::new()),
        "renamed without a sync: empty"
    );
    assert_eq!(
        left("late"),
        Some("old".into()),
        "renamed after the folder's sync: still the old one"
    );
    assert_eq!(left("removed"), None);
    assert_eq!(left("removed_late"), Some("old".into()));
}

#[test]
fn the_named_write_is_done_and_then_the_process_aborts() {
    let folder = TempDir::new().unwrap();
    for (offset, last) in [(None, 7), (Some(16), 7)] {
        let faults = Faults::none().abort_on_write("running", 7, offset);
        let (mut child, _stdout) = start("count_to_10", folder.path(), &faults);
        assert_eq!(child.wait().unwrap().signal(), Some(SIGABRT));
        let bytes = fs::read(folder.path().join("running")).unwrap();
        assert_eq!(u64::from_le_bytes(bytes[16..24].try_into().unwrap()), last);
    }
    let faults = Faults::none().abort_on_write("running", 7, Some(8));
    assert_eq!(run("count_to_10", folder.path(), &faults), ["ok"]);
}

/// Lets the child insert until `acked_min` commits were said, kills it, and returns how many were said and the twin.
fn cut_the_power(what: &str, acked_min: i64, percent: u8, seed: u32) -> (i64, TempDir) {
    let folder = TempDir::new().unwrap();
    let twin = TempDir::new().unwrap();
    let (mut child, stdout) = start(
        what,
        folder.path(),
        &Faults::none().power(folder.path(), twin.path(), percent, seed),
    );
    let mut lines = said(stdout);
    for _ in 0..acked_min {
        assert_eq!(lines.next().as_deref(), Some("ok"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said before it died was acknowledged too.
    let rest = lines.filter(|it| it == "ok").count();
    (acked_min + i64::try_from(rest).unwrap(), twin)
}

fn committed(folder: &TempDir) -> i64 {
    // A writing connection: a WAL without its index is not for readers.
    let Ok(connection) = Connection::open(folder.path().join("ledger.db")) else {
        return 0;
    };
    let integrity: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok");
    connection
        .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
        .unwrap_or(0)
}

/// Runs a child to its end; what it said.
fn run(what: &str, folder: &Path, faults: &Faults) -> Vec<String> {
    let (mut child, stdout) = start(what, folder, faults);
    let lines = said(stdout).collect();
    let status = eventually_some(Duration::from_secs(20), || child.try_wait().unwrap());
    assert!(status.success(), "{status} after {lines:?}");
    lines
}

fn start(what: &str, folder: &Path, faults: &Faults) -> (Child, ChildStdout) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "faults::child::run",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command
        .env("FAULTS_CHILD", what)
        .env("FAULTS_FOLDER", folder.canonicalize().unwrap());
    let mut child = command
        .envs(faults.environment())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    (child, stdout)
}

/// The child's own lines, without those of the test runner.
fn said(stdout: ChildStdout) -> impl Iterator<Item = String> {
    BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .filter_map(|it| it.strip_prefix("child: ").map(str::to_owned))
}
