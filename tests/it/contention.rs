//! Many runs that change one record: nothing is lost, no attempt is spent, and each of them gets through.

use crate::support::{FakeService, Host, HostSetup, LedgerView, PATH, Reaction, event, eventually};
use serde_json::json;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// `fast` changes the one record for each invoice; `slow` looks at it for each customer, long in the engine or at a
/// service.
fn host(service: &FakeService, fast: &str, slow: &str) -> Host {
    HostSetup::new(&format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [limits]\nengine_time_max = \"20s\"\noperations_max = 1000000000\n\n\
         [services.books]\nurl = \"{}\"\nprivate_network = true\n\n\
         [handlers.fast]\nevents = [\"invoice.paid\"]\nscript = \"scripts/fast.rhai\"\nrecords = [\"totals\"]\n\n\
         [handlers.slow]\nevents = [\"customer.created\"]\nscript = \"scripts/slow.rhai\"\n\
         records = [\"totals\", \"seen\"]\nservices = [\"books\"]\n",
        service.url()
    ))
    .file("scripts/fast.rhai", fast)
    .file("scripts/slow.rhai", slow)
    .env("HOOKYARD_LOG", "debug")
    .start()
}

const ADD: &str = "records(\"totals\").add(\"all\", \"n\", 1);";

fn nothing_is_open(ledger: &LedgerView) {
    eventually(SOON, || ledger.open_runs() == 0);
    assert_eq!(
        ledger.number("SELECT count(*) FROM runs_done WHERE state <> 'done'"),
        0
    );
    assert_eq!(
        ledger.number("SELECT coalesce(max(attempts), 0) FROM runs_done"),
        1,
        "a record that was changed meanwhile costs no attempt"
    );
}

/// Posts events that `fast` takes, one after the other, until the slow run is done; gives their number.
fn keep_changing(host: &Host) -> i64 {
    let ledger = host.ledger();
    let done = "SELECT count(*) FROM runs_done WHERE handler = 'slow'";
    let mut client = host.client();
    let mut posted = 0;
    eventually(SOON, || {
        posted += 1;
        let it = event("invoice.paid", &format!("in_{posted}"));
        assert_eq!(client.post(PATH, &it).unwrap().status, 200);
        ledger.number(done) == 1
    });
    posted
}

/// Of the slow run, which is that of the first event.
fn turns_alone(host: &Host) -> usize {
    let slow = host
        .ledger()
        .number("SELECT id FROM runs_done WHERE handler = 'slow'");
    let said = format!("run {slow} has a turn alone");
    host.log().matches(&said).count()
}

#[test]
fn a_sum_that_many_lanes_add_to_is_exact_and_costs_no_attempt() {
    let service = FakeService::start();
    let host = host(&service, ADD, "");
    std::thread::scope(|scope| {
        for lane in 0..32 {
            let host = &host;
            scope.spawn(move || {
                let mut client = host.client();
                for _ in 0..10 {
                    let it = event("invoice.paid", &format!("in_{lane}"));
                    assert_eq!(client.post(PATH, &it).unwrap().status, 200);
                }
            });
        }
    });
    let ledger = host.ledger();
    nothing_is_open(&ledger);
    assert_eq!(ledger.done_runs(), 320);
    assert_eq!(ledger.record("totals", "all"), Some(json!({ "n": 320 })));
    assert_eq!(
        ledger.number("SELECT count(DISTINCT version) FROM record_changes"),
        320,
        "each change is based on the one before it"
    );
}

