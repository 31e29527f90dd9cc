//! A reload and the runs that are open.

use super::{ENDPOINT, IN_TIME, reload};
use crate::support::{
    FakeService, Host, HostSetup, PATH, Reaction, SECRET, event, eventually, now_s, sign,
};
use rusqlite::Connection;
use serde_json::json;
use std::time::Duration;

/// Its script calls a service for the event whose object says so, and notes all others.
fn with_service(service: &FakeService, order_by: &str) -> Host {
    HostSetup::new(&config(service, order_by))
        .file(
            "scripts/a.rhai",
            "let it = event.data.object;\nif it.get(\"wait\") == true { retry_in(\"1h\", \"not yet\"); }\n\
             if \"asks\" in it { service(\"books\").post(`/${it.asks}`, #{}); }\n\
             records(\"seen\").add(\"all\", it.name, 1);",
        )
        .start()
}

fn config(service: &FakeService, order_by: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n\n{ENDPOINT}\n[services.books]\nurl = \"{}\"\nprivate_network = true\n\n\
         [handlers.a]\nevents = [\"?a.created\"]\nscript = \"scripts/a.rhai\"\nrecords = [\"seen\"]\n\
         services = [\"books\"]\norder_by = \"{order_by}\"\n",
        service.url()
    )
}

fn order_by(host: &Host, service: &FakeService, value: &str) {
    host.save("handlers.toml", &config(service, value));
    assert!(reload(host).0);
}

#[track_caller]
fn all_are(host: &Host, counts: serde_json::Value) {
    let ledger = host.ledger();
    eventually(IN_TIME, || {
        ledger.record("seen", "all").as_ref() == Some(&counts)
    });
}

#[test]
fn open_runs_go_into_the_lanes_of_a_new_order_by() {
    let service = FakeService::start();
    let host = with_service(&service, "data.object.id");
    host.post(&event("a.created", "obj_1").with("wait", true));
    let ledger = host.ledger();
    let waiting = "SELECT count(*) FROM runs_open WHERE state = 'waiting'";
    eventually(IN_TIME, || ledger.number(waiting) == 1);
    // Behind it in its lane, and held up.
    host.post(&event("a.created", "obj_1").with("name", "behind"));
    host.post(&event("a.created", "obj_2").with("name", "beside"));
    all_are(&host, json!({ "beside": 1 }));
    order_by(&host, &service, "type");
    order_by(&host, &service, "none");
    all_are(&host, json!({ "beside": 1, "behind": 1 }));
    // And one that comes now goes by the new rule too.
    host.post(&event("a.created", "obj_1").with("name", "later"));
    all_are(&host, json!({ "beside": 1, "behind": 1, "later": 1 }));
}

/// As it is when the host ended just after the handler came into force and took its first events.
#[test]
fn open_runs_go_into_their_lanes_also_when_no_order_of_theirs_was_noted() {
    let service = FakeService::start();
    let mut host = with_service(&service, "data.object.id");
    host.post(&event("a.created", "obj_1").with("wait", true));
    host.post(&event("a.created", "obj_1").with("name", "behind"));
    assert!(host.terminate().success());
    let ledger = Connection::open(host.data().join("ledger.db")).unwrap();
    let forgotten = ledger.execute("DELETE FROM meta WHERE key = 'order_by/a'", []);
    assert_eq!(forgotten.unwrap(), 1);
    drop(ledger);
    host.save("handlers.toml", &config(&service, "none"));
    host.restart();
    all_are(&host, json!({ "behind": 1 }));
}

#[test]
fn a_run_that_is_being_attempted_is_not_begun_a_second_time_in_its_new_lane() {
    let service = FakeService::start();
    service.always(Reaction::answer(200, "{}").after(Duration::from_secs(2)));
    let host = with_service(&service, "data.object.id");
    host.post(
        &event("a.created", "obj_1")
            .with("name", "first")
            .with("asks", "first"),
    );
    host.post(
        &event("a.created", "obj_1")
            .with("name", "second")
            .with("asks", "second"),
    );
    eventually(IN_TIME, || !service.asked().is_empty());
    order_by(&host, &service, "none");
    all_are(&host, json!({ "first": 1, "second": 1 }));
    let ledger = host.ledger();
    eventually(IN_TIME, || ledger.open_runs() == 0);
    let mut asked: Vec<String> = service.asked().into_iter().map(|it| it.path).collect();
    asked.sort();
    assert_eq!(asked, ["/first", "/second"]);
}

