//! The sample and the examples do what their texts say: events of our own writing go to the real host, and a fake service
//! stands where the configuration has a real one.

mod dunning;
mod invoice;
mod marketplace;
mod subscription;

use crate::support::{
    Event, FakeService, Host, HostSetup, Reaction, SECRET, event, eventually, now_s,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const VARIABLES: [&str; 6] = [
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_CONNECT_WEBHOOK_SECRET",
    "ACCOUNTING_TOKEN",
    "MAIL_TOKEN",
    "DESK_TOKEN",
    "PAYROLL_TOKEN",
];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A host with the files of a folder of the repository, all its services played by one.
fn host(folder: &str, service: &FakeService) -> Host {
    let folder = repository(folder);
    let config: Vec<String> = fs::read_to_string(folder.join("handlers.toml"))
        .unwrap()
        .lines()
        .map(|line| match line.starts_with("url = \"https://") {
            true => format!("url = \"{}\"\nprivate_network = true", service.url()),
            false => line.replace("127.0.0.1:4242", "127.0.0.1:0"),
        })
        .collect();
    let mut setup = HostSetup::new(&config.join("\n"));
    for script in scripts_of(&folder) {
        let text = fs::read_to_string(folder.join(&script)).unwrap();
        setup = setup.file(&script, &text);
    }
    for name in VARIABLES {
        setup = setup.env(name, SECRET);
    }
    setup.start()
}

fn scripts_of(folder: &Path) -> Vec<String> {
    ["scripts", "scripts/lib"]
        .iter()
        .flat_map(|it| {
            fs::read_dir(folder.join(it))
                .unwrap()
                .map(move |file| format!("{it}/{}", file.unwrap().file_name().to_str().unwrap()))
        })
        .filter(|it| it.ends_with(".rhai"))
        .collect()
}

/// Posts events, and waits until all their runs are done.
#[track_caller]
fn all(host: &Host, path: &str, events: &[Event]) {
    for it in events {
        assert_eq!(host.client().post(path, it).unwrap().status, 200);
        at_rest(host);
    }
}

#[track_caller]
fn at_rest(host: &Host) {
    let ledger = host.ledger();
    eventually(SOON, || ledger.open_runs() == 0);
}

#[test]
fn the_sample_and_each_example_hold_nothing_that_check_would_warn_of() {
    let folders = fs::read_dir(repository("examples"))
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.is_dir());
    let mut checked = 0;
    for folder in folders.chain([repository("")]) {
        let output = Command::new(env!("CARGO_BIN_EXE_hookyard"))
            .current_dir(&folder)
            .args(["check", "--deny-warnings"])
            .envs(VARIABLES.map(|it| (it, SECRET)))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}: {said}", folder.display());
        checked += 1;
    }
    assert!(checked >= 3);
}
