//! Calls happen once: killed at each step, with scripts that are edited between attempts, and what an operator decides.

mod conflict;
mod decided;
mod edited;
mod killed;
mod shown;

use crate::support::{FakeService, Host, HostSetup, PATH, event, eventually};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// One handler for paid invoices, which may call `books`. `service` is what else stands in its table.
fn host(service: &FakeService, keys: &str, script: &str) -> Host {
    host_at(&service.url(), keys, script)
}

fn host_at(url: &str, keys: &str, script: &str) -> Host {
    HostSetup::new(&format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [services.books]\nurl = \"{url}\"\nprivate_network = true\n{keys}\n\n\
         [handlers.only]\nevents = [\"invoice.paid\"]\nscript = \"scripts/only.rhai\"\nrecords = [\"booked\", \"lines\"]\n\
         services = [\"books\"]\nretry = {{ attempts = 20, first = \"100ms\", max = \"1s\" }}\n"
    ))
    .file("scripts/only.rhai", script)
    .start()
}

/// Posts an event whose run goes its way.
#[track_caller]
fn pay(host: &Host) -> String {
    let it = event("invoice.paid", "in_1");
    assert_eq!(host.post(&it).status, 200);
    it.id
}

/// Saves the script and waits until it is in force.
#[track_caller]
fn edit(host: &Host, script: &str) {
    host.save("scripts/only.rhai", script);
    let it = host.command(&["reload"]).output().unwrap();
    assert!(it.status.success(), "{it:?}");
}

#[track_caller]
fn done(host: &Host) {
    let ledger = host.ledger();
    eventually(SOON, || ledger.done_runs() == 1 && ledger.open_runs() == 0);
}

/// Waits until the only run is dead, and returns why.
#[track_caller]
fn dead(host: &Host) -> String {
    let ledger = host.ledger();
    let why = || ledger.texts("SELECT why FROM runs_open WHERE state = 'dead'");
    eventually(SOON, || why().len() == 1);
    why().remove(0)
}

/// The bodies that came, in order.
fn bodies(service: &FakeService) -> Vec<String> {
    service.asked().into_iter().map(|it| it.body).collect()
}

/// What a command prints that must succeed, or complains of that must not.
#[track_caller]
fn told(host: &Host, args: &[&str], must_succeed: bool) -> String {
    let it = host.command(args).output().unwrap();
    assert_eq!(it.status.success(), must_succeed, "{args:?}: {it:?}");
    let text = if must_succeed { it.stdout } else { it.stderr };
    String::from_utf8(text).unwrap()
}

/// The only run's id.
fn run_id(host: &Host) -> String {
    host.ledger()
        .texts("SELECT CAST(id AS TEXT) FROM runs_open")
        .remove(0)
}
