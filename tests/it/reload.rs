//! Reload: what is saved comes into force, whole or not at all.

mod canary;
mod load;
mod runs;
mod saves;
mod start;
mod versions;

use crate::support::{Host, HostSetup, PATH, event, eventually};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

/// Whatever the machine is busy with.
const IN_TIME: Duration = Duration::from_secs(20);
const BROKEN: &str = "let version = ;";
const ENDPOINT: &str = "[endpoints.stripe]\npath = \"/webhooks/stripe\"\nsigning_secrets = [\"${STRIPE_WEBHOOK_SECRET}\"]\n";

/// A script that writes its own version number into a record of the event's.
fn script(version: i64) -> String {
    format!("records(\"seen\").set(event.id, #{{ version: {version} }});")
}

/// A handler `name` with a script of the same name, for events of the type `name.created`.
fn handler(name: &str) -> String {
    format!(
        "[handlers.{name}]\nevents = [\"?{name}.created\"]\nscript = \"scripts/{name}.rhai\"\nrecords = [\"seen\"]\n"
    )
}

fn host() -> Host {
    HostSetup::new(&config(&["a"]))
        .file("scripts/a.rhai", &script(1))
        .start()
}

fn config(handlers: &[&str]) -> String {
    let handlers: String = handlers.iter().map(|it| handler(it)).collect();
    format!("[server]\nlisten = \"127.0.0.1:0\"\n\n{ENDPOINT}\n{handlers}")
}

/// The version that runs for an event that comes now; nothing when no handler takes it.
#[track_caller]
fn version_of(host: &Host, handler: &str) -> Option<i64> {
    let it = event(&format!("{handler}.created"), "obj_1");
    assert_eq!(host.post(&it).status, 200);
    let ledger = host.ledger();
    eventually(IN_TIME, || ledger.open_runs() == 0);
    ledger.record("seen", &it.id)?["version"].as_i64()
}

#[track_caller]
fn comes_into_force(host: &Host, handler: &str, version: i64) {
    eventually(IN_TIME, || version_of(host, handler) == Some(version));
}

/// `hookyard reload`: whether all is in force, and what it said.
fn reload(host: &Host) -> (bool, String) {
    let Output { status, stdout, .. } = host.command(&["reload"]).output().unwrap();
    (status.success(), String::from_utf8(stdout).unwrap())
}

/// What `/readyz` says is wrong.
#[track_caller]
fn problems(host: &Host) -> Vec<String> {
    let answer = host.get("/readyz");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let it: Value = serde_json::from_slice(&answer.body).unwrap();
    let problems: Vec<String> = serde_json::from_value(it["problems"].clone()).unwrap();
    assert_eq!(it["degraded"], !problems.is_empty());
    problems
}

