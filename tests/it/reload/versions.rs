//! Versions that were, and the one that a person puts into force.

use super::{BROKEN, IN_TIME, config, host, problems, reload, script, version_of};
use crate::support::{Host, event, eventually};
use serde_json::Value;

/// `hookyard ARGS`: whether it went well, and what it said on both outputs.
fn run(host: &Host, args: &[&str]) -> (bool, String) {
    let it = host.command(args).output().unwrap();
    let said = [it.stdout, it.stderr].map(|it| String::from_utf8(it).unwrap());
    (it.status.success(), said.concat())
}

/// The handler's versions, the newest first: hash, state, runs, runs that failed.
fn versions(host: &Host, handler: &str) -> Vec<(String, String, i64, i64)> {
    let (is_good, said) = run(host, &["versions", handler, "--json"]);
    assert!(is_good, "{said}");
    said.lines()
        .map(|line| {
            let it: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| it[key].as_str().unwrap().to_owned();
            let number = |key: &str| it[key].as_i64().unwrap();
            (
                text("version"),
                text("state"),
                number("runs"),
                number("failed"),
            )
        })
        .collect()
}

fn states(host: &Host) -> Vec<String> {
    versions(host, "a").into_iter().map(|it| it.1).collect()
}

/// A host that has run version 1 and then 2; and the hash of 1.
fn with_two_versions() -> (Host, String) {
    let host = host();
    assert_eq!(version_of(&host, "a"), Some(1));
    let first = versions(&host, "a")[0].0.clone();
    host.save("scripts/a.rhai", &script(2));
    assert!(reload(&host).0);
    assert_eq!(version_of(&host, "a"), Some(2));
    (host, first)
}

