//! A new version that is tried on a share of the runs.

use super::{ENDPOINT, IN_TIME, problems, reload, script};
use crate::support::{FakeService, Host, HostSetup, Reaction, event, eventually};
use std::time::Duration;

/// Tries new versions on half of the runs; `more` goes to the handler.
fn config(more: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n\n{ENDPOINT}\n[handlers.a]\nevents = [\"?a.created\"]\n\
         script = \"scripts/a.rhai\"\nrecords = [\"seen\"]\n\
         canary = {{ share = \"50%\", runs = 10, errors = \"10%\" }}\n{more}"
    )
}

fn host() -> Host {
    HostSetup::new(&config(""))
        .file("scripts/a.rhai", &script(1))
        .start()
}

/// Posts so many events, each about an object of its own, and waits until all are done.
fn post(host: &Host, count: usize) -> Vec<String> {
    let mut client = host.client();
    let ids: Vec<String> = (0..count)
        .map(|at| {
            let it = event("a.created", &format!("obj_{at}"));
            assert_eq!(client.post(crate::support::PATH, &it).unwrap().status, 200);
            it.id
        })
        .collect();
    let ledger = host.ledger();
    eventually(IN_TIME, || ledger.open_runs() == 0);
    ids
}

/// How many of the events were done by this version.
fn done_by(host: &Host, ids: &[String], version: i64) -> usize {
    let ledger = host.ledger();
    ids.iter()
        .filter(|it| {
            ledger
                .record("seen", it)
                .is_some_and(|it| it["version"] == version)
        })
        .count()
}

