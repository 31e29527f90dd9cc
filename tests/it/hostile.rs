//! The real host while handlers run scripts that mean harm: it answers, runs what is well, and says what was wrong.
//! What each such script comes to is told by tests/hostile, how long an answer takes by `bench/run hostile`.

use crate::support::{HostSetup, PATH, event, eventually};
use std::time::Duration;

const IN_TIME: Duration = Duration::from_secs(120);
const SCRIPTS: [(&str, &str); 6] = [
    (
        "loops",
        include_str!("../golden/hostile/loops/loop_alone.rhai"),
    ),
    (
        "slow",
        include_str!("../golden/hostile/slow/index_of_in_long_texts.rhai"),
    ),
    (
        "texts",
        include_str!("../golden/hostile/balloons/many_long_texts.rhai"),
    ),
    (
        "maps",
        include_str!("../golden/hostile/balloons/parsed_maps.rhai"),
    ),
    (
        "caught",
        include_str!("../golden/hostile/catching/memory_in_a_callback.rhai"),
    ),
    (
        "nested",
        include_str!("../golden/hostile/slow/nested_ever_deeper.rhai"),
    ),
];

#[test]
fn every_event_is_answered_200_and_handled_while_other_scripts_do_their_worst() {
    let mut config = format!(
        "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [handlers.well]\nevents = [\"customer.created\"]\nscript = \"scripts/well.rhai\"\nrecords = [\"customers\"]\n"
    );
    let mut setup = Vec::new();
    for (name, text) in SCRIPTS {
        config += &format!(
            "\n[handlers.{name}]\nevents = [\"invoice.created\"]\nscript = \"scripts/{name}.rhai\"\n\
             retry = {{ attempts = 2, first = \"100ms\", max = \"1s\" }}\n"
        );
        setup.push((format!("scripts/{name}.rhai"), text));
    }
    let well = "records(\"customers\").set(event.data.object.id, #{ seen: true });";
    let mut host = HostSetup::new(&config).file("scripts/well.rhai", well);
    for (path, text) in setup {
        host = host.file(&path, text);
    }
    let mut host = host.start();
    let mut client = host.client();
    let hostile = event("invoice.created", "in_1");
    assert_eq!(client.post(PATH, &hostile).unwrap().status, 200);
    for n in 0..100 {
        let it = event("customer.created", &format!("cus_{n}"));
        assert_eq!(client.post(PATH, &it).unwrap().status, 200);
    }
    let ledger = host.ledger();
    let dead = "SELECT count(*) FROM runs_open WHERE state = 'dead'";
    eventually(IN_TIME, || {
        ledger.done_runs() == 100 && ledger.number(dead) == SCRIPTS.len() as i64
    });
    assert!(host.is_running());
    let why = host.command(&["why", &hostile.id]).output().unwrap();
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(
        why.contains("used more than 64 MiB of memory and was stopped"),
        "{why}"
    );
    assert_eq!(host.get("/readyz").status, 200);
    assert_eq!(host.terminate().code(), Some(0));
}
