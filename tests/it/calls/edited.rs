//! Nobody's edit silently books twice.

use super::{SOON, bodies, dead, done, edit, host, pay, run_id, told};
use crate::support::{FakeService, Host, eventually};

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
