//! What only a person can know, he says; and only that is done, once.

use super::{SOON, bodies, dead, done, edit, host, pay, run_id, told};
use crate::support::{FakeService, Reaction, eventually};
use serde_json::json;

const ONE: &str = "let a = service(\"books\").post(\"/x\", #{ n: 1 });\nrecords(\"booked\").set(\"it\", #{ status: a.status });";

/// A run whose only call was cut off, at a service that ignores keys.
fn unknown(service: &FakeService, script: &str) -> (crate::support::Host, String) {
    service.next([Reaction::default().cut_after(0)]);
    let host = host(service, "idempotency = \"none\"", script);
    let id = pay(&host);
    let why = dead(&host);
    let run = run_id(&host);
    for part in [
        "outcome unknown: POST",
        "ignores idempotency keys",
        &format!("`hookyard runs retry {run} --settle 200`"),
        &format!("`hookyard runs retry {run} --resend`"),
    ] {
        assert!(why.contains(part), "{part} in {why}");
    }
    assert_eq!(service.asked().len(), 1);
    (host, id)
}

#[test]
fn a_call_without_an_answer_is_not_sent_again_to_a_service_that_ignores_keys_unless_somebody_says_so()
 {
    let service = FakeService::start();
    let (host, id) = unknown(&service, ONE);
    let run = run_id(&host);
    // A plain retry changes nothing about that.
    told(&host, &["runs", "retry", &run], true);
    let ledger = host.ledger();
    eventually(SOON, || {
        ledger.number("SELECT count(*) FROM runs_open WHERE state = 'dead' AND attempts = 3") == 1
    });
    assert_eq!(service.asked().len(), 1);
    // It is sent once more, and no third time.
    service.next([Reaction::default().cut_after(0)]);
    told(&host, &["runs", "retry", &run, "--resend"], true);
    eventually(SOON, || {
        ledger.number("SELECT count(*) FROM runs_open WHERE state = 'dead' AND attempts = 5") == 1
    });
    assert_eq!(service.asked().len(), 2);
    told(&host, &["runs", "retry", &run, "--resend"], true);
    done(&host);
    let asked = service.asked();
    assert_eq!(asked.len(), 3);
    let key = |at: usize| &asked[at].headers["idempotency-key"];
    assert_eq!((key(0), key(0)), (key(1), key(2)));
    let story = told(&host, &["why", &id], true);
    for part in [
        "no answer: its outcome is unknown",
        "outcome unknown: sent before, never answered, and not sent again",
        "retry --resend",
        "sent again with the same key, settled, decided by an operator (--resend)",
    ] {
        assert!(story.contains(part), "{part} in {story}");
    }
}

#[test]
fn a_call_that_somebody_settles_is_never_sent_again_and_the_script_gets_his_answer() {
    let script = "let a = service(\"books\").post(\"/x\", #{ n: 1 });\nrecords(\"booked\").set(\"it\", #{ status: a.status, booking: a.body.id });";
    let service = FakeService::start();
    let (host, id) = unknown(&service, script);
    let run = run_id(&host);
    host.save("answer.json", "{\"id\":\"b_7\"}");
    let args = [
        "runs",
        "retry",
        &run,
        "--settle",
        "201",
        "--body",
        "answer.json",
    ];
    told(&host, &args, true);
    done(&host);
    assert_eq!(service.asked().len(), 1);
    assert_eq!(
        host.ledger().record("booked", "it"),
        Some(json!({ "status": 201, "booking": "b_7" }))
    );
    let story = told(&host, &["why", &id], true);
    for part in [
        "retry --settle",
        "call 1 has taken effect",
        "answered from the journal, not sent again, decided by an operator (--settle)",
    ] {
        assert!(story.contains(part), "{part} in {story}");
    }
    let decided = host
        .ledger()
        .texts("SELECT choice || ' ' || (length(decided_by) > 0) || ' ' || call FROM decisions");
    assert_eq!(decided, ["settle 1 1"]);
}

