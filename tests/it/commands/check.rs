//! `hookyard check`, and mistakes of the command line.

use super::{Said, run};
use crate::support::HostSetup;
use serde_json::Value;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

const HANDLERS: &str = "[endpoints.stripe]\npath = \"/webhooks/stripe\"\nsigning_secrets = [\"whsec_0123456789abcdef\"]\n\n\
    [handlers.paid]\nevents = [\"invoice.paid\"]\nscript = \"scripts/paid.rhai\"\nrecords = [\"invoices\"]\n";
const HANDLERS_OF_HOST: &str = "[server]\nlisten = \"127.0.0.1:0\"\n\n\
    [endpoints.stripe]\npath = \"/webhooks/stripe\"\nsigning_secrets = [\"whsec_0123456789abcdef\"]\n\n\
    [handlers.paid]\nevents = [\"invoice.paid\"]\nscript = \"scripts/paid.rhai\"\nrecords = [\"invoices\"]\n";
const GOOD: &str = "records(\"invoices\").set(event.data.object.id, #{ paid: true });\n";

fn check(handlers: &str, script: &str, more: &[&str]) -> Said {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("scripts")).unwrap();
    fs::write(folder.path().join("handlers.toml"), handlers).unwrap();
    fs::write(folder.path().join("scripts/paid.rhai"), script).unwrap();
    let it = hookyard(&folder, &[&["check"], more].concat());
    assert!(
        !folder.path().join("data").exists(),
        "a look changes nothing"
    );
    it
}

fn hookyard(folder: &TempDir, args: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
    run(command.current_dir(folder.path()).args(args))
}

#[test]
fn what_is_good_is_good_with_exit_code_0() {
    let it = check(HANDLERS, GOOD, &[]);
    let good = "good: handlers.toml with 1 endpoint and 1 handler\n";
    assert_eq!((it.code, it.out.as_str()), (Some(0), good), "{it:?}");
}

#[test]
fn a_change_of_records_that_may_only_be_read_is_a_mistake_with_what_to_write() {
    let handlers = HANDLERS.replace("[\"invoices\"]", "{ invoices = \"read\" }");
    let it = check(&handlers, GOOD, &[]);
    assert_eq!(it.code, Some(1), "{it:?}");
    for part in [
        "scripts/paid.rhai:1",
        "this handler may only read the records `invoices`, and `set` changes them",
        "write `invoices = \"write\"` in `records = { … }` of this handler in handlers.toml",
    ] {
        assert!(it.out.contains(part), "{part}: {}", it.out);
    }
    let only_reads = "records(\"invoices\").get(event.data.object.id);\n";
    assert_eq!(check(&handlers, only_reads, &[]).code, Some(0));
}

#[test]
fn a_mistake_of_a_script_is_shown_at_its_place_with_what_to_write_and_exit_code_1() {
    let it = check(HANDLERS, "let paid = records(\"invoces\");\n", &[]);
    let golden = "\
error: this handler was not given the records `invoces`
 --> scripts/paid.rhai:1:12
  |
1 | let paid = records(\"invoces\");
  |            ^^^^^^^
  = help: did you mean `invoices`? Else add \"invoces\" to `records = […]` of this handler in handlers.toml

not good: 1 mistake
";
    assert_eq!((it.code, it.out.as_str()), (Some(1), golden), "{}", it.out);
}

#[test]
fn mistakes_of_scripts_are_shown_beside_those_of_handlers_toml_and_none_is_made_up() {
    let told = |handlers: &str, script: &str| -> Vec<(String, u64)> {
        let it = check(handlers, script, &["--json"]);
        assert_eq!(it.code, Some(1), "{it:?}");
        let lines = it.out.lines();
        let found = lines.map(|it| serde_json::from_str::<Value>(it).unwrap());
        found
            .map(|it| {
                let file = it["file"].as_str().unwrap().to_owned();
                (file, it["line"].as_u64().unwrap())
            })
            .collect()
    };
    let at = |handlers: u64, script: Option<u64>| {
        let script = script.map(|it| ("scripts/paid.rhai".to_owned(), it));
        [("handlers.toml".to_owned(), handlers)]
            .into_iter()
            .chain(script)
            .collect::<Vec<_>>()
    };
    let broken = "records(\"invoices\").get(1 + );\n";
    let not_given = "\nrecords(\"invoces\");\n";
    // The endpoint's variable is not set: the handler counts as it is written.
    let no_secret = HANDLERS.replace("whsec_0123456789abcdef", "${IS_NOT_SET}");
    assert_eq!(told(&no_secret, broken), at(3, Some(1)));
    assert_eq!(told(&no_secret, not_given), at(3, Some(2)));
    assert_eq!(told(&no_secret, GOOD), at(3, None));
    // What the handler was given is not known.
    let misspelt = HANDLERS.replace("records =", "recrods =");
    assert_eq!(told(&misspelt, broken), at(8, Some(1)));
    assert_eq!(told(&misspelt, GOOD), at(8, None));
    // No TOML: only what is surely meant.
    let no_toml = HANDLERS.replace("[\"invoices\"]", "[\"invoices]");
    assert_eq!(told(&no_toml, broken), at(8, Some(1)));
    assert_eq!(told(&no_toml, GOOD), at(8, None));
    let half = HANDLERS.replace("paid.rhai\"", "paid.rhai and");
    assert_eq!(told(&half, broken), at(7, None));
}

#[test]
fn all_mistakes_of_handlers_toml_are_shown_at_once() {
    let handlers = HANDLERS
        .replace("invoice.paid", "invoice.payed")
        .replace("records", "recrods");
    let it = check(&handlers, GOOD, &[]);
    assert_eq!(it.code, Some(1), "{it:?}");
    for part in [
        "handlers.toml:6:11",
        "did you mean `invoice.paid`?",
        "handlers.toml:8:1",
        "did you mean `records`?",
        "not good: 2 mistakes\n",
    ] {
        assert!(it.out.contains(part), "{part} is not in\n{}", it.out);
    }
}

#[test]
fn a_warning_fails_only_who_asks_for_it() {
    let warned = format!("log.info(\"${{event.id}}\");\n{GOOD}");
    let it = check(HANDLERS, &warned, &[]);
    assert_eq!(it.code, Some(0), "{it:?}");
    assert!(it.out.starts_with("warning: "), "{}", it.out);
    assert!(it.out.contains("scripts/paid.rhai:1:"), "{}", it.out);
    assert_eq!(check(HANDLERS, &warned, &["--deny-warnings"]).code, Some(1));
}

#[test]
fn findings_as_json_are_one_a_line() {
    let it = check(&HANDLERS.replace("records", "recrods"), GOOD, &["--json"]);
    assert_eq!(it.code, Some(1), "{it:?}");
    let finding: Value = serde_json::from_str(&it.out).unwrap();
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["file"], "handlers.toml");
    assert_eq!(
        (&finding["line"], &finding["column"]),
        (&8.into(), &1.into())
    );
    assert_eq!(finding["help"], "did you mean `records`?");
}

