//! An attempt begins anew when a record that it read was changed meanwhile; its calls do not.

use super::{SOON, host};
use crate::support::{FakeService, PATH, Reaction, event, eventually};
use std::time::Duration;

#[test]
fn an_attempt_that_begins_anew_takes_the_answers_of_its_own_calls() {
    let service = FakeService::start();
    service.always(Reaction::answer(200, "{}").after(Duration::from_millis(500)));
    // All read the record before the first of them is answered: all but one find it changed when they are done.
    let script = "let before = records(\"booked\").get(\"all\");\nservice(\"books\").post(\"/x\", #{ of: event.id });\n\
        records(\"booked\").add(\"all\", \"n\", 1);";
    let host = host(&service, "", script);
    let mut client = host.client();
    for at in 0..4 {
        let it = event("invoice.paid", &format!("in_{at}"));
        assert_eq!(client.post(PATH, &it).unwrap().status, 200);
    }
    let ledger = host.ledger();
    eventually(SOON, || ledger.done_runs() == 4);
    assert_eq!(service.asked().len(), 4, "{:?}", service.asked());
    assert_eq!(
        ledger.record("booked", "all"),
        Some(serde_json::json!({ "n": 4 }))
    );
}
