//! Nobody's edit silently books twice.

use super::{SOON, bodies, dead, done, edit, host, pay, run_id, told};
use crate::support::{Asked, FakeService, Host, Reaction, eventually};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const END: &str = "records(\"booked\").set(\"it\", #{});";

fn posts(bodies: &[&str]) -> String {
    bodies
        .iter()
        .map(|it| format!("service(\"books\").post(\"/x\", #{{ what: \"{it}\" }});\n"))
        .collect()
}

/// A run that has made these calls and then failed, and whose script was edited then.
fn edited(service: &FakeService, before: &[&str], after: &[&str]) -> Host {
    let host = host(service, "", &format!("{}throw \"not yet\";", posts(before)));
    pay(&host);
    let ledger = host.ledger();
    eventually(SOON, || ledger.number("SELECT count(*) FROM attempts") > 0);
    edit(&host, &format!("{}{END}", posts(after)));
    host
}

#[track_caller]
fn check(service: &FakeService, expected: &[&str]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|it| format!("{{\"what\":\"{it}\"}}"))
        .collect();
    assert_eq!(bodies(service), expected);
}

#[test]
fn a_line_added_behind_makes_its_call_and_no_other() {
    let service = FakeService::start();
    let host = edited(&service, &["a"], &["a", "b"]);
    done(&host);
    check(&service, &["a", "b"]);
}

#[test]
fn a_call_that_was_removed_leaves_the_others_alone() {
    let service = FakeService::start();
    let host = edited(&service, &["a", "b"], &["b"]);
    done(&host);
    check(&service, &["a", "b"]);
}

#[test]
fn the_only_call_with_another_body_counts_as_made() {
    let service = FakeService::start();
    let host = edited(&service, &["a"], &["b"]);
    done(&host);
    check(&service, &["a"]);
    let event = host.ledger().texts("SELECT id FROM events").remove(0);
    let story = told(&host, &["why", &event], true);
    assert!(
        story.contains("matched although its body differs"),
        "{story}"
    );
}

/// The answer to the first sending was lost, the ones after it say that the service is ill: it may have done its work.
#[test]
fn a_call_that_was_never_answered_stays_the_same_call_after_answers_that_do_not_tell() {
    let service = FakeService::start();
    let is_well = Arc::new(AtomicBool::new(false));
    let well = is_well.clone();
    let mut sent = 0;
    service.react(move |_: &Asked| {
        sent += 1;
        match (sent, well.load(Ordering::Relaxed)) {
            (1, _) => Reaction::answer(200, "{}").cut_after(0),
            (_, false) => Reaction::answer(503, ""),
            (_, true) => Reaction::answer(200, "{}"),
        }
    });
    let host = host(&service, "", &format!("{}{END}", posts(&["a"])));
    pay(&host);
    eventually(SOON, || service.asked().len() > 2);
    edit(&host, &format!("{}{END}", posts(&["b"])));
    is_well.store(true, Ordering::Relaxed);
    done(&host);
    let all = bodies(&service);
    assert!(all.iter().all(|it| *it == all[0]), "{all:?}");
    assert_eq!(service.times_by_key().len(), 1);
    let event = host.ledger().texts("SELECT id FROM events").remove(0);
    let story = told(&host, &["why", &event], true);
    assert!(story.contains("unknown as before"), "{story}");
}

#[test]
fn an_edit_that_is_taken_back_sends_no_failed_call_after_the_one_that_took_its_place() {
    let service = FakeService::start();
    service.react(|it: &Asked| {
        let status = if it.body.contains('b') { 200 } else { 503 };
        Reaction::answer(status, "{}")
    });
    let before = format!("{}{END}", posts(&["a"]));
    let host = host(&service, "", &before);
    pay(&host);
    let ledger = host.ledger();
    eventually(SOON, || ledger.number("SELECT count(*) FROM attempts") > 0);
    edit(&host, &format!("{}throw \"not yet\";", posts(&["b"])));
    let settled = || ledger.number("SELECT count(*) FROM journal WHERE state = 'settled'");
    eventually(SOON, || settled() == 1);
    edit(&host, &before);
    let why = dead(&host);
    assert!(why.starts_with("calls changed"), "{why}");
    let sent = bodies(&service);
    assert_eq!(sent.last().unwrap(), "{\"what\":\"b\"}", "{sent:?}");
    told(&host, &["runs", "retry", &run_id(&host), "--reuse"], true);
    done(&host);
    assert_eq!(bodies(&service), sent);
}

#[test]
fn a_line_added_before_sends_nothing_until_somebody_decides() {
    let service = FakeService::start();
    let host = edited(&service, &["a"], &["new", "a"]);
    dead(&host);
    check(&service, &["a"]);
    told(&host, &["runs", "retry", &run_id(&host), "--again"], true);
    done(&host);
    check(&service, &["a", "new"]);
}

#[test]
fn one_of_several_calls_with_another_body_is_decided_by_somebody() {
    let service = FakeService::start();
    let host = edited(&service, &["a", "b"], &["c", "d"]);
    dead(&host);
    check(&service, &["a", "b"]);
}

/// A run that goes through a list of records which grows between two attempts of it.
#[track_caller]
fn grown(added: &str) -> (Host, FakeService) {
    let service = FakeService::start();
    let script = format!(
        "for line in records(\"lines\").find(#{{}}) {{ service(\"books\").post(\"/x\", #{{ what: line.id }}); }}\n\
         if records(\"lines\").get(\"ready\") == () {{ throw \"not yet\"; }}\n{END}"
    );
    let host = host(&service, "", &script);
    told(&host, &["records", "set", "lines", "m", "{}"], true);
    pay(&host);
    let ledger = host.ledger();
    eventually(SOON, || ledger.number("SELECT count(*) FROM attempts") > 0);
    told(&host, &["records", "set", "lines", added, "{}"], true);
    (host, service)
}

#[test]
fn a_list_that_grew_at_its_end_makes_the_call_that_was_added() {
    let (host, service) = grown("ready");
    done(&host);
    check(&service, &["m", "ready"]);
}

#[test]
fn a_list_that_grew_at_its_front_repeats_nothing_and_waits_for_somebody() {
    let (host, service) = grown("a");
    dead(&host);
    check(&service, &["m"]);
    told(&host, &["records", "set", "lines", "ready", "{}"], true);
    told(&host, &["runs", "retry", &run_id(&host), "--again"], true);
    done(&host);
    check(&service, &["m", "a", "ready"]);
}
