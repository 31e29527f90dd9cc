//! A start with broken files works from what was good before.

use super::{
    BROKEN, IN_TIME, comes_into_force, config, host, problems, reload, script, version_of,
};
use crate::support::{Host, HostSetup, event, eventually};
use std::fs;

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
