//! Services that are ill or slow: what needs them waits without harm, and all else goes on.

use crate::support::{
    Asked, FakeService, Host, HostSetup, Load, PATH, Reaction, event, eventually,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);
const LANES: usize = 20;
const BREAKER: &str = "breaker = { failures = 5, first = \"100ms\", max = \"500ms\" }";

const BOOK: &str = "let it = event.data.object;\n\
    let answer = service(\"books\").post(`/${it.id}`, #{ n: it.n });\n\
    records(\"booked\").set(event.id, #{ status: answer.status });\n";
const PAY: &str =
    "service(\"bank\").post(`/${event.data.object.id}`, #{ n: event.data.object.n });\n";

/// One handler that needs the books, and one that needs the bank.
fn host(books: &FakeService, bank: &FakeService, more: &str) -> HostSetup {
    HostSetup::new(&format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [services.books]\nurl = \"{}\"\nprivate_network = true\n{BREAKER}\n\n\
         [services.bank]\nurl = \"{}\"\nprivate_network = true\n\n\
         [handlers.book]\nevents = [\"invoice.paid\"]\nscript = \"scripts/book.rhai\"\nrecords = [\"booked\"]\n\
         services = [\"books\"]\nretry = {{ attempts = 12, first = \"100ms\", max = \"1s\" }}\n\n\
         [handlers.pay]\nevents = [\"charge.succeeded\"]\nscript = \"scripts/pay.rhai\"\nservices = [\"bank\"]\n{more}",
        books.url(),
        bank.url()
    ))
    .file("scripts/book.rhai", BOOK)
    .file("scripts/pay.rhai", PAY)
}

/// A service that is dead while the switch says so: it answers 503, or not at all.
fn mortal() -> (FakeService, Arc<AtomicBool>) {
    let service = FakeService::start();
    let is_dead = Arc::new(AtomicBool::new(false));
    service.react({
        let (is_dead, mut number) = (is_dead.clone(), 0);
        move |_| {
            number += 1;
            match (is_dead.load(Ordering::SeqCst), number % 2) {
                (false, _) => Reaction::default(),
                (true, 0) => Reaction::answer(503, "dead"),
                (true, _) => Reaction::default().cut_after(0),
            }
        }
    });
    (service, is_dead)
}

/// The numbers of the calls that were answered 200, by object, in the order in which they came.
fn answered(asked: &[Asked]) -> BTreeMap<String, Vec<i64>> {
    let mut by_path: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for it in asked.iter().filter(|it| it.status == 200) {
        let body: Value = serde_json::from_str(&it.body).unwrap();
        let n = body["n"].as_i64().unwrap();
        by_path.entry(it.path.clone()).or_default().push(n);
    }
    by_path
}