#[test]
fn an_answer_that_was_given_by_hand_is_replaced_by_the_next_one_while_the_run_is_dead() {
    let script = "let a = service(\"books\").post(\"/x\", #{ n: 1 });\nrecords(\"booked\").set(\"it\", #{ booking: a.body.id });";
    let service = FakeService::start();
    let (host, _) = unknown(&service, script);
    let run = run_id(&host);
    host.save("answer.json", "{\"id\": b_7}");
    let settle = ["runs", "retry", &run, "--settle", "201"];
    let with_body = [&settle[..], &["--body", "answer.json"]].concat();
    assert!(told(&host, &with_body, false).contains("line 1 column 8"));
    let with_text = [&with_body[..], &["--text"]].concat();
    for mistaken in [&settle[..], &with_text] {
        let attempts = "SELECT attempts FROM runs_open WHERE state = 'dead'";
        let before = host.ledger().number(attempts);
        told(&host, mistaken, true);
        let again =
            format!("SELECT count(*) FROM runs_open WHERE state = 'dead' AND attempts > {before}");
        eventually(SOON, || host.ledger().number(&again) == 1);
    }
    host.save("answer.json", "{\"id\": \"b_7\"}");
    told(&host, &with_body, true);
    done(&host);
    assert_eq!(service.asked().len(), 1);
    assert_eq!(
        host.ledger().record("booked", "it"),
        Some(json!({ "booking": "b_7" }))
    );
}

#[test]
fn a_decision_is_made_without_a_host_too_and_counts_at_its_next_start() {
    let service = FakeService::start();
    let (mut host, _) = unknown(&service, ONE);
    let run = run_id(&host);
    assert!(host.terminate().success());
    told(&host, &["runs", "retry", &run, "--settle", "200"], true);
    host.restart();
    done(&host);
    assert_eq!(service.asked().len(), 1);
}

/// A run that is dead because of a script that was edited after its first two calls.
fn changed(service: &FakeService, script: &str) -> crate::support::Host {
    let before =
        "for n in [1, 2] { service(\"books\").post(\"/x\", #{ n: n }); }\nthrow \"not yet\";";
    let host = host(service, "", before);
    pay(&host);
    let ledger = host.ledger();
    eventually(SOON, || ledger.number("SELECT count(*) FROM attempts") > 0);
    edit(&host, script);
    let why = dead(&host);
    let run = run_id(&host);
    for part in [
        "calls changed: POST /x to `books`",
        &format!("`hookyard runs retry {run} --reuse`"),
        &format!("`hookyard runs retry {run} --again`"),
    ] {
        assert!(why.contains(part), "{part} in {why}");
    }
    assert_eq!(bodies(service), ["{\"n\":1}", "{\"n\":2}"]);
    host
}

const EDITED: &str = "for n in [1, 2] { service(\"books\").post(\"/x\", #{ number: n }); }\nrecords(\"booked\").set(\"it\", #{});";

#[test]
fn earlier_answers_are_reused_when_somebody_says_so_and_nothing_is_sent() {
    let service = FakeService::start();
    let host = changed(&service, EDITED);
    told(&host, &["runs", "retry", &run_id(&host), "--reuse"], true);
    done(&host);
    assert_eq!(service.asked().len(), 2);
    assert!(host.ledger().record("booked", "it").is_some());
}

#[test]
fn changed_calls_are_made_anew_when_somebody_says_so_with_keys_of_their_own() {
    let service = FakeService::start();
    let host = changed(&service, EDITED);
    // The retry survives a failure: what it has made anew is not made a third time.
    service.next([Reaction::default(), Reaction::answer(503, "busy")]);
    told(&host, &["runs", "retry", &run_id(&host), "--again"], true);
    done(&host);
    assert_eq!(
        bodies(&service)[2..],
        ["{\"number\":1}", "{\"number\":2}", "{\"number\":2}"]
    );
    assert_eq!(service.times_by_key().len(), 4);
}

#[test]
fn a_choice_that_does_not_fit_the_run_is_refused_and_says_what_fits() {
    let service = FakeService::start();
    let host = changed(&service, EDITED);
    let run = run_id(&host);
    let complaint = told(&host, &["runs", "retry", &run, "--resend"], false);
    assert!(complaint.contains("no call of run"), "{complaint}");
    let complaint = told(&host, &["runs", "retry", &run, "--settle", "200"], false);
    assert!(
        complaint.contains("was answered, so there is none to settle"),
        "{complaint}"
    );
    let both = ["runs", "retry", &run, "--reuse", "--again"];
    assert!(told(&host, &both, false).contains("cannot be used with"));
    let strange = ["runs", "retry", &run, "--settle", &run];
    assert!(told(&host, &strange, false).contains("200..=599"));
    told(&host, &["runs", "retry", &run, "--reuse"], true);
    done(&host);
    let complaint = told(&host, &["runs", "retry", &run, "--reuse"], false);
    assert!(complaint.contains("is done"), "{complaint}");

    let service = FakeService::start();
    let (host, _) = unknown(&service, ONE);
    let run = run_id(&host);
    for choice in ["--reuse", "--again"] {
        let complaint = told(&host, &["runs", "retry", &run, choice], false);
        assert!(
            complaint.contains("not dead because its calls changed"),
            "{complaint}"
        );
    }
}
