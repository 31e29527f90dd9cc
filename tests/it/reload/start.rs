//! A start with broken files works from what was good before.

use super::{
    BROKEN, IN_TIME, comes_into_force, config, host, problems, reload, script, version_of,
};
use crate::support::{Faults, Host, HostSetup, event, eventually, tell};
use rusqlite::{Connection, params};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

/// A measurement takes a million of them.
fn open_runs() -> i64 {
    let told = std::env::var("OPEN_RUNS").ok();
    told.map_or(100_000, |it| it.parse().unwrap())
}

/// A host that has run version 1, stopped.
fn stopped() -> Host {
    let mut host = host();
    assert_eq!(version_of(&host, "a"), Some(1));
    assert!(host.terminate().success());
    host
}

#[test]
fn a_start_with_a_broken_script_runs_its_last_good_version() {
    let mut host = stopped();
    host.save("scripts/a.rhai", BROKEN);
    host.restart();
    assert_eq!(version_of(&host, "a"), Some(1));
    assert!(problems(&host)[0].contains("scripts/a.rhai:1"));
    host.save("scripts/a.rhai", &script(2));
    comes_into_force(&host, "a", 2);
}

#[test]
fn a_start_with_a_broken_handlers_toml_works_from_the_last_good_one() {
    let mut host = stopped();
    host.save("handlers.toml", "[handlers.a\n");
    host.restart();
    assert_eq!(version_of(&host, "a"), Some(1));
    assert!(problems(&host)[0].contains("handlers.toml:1"));
    host.save("handlers.toml", &config(&["a"]));
    assert!(reload(&host).0);
    assert_eq!(problems(&host), [""; 0]);
}

/// It is refused for what it says of a service, which nothing but the service itself knows.
#[test]
fn a_start_with_a_service_that_must_not_be_called_works_from_the_last_good_handlers_toml() {
    let mut host = stopped();
    let service = "[services.inside]\nurl = \"https://10.0.0.5\"\n";
    host.save("handlers.toml", &format!("{}\n{service}", config(&["a"])));
    host.restart();
    assert_eq!(version_of(&host, "a"), Some(1));
    assert!(
        problems(&host)[0].contains("private_network"),
        "{:?}",
        problems(&host)
    );
    host.save("handlers.toml", &config(&["a"]));
    assert!(reload(&host).0);
    assert_eq!(problems(&host), [""; 0]);
}

#[test]
fn a_start_puts_no_script_into_force_that_a_broken_handlers_toml_kept_out() {
    let mut host = stopped();
    host.restart();
    host.save("handlers.toml", &format!("{}\nx = [\n", config(&["a"])));
    host.save("scripts/a.rhai", &script(2));
    assert!(!reload(&host).0);
    assert_eq!(version_of(&host, "a"), Some(1));
    for _ in 0..2 {
        assert!(host.terminate().success());
        host.restart();
        assert_eq!(version_of(&host, "a"), Some(1));
        assert!(host.log().contains("the last good one"), "{}", host.log());
    }
    host.save("handlers.toml", &config(&["a"]));
    comes_into_force(&host, "a", 2);
    eventually(IN_TIME, || problems(&host).is_empty());
}

#[test]
fn a_start_puts_no_script_into_force_that_a_refused_handlers_toml_kept_out() {
    let mut host = HostSetup::new(&config(&["a", "b"]))
        .file("scripts/a.rhai", &script(1))
        .file("scripts/b.rhai", &script(1))
        .start();
    let refused = config(&["b", "a"]);
    let refused = refused.trim_end().strip_suffix("records = [\"seen\"]");
    host.save("handlers.toml", refused.unwrap());
    host.save("scripts/b.rhai", &script(2));
    assert!(!reload(&host).0);
    assert!(host.terminate().success());
    host.restart();
    assert_eq!(version_of(&host, "a"), Some(1));
    assert_eq!(version_of(&host, "b"), Some(1));
    host.save("handlers.toml", &config(&["a", "b"]));
    comes_into_force(&host, "b", 2);
}

#[test]
fn a_start_with_a_broken_handlers_toml_takes_the_file_of_a_script_that_the_ledger_lacks_and_says_so()
 {
    let mut host = stopped();
    {
        let ledger = Connection::open(host.data().join("ledger.db")).unwrap();
        ledger.execute("DELETE FROM script_versions", []).unwrap();
    }
    host.save("handlers.toml", "[handlers.a\n");
    host.save("scripts/a.rhai", &script(2));
    host.restart();
    assert_eq!(version_of(&host, "a"), Some(2));
    let problems = problems(&host);
    let is_told = |it: &String| it.contains("no version that was in force before can be had");
    assert!(problems.iter().any(is_told), "{problems:?}");
}