#[test]
fn a_slow_script_gets_through_although_others_change_its_record_all_the_time() {
    let service = FakeService::start();
    let slow = "let before = records(\"totals\").get(\"all\");\n\
                let begin = 0;\nfor i in 0..400000 { begin += i; }\n\
                records(\"seen\").set(event.id, #{ n: if before == () { 0 } else { before.n } });";
    let host = host(&service, ADD, slow);
    host.post(&event("customer.created", "cus_1"));
    let posted = keep_changing(&host);
    let ledger = host.ledger();
    nothing_is_open(&ledger);
    assert_eq!(ledger.record("totals", "all"), Some(json!({ "n": posted })));
    // What it kept is what was there when it was done: it and what it looked at are one moment.
    let seen: serde_json::Value = serde_json::from_str(
        &ledger.texts("SELECT body FROM records WHERE collection = 'seen'")[0],
    )
    .unwrap();
    let before = ledger.number(
        "SELECT count(*) FROM record_changes WHERE collection = 'totals' AND id <
           (SELECT id FROM record_changes WHERE collection = 'seen')",
    );
    assert_eq!(seen["n"], before);
    let engine_us = "SELECT engine_us FROM attempts JOIN runs_done ON run = runs_done.id WHERE handler = 'slow'";
    assert!(100_000 < ledger.number(engine_us), "the script is slow");
    assert!(
        turns_alone(&host) <= 1,
        "once it has a turn alone it loses no more"
    );
}

#[test]
fn a_run_that_asks_a_service_gets_through_although_others_change_its_record_all_the_time() {
    let service = FakeService::start();
    service.react(|asked| {
        let wait = if asked.method == "GET" { 30 } else { 60 };
        Reaction::answer(200, "{\"id\":7}").after(Duration::from_millis(wait))
    });
    let slow = "let totals = records(\"totals\");\nlet before = totals.get(\"all\");\n\
                let a = service(\"books\").get(\"/a\");\n\
                let b = service(\"books\").post(\"/b\", #{ a: a.body.id });\n\
                let c = service(\"books\").get(\"/c\");\n\
                totals.update(\"all\", #{ booked: b.body.id + c.body.id });";
    let host = host(&service, ADD, slow);
    host.post(&event("customer.created", "cus_1"));
    let posted = keep_changing(&host);
    let ledger = host.ledger();
    nothing_is_open(&ledger);
    assert_eq!(
        ledger.record("totals", "all"),
        Some(json!({ "n": posted, "booked": 14 }))
    );
    let posts = service.asked();
    let posts = posts.iter().filter(|it| it.method == "POST").count();
    assert_eq!(
        posts, 1,
        "a call that was answered is not made again by a run that lost"
    );
    assert_eq!(ledger.number("SELECT count(*) FROM journal"), 1);
    // One for what it asks first, one after each call that it waits for.
    let turns = turns_alone(&host);
    assert!(turns <= 4, "{turns}");
}

#[test]
fn a_slow_script_gets_through_beside_imports_that_never_end() {
    let service = FakeService::start();
    let slow = "let before = records(\"totals\").get(\"all\");\n\
                let begin = 0;\nfor i in 0..400000 { begin += i; }\n\
                records(\"seen\").set(event.id, #{ n: if before == () { 0 } else { before.n } });";
    let host = host(&service, ADD, slow);
    let ledger = host.ledger();
    let done = "SELECT count(*) FROM runs_done WHERE handler = 'slow'";
    host.post(&event("customer.created", "cus_1"));
    let mut imported = 0;
    eventually(SOON, || {
        imported += 1;
        let record =
            json!({ "collection": "totals", "id": "all", "body": format!("{{\"n\":{imported}}}") });
        let command = json!({ "command": "set_records", "records": [record] });
        assert_eq!(ask(&host, &command), json!({ "done": { "affected": 1 } }));
        ledger.number(done) == 1
    });
    nothing_is_open(&ledger);
    assert_eq!(turns_alone(&host), 1, "it lost eight times before");
    assert_eq!(
        ledger.record("totals", "all"),
        Some(json!({ "n": imported }))
    );
    let seen: serde_json::Value = serde_json::from_str(
        &ledger.texts("SELECT body FROM records WHERE collection = 'seen'")[0],
    )
    .unwrap();
    let before = ledger.number(
        "SELECT count(*) FROM record_changes WHERE collection = 'totals' AND id <
           (SELECT id FROM record_changes WHERE collection = 'seen')",
    );
    assert_eq!(seen["n"], before, "what it looked at is what was there");
}

/// Has the running host carry out a command, as the program's own commands do, without the start of a program between two
/// of them.
fn ask(host: &Host, command: &serde_json::Value) -> serde_json::Value {
    let mut stream = UnixStream::connect(host.data().join("control.sock")).unwrap();
    writeln!(stream, "{command}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}