fn text_of(host: &Host, args: &[&str]) -> String {
    let output = host.command(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The state of a service, as the command tells it.
fn status(host: &Host, name: &str) -> Value {
    text_of(host, &["services", "--json"])
        .lines()
        .map(|it| serde_json::from_str::<Value>(it).unwrap())
        .find(|it| it["name"] == name)
        .unwrap()
}

#[test]
fn a_service_that_dies_for_a_while_costs_no_attempt_no_order_and_no_other_service() {
    let ((books, is_dead), bank) = (mortal(), FakeService::start());
    let host = host(&books, &bank, "").start();
    let mut load = Load::start(4, Duration::from_millis(20), |sender, n| {
        let kind = if n % 2 == 0 {
            "invoice.paid"
        } else {
            "charge.succeeded"
        };
        let object = format!("o_{sender}_{}", n % LANES);
        event(kind, &object).with("n", i64::try_from(n).unwrap())
    });
    load.aim_at(host.address());
    eventually(SOON, || books.asked().len() > 50);

    is_dead.store(true, Ordering::SeqCst);
    let died = Instant::now();
    eventually(SOON, || status(&host, "books")["state"] != "closed");
    let asked_when_ill = books.asked().len();
    let since = status(&host, "books")["since"].as_i64();
    eventually(SOON, || died.elapsed() > Duration::from_secs(3));
    load.stop();
    let posted = i64::try_from(load.acknowledged().len()).unwrap();

    // The bank's runs are done while the books are still dead.
    let ledger = host.ledger();
    eventually(SOON, || {
        ledger.number("SELECT count(*) FROM runs_open WHERE handler = 'pay'") == 0
    });
    // So is everything that could begin: each run that needs the books was put off once and lies still.
    eventually(SOON, || {
        ledger.number("SELECT count(*) FROM runs_open WHERE waits_for = 'books'") > 20
    });
    let looks = books.asked().len() - asked_when_ill;
    assert!(
        looks < 40,
        "{looks} calls in {:?} of illness",
        died.elapsed()
    );
    let put_off_again = ledger.number("SELECT sum(epoch - 1) FROM runs_open WHERE epoch > 0");
    assert!(
        put_off_again < 60,
        "{put_off_again} times a run was woken in vain"
    );
    let why = ledger
        .texts("SELECT why FROM runs_open WHERE waits_for = 'books' LIMIT 1")
        .remove(0);
    assert!(why.starts_with("service `books` is ill: "), "{why}");

    let ready = host.get("/readyz");
    assert_eq!(ready.status, 200, "degraded and ready");
    assert!(
        ready.text().contains("service `books` is ill"),
        "{}",
        ready.text()
    );
    let shown = status(&host, "books");
    assert!(shown["runs_waiting"].as_i64().unwrap() > 20, "{shown}");
    assert!(shown["last_error"]["message"].is_string(), "{shown}");
    let table = text_of(&host, &["services"]);
    assert!(
        table.contains("bank") && table.contains("closed"),
        "{table}"
    );

    is_dead.store(false, Ordering::SeqCst);
    let well = Instant::now();
    eventually(SOON, || ledger.open_runs() == 0);
    eprintln!(
        "{posted} runs, all done {:?} after the recovery",
        well.elapsed()
    );
    assert_eq!(ledger.done_runs(), posted);
    assert_eq!(
        ledger.number("SELECT count(*) FROM runs_done WHERE state <> 'done'"),
        0
    );
    // What failed just before it was found ill is written a moment later.
    let later = since.unwrap() + 1000;
    let spent = ledger.number(&format!(
        "SELECT count(*) FROM attempts WHERE outcome = 'failed' AND started_at > {later}"
    ));
    assert_eq!(spent, 0, "attempts were spent while it was ill");
    let failed = ledger.number("SELECT count(DISTINCT run) FROM attempts WHERE outcome = 'failed'");
    assert!(failed < 5, "{failed} runs failed before it was found ill");
    for (lane, numbers) in answered(&books.asked()) {
        assert!(numbers.is_sorted(), "{lane}: {numbers:?}");
    }
    let log = host.log();
    for said in ["service `books` is ill: ", "service `books` is well again"] {
        assert!(log.contains(said), "{said}");
    }
    assert_eq!(status(&host, "books")["state"], "closed");
}

#[test]
fn a_look_that_is_told_to_wait_is_the_only_call_for_as_long() {
    let (books, bank) = (FakeService::start(), FakeService::start());
    let is_busy = Arc::new(AtomicBool::new(false));
    books.react({
        let (is_busy, mut looks) = (is_busy.clone(), 0);
        move |_| {
            looks += i32::from(is_busy.load(Ordering::SeqCst));
            match looks {
                0 => Reaction::answer(500, "dead"),
                1 => Reaction::answer(429, "slow").header("retry-after", "4"),
                _ => Reaction::default(),
            }
        }
    });
    let host = host(&books, &bank, "").start();
    for n in 0..25 {
        host.post(&event("invoice.paid", &format!("in_{n}")).with("n", n));
    }
    let ledger = host.ledger();
    let waiting = "SELECT count(*) FROM runs_open WHERE waits_for = 'books'";
    eventually(SOON, || ledger.number(waiting) >= 20);
    let spent = "SELECT count(*) FROM attempts WHERE outcome = 'failed'";
    let spent_before = ledger.number(spent);

    is_busy.store(true, Ordering::SeqCst);
    let answered_429 = || books.asked().iter().filter(|it| it.status == 429).count();
    eventually(SOON, || answered_429() == 1);
    let told = Instant::now();
    let asked = books.asked().len();
    while told.elapsed() < Duration::from_secs(3) {
        assert_eq!(books.asked().len(), asked, "after {:?}", told.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ledger.done_runs(), 0, "nobody follows");
    eventually(SOON, || ledger.done_runs() == 25);
    assert_eq!(ledger.number(spent), spent_before);
}

#[test]
fn runs_that_wait_for_an_ill_service_go_on_after_a_restart() {
    let ((books, is_dead), bank) = (mortal(), FakeService::start());
    is_dead.store(true, Ordering::SeqCst);
    let mut host = host(&books, &bank, "").start();
    for n in 0..30 {
        host.post(&event("invoice.paid", &format!("in_{}", n % 10)).with("n", n));
    }
    let waiting = "SELECT count(*) FROM runs_open WHERE waits_for = 'books'";
    eventually(SOON, || host.ledger().number(waiting) >= 5);
    host.kill9();
    is_dead.store(false, Ordering::SeqCst);
    host.restart();
    eventually(SOON, || host.ledger().done_runs() == 30);
    for (lane, numbers) in answered(&books.asked()) {
        assert!(numbers.is_sorted(), "{lane}: {numbers:?}");
    }
}

#[test]
fn what_a_run_logged_and_called_before_it_was_put_off_is_told_once_however_often_it_is() {
    let ((books, is_dead), bank) = (mortal(), FakeService::start());
    is_dead.store(true, Ordering::SeqCst);
    let both = "let it = event.data.object;\nlog.info(`paying ${it.id}`);\n\
        service(\"bank\").post(\"/pay\", #{ n: it.n });\n\
        service(\"books\").post(`/${it.id}`, #{ n: it.n });\nlog.info(\"booked\");";
    let host = host(
        &books,
        &bank,
        "\n[handlers.both]\nevents = [\"customer.created\"]\nscript = \"scripts/both.rhai\"\n\
         services = [\"bank\", \"books\"]\nretry = { attempts = 1 }\n",
    )
    .file("scripts/both.rhai", both)
    .start();
    for n in 0..8 {
        host.post(&event("invoice.paid", &format!("in_{n}")).with("n", n));
    }
    eventually(SOON, || status(&host, "books")["state"] != "closed");
    let it = event("customer.created", "cus_1").with("n", 7);
    host.post(&it);
    let of_run = "FROM runs_open WHERE handler = 'both'";
    let ledger = host.ledger();
    // It is put off, and again after each of its looks that was in vain.
    eventually(SOON, || {
        ledger.number(&format!("SELECT coalesce(sum(epoch), 0) {of_run}")) >= 3
    });
    let reports = ledger.texts(&format!(
        "SELECT number || ' ' || outcome FROM attempts WHERE run = (SELECT id {of_run})"
    ));
    assert_eq!(reports, ["1 put off"]);
    let why = text_of(&host, &["why", &it.id]);
    for told in [
        "put off",
        "paying cus_1",
        "/pay",
        "service `books` is ill: ",
    ] {
        assert!(why.contains(told), "{told}: {why}");
    }
    assert_eq!(ledger.number(&format!("SELECT attempts {of_run}")), 0);
    is_dead.store(false, Ordering::SeqCst);
    eventually(SOON, || ledger.open_runs() == 0);
    let why = text_of(&host, &["why", &it.id]);
    assert!(why.contains("booked") && !why.contains("put off"), "{why}");
    let paid = bank.asked().iter().filter(|it| it.path == "/pay").count();
    assert_eq!(paid, 1);
}

#[test]
fn a_change_of_a_services_settings_lets_go_on_what_waits_for_it() {
    let ((books, is_dead), bank) = (mortal(), FakeService::start());
    is_dead.store(true, Ordering::SeqCst);
    let host = host(&books, &bank, "").start();
    for n in 0..8 {
        host.post(&event("invoice.paid", &format!("in_{n}")).with("n", n));
    }
    eventually(SOON, || status(&host, "books")["state"] == "open");
    // The service begins anew, and calls tell how it is.
    let config = std::fs::read_to_string(host.folder().join("handlers.toml")).unwrap();
    is_dead.store(false, Ordering::SeqCst);
    host.save(
        "handlers.toml",
        &config.replace(BREAKER, "breaker = \"off\""),
    );
    eventually(SOON, || host.ledger().done_runs() == 8);
}

#[test]
fn a_slow_service_with_thousands_of_waiting_calls_starves_no_other_handler() {
    let (books, bank) = (FakeService::start(), FakeService::start());
    books.always(Reaction::default().after(Duration::from_millis(100)));
    let setup = host(
        &books,
        &bank,
        "\n[handlers.other-book]\nevents = [\"charge.refunded\"]\nscript = \"scripts/book.rhai\"\n\
         records = [\"booked\"]\nservices = [\"books\"]\n\n[limits]\nruns_in_flight_max = 64\n",
    );
    let host = setup.start();
    let mut client = host.client();
    for n in 0..500 {
        let it = event("invoice.paid", &format!("in_{n}")).with("n", n);
        assert_eq!(client.post(PATH, &it).unwrap().status, 200);
    }
    let ledger = host.ledger();
    let done = |handler: &str| {
        ledger.number(&format!(
            "SELECT count(*) FROM runs_done WHERE handler = '{handler}'"
        ))
    };
    let of_many = done("book");
    for kind in ["charge.succeeded", "charge.refunded"] {
        assert_eq!(
            client
                .post(PATH, &event(kind, "o").with("n", 1))
                .unwrap()
                .status,
            200
        );
    }
    eventually(SOON, || done("pay") == 1 && done("other-book") == 1);
    let meanwhile = done("book") - of_many;
    assert!(
        meanwhile < 300,
        "{meanwhile} of the many went before the one"
    );
    assert!(ledger.open_runs() > 0, "the many still wait");
    eventually(SOON, || ledger.open_runs() == 0);
    assert_eq!(
        ledger.number("SELECT max(attempts) FROM runs_done"),
        1,
        "waiting is no attempt"
    );
}

#[test]
fn without_a_host_nobody_knows_how_the_services_are() {
    let (books, bank) = (FakeService::start(), FakeService::start());
    let mut host = host(&books, &bank, "").start();
    host.terminate();
    let output = host.command(&["services"]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("Only a running host knows how its services are"),
        "{said}"
    );
}

/// What each of them has read is 7 MiB of memory while it waits.
#[test]
fn runs_that_hold_much_while_they_wait_wait_in_the_ledger_when_memory_has_no_room_for_them() {
    const RUNS: i64 = 30;
    let (books, bank) = (FakeService::start(), FakeService::start());
    let is_slow = Arc::new(AtomicBool::new(true));
    let answers_when = is_slow.clone();
    bank.react(move |_| match answers_when.load(Ordering::SeqCst) {
        true => Reaction::default().after(Duration::from_secs(5)),
        false => Reaction::default(),
    });
    let host = host(&books, &bank, "records = [\"large\"]\n")
        .file(
            "scripts/pay.rhai",
            "records(\"large\").find(#{}, 1000);\nservice(\"bank\").post(`/${event.data.object.id}`, #{});",
        )
        .start();
    let record = format!("{{\"text\":\"{}\"}}", "x".repeat(200_000));
    let lines = (0..17).map(|it| format!("{{\"id\":\"{it}\",\"body\":{record}}}\n"));
    let file = host.folder().join("large.jsonl");
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    text_of(
        &host,
        &["records", "import", "large", file.to_str().unwrap()],
    );
    for it in 0..RUNS {
        host.post(&event("charge.succeeded", &format!("ch_{it}")));
    }
    let ledger = host.ledger();
    let put_off = "SELECT count(*) FROM runs_open WHERE waits_for = 'bank' AND why LIKE 'memory has no room%'";
    eventually(SOON, || ledger.number(put_off) > 10);
    is_slow.store(false, Ordering::SeqCst);
    eventually(SOON, || ledger.done_runs() == RUNS);
    let attempts = "SELECT max(attempts) FROM runs_done";
    assert_eq!(ledger.number(attempts), 1, "it costs no attempt");
    let paths: std::collections::BTreeSet<String> =
        bank.asked().into_iter().map(|it| it.path).collect();
    assert_eq!((paths.len(), bank.asked().len()), (30, 30));
}