#[test]
fn files_that_hang_stop_neither_events_nor_a_start_nor_an_end() {
    let mut host = stopped();
    let trigger = host.data().join("hang");
    let hang = Faults::none().hang_while("/slow.rhai", &trigger);
    host.save("scripts/slow.rhai", "skip(\"slow\");");
    host.restart_with(&hang);
    let begun = Instant::now();
    fs::write(&trigger, "").unwrap();
    host.save("scripts/a.rhai", &script(2));
    host.save("scripts/slow.rhai", "skip(\"slower\");");
    let tells = |host: &Host| {
        let problems = problems(host);
        problems
            .iter()
            .any(|it| it.contains("cannot be looked at since"))
    };
    eventually(IN_TIME, || tells(&host));
    let (is_good, said) = reload(&host);
    assert!(
        !is_good && said.contains("cannot be looked at since"),
        "{said}"
    );
    assert_eq!(version_of(&host, "a"), Some(1));
    assert!(host.terminate().success());
    host.restart_with(&hang);
    assert_eq!(version_of(&host, "a"), Some(1));
    assert!(tells(&host));
    tell(&format!(
        "told, ended and begun anew after {:?}",
        begun.elapsed()
    ));
    fs::remove_file(&trigger).unwrap();
    comes_into_force(&host, "a", 2);
    eventually(IN_TIME, || problems(&host).is_empty());
    assert!(host.terminate().success());
}

#[test]
fn a_device_in_a_scripts_place_hinders_no_other_save() {
    // Its end is never there; whoever may not open it has the same error.
    let host = host();
    symlink("/proc/kmsg", host.folder().join("scripts/k.rhai")).unwrap();
    host.save("scripts/a.rhai", &script(2));
    comes_into_force(&host, "a", 2);
    assert!(problems(&host)[0].contains("scripts/k.rhai"));
}

#[test]
fn a_start_without_any_file_works_from_the_ledger() {
    let mut host = stopped();
    fs::remove_file(host.folder().join("handlers.toml")).unwrap();
    fs::remove_dir_all(host.folder().join("scripts")).unwrap();
    host.restart();
    assert_eq!(version_of(&host, "a"), Some(1));
    assert!(problems(&host).len() >= 2);
    host.save("scripts/a.rhai", &script(2));
    host.save("handlers.toml", &config(&["a"]));
    assert!(reload(&host).0);
    comes_into_force(&host, "a", 2);
}

#[test]
fn a_first_start_with_a_broken_handlers_toml_is_refused_with_its_place() {
    let refused = HostSetup::new("[server]\nlisten = 5\n").try_start();
    let refused = refused.err().expect("there is nothing to work from");
    assert!(!refused.status.success());
    assert!(refused.log.contains("handlers.toml:2"), "{}", refused.log);
}

#[test]
fn events_of_a_handler_that_never_had_a_good_version_are_held_until_it_has_one() {
    let host = HostSetup::new(&config(&["a"]))
        .file("scripts/a.rhai", BROKEN)
        .start();
    let it = event("a.created", "obj_1");
    assert_eq!(host.post(&it).status, 200);
    let ledger = host.ledger();
    let held = "SELECT count(*) FROM runs_open WHERE state = 'held'";
    assert_eq!(ledger.number(held), 1);
    host.save("scripts/a.rhai", &script(2));
    eventually(IN_TIME, || ledger.record("seen", &it.id).is_some());
    assert_eq!(ledger.open_runs(), 0);
}

#[test]
fn a_warning_is_no_problem_of_a_start() {
    let warned = "log.info(\"${event.id}\");\nrecords(\"seen\").set(event.id, #{ version: 1 });";
    let mut host = HostSetup::new(&config(&["a"]))
        .file("scripts/a.rhai", warned)
        .start();
    let check = host.command(&["check"]).output().unwrap();
    assert!(
        String::from_utf8_lossy(&check.stdout).contains("warning"),
        "{check:?}"
    );
    assert_eq!(problems(&host), [""; 0]);
    assert!(host.terminate().success());
}

#[test]
fn a_start_with_many_open_runs_takes_events_at_once_and_begins_no_run_before_all_are_in_line() {
    let count = open_runs();
    let mut host = stopped();
    {
        let mut ledger = Connection::open(host.data().join("ledger.db")).unwrap();
        let all = ledger.transaction().unwrap();
        let mut insert = all
            .prepare(
                "INSERT INTO runs_open (id, handler, lane, state, attempts, forgiven, epoch, replay, due_at)
                 VALUES (?1, 'gone', ?1, 'waiting', 0, 0, 0, 0, 9000000000000)",
            )
            .unwrap();
        for number in 0..count {
            insert
                .execute(params![1_000_000_000 + number * 10_000])
                .unwrap();
        }
        drop(insert);
        all.commit().unwrap();
    }
    let not_in_line = "SELECT count(*) FROM runs_open WHERE handler = 'gone' AND state <> 'held'";
    let begin = Instant::now();
    host.restart();
    let listens_after = begin.elapsed();
    let it = event("a.created", "obj_1");
    assert_eq!(host.post(&it).status, 200);
    let answered_after = begin.elapsed();
    let ledger = host.ledger();
    let left = ledger.number(not_in_line);
    assert!(0 < left, "nothing is left to show");
    assert_eq!(ledger.done_runs(), 1, "the one of before");
    assert!(
        problems(&host)
            .iter()
            .all(|it| it.contains("being brought in line"))
    );
    eventually(Duration::from_secs(240), || {
        // In this order: what was done is looked at first.
        let is_done = ledger.done_runs() == 2;
        let left = ledger.number(not_in_line);
        assert!(!is_done || left == 0, "a run began, and {left} are left");
        is_done
    });
    tell(&format!(
        "{count} open runs: listens after {listens_after:?}, first 200 after {answered_after:?}, in line and at work after {:?}",
        begin.elapsed()
    ));
    let told = format!("{count} runs are held: handler `gone` is not in handlers.toml");
    assert!(problems(&host)[0].starts_with(&told));
    assert!(host.terminate().success());
}
