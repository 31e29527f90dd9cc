//! Kill -9 at any moment loses nothing that was acknowledged, and no effect happens twice.

use crate::effects::{self, Dice};
use crate::support::{
    Client, FakeService, Faults, Host, HostSetup, Load, PATH, event, eventually, tell,
};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);
const SIGABRT: i32 = 6;
const ROUNDS: usize = 60;
/// Of these many rounds one ends the host while it has hardly started.
const EARLY_EVERY: usize = 5;

#[test]
fn kills_at_random_moments_lose_nothing_and_repeat_no_effect() {
    let begin = Instant::now();
    let mut dice = Dice::of("crash");
    let service = FakeService::start();
    let mut host = effects::host("127.1.0.1", &service).start();
    let mut load = Load::start(4, Duration::from_millis(12), effects::some);
    let mut ends = Vec::new();
    for round in 0..ROUNDS {
        load.aim_at(host.address());
        let life = if round % EARLY_EVERY == EARLY_EVERY - 1 {
            dice.ms(0, 120)
        } else {
            dice.ms(250, 800)
        };
        // Not a wait for something: the moment of death is what the test is about.
        std::thread::sleep(life);
        host.kill9();
        ends.push(effects::end(&service));
        host.restart();
    }
    load.aim_at(host.address());
    load.stop();
    let figures = effects::prove(&host, &load, &service, &ends);
    tell(&format!(
        "crash: {ROUNDS} rounds of kill -9, {figures}; {} s",
        begin.elapsed().as_secs()
    ));
}

#[test]
fn kills_during_checkpoints_lose_nothing() {
    /// The database grows by checkpoints alone: so much means that some have passed, and that others are going on.
    const GROWTH_BYTES: u64 = 16 * 1024 * 1024;
    const ROUNDS: usize = 4;
    let mut dice = Dice::of("checkpoint");
    let service = FakeService::start();
    let mut host = effects::host("127.1.0.2", &service).start();
    let mut big = Load::start(3, Duration::ZERO, |_, _| effects::big());
    let mut small = Load::start(1, Duration::from_millis(10), effects::some);
    let mut ends = Vec::new();
    let database = host.data().join("ledger.db");
    let length = || fs::metadata(&database).map_or(0, |it| it.len());
    for _ in 0..ROUNDS {
        let before = length();
        big.aim_at(host.address());
        small.aim_at(host.address());
        eventually(Duration::from_secs(60), || {
            length() >= before + GROWTH_BYTES
        });
        std::thread::sleep(dice.ms(0, 60));
        host.kill9();
        ends.push(effects::end(&service));
        host.restart();
    }
    big.stop();
    small.aim_at(host.address());
    small.stop();
    let stored = host.ledger().texts("SELECT id FROM events");
    let lost = effects::missing(&big.acknowledged(), &stored);
    assert_eq!(lost, 0);
    let figures = effects::prove(&host, &small, &service, &ends);
    tell(&format!(
        "checkpoint: {ROUNDS} rounds of kill -9, {} big events acknowledged, lost {lost}; {figures}",
        big.acknowledged().len()
    ));
}

#[test]
fn a_run_that_kills_the_process_is_dead_after_its_second_start_and_nothing_else_is() {
    const NEIGHBOUR: &str =
        "let n = 0;\nwhile n < 200000 { n += 1; }\nrecords(\"ended\").set(event.id, #{});";
    let mut host = HostSetup::new(&format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [limits]\noperations_max = 10000000\nscript_threads = 2\n\n\
         [handlers.fatal]\nevents = [\"customer.deleted\"]\nscript = \"scripts/fatal.rhai\"\n\n\
         [handlers.long]\nevents = [\"customer.created\"]\nscript = \"scripts/long.rhai\"\nrecords = [\"ended\"]\n\n\
         [handlers.short]\nevents = [\"customer.updated\"]\nscript = \"scripts/short.rhai\"\nrecords = [\"ended\"]\n"
    ))
    // A first attempt without the fault, so that its neighbours are in an engine before it comes to the second, on a slow
    // machine too.
    .file("scripts/fatal.rhai", "retry_in(\"5s\", \"not yet\");")
    .file("scripts/long.rhai", NEIGHBOUR)
    .file("scripts/short.rhai", "records(\"ended\").set(event.id, #{});")
    .start();
    let post = |host: &Host, kind: &str, object: &str| {
        let it = event(kind, object);
        assert_eq!(host.post(&it).status, 200);
        it.id
    };
    post(&host, "customer.deleted", "cus_fatal");
    eventually(SOON, || {
        host.ledger().number("SELECT count(*) FROM attempts") == 1
    });
    assert!(host.terminate().success());

    // First start: it comes to its turn while a neighbour is in the other thread's engine.
    let fatal = Faults::none().abort_on_write("/running", 10_001, None);
    host.restart_with(&fatal);
    let mut neighbours = Vec::new();
    let ledger = host.ledger();
    while host.is_running() {
        if neighbours.len() < 2 + usize::try_from(ledger.done_runs()).unwrap() {
            let it = event("customer.created", &format!("cus_{}", neighbours.len()));
            // The host may end between the two.
            let answer = Client::connect(host.address()).and_then(|mut to| to.post(PATH, &it));
            if answer.is_ok_and(|it| it.status == 200) {
                neighbours.push(it.id);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(ledger);
    assert_eq!(host.wait().signal(), Some(SIGABRT));
    let named = fs::read(host.data().join("running")).unwrap();
    let in_engines: Vec<i64> = named
        .chunks_exact(16)
        .map(|it| i64::from_le_bytes(it[..8].try_into().unwrap()))
        .filter(|it| *it != 0)
        .collect();
    assert_eq!(
        in_engines.len(),
        2,
        "a neighbour is in the other engine: {in_engines:?}"
    );

    // Second start: it comes again, alone.
    // It may end before it is seen to listen.
    let _ = host.try_restart(Some(&fatal));
    assert_eq!(host.wait().signal(), Some(SIGABRT));

    // Third start: it is dead, and all else goes on.
    host.restart_with(&fatal);
    neighbours.push(post(&host, "customer.updated", "cus_after"));
    let ledger = host.ledger();
    // One that was not answered may be stored all the same.
    eventually(SOON * 2, || ledger.done_runs() == ledger.events() - 1);
    assert_eq!(
        ledger.texts("SELECT id || ' ' || state || ': ' || coalesce(why, '') FROM runs_open"),
        [
            "10001 dead: the host ended while this run was in the script engine, and again when it ran alone"
        ]
    );
    for it in &neighbours {
        assert!(ledger.record("ended", it).is_some());
    }
    assert!(host.log().contains("run 10001 is dead"));
    drop(ledger);

    // And it stays so; an operator who knows better can have it run.
    host.restart();
    assert!(
        host.command(&["runs", "retry", "10001"])
            .status()
            .unwrap()
            .success()
    );
    eventually(SOON, || {
        host.ledger()
            .number("SELECT count(*) FROM runs_open WHERE state = 'waiting'")
            == 1
    });
    tell(&format!(
        "abort: the fatal run is dead after 2 starts, {} neighbours done, lost 0",
        neighbours.len()
    ));
}
