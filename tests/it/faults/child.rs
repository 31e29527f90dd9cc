//! What the child processes of the laws do, each to files in its folder; it says `ok` or the error, a line an act.

use rusqlite::Connection;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

#[test]
#[ignore = "the other tests start it in a process of its own"]
fn run() {
    let folder = PathBuf::from(std::env::var_os("FAULTS_FOLDER").expect("started by another test"));
    let trigger = folder.join("trigger");
    // The test runner has begun a line.
    println!();
    match std::env::var("FAULTS_CHILD").unwrap().as_str() {
        "insert_10" => insert(&folder, "FULL", 10, |_| {}),
        "insert_with_trigger_at_4_and_7" => insert(&folder, "FULL", 10, |n| {
            if n == 4 || n == 7 {
                fs::write(&trigger, "").unwrap();
            }
        }),
        "insert_while_full_from_4_to_7" => insert(&folder, "FULL", 10, |n| match n {
            4 => fs::write(&trigger, "").unwrap(),
            7 => fs::remove_file(&trigger).unwrap(),
            _ => {}
        }),
        "insert_for_ever_full" => insert(&folder, "FULL", usize::MAX, |_| {}),
        "insert_for_ever_off" => insert(&folder, "OFF", usize::MAX, |_| {}),
        "overwrite_then_grow" => overwrite_then_grow(&folder, &trigger),
        "rename" => rename(&folder),
        "count_to_10" => count_to_10(&folder),
        other => panic!("no child is called {other}"),
    }
}

/// One row a commit, and a line for each; small checkpoints, so that the database file is written too.
fn insert(folder: &Path, synchronous: &str, times: usize, before: impl Fn(usize)) {
    let connection = Connection::open(folder.join("ledger.db")).unwrap();
    let pragmas = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 20;"
    );
    connection.execute_batch(&pragmas).unwrap();
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        .unwrap();
    let text = "x".repeat(6000);
    for n in 0..times {
        before(n);
        match connection.execute("INSERT INTO t (text) VALUES (?1)", [&text]) {
            Ok(_) => say("ok"),
            Err(it) => say(&it.to_string()),
        }
    }
}

fn overwrite_then_grow(folder: &Path, trigger: &Path) {
    let file = File::create(folder.join("file")).unwrap();
    file.write_all_at(&[1; 8192], 0).unwrap();
    fs::write(trigger, "").unwrap();
    for at in [4096, 8192] {
        match file.write_all_at(&[2; 4096], at) {
            Ok(()) => say("ok"),
            Err(it) => say(&it.to_string()),
        }
    }
}

fn rename(folder: &Path) {
    let replace = |name: &str, is_synced: bool| {
        let part = folder.join(format!("{name}.part"));
        let mut file = File::create(&part).unwrap();
        file.write_all(b"new").unwrap();
        if is_synced {
            file.sync_all().unwrap();
        }
        fs::rename(part, folder.join(name)).unwrap();
    };
    for name in ["synced", "unsynced", "late", "removed", "removed_late"] {
        let mut file = File::create(folder.join(name)).unwrap();
        file.write_all(b"old").unwrap();
        file.sync_all().unwrap();
    }
    replace("synced", true);
    replace("unsynced", false);
    fs::remove_file(folder.join("removed")).unwrap();
    File::open(folder).unwrap().sync_all().unwrap();
    replace("late", true);
    fs::remove_file(folder.join("removed_late")).unwrap();
    say("ok");
}

fn count_to_10(folder: &Path) {
    let file = File::create(folder.join("running")).unwrap();
    file.write_all_at(&[0; 64], 0).unwrap();
    for n in 1..=10_u64 {
        file.write_all_at(&n.to_le_bytes(), 16).unwrap();
    }
    say("ok");
}

fn say(line: &str) {
    println!("child: {line}");
}
