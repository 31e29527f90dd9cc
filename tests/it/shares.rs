//! Scripts that take long: others get their share of the threads, and the log begins anew all the same.

use crate::support::{Host, HostSetup, LedgerView, PATH, event, eventually};
use rusqlite::Connection;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// `slow` looks at a record and goes on until its time is up; `quick` writes one.
fn host(engine_time_max: &str) -> Host {
    HostSetup::new(&format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [limits]\nengine_time_max = \"{engine_time_max}\"\noperations_max = 1000000000\n\n\
         [handlers.quick]\nevents = [\"invoice.paid\"]\nscript = \"scripts/quick.rhai\"\nrecords = [\"paid\"]\n\n\
         [handlers.slow]\nevents = [\"customer.created\"]\nscript = \"scripts/slow.rhai\"\nrecords = [\"paid\"]\n\
         retry = {{ attempts = 1 }}\n",
    ))
    .file("scripts/quick.rhai", "records(\"paid\").set(event.data.object.id, #{ paid: true });")
    .file("scripts/slow.rhai", "records(\"paid\").get(\"in_0\");\nloop {}")
    .start()
}

fn dead_runs(ledger: &LedgerView) -> i64 {
    ledger.number("SELECT count(*) FROM runs_open WHERE state = 'dead'")
}

fn post(host: &Host, kind: &str, objects: std::ops::Range<u32>) {
    let mut client = host.client();
    for it in objects {
        let it = event(kind, &format!("{kind}_{it}"));
        assert_eq!(client.post(PATH, &it).unwrap().status, 200);
    }
}

/// Waits until all of the log was so often in the database, so that it may begin anew, while events go on coming.
fn is_copied_whole(host: &Host, times: u32) {
    let beside = Connection::open(host.data().join("ledger.db")).unwrap();
    let (mut posted, mut whole) = (1000, 0);
    eventually(SOON, || {
        posted += 1;
        post(host, "invoice.paid", posted..posted + 1);
        let (log, copied): (i64, i64) = beside
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok((row.get(1)?, row.get(2)?))
            })
            .unwrap();
        whole += u32::from(0 < log && log == copied);
        whole == times
    });
}

#[test]
fn many_runs_that_take_their_whole_time_leave_others_their_share_of_the_threads() {
    const SLOW_RUNS: u32 = 60;
    let host = host("400ms");
    let ledger = host.ledger();
    post(&host, "customer.created", 0..SLOW_RUNS);
    eventually(SOON, || 2 <= dead_runs(&ledger));
    post(&host, "invoice.paid", 0..5);
    eventually(SOON, || ledger.done_runs() == 5);
    let over = dead_runs(&ledger);
    assert!(
        over < i64::from(SLOW_RUNS) / 2,
        "{over} slow runs came before the quick ones"
    );
}

#[test]
fn a_run_that_takes_long_keeps_the_log_from_beginning_anew_for_a_moment_only() {
    let host = host("10s");
    let ledger = host.ledger();
    post(&host, "customer.created", 0..1);
    // The first of the others cannot be over before the slow one has looked.
    post(&host, "invoice.paid", 0..20);
    eventually(SOON, || ledger.done_runs() == 20);
    is_copied_whole(&host, 1);
    assert_eq!(
        dead_runs(&ledger),
        0,
        "the log was whole in the database only after the slow run"
    );
}

#[test]
fn runs_one_upon_the_other_do_not_keep_the_log_from_beginning_anew() {
    const RUNS: u32 = 200;
    let host = host("60ms");
    let ledger = host.ledger();
    post(&host, "customer.created", 0..RUNS);
    eventually(SOON, || 10 <= dead_runs(&ledger));
    is_copied_whole(&host, 20);
    let over = dead_runs(&ledger);
    assert!(
        over < i64::from(RUNS),
        "the log was whole in the database only when nothing ran any more"
    );
}
