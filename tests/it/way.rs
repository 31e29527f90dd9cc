//! The way of an event: posted, stored, answered, run once to effect.

use crate::support::{FakeService, Host, HostSetup, PATH, Reaction, event, eventually};
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn with_service(service: &FakeService, script: &str, more: &str) -> Host {
    HostSetup::new(&format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [services.books]\nurl = \"{}\"\nprivate_network = true\nheaders = {{ authorization = \"Bearer ${{BOOKS_TOKEN}}\" }}\n\n\
         [handlers.only]\nevents = [\"invoice.paid\"]\nscript = \"scripts/only.rhai\"\nrecords = [\"invoices\"]\n\
         services = [\"books\"]\nretry = {{ attempts = 4, first = \"100ms\", max = \"5s\" }}\n{more}",
        service.url()
    ))
    .file("scripts/only.rhai", script)
    .env("BOOKS_TOKEN", "s3cr3t-token")
    .start()
}

fn all_done(host: &Host, runs: i64) {
    let ledger = host.ledger();
    eventually(SOON, || {
        ledger.done_runs() == runs && ledger.open_runs() == 0
    });
}

#[test]
fn an_event_that_is_answered_200_changes_the_record_that_its_script_says() {
    let host = HostSetup::one_handler(
        "[\"customer.created\"]",
        "[\"customers\"]",
        "let it = event.data.object;\nrecords(\"customers\").set(it.id, #{ email: it.email, at: event.created });",
    )
    .start();
    let it = event("customer.created", "cus_1")
        .with("email", "a@example.com")
        .created(1_700_000_000);
    let answer = host.post(&it);
    assert_eq!(
        (answer.status, answer.text()),
        (200, "{\"received\":true}".into())
    );
    all_done(&host, 1);
    assert_eq!(
        host.ledger().record("customers", "cus_1"),
        Some(json!({ "email": "a@example.com", "at": 1_700_000_000 }))
    );
}

#[test]
fn a_duplicate_is_answered_200_and_does_nothing() {
    let host = HostSetup::one_handler(
        "[\"customer.created\"]",
        "[\"counts\"]",
        "records(\"counts\").add(\"all\", \"n\", 1);",
    )
    .start();
    let it = event("customer.created", "cus_1");
    for _ in 0..3 {
        assert_eq!(host.post(&it).status, 200);
    }
    all_done(&host, 1);
    assert_eq!(
        host.ledger().record("counts", "all"),
        Some(json!({ "n": 1 }))
    );
}

#[test]
fn events_of_one_object_run_in_the_order_of_acceptance() {
    let host = HostSetup::one_handler(
        "[\"customer.updated\"]",
        "[\"log\"]",
        "let list = records(\"log\");\nlet old = list.get(event.data.object.id);\n\
         let seen = if old == () { [] } else { old.seen };\nseen.push(event.data.object.n);\n\
         list.set(event.data.object.id, #{ seen: seen });",
    )
    .start();
    let mut client = host.client();
    for n in 0..40 {
        let it = event("customer.updated", &format!("cus_{}", n % 2)).with("n", n);
        assert_eq!(client.post(PATH, &it).unwrap().status, 200);
    }
    all_done(&host, 40);
    for object in 0..2 {
        let expected: Vec<i64> = (0..40).filter(|it| it % 2 == object).collect();
        let record = host
            .ledger()
            .record("log", &format!("cus_{object}"))
            .unwrap();
        assert_eq!(record, json!({ "seen": expected }));
    }
}

#[test]
fn a_call_is_made_once_with_the_services_secret_and_its_answer_is_used() {
    let service = FakeService::start();
    service.always(Reaction::answer(201, "{\"booking_id\":\"b_1\"}"));
    let script = "let invoice = event.data.object;\n\
        let answer = service(\"books\").post(`/invoices/${invoice.id}/paid`, #{ amount: invoice.amount_paid });\n\
        records(\"invoices\").update(invoice.id, #{ booking: answer.body.booking_id });";
    let host = with_service(&service, script, "");
    host.post(&event("invoice.paid", "in_1").with("amount_paid", 1200));
    all_done(&host, 1);
    assert_eq!(
        host.ledger().record("invoices", "in_1"),
        Some(json!({ "booking": "b_1" }))
    );
    let asked = service.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("POST", "/invoices/in_1/paid")
    );
    assert_eq!(asked[0].body, "{\"amount\":1200}");
    assert_eq!(asked[0].headers["authorization"], "Bearer s3cr3t-token");
    assert_eq!(asked[0].headers["idempotency-key"].len(), 32);
    assert!(!host.log().contains("s3cr3t-token"));
    let kept = std::fs::read(host.data().join("ledger.db")).unwrap();
    assert!(!kept.windows(12).any(|it| it == b"s3cr3t-token"));
}

#[test]
fn a_settled_call_is_not_made_again_when_a_later_line_fails() {
    let service = FakeService::start();
    service.next([
        Reaction::answer(200, "{\"id\":1}"),
        Reaction::answer(500, "oops"),
        Reaction::answer(503, "oops"),
        Reaction::answer(200, "{\"id\":2}"),
    ]);
    let script = "let books = service(\"books\");\nlet a = books.post(\"/a\", #{ n: 1 });\nlet b = books.post(\"/b\", #{ n: 2 });\n\
        records(\"invoices\").set(\"x\", #{ a: a.body.id, b: b.body.id });";
    let host = with_service(&service, script, "");
    host.post(&event("invoice.paid", "in_1"));
    all_done(&host, 1);
    assert_eq!(
        host.ledger().record("invoices", "x"),
        Some(json!({ "a": 1, "b": 2 }))
    );
    let asked = service.asked();
    let paths: Vec<&str> = asked.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["/a", "/b", "/b", "/b"]);
    let keys: Vec<&str> = asked
        .iter()
        .map(|it| it.headers["idempotency-key"].as_str())
        .collect();
    assert_ne!(keys[0], keys[1]);
    assert_eq!((keys[1], keys[1]), (keys[2], keys[3]));
    assert_eq!(host.ledger().number("SELECT max(number) FROM attempts"), 3);
}