fn state_of(host: &Host, at: usize) -> String {
    let it = host.command(&["versions", "a", "--json"]).output().unwrap();
    let said = String::from_utf8(it.stdout).unwrap();
    let it: serde_json::Value = serde_json::from_str(said.lines().nth(at).unwrap()).unwrap();
    it["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_bad_version_is_rolled_back_by_itself_and_every_event_is_done() {
    let mut host = host();
    // It spoils nothing: what it wrote before its mistake is not kept.
    host.save("scripts/a.rhai", &format!("{}\nthrow \"bad\";", script(2)));
    let (is_good, said) = reload(&host);
    assert!(is_good, "{said}");
    assert_eq!(state_of(&host, 0), "canary");
    let ids = post(&host, 30);
    assert_eq!(done_by(&host, &ids, 1), 30);
    eventually(IN_TIME, || state_of(&host, 0) == "rolled_back");
    assert_eq!(state_of(&host, 1), "in_force");
    eventually(IN_TIME, || host.log().contains("its canary rolled back"));
    assert!(problems(&host)[0].contains("rolled back"));
    let checked = host.command(&["check"]).output().unwrap();
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(said.contains("its canary rolled it back"), "{said}");
    // Neither a restart nor a touch brings it back.
    assert!(host.terminate().success());
    host.restart();
    assert!(problems(&host)[0].contains("rolled back"));
    assert_eq!(done_by(&host, &post(&host, 10), 1), 10);
    host.save("scripts/a.rhai", &script(1));
    assert!(reload(&host).0);
    assert_eq!(problems(&host), [""; 0]);
}

#[test]
fn a_good_version_takes_its_share_first_and_then_all() {
    let host = host();
    host.save("scripts/a.rhai", &script(2));
    assert!(reload(&host).0);
    let ids = post(&host, 8);
    let by_new = done_by(&host, &ids, 2);
    assert_eq!(done_by(&host, &ids, 1), 8 - by_new);
    post(&host, 60);
    eventually(IN_TIME, || state_of(&host, 0) == "in_force");
    assert_eq!(done_by(&host, &post(&host, 10), 2), 10);
    assert_eq!(problems(&host), [""; 0]);
}

#[test]
fn a_canary_goes_on_where_it_was_after_a_restart() {
    let mut host = host();
    host.save("scripts/a.rhai", &script(2));
    assert!(reload(&host).0);
    let tried = "SELECT count(*) FROM canary_runs";
    eventually(IN_TIME, || {
        post(&host, 1);
        host.ledger().number(tried) >= 5
    });
    host.kill9();
    host.restart();
    assert_eq!(state_of(&host, 0), "canary");
    assert!(host.ledger().number(tried) >= 5);
    // No more than what is lacking to 10 of them is needed.
    eventually(IN_TIME, || {
        post(&host, 1);
        state_of(&host, 0) == "in_force"
    });
    let on_new = "SELECT count(*) FROM runs_done WHERE version = (SELECT value FROM meta WHERE key = 'last_good_version/a')";
    assert!(host.ledger().number(on_new) < 15);
}

#[test]
fn a_save_during_a_canary_takes_the_candidates_place() {
    let host = host();
    host.save("scripts/a.rhai", &script(2));
    assert!(reload(&host).0);
    host.save("scripts/a.rhai", &script(3));
    assert!(reload(&host).0);
    assert_eq!(state_of(&host, 0), "canary");
    assert_eq!(state_of(&host, 1), "not_in_force");
    post(&host, 60);
    eventually(IN_TIME, || state_of(&host, 0) == "in_force");
    assert_eq!(done_by(&host, &post(&host, 4), 3), 4);
}

#[test]
fn an_ill_service_is_not_the_candidates_fault() {
    let service = FakeService::start();
    let table = format!(
        "services = [\"books\"]\n\n[services.books]\nurl = \"{}\"\nprivate_network = true\n\
         # Or the runs would wait until it is well, on whichever version.\n\
         breaker = \"off\"\n",
        service.url()
    );
    let more = format!("retry = {{ attempts = 50, first = \"100ms\", max = \"1s\" }}\n{table}");
    let calls = |version: i64| {
        format!(
            "service(\"books\").post(\"/x\", #{{}});\n{}",
            script(version)
        )
    };
    let host = HostSetup::new(&config(&more))
        .file("scripts/a.rhai", &calls(1))
        .start();
    host.save("scripts/a.rhai", &calls(2));
    assert!(reload(&host).0);
    service.always(Reaction::answer(500, "{}"));
    let mut client = host.client();
    for at in 0..12 {
        let it = event("a.created", &format!("obj_{at}"));
        client.post(crate::support::PATH, &it).unwrap();
    }
    let excused = "SELECT count(*) FROM canary_runs WHERE outcome = 'excused'";
    eventually(IN_TIME, || host.ledger().number(excused) >= 2);
    assert_eq!(state_of(&host, 0), "canary");
    service.always(Reaction::default());
    eventually(IN_TIME + Duration::from_secs(10), || {
        host.ledger().open_runs() == 0
    });
    assert_eq!(state_of(&host, 0), "canary");
    // Each event's call was answered well once, whichever version made it.
    let settled = "SELECT count(*) FROM journal WHERE state = 'settled'";
    assert_eq!(host.ledger().number(settled), 12);
}

/// The first call is made by whoever comes first, and the version before the candidate goes on from there.
#[test]
fn what_fails_on_a_candidate_keeps_its_place_and_its_calls() {
    let service = FakeService::start();
    let more = format!(
        "order_by = \"data.object.id\"\nservices = [\"books\"]\n\n[services.books]\nurl = \"{}\"\nprivate_network = true\n",
        service.url()
    );
    let script = |end: &str| {
        format!(
            "service(\"books\").post(`/${{event.id}}`, #{{}});\n\
             let all = records(\"seen\").get(\"all\") ?? #{{ ids: [] }};\nlet ids = all.ids;\nids.push(event.id);\n\
             records(\"seen\").set(\"all\", #{{ ids: ids }});\n{end}"
        )
    };
    let host = HostSetup::new(&config(&more))
        .file("scripts/a.rhai", &script(""))
        .start();
    host.save("scripts/a.rhai", &script("throw \"bad\";"));
    assert!(reload(&host).0);
    let mut client = host.client();
    let posted: Vec<String> = (0..20)
        .map(|_| {
            let it = event("a.created", "obj_1");
            client.post(crate::support::PATH, &it).unwrap();
            it.id
        })
        .collect();
    eventually(IN_TIME, || host.ledger().open_runs() == 0);
    eventually(IN_TIME, || state_of(&host, 0) == "rolled_back");
    let done = host.ledger().record("seen", "all").unwrap();
    assert_eq!(done["ids"], serde_json::json!(posted));
    let paths: Vec<String> = service.asked().into_iter().map(|it| it.path).collect();
    let expected: Vec<String> = posted.iter().map(|it| format!("/{it}")).collect();
    assert_eq!(paths, expected);
}

/// A service that keeps no keys, in the settings of the handler; each of its failures is an attempt.
fn books(service: &FakeService) -> String {
    format!(
        "services = [\"books\"]\nretry = {{ attempts = 4, first = \"100ms\", max = \"1s\" }}\n\n\
         [services.books]\nurl = \"{}\"\nprivate_network = true\nidempotency = \"none\"\nbreaker = \"off\"\n",
        service.url()
    )
}

/// Posts some events, and waits until every run is done or dead.
fn post_all(host: &Host, count: usize) {
    let mut client = host.client();
    for at in 0..count {
        let it = event("a.created", &format!("obj_{at}"));
        assert_eq!(client.post(crate::support::PATH, &it).unwrap().status, 200);
    }
    let ledger = host.ledger();
    let going = "SELECT count(*) FROM runs_open WHERE state <> 'dead'";
    eventually(IN_TIME, || ledger.number(going) == 0);
}

/// The dead runs that need this decision, each with its event.
fn dead(host: &Host, needs: &str) -> Vec<(String, String)> {
    host.ledger()
        .texts(&format!(
            "SELECT runs_open.id || ' ' || events.id FROM runs_open JOIN events ON seq = runs_open.id / 10000
             WHERE state = 'dead' AND needs = '{needs}' ORDER BY runs_open.id"
        ))
        .iter()
        .map(|it| it.split_once(' ').unwrap())
        .map(|(run, event)| (run.to_owned(), event.to_owned()))
        .collect()
}

fn retry(host: &Host, run: &str, choice: &[&str]) {
    let args = [&["runs", "retry", run], choice].concat();
    let it = host.command(&args).output().unwrap();
    assert!(it.status.success(), "{it:?}");
    let ledger = host.ledger();
    let is_open = format!("SELECT count(*) FROM runs_open WHERE id = {run}");
    eventually(IN_TIME, || ledger.number(&is_open) == 0);
    let done_by = format!(
        "SELECT count(*) FROM runs_done WHERE id = {run} AND state = 'done'
           AND version = (SELECT value FROM meta WHERE key = 'last_good_version/a')"
    );
    assert_eq!(
        ledger.number(&done_by),
        1,
        "by the version that is in force"
    );
}

/// The bodies that the service was sent for an event.
fn sent(service: &FakeService, event: &str) -> Vec<String> {
    let of_event = format!("/{event}");
    let asked = service.asked().into_iter();
    asked
        .filter(|it| it.path == of_event)
        .map(|it| it.body)
        .collect()
}

#[test]
fn a_run_whose_calls_a_candidate_changed_waits_for_a_person_and_goes_on_with_the_old_version() {
    let service = FakeService::start();
    let calls = |names: &[&str], end: &str| {
        let calls: String = names
            .iter()
            .map(|it| {
                format!("service(\"books\").post(`/${{event.id}}`, #{{ what: \"{it}\" }});\n")
            })
            .collect();
        format!("{calls}{end}")
    };
    let host = HostSetup::new(&config(&books(&service)))
        .file("scripts/a.rhai", &calls(&["c"], ""))
        .start();
    host.save("scripts/a.rhai", &calls(&["a", "b"], "throw \"bad\";"));
    assert!(reload(&host).0);
    post_all(&host, 12);
    let dead = dead(&host, "calls_changed");
    assert!(1 < dead.len() && dead.len() < 12, "{dead:?}");
    assert_eq!(host.ledger().open_runs(), dead.len() as i64);
    let body = |it: &str| format!("{{\"what\":\"{it}\"}}");
    for (_, event) in &dead {
        assert_eq!(sent(&service, event), [body("a"), body("b")]);
    }
    // Its other calls are why the version before it cannot do them.
    eventually(IN_TIME, || state_of(&host, 0) == "rolled_back");
    let (again, reuse) = (&dead[0], &dead[1]);
    retry(&host, &again.0, &["--again"]);
    assert_eq!(sent(&service, &again.1), ["a", "b", "c"].map(body));
    retry(&host, &reuse.0, &["--reuse"]);
    assert_eq!(sent(&service, &reuse.1), ["a", "b"].map(body));
}

#[test]
fn a_candidates_call_whose_outcome_is_unknown_is_not_made_again_by_the_old_version() {
    let service = FakeService::start();
    service.always(Reaction::default().cut_after(0));
    let call = "service(\"books\").post(`/${event.id}`, #{});";
    let host = HostSetup::new(&config(&books(&service)))
        .file("scripts/a.rhai", call)
        .start();
    host.save("scripts/a.rhai", &format!("{call}\nlog.info(\"new\");"));
    assert!(reload(&host).0);
    post_all(&host, 12);
    let dead = dead(&host, "outcome_unknown");
    assert_eq!(dead.len(), 12);
    for (_, event) in &dead {
        assert_eq!(sent(&service, event).len(), 1);
    }
    let excused = host.ledger().texts(
        "SELECT run || ' ' || events.id FROM canary_runs JOIN events ON seq = run / 10000 WHERE outcome = 'excused' ORDER BY run",
    );
    assert!(1 < excused.len() && excused.len() < 12, "{excused:?}");
    service.always(Reaction::default());
    let of_canary = |at: usize| excused[at].split_once(' ').unwrap();
    let (settled, resent) = (of_canary(0), of_canary(1));
    retry(&host, settled.0, &["--settle", "200"]);
    assert_eq!(sent(&service, settled.1).len(), 1);
    retry(&host, resent.0, &["--resend"]);
    assert_eq!(sent(&service, resent.1).len(), 2);
    assert_eq!(state_of(&host, 0), "canary");
}

#[test]
fn new_settings_end_a_canary_by_what_it_has_done_already() {
    let host = HostSetup::new(&config("").replace("runs = 10", "runs = 1000"))
        .file("scripts/a.rhai", &script(1))
        .start();
    host.save("scripts/a.rhai", &script(2));
    assert!(reload(&host).0);
    post(&host, 30);
    assert_eq!(state_of(&host, 0), "canary");
    host.save(
        "handlers.toml",
        &config("").replace("runs = 10", "runs = 2"),
    );
    eventually(IN_TIME, || state_of(&host, 0) == "in_force");
}

#[test]
fn a_start_with_a_broken_handlers_toml_goes_on_with_the_version_that_was_tried() {
    let mut host = host();
    host.save("scripts/a.rhai", &script(2));
    assert!(reload(&host).0);
    host.save("handlers.toml", "[handlers.a\n");
    host.save("scripts/a.rhai", &script(3));
    assert!(!reload(&host).0);
    assert!(host.terminate().success());
    host.restart();
    assert_eq!(state_of(&host, 0), "canary");
    let ids = post(&host, 10);
    assert_eq!(done_by(&host, &ids, 3), 0);
    assert_eq!(done_by(&host, &ids, 1) + done_by(&host, &ids, 2), 10);
}
