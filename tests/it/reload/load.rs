//! Saves while events come: no event is lost, none is run by a broken version, and the new version is soon in force.

use super::{ENDPOINT, IN_TIME, link, problems, save_by_rename};
use crate::support::{Host, HostSetup, LedgerView, PATH, event, eventually};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SAVES: usize = 200;
const BROKEN_EVERY: usize = 10;
/// The three ways to save, and the handlers whose scripts are saved so.
const WAYS: [&str; 3] = ["written", "renamed", "linked"];
/// So many events a second.
const PACE: Duration = Duration::from_millis(10);
const IN_FORCE_MAX: Duration = Duration::from_millis(500);

/// Notes which version ran for an event, and that this version runs at all.
fn script(way: &str, version: usize) -> String {
    format!(
        "records(\"seen\").set(`{way} ${{event.id}}`, #{{ version: {version} }});\n\
         if records(\"versions\").get(\"{way} {version}\") == () {{ records(\"versions\").set(\"{way} {version}\", #{{}}); }}\n"
    )
}

fn host() -> Host {
    let handlers: String = WAYS
        .iter()
        .map(|way| {
            format!("[handlers.{way}]\nevents = [\"customer.created\"]\nscript = \"scripts/{way}.rhai\"\nrecords = [\"seen\", \"versions\"]\n")
        })
        .collect();
    let setup = HostSetup::new(&format!("{ENDPOINT}\n{handlers}"));
    WAYS.iter()
        .fold(setup, |setup, way| {
            setup.file(&format!("scripts/{way}.rhai"), &script(way, 0))
        })
        .start()
}

fn save(host: &Host, way: &str, version: usize, text: &str) {
    let path = format!("scripts/{way}.rhai");
    match way {
        "written" => host.save(&path, text),
        "renamed" => save_by_rename(host, &path, text),
        _ => {
            let real = format!("..version_{version}/{way}.rhai");
            host.save(&real, text);
            link(format!("../{real}"), &host.folder().join(&path));
        }
    }
}

fn is_in_force(ledger: &LedgerView, way: &str, version: usize) -> bool {
    ledger
        .record("versions", &format!("{way} {version}"))
        .is_some()
}

#[test]
fn two_hundred_saves_under_load_lose_nothing_and_run_nothing_broken() {
    let host = host();
    let ledger = host.ledger();
    let is_over = AtomicBool::new(false);
    let (posted, mut times) = thread::scope(|scope| {
        let posting = scope.spawn(|| post_until(&host, &is_over));
        let times = saves(&host, &ledger);
        is_over.store(true, Ordering::Relaxed);
        (posting.join().unwrap(), times)
    });
    let runs = i64::try_from(posted * WAYS.len()).unwrap();
    eventually(IN_TIME, || ledger.done_runs() == runs);
    assert_eq!(ledger.open_runs(), 0);
    let seen = "SELECT count(*) FROM records WHERE collection = 'seen'";
    assert_eq!(ledger.number(seen), runs);
    for version in (1..=SAVES).filter(|it| it.is_multiple_of(BROKEN_EVERY)) {
        let way = WAYS[version % WAYS.len()];
        assert!(
            !is_in_force(&ledger, way, version),
            "{way} {version} is broken and ran"
        );
    }
    times.sort();
    let quantile = |per_cent: usize| times[(times.len() - 1) * per_cent / 100];
    println!(
        "from save to in force, {} saves, {posted} events: p50 {:?}, p99 {:?}, max {:?}",
        times.len(),
        quantile(50),
        quantile(99),
        quantile(100)
    );
    assert!(quantile(50) < IN_FORCE_MAX, "{:?}", quantile(50));
}

/// Saves one after another, each when the one before it is in force; how long that took for each that is good.
fn saves(host: &Host, ledger: &LedgerView) -> Vec<Duration> {
    let mut times = Vec::new();
    for version in 1..=SAVES {
        let way = WAYS[version % WAYS.len()];
        let good = script(way, version);
        if version.is_multiple_of(BROKEN_EVERY) {
            // Had it come into force, it would have noted so before its mistake.
            save(host, way, version, &format!("{good}let x = ;\n"));
            eventually(IN_TIME, || problems(host).iter().any(|it| it.contains(way)));
            continue;
        }
        let start = Instant::now();
        save(host, way, version, &good);
        eventually(IN_TIME, || is_in_force(ledger, way, version));
        times.push(start.elapsed());
    }
    times
}

/// Posts at an even pace; how many events were answered 200.
fn post_until(host: &Host, is_over: &AtomicBool) -> usize {
    let mut client = host.client();
    let mut posted = 0;
    let start = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        let it = event("customer.created", &format!("cus_{posted}"));
        assert_eq!(client.post(PATH, &it).unwrap().status, 200);
        posted += 1;
        let due = start + PACE * u32::try_from(posted).unwrap();
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    posted
}
