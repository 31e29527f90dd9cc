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

#[test]
fn a_handler_that_is_held_for_three_stuck_runs_stays_held_over_a_restart_until_its_script_changes()
{
    let mut host = host(1, 3);
    is_held(&mut host);
    host.save("scripts/hangs.rhai", "log.info(\"better\");");
    let reloaded = said(&host, &["reload"]);
    assert!(!reloaded.contains("is held"), "{reloaded}");
    eventually(IN_TIME, || count(&host, "held") == 0);
    let done = "SELECT count(*) FROM runs_done WHERE handler = 'h1'";
    eventually(IN_TIME, || host.ledger().number(done) == 2);
    assert!(!host.get("/readyz").text().contains("is held"));
}

#[test]
fn an_operators_retry_lets_a_handler_go_on_that_is_held_for_stuck_runs() {
    let mut host = host(1, 3);
    let run = is_held(&mut host);
    // With a host that runs: the retried run gets stuck again, and so do those that were held; then all is as before.
    let retried = said(&host, &["runs", "retry", &run]);
    assert!(retried.contains("is ready again"), "{retried}");
    eventually(IN_TIME, || count(&host, "dead") == 5);
    let ready = host.get("/readyz").text();
    assert!(ready.contains("handler `h1` is held: "), "{ready}");
    // Without one, for the next.
    assert!(host.terminate().success());
    let retried = said(&host, &["runs", "retry", &run]);
    assert!(retried.contains("is ready again"), "{retried}");
    host.restart();
    assert!(!host.get("/readyz").text().contains("is held"));
    eventually(IN_TIME, || count(&host, "dead") == 5);
}

/// Has three runs of `h1` get stuck and two held, and looks at what is said of it, before and after restarts. Gives the
/// run that the message names.
fn is_held(host: &mut Host) -> String {
    // One gets stuck after the other: with them others would have begun.
    (0..3).for_each(|_| drop(post(host, 1, "obj")));
    eventually(IN_TIME, || count(host, "dead") == 3);
    let event = post(host, 1, "obj_1");
    post(host, 1, "obj_2");
    let is_held = |host: &Host| (count(host, "dead"), count(host, "held")) == (3, 2);
    eventually(IN_TIME, || is_held(host));
    let run = host
        .ledger()
        .number("SELECT min(id) FROM runs_open WHERE state = 'dead'")
        .to_string();
    let way = format!(
        "handler `h1` is held: change scripts/hangs.rhai, or `hookyard runs retry {run}`, and its runs go on"
    );
    assert!(host.get("/readyz").text().contains(&way));
    for kill in [true, false] {
        if kill {
            host.kill9();
        } else {
            assert!(host.terminate().success());
        }
        host.restart();
        works(host);
        assert!(is_held(host));
        assert!(host.get("/readyz").text().contains(&way));
    }
    for args in [
        &["why", &event][..],
        &["check"],
        &["reload"],
        &["runs", "show", &run_of(host, &event)],
    ] {
        let said = said(host, args);
        assert!(said.contains(&way), "{args:?}: {said}");
    }
    let list = said(host, &["runs", "list"]);
    let both = [
        "handler `h1` is held: change scripts/hangs.rhai, or `hookyard runs retry",
        "says what its run waits for",
    ];
    assert!(both.iter().all(|it| list.contains(it)), "{list}");
    assert!(is_held(host));
    run
}

fn run_of(host: &Host, event: &str) -> String {
    let sql = format!(
        "SELECT CAST(runs_open.id AS TEXT) FROM runs_open JOIN events ON seq = runs_open.id / 10000 WHERE events.id = '{event}'"
    );
    host.ledger().texts(&sql).remove(0)
}