#[test]
fn a_command_line_that_is_wrong_has_exit_code_2() {
    let folder = TempDir::new().unwrap();
    for args in [
        &["serv"][..],
        &["runs", "list", "--state", "lost"],
        &["events", "show"],
        &["events", "list", "--type", "invoice*"],
        &["events", "list", "--since", "yesterday"],
        &["runs", "retry"],
    ] {
        let it = hookyard(&folder, args);
        assert_eq!(it.code, Some(2), "{args:?}: {it:?}");
        assert!(it.complaint.starts_with("error: "), "{args:?}: {it:?}");
    }
    let it = hookyard(&folder, &["serv"]);
    assert!(it.complaint.contains("serve"), "{it:?}");
}

#[test]
fn a_look_at_a_folder_without_a_ledger_says_so_and_makes_none() {
    let folder = TempDir::new().unwrap();
    for args in [
        &["events", "list"][..],
        &["runs", "list"],
        &["records", "list", "invoices"],
        &["why", "evt_1"],
        &["sql", "SELECT 1"],
        &["runs", "retry", "10001"],
        &["records", "set", "invoices", "in_1", "{}"],
    ] {
        let it = hookyard(&folder, args);
        assert_eq!(it.code, Some(1), "{args:?}: {it:?}");
        assert!(it.complaint.contains("no ledger"), "{args:?}: {it:?}");
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_file_that_a_reload_would_refuse_is_not_good() {
    let ended = |handlers: &str| {
        let mut host = HostSetup::new(HANDLERS_OF_HOST)
            .file("scripts/paid.rhai", GOOD)
            .start();
        assert!(host.terminate().success());
        host.save("handlers.toml", handlers);
        host
    };
    let renamed = HANDLERS_OF_HOST.replace("[endpoints.stripe]", "[endpoints.renamed]");
    let host = ended(&renamed);
    let it = run(&mut host.command(&["check"]));
    assert_eq!(it.code, Some(1), "{it:?}");
    assert!(
        it.out.contains("`stripe` was renamed to `renamed`"),
        "{it:?}"
    );

    let mut host = ended(HANDLERS_OF_HOST);
    let versions = run(&mut host.command(&["versions", "paid", "--json"]));
    let version: Value = serde_json::from_str(versions.out.lines().next().unwrap()).unwrap();
    let version = version["version"].as_str().unwrap();
    host.restart();
    assert_eq!(
        run(&mut host.command(&["rollback", "paid", version])).code,
        Some(0)
    );
    host.save(
        "handlers.toml",
        &HANDLERS_OF_HOST.replace("[\"invoices\"]", "[\"others\"]"),
    );
    host.save("scripts/paid.rhai", &GOOD.replace("invoices", "others"));
    let it = run(&mut host.command(&["check"]));
    assert_eq!(it.code, Some(1), "{it:?}");
    assert!(
        it.out.contains("to which it is pinned, does not fit"),
        "{it:?}"
    );
    let it = run(&mut host.command(&["reload"]));
    assert_eq!(it.code, Some(1), "{it:?}");
    host.save("handlers.toml", HANDLERS_OF_HOST);
    host.save("scripts/paid.rhai", GOOD);
    assert_eq!(run(&mut host.command(&["check"])).code, Some(0));
}