#[test]
fn a_lane_whose_first_run_waits_keeps_its_order_over_a_restart() {
    let service = FakeService::start();
    let mut host = with_service(&service, "data.object.id");
    host.post(&event("a.created", "obj_1").with("wait", true));
    let waiting = "SELECT count(*) FROM runs_open WHERE state = 'waiting'";
    eventually(IN_TIME, || host.ledger().number(waiting) == 1);
    assert!(host.terminate().success());
    host.restart();
    host.post(&event("a.created", "obj_2").with("name", "beside"));
    all_are(&host, json!({ "beside": 1 }));
    host.post(&event("a.created", "obj_1").with("name", "behind"));
    host.post(&event("a.created", "obj_2").with("name", "after"));
    all_are(&host, json!({ "beside": 1, "after": 1 }));
    assert_eq!(host.ledger().open_runs(), 2);
}

#[test]
fn an_event_whose_body_comes_while_order_by_changes_goes_into_the_new_lane() {
    let service = FakeService::start();
    let host = with_service(&service, "none");
    let it = event("a.created", "obj_1").with("name", "behind");
    let body = it.body();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: test\r\nStripe-Signature: {}\r\nContent-Length: {}\r\n\r\n",
        sign(SECRET, now_s(), &body),
        body.len()
    );
    let (first, rest) = body.split_at(10);
    let mut slow = host.client();
    slow.send(head.as_bytes()).unwrap();
    slow.send(first).unwrap();
    // The host has begun to read it once it answers who came later.
    host.post(&event("a.created", "obj_2").with("name", "other"));
    all_are(&host, json!({ "other": 1 }));
    order_by(&host, &service, "data.object.id");
    host.post(&event("a.created", "obj_1").with("wait", true));
    let ledger = host.ledger();
    let waiting = "SELECT count(*) FROM runs_open WHERE state = 'waiting'";
    eventually(IN_TIME, || ledger.number(waiting) == 1);
    slow.send(rest).unwrap();
    assert_eq!(slow.answer().unwrap().status, 200);
    host.post(&event("a.created", "obj_3").with("name", "beside"));
    all_are(&host, json!({ "other": 1, "beside": 1 }));
    assert_eq!(
        ledger.number("SELECT count(DISTINCT lane) FROM runs_open"),
        1
    );
    assert_eq!(ledger.open_runs(), 2);
}

#[test]
fn what_a_dropped_run_held_up_goes_on() {
    let service = FakeService::start();
    let host = with_service(&service, "data.object.id");
    host.post(&event("a.created", "obj_1").with("wait", true));
    let ledger = host.ledger();
    let waiting = "SELECT count(*) FROM runs_open WHERE state = 'waiting'";
    eventually(IN_TIME, || ledger.number(waiting) == 1);
    host.post(&event("a.created", "obj_1").with("name", "behind"));
    let run = ledger.number("SELECT id FROM runs_open WHERE state = 'waiting'");
    let dropped = host.command(&["runs", "drop", &run.to_string()]).output();
    assert!(dropped.unwrap().status.success());
    all_are(&host, json!({ "behind": 1 }));
    assert_eq!(ledger.open_runs(), 0);
}

/// More runs than one bite of such a change has.
#[test]
fn a_crash_amid_a_change_of_many_runs_leaves_nothing_half_done() {
    const RUNS: i64 = 1200;
    let service = FakeService::start();
    let mut host = with_service(&service, "data.object.id");
    let mut client = host.client();
    for at in 0..RUNS {
        let it = event("a.created", &format!("obj_{at}"));
        client.post(PATH, &it.with("wait", true)).unwrap();
    }
    let count = |host: &Host, state: &str| {
        let sql = format!("SELECT count(*) FROM runs_open WHERE state = '{state}'");
        host.ledger().number(&sql)
    };
    eventually(IN_TIME, || count(&host, "waiting") == RUNS);
    let good = config(&service, "data.object.id");
    let renamed = good.replace("[handlers.a]", "[handlers.b]");
    host.save("handlers.toml", &renamed);
    eventually(IN_TIME, || count(&host, "held") > 0);
    host.kill9();
    host.restart();
    eventually(IN_TIME, || count(&host, "held") == RUNS);
    // Begun, and ended by the host's end; asked for again, it goes on.
    let mut moving = host.command(&["runs", "move", "a", "b"]).spawn().unwrap();
    let of_b = "SELECT count(*) FROM runs_open WHERE handler = 'b'";
    eventually(IN_TIME, || host.ledger().number(of_b) > 0);
    host.kill9();
    moving.wait().unwrap();
    host.restart();
    // Unless it was done by then.
    host.command(&["runs", "move", "a", "b"]).output().unwrap();
    eventually(IN_TIME, || count(&host, "waiting") == RUNS);
    assert_eq!(host.ledger().number(of_b), RUNS);
}