#[test]
fn a_run_that_fails_each_time_is_dead_and_its_neighbours_go_on() {
    let host = HostSetup::new(&format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [handlers.only]\nevents = [\"customer.created\"]\nscript = \"scripts/only.rhai\"\nrecords = [\"customers\"]\n\
         retry = {{ attempts = 2, first = \"100ms\", max = \"5s\" }}\n"
    ))
    .file(
        "scripts/only.rhai",
        "let it = event.data.object;\nif it.id == \"cus_bad\" {\n    let x = it.emial;\n}\nrecords(\"customers\").set(it.id, #{});",
    )
    .start();
    host.post(&event("customer.created", "cus_bad").with("email", "a@example.com"));
    host.post(&event("customer.created", "cus_good"));
    let ledger = host.ledger();
    eventually(SOON, || {
        ledger.number("SELECT count(*) FROM runs_open WHERE state = 'dead'") == 1
    });
    eventually(SOON, || ledger.done_runs() == 1);
    assert!(ledger.record("customers", "cus_good").is_some());
    assert!(ledger.record("customers", "cus_bad").is_none());
    let error: serde_json::Value = serde_json::from_str(
        &ledger.texts("SELECT error FROM attempts WHERE error IS NOT NULL")[0],
    )
    .unwrap();
    assert_eq!(
        (&error["script"], &error["line"]),
        (&json!("scripts/only.rhai"), &json!(3))
    );
    let message = error.to_string();
    assert!(
        message.contains("emial") && message.contains("email"),
        "{message}"
    );
}

#[test]
fn what_was_open_at_the_end_goes_on_at_the_start() {
    let service = FakeService::start();
    service.always(Reaction::answer(500, "down"));
    let script = "service(\"books\").post(\"/x\", #{});\nrecords(\"invoices\").set(event.id, #{});";
    let mut host = with_service(&service, script, "");
    host.save(
        "handlers.toml",
        &std::fs::read_to_string(host.folder().join("handlers.toml"))
            .unwrap()
            .replace("attempts = 4", "attempts = 100"),
    );
    assert!(host.command(&["reload"]).status().unwrap().success());
    for number in 0..10 {
        assert_eq!(
            host.post(&event("invoice.paid", &format!("in_{number}")))
                .status,
            200
        );
    }
    assert!(host.terminate().success());
    service.always(Reaction::answer(200, "{}"));
    host.restart();
    all_done(&host, 10);
    assert_eq!(host.ledger().number("SELECT count(*) FROM records"), 10);
}

#[test]
fn an_open_run_whose_handler_is_gone_is_held_and_goes_on_when_it_is_back() {
    let service = FakeService::start();
    service.always(Reaction::answer(500, "down").after(Duration::from_millis(50)));
    let script = "service(\"books\").post(\"/x\", #{});";
    let other = "[handlers.other]\nevents = [\"invoice.voided\"]\nscript = \"scripts/only.rhai\"\nservices = [\"books\"]\n";
    let host = with_service(&service, script, other);
    let config = std::fs::read_to_string(host.folder().join("handlers.toml")).unwrap();
    host.save(
        "handlers.toml",
        &config.replace("attempts = 4", "attempts = 100"),
    );
    assert!(host.command(&["reload"]).status().unwrap().success());
    host.post(&event("invoice.paid", "in_1"));
    let ledger = host.ledger();
    eventually(SOON, || ledger.number("SELECT count(*) FROM attempts") > 0);
    let without = config.replace("[handlers.only]", "[handlers.renamed]");
    host.save("handlers.toml", &without);
    assert!(host.command(&["reload"]).status().unwrap().success());
    eventually(SOON, || {
        ledger.number("SELECT count(*) FROM runs_open WHERE state = 'held'") == 1
    });
    service.always(Reaction::answer(200, "{}"));
    host.save("handlers.toml", &config);
    assert!(host.command(&["reload"]).status().unwrap().success());
    all_done(&host, 1);
}

#[test]
fn a_second_host_on_one_folder_is_refused_with_the_pid_of_the_first() {
    let host = HostSetup::one_handler("[\"customer.created\"]", "[\"x\"]", "skip(\"no\");").start();
    let mut second = host.command(&["serve"]);
    let output = second.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains(&format!("in use by process {}", host.pid())),
        "{said}"
    );
}

#[test]
fn a_second_signal_ends_at_once_and_loses_nothing() {
    let service = FakeService::start();
    service.always(Reaction::answer(200, "{}").after(Duration::from_secs(15)));
    let mut host = with_service(&service, "service(\"books\").get(\"/x\");", "");
    assert_eq!(host.post(&event("invoice.paid", "in_1")).status, 200);
    eventually(SOON, || !service.asked().is_empty());
    host.signal(rustix::process::Signal::TERM);
    eventually(SOON, || host.log().contains("stopping"));
    host.signal(rustix::process::Signal::TERM);
    let begin = std::time::Instant::now();
    assert!(!host.wait().success());
    assert!(begin.elapsed() < Duration::from_secs(5));
    service.always(Reaction::answer(200, "{}"));
    host.restart();
    all_done(&host, 1);
}