/// Puts a file in place of another in one step, as careful editors do.
fn save_by_rename(host: &Host, path: &str, text: &str) {
    let path = host.folder().join(path);
    let new = path.with_extension("tmp");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// Puts a symbolic link in place of another in one step.
fn link(target: impl AsRef<Path>, path: &Path) {
    let new = path.with_file_name(".new");
    symlink(target, &new).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn a_save_in_place_comes_into_force() {
    let host = host();
    assert_eq!(version_of(&host, "a"), Some(1));
    host.save("scripts/a.rhai", &script(2));
    comes_into_force(&host, "a", 2);
}

#[test]
fn a_save_by_rename_comes_into_force() {
    let host = host();
    assert_eq!(version_of(&host, "a"), Some(1));
    for version in 2..4 {
        save_by_rename(&host, "scripts/a.rhai", &script(version));
        comes_into_force(&host, "a", version);
    }
    save_by_rename(&host, "handlers.toml", &config(&["a", "b"]));
    save_by_rename(&host, "scripts/b.rhai", &script(7));
    comes_into_force(&host, "b", 7);
}

/// As Kubernetes mounts a ConfigMap: files are links through `..data`, a link to a folder that is replaced whole.
#[test]
fn a_swap_of_the_link_that_all_files_lead_through_comes_into_force() {
    let host = host();
    let root = host.folder();
    let folder = |version: i64, handlers: &[&str]| {
        let name = format!("..version_{version}");
        host.save(&format!("{name}/handlers.toml"), &config(handlers));
        host.save(&format!("{name}/a.rhai"), &script(version));
        host.save(&format!("{name}/b.rhai"), &script(version));
        link(&name, &root.join("..data"));
    };
    folder(2, &["a"]);
    link("../..data/a.rhai", &root.join("scripts/a.rhai"));
    link("../..data/b.rhai", &root.join("scripts/b.rhai"));
    link("..data/handlers.toml", &root.join("handlers.toml"));
    comes_into_force(&host, "a", 2);
    folder(3, &["a", "b"]);
    fs::remove_dir_all(root.join("..version_2")).unwrap();
    comes_into_force(&host, "b", 3);
    assert_eq!(version_of(&host, "a"), Some(3));
    folder(4, &["a", "b"]);
    comes_into_force(&host, "a", 4);
    assert_eq!(problems(&host), [""; 0]);
}

#[test]
fn a_script_that_an_import_changes_is_another_version() {
    let host = HostSetup::new(&config(&["a"]))
        .file("scripts/lib/number.rhai", "fn version() { 1 }")
        .file(
            "scripts/a.rhai",
            "import \"lib/number\" as number;\nrecords(\"seen\").set(event.id, #{ version: number::version() });",
        )
        .start();
    assert_eq!(version_of(&host, "a"), Some(1));
    host.save("scripts/lib/number.rhai", "fn version() { 2 }");
    comes_into_force(&host, "a", 2);
}

#[test]
fn a_script_that_does_not_compile_keeps_its_last_good_version_and_others_go_in() {
    let host = HostSetup::new(&config(&["a", "b"]))
        .file("scripts/a.rhai", &script(1))
        .file("scripts/b.rhai", &script(1))
        .start();
    host.save("scripts/a.rhai", BROKEN);
    host.save("scripts/b.rhai", &script(2));
    comes_into_force(&host, "b", 2);
    assert_eq!(version_of(&host, "a"), Some(1));
    let found = problems(&host);
    assert!(found[0].contains("scripts/a.rhai:1"), "{found:?}");
    host.save("scripts/a.rhai", &script(3));
    comes_into_force(&host, "a", 3);
    eventually(IN_TIME, || problems(&host).is_empty());
}

#[test]
fn a_handlers_toml_with_a_mistake_changes_nothing_and_readyz_says_what_is_wrong() {
    let host = host();
    host.save("scripts/a.rhai", &script(2));
    host.save(
        "handlers.toml",
        &config(&["a"]).replace("records", "recrods"),
    );
    let (is_good, said) = reload(&host);
    assert!(!is_good);
    assert!(
        said.contains("recrods") && said.contains("did you mean `records`"),
        "{said}"
    );
    let found = problems(&host);
    assert!(found[0].contains("recrods"), "{found:?}");
    assert_eq!(version_of(&host, "a"), Some(1));
    host.save("handlers.toml", &config(&["a"]));
    comes_into_force(&host, "a", 2);
    eventually(IN_TIME, || problems(&host).is_empty());
}

#[test]
fn a_script_that_vanished_keeps_its_last_good_version() {
    let host = host();
    fs::remove_file(host.folder().join("scripts/a.rhai")).unwrap();
    let (is_good, said) = reload(&host);
    assert!(!is_good);
    assert!(
        said.contains("scripts/a.rhai") && said.contains("stays on version"),
        "{said}"
    );
    assert_eq!(version_of(&host, "a"), Some(1));
    host.save("scripts/a.rhai", &script(2));
    comes_into_force(&host, "a", 2);
}

#[test]
fn a_hangup_signal_has_the_files_looked_at() {
    let host = host();
    host.save("scripts/a.rhai", &script(2));
    host.signal(rustix::process::Signal::HUP);
    comes_into_force(&host, "a", 2);
    assert_eq!(host.get("/healthz").status, 200);
}

#[test]
fn the_reload_command_tells_what_changed_and_what_needs_a_restart() {
    let host = host();
    assert_eq!(reload(&host), (true, "good: nothing has changed\n".into()));
    // Whether the command or the watch sees it first is open: the log has what was not told here.
    let port = "listen = \"127.0.0.1:0\"";
    let other = config(&["a", "b"]).replace(port, "listen = \"127.0.0.1:1\"");
    host.save("scripts/b.rhai", &script(1));
    host.save("handlers.toml", &other);
    let (is_good, said) = reload(&host);
    assert!(is_good, "{said}");
    let needs = "needs a restart to take effect: [server] listen";
    assert!(said.contains(needs), "{said}");
    let told = said + &host.log();
    assert!(told.contains("handler `b` is new"), "{told}");
    assert_eq!(version_of(&host, "b"), Some(1));
    // It stays true, and is told, until there was a restart or the change is taken back.
    assert!(reload(&host).1.contains(needs));
    assert!(problems(&host)[0].contains("[server] listen was changed"));
    host.save("handlers.toml", &config(&["a", "b"]));
    let (_, said) = reload(&host);
    assert!(!said.contains("restart"), "{said}");
    assert_eq!(problems(&host), [""; 0]);
}

#[test]
fn a_touch_without_a_change_reloads_nothing() {
    let host = host();
    for _ in 0..5 {
        host.save("scripts/a.rhai", &script(1));
        save_by_rename(&host, "handlers.toml", &config(&["a"]));
    }
    // What comes after it is seen, so the touches are seen by then.
    host.save("scripts/a.rhai", &script(2));
    comes_into_force(&host, "a", 2);
    let log = host.log();
    assert_eq!(log.matches("reloaded: ").count(), 1, "{log}");
}

#[test]
fn an_endpoint_is_not_renamed_before_it_says_what_its_events_were_known_under() {
    let host = host();
    let before = event("a.created", "obj_1");
    assert_eq!(host.post(&before).status, 200);
    let renamed = config(&["a"]).replace("[endpoints.stripe]", "[endpoints.payments]");
    host.save("handlers.toml", &renamed);
    let (is_good, said) = reload(&host);
    assert!(!is_good);
    assert!(said.contains("dedupe_scope = \"stripe\""), "{said}");
    assert_eq!(problems(&host).len(), 1);
    assert_eq!(version_of(&host, "a"), Some(1));
    let path = format!("path = \"{PATH}\"\n");
    let with_scope = renamed.replace(&path, &format!("{path}dedupe_scope = \"stripe\"\n"));
    host.save("handlers.toml", &with_scope);
    assert!(reload(&host).0);
    let again = host.post(&before);
    assert!(again.text().contains("duplicate"), "{}", again.text());
}
