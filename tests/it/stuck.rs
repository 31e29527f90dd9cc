//! Scripts that get stuck inside one step: threads are lost, and nothing else is. The native that blocks its thread is in
//! no release.
#![cfg(debug_assertions)]

use crate::support::{Host, HostSetup, PATH, event, eventually};
use std::time::Duration;

const IN_TIME: Duration = Duration::from_secs(60);
const HANGS: &str = "hang_for_test(600000);";
/// At which the host ends is four times these and two more.
const SCRIPT_THREADS: usize = 8;

/// Handlers `h1` and on, which hang, each at events of a type of its own; and one that works.
fn host(hanging: usize, script_threads: usize) -> Host {
    let handlers: String = (1..=hanging)
        .map(|it| {
            format!(
                "[handlers.h{it}]\nevents = [\"?h{it}.stuck\"]\nscript = \"scripts/hangs.rhai\"\n\n"
            )
        })
        .collect();
    HostSetup::new(&format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [limits]\nscript_threads = {script_threads}\nengine_time_max = \"100ms\"\n\n{handlers}\
         [handlers.works]\nevents = [\"customer.created\"]\nscript = \"scripts/works.rhai\"\nrecords = [\"seen\"]\n"
    ))
    .file("scripts/hangs.rhai", HANGS)
    .file("scripts/works.rhai", "records(\"seen\").set(event.id, #{});")
    .env("HOOKYARD_HANG_FOR_TEST", "1")
    .start()
}

/// Events of one object are in one lane.
fn post(host: &Host, handler: usize, object: &str) -> String {
    let it = event(&format!("h{handler}.stuck"), object);
    assert_eq!(host.post(&it).status, 200);
    it.id
}

/// What a command says, on both outputs.
fn said(host: &Host, args: &[&str]) -> String {
    let it = host.command(args).output().unwrap();
    let said = [it.stdout, it.stderr].map(|it| String::from_utf8(it).unwrap());
    said.concat()
}

fn count(host: &Host, state: &str) -> i64 {
    host.ledger().number(&format!(
        "SELECT count(*) FROM runs_open WHERE state = '{state}'"
    ))
}

fn works(host: &Host) {
    let it = event("customer.created", "cus_1");
    assert_eq!(host.post(&it).status, 200);
    eventually(IN_TIME, || host.ledger().record("seen", &it.id).is_some());
}

#[test]
fn a_host_that_lost_too_many_threads_says_so_ends_with_an_error_and_a_fresh_one_goes_on() {
    let mut host = host(5, SCRIPT_THREADS);
    let first = post(&host, 1, "obj");
    eventually(IN_TIME, || count(&host, "dead") == 1);
    let ready = host.get("/readyz");
    assert_eq!(ready.status, 200, "degraded and ready");
    let told = "1 of at most 40 script threads are lost to scripts that got stuck in one step; a restart frees them";
    assert!(ready.text().contains(told), "{}", ready.text());
    let why = said(&host, &["why", &first]);
    for part in [
        "dead",
        "the script got stuck in one step that took longer than 2s 100ms",
        "please report it",
    ] {
        assert!(why.contains(part), "{why}");
    }
    works(&host);

    // Each handler takes all threads at once before it is held.
    for handler in 1..=5 {
        for n in 0..SCRIPT_THREADS {
            post(&host, handler, &format!("obj_{n}"));
        }
    }
    let status = host.wait();
    assert_eq!(status.code(), Some(1));
    let log = host.log();
    assert!(
        log.contains("40 script threads are lost to scripts that got stuck in one step, and more are not given"),
        "{log}"
    );
    host.restart();
    assert!(
        !host
            .get("/readyz")
            .text()
            .contains("script threads are lost")
    );
    works(&host);
}