#[test]
fn every_version_that_was_is_listed_with_the_runs_that_ran_on_it() {
    let (host, first) = with_two_versions();
    host.save("scripts/a.rhai", "throw \"bad\";");
    assert!(reload(&host).0);
    host.post(&event("a.created", "obj_9"));
    let failed = "SELECT count(*) FROM attempts WHERE outcome = 'failed'";
    eventually(IN_TIME, || host.ledger().number(failed) == 1);
    let found = versions(&host, "a");
    let of: Vec<_> = found.iter().map(|it| (it.1.as_str(), it.2, it.3)).collect();
    assert_eq!(of[0], ("in_force", 1, 1));
    assert_eq!(of[1], ("not_in_force", 1, 0));
    assert_eq!(of[2], ("not_in_force", 1, 0));
    let (_, said) = run(
        &host,
        &["runs", "list", "--json", "--version", &first[..12]],
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    let (_, shown) = run(&host, &["versions", "a"]);
    assert!(
        shown.contains(&first[..12]) && shown.contains("in force"),
        "{shown}"
    );
}

#[test]
fn a_pin_beats_saves_and_restarts_until_it_is_taken_off() {
    let (mut host, first) = with_two_versions();
    let (is_good, said) = run(&host, &["rollback", "a", &first[..8]]);
    assert!(is_good && said.contains("is pinned"), "{said}");
    assert_eq!(version_of(&host, "a"), Some(1));
    host.save("scripts/a.rhai", &script(3));
    let (is_good, said) = reload(&host);
    assert!(
        is_good && said.contains("is pinned") && said.contains("is not in force"),
        "{said}"
    );
    assert!(!said.contains("nothing has changed"), "{said}");
    assert_eq!(version_of(&host, "a"), Some(1));
    assert_eq!(states(&host), ["not_in_force", "not_in_force", "pinned"]);
    assert!(host.terminate().success());
    host.restart();
    assert_eq!(version_of(&host, "a"), Some(1));
    assert!(problems(&host)[0].contains("is pinned"));
    assert!(host.log().contains("is pinned"), "{}", host.log());
    let (_, said) = run(&host, &["check"]);
    assert!(said.contains("is pinned"), "{said}");
    let (is_good, said) = run(&host, &["rollback", "a", "--off"]);
    assert!(is_good, "{said}");
    assert_eq!(version_of(&host, "a"), Some(3));
    assert_eq!(problems(&host), [""; 0]);
}

#[test]
fn that_a_pin_is_off_is_said_whatever_the_files_hold() {
    let (host, first) = with_two_versions();
    let pin = || assert!(run(&host, &["rollback", "a", &first]).0);
    let off = format!("the pin of handler `a` to version {} is off", &first[..12]);
    let taken_off = |more: &str| {
        let (_, said) = run(&host, &["rollback", "a", "--off"]);
        assert!(said.contains(&format!("{off}{more}")), "{said}");
    };
    pin();
    host.save("scripts/a.rhai", &script(1));
    taken_off("\n");
    pin();
    host.save("handlers.toml", "[handlers.a\n");
    taken_off(&format!("; it runs version {} until", &first[..12]));
    assert_eq!(version_of(&host, "a"), Some(1));
    host.save("handlers.toml", &config(&["a"]));
    assert!(reload(&host).0);
    pin();
    host.save("scripts/b.rhai", &script(1));
    host.save("handlers.toml", &config(&["b"]));
    assert!(reload(&host).0);
    taken_off("; it is not in handlers.toml");
}

#[test]
fn a_version_is_pinned_also_while_no_host_runs() {
    let (mut host, first) = with_two_versions();
    assert!(host.terminate().success());
    let (is_good, said) = run(&host, &["rollback", "a", &first]);
    assert!(is_good, "{said}");
    host.save("scripts/a.rhai", BROKEN);
    host.restart();
    assert_eq!(version_of(&host, "a"), Some(1));
}

#[test]
fn what_cannot_be_pinned_is_refused_and_says_why() {
    let (host, first) = with_two_versions();
    let refused = |args: &[&str], why: &str| {
        let (is_good, said) = run(&host, args);
        assert!(!is_good && said.contains(why), "{said}");
    };
    refused(&["rollback", "a", "ffffffff"], "has had no version");
    refused(&["rollback", "b", &first], "there is no handler `b`");
    refused(&["rollback", "a", "--off"], "is not pinned");
    // Version 1 writes a record, which the handler is allowed no longer.
    host.save("scripts/a.rhai", "log.info(event.id);");
    host.save(
        "handlers.toml",
        &config(&["a"]).replace("records = [\"seen\"]\n", ""),
    );
    assert!(reload(&host).0);
    refused(&["rollback", "a", &first], "does not fit handlers.toml");
}

#[test]
fn open_runs_of_a_renamed_handler_are_moved_and_done() {
    let mut host = host();
    host.save("scripts/a.rhai", "retry_in(\"1h\", \"not yet\");");
    assert!(reload(&host).0);
    for _ in 0..3 {
        host.post(&event("a.created", "obj_1"));
    }
    let waiting = "SELECT count(*) FROM runs_open WHERE state = 'waiting'";
    eventually(IN_TIME, || host.ledger().number(waiting) == 1);
    let refused = |from: &str, to: &str, why: &str| {
        let (is_good, said) = run(&host, &["runs", "move", from, to]);
        assert!(!is_good && said.contains(why), "{said}");
    };
    refused("a", "b", "is still in handlers.toml");
    host.save("scripts/a.rhai", &script(2));
    host.save(
        "handlers.toml",
        &config(&["a"]).replace("[handlers.a]", "[handlers.b]"),
    );
    assert!(reload(&host).0);
    let held = "SELECT count(*) FROM runs_open WHERE state = 'held'";
    assert_eq!(host.ledger().number(held), 3);
    // Until somebody does something about it.
    let of_gone =
        "3 runs are held: handler `a` is not in handlers.toml; `hookyard runs move a NEW`";
    assert!(reload(&host).1.contains(of_gone));
    assert!(problems(&host)[0].contains(of_gone));
    let id = host
        .ledger()
        .texts("SELECT CAST(id AS TEXT) FROM runs_open")
        .remove(0);
    let (_, said) = run(&host, &["runs", "retry", &id]);
    assert!(said.contains("`hookyard runs move a NEW`"), "{said}");
    let of_a = run(&host, &["versions", "a"]).1;
    assert!(!of_a.contains("  in force"), "{of_a}");
    refused("a", "c", "there is no handler `c`");
    refused("x", "b", "has no open runs");
    let (is_good, said) = run(&host, &["runs", "move", "a", "b"]);
    assert!(
        is_good && said.contains("3 runs of `a` are runs of `b` now"),
        "{said}"
    );
    assert_eq!(problems(&host), [""; 0]);
    eventually(IN_TIME, || host.ledger().open_runs() == 0);
    let by_b = "SELECT count(*) FROM runs_done WHERE handler = 'b' AND state = 'done'";
    assert_eq!(host.ledger().number(by_b), 3);
    assert!(host.terminate().success());
}

#[test]
fn held_runs_go_on_once_the_files_of_a_broken_start_are_mended() {
    let mut host = host();
    assert!(host.terminate().success());
    // A handler that is new, and broken at its first start: nothing was good before.
    host.save("handlers.toml", &config(&["a", "b"]));
    host.save("scripts/b.rhai", BROKEN);
    host.restart();
    let it = event("b.created", "obj_1");
    assert_eq!(host.post(&it).status, 200);
    assert_eq!(version_of_held(&host), 1);
    host.kill9();
    host.save("handlers.toml", "[handlers.a\n");
    host.restart();
    assert_eq!(version_of_held(&host), 1);
    host.save("handlers.toml", &config(&["a", "b"]));
    host.save("scripts/b.rhai", &script(5));
    eventually(IN_TIME, || host.ledger().record("seen", &it.id).is_some());
}

fn version_of_held(host: &Host) -> i64 {
    host.ledger()
        .number("SELECT count(*) FROM runs_open WHERE state = 'held'")
}
