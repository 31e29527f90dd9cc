//! The commands, on a host with some events: what they say, with a running host and without one.

mod check;
mod look;
mod operate;
mod records;

use crate::support::{Event, FakeService, Host, HostSetup, PATH, Reaction, event, eventually};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

const IN_TIME: Duration = Duration::from_secs(20);

/// What a command said, and its exit code.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    complaint: String,
}

#[track_caller]
fn run(command: &mut Command) -> Said {
    run_with(command, "")
}

#[track_caller]
fn run_with(command: &mut Command, input: &str) -> Said {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who wants no input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        complaint: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What a command prints that must succeed.
#[track_caller]
fn said(host: &Host, args: &[&str]) -> String {
    let it = run(&mut host.command(args));
    assert_eq!(it.code, Some(0), "{args:?}: {it:?}");
    it.out
}

/// What a command complains of that must fail.
#[track_caller]
fn refused(host: &Host, args: &[&str]) -> String {
    let it = run(&mut host.command(args));
    assert_eq!(it.code, Some(1), "{args:?}: {it:?}");
    assert_eq!(it.out, "", "{args:?}");
    it.complaint
}

/// The documents that a command with `--json` prints, one a line.
#[track_caller]
fn documents(host: &Host, args: &[&str]) -> Vec<Value> {
    let args = [args, &["--json"]].concat();
    let lines = said(host, &args);
    lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap_or_else(|error| panic!("{error}: {it}")))
        .collect()
}

/// A document's names, as they stand.
fn names(document: &Value) -> Vec<&str> {
    let fields = document.as_object().unwrap();
    fields.keys().map(String::as_str).collect()
}

/// Looks twice: beside the running host, and when it has ended.
fn with_and_without_a_host(mut host: Host, look: impl Fn(&Host)) {
    look(&host);
    assert!(host.terminate().success());
    look(&host);
}

/// Two handlers: one books paid invoices with a service and counts them; one takes customers, but none while the record
/// `gate/open` is not there.
fn host() -> (Host, FakeService) {
    let books = FakeService::start();
    books.always(Reaction::answer(200, "{\"booking_id\":\"b_1\"}"));
    let config = format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [services.books]\nurl = \"{}\"\nprivate_network = true\n\n\
         [handlers.paid]\nevents = [\"invoice.paid\"]\nscript = \"scripts/paid.rhai\"\nrecords = [\"invoices\", \"counts\"]\n\
         services = [\"books\"]\n\n\
         [handlers.customers]\nevents = [\"customer.*\"]\nscript = \"scripts/customers.rhai\"\nrecords = [\"gate\", \"customers\"]\n",
        books.url()
    );
    let paid = "let invoice = event.data.object;\nlog.info(`booking ${invoice.id}`);\n\
        let answer = service(\"books\").post(`/invoices/${invoice.id}`, #{ amount: invoice.amount_paid });\n\
        records(\"invoices\").set(invoice.id, #{ status: \"paid\", booking: answer.body.booking_id });\n\
        records(\"counts\").add(\"all\", \"paid\", 1);\n";
    let customers = "let customer = event.data.object;\n\
        if records(\"gate\").get(\"open\") == () { fail(`the gate is shut for ${customer.id}`); }\n\
        records(\"customers\").set(customer.id, #{ email: customer.email });\n";
    let host = HostSetup::new(&config)
        .file("scripts/paid.rhai", paid)
        .file("scripts/customers.rhai", customers)
        .start();
    (host, books)
}

fn invoice(id: &str) -> Event {
    event("invoice.paid", id).with("amount_paid", 1200)
}

fn customer(id: &str) -> Event {
    event("customer.created", id).with("email", format!("{id}@example.com"))
}

#[track_caller]
fn post(host: &Host, event: &Event) {
    assert_eq!(host.post(event).status, 200);
}

/// Waits until nothing is to be done any more.
#[track_caller]
fn settled(host: &Host) {
    let ledger = host.ledger();
    let going = "SELECT count(*) FROM runs_open WHERE state <> 'dead'";
    eventually(IN_TIME, || ledger.number(going) == 0);
}

/// The only run of an event.
#[track_caller]
fn run_of(host: &Host, event: &Event) -> String {
    let shown = documents(host, &["events", "show", &event.id]).remove(0);
    shown["runs"][0]["id"].to_string()
}
