use super::*;

/// The first pass asks for the call, the second goes on with its answer.
fn suspends(script: &str) {
    let first = given(script).pass();
    assert!(
        matches!(first.outcome, Outcome::Needs(_)),
        "{:?}",
        first.outcome
    );
    let second = given(script).answer(200, r#"{"n":1}"#).pass();
    assert!(
        matches!(second.outcome, Outcome::Done { .. }),
        "{:?}",
        second.outcome
    );
}

#[test]
fn a_call_whose_answer_is_not_there_stops_the_script() {
    suspends(r#"let a = service("accounting").get("/x"); if a.body.n != 1 { throw "no"; }"#);
}

#[test]
fn a_suspension_cannot_be_caught() {
    suspends(
        r#"try { service("accounting").get("/x"); } catch (e) { records("invoices").set("caught", #{}); }"#,
    );
}

#[test]
fn a_suspension_in_a_callback_cannot_be_caught() {
    for callback in [
        r#"[1].map(|it| service("accounting").get("/x"))"#,
        r#"[1].for_each(|it| service("accounting").get("/x"))"#,
        r#"[1].filter(|it| service("accounting").get("/x").status == 200)"#,
        r#"[1, 2].sort(|a, b| service("accounting").get("/x", #{ accept: [404] }).status)"#,
        r#"[1].reduce(|sum, it| service("accounting").get("/x").status, 0)"#,
        r#"[1].some(|it| service("accounting").get("/x").status == 200)"#,
        r#"[1].retain(|it| service("accounting").get("/x").status == 200)"#,
        r#"event.data.object.lines.data.find(|it| service("accounting").get("/x").status == 200)"#,
    ] {
        suspends(&format!(
            "try {{ {callback}; }} catch {{ }} try {{ }} catch {{ }}"
        ));
    }
}

#[test]
fn after_a_suspension_nothing_happens_any_more() {
    let pass = given(
        r#"try { [1].map(|it| service("accounting").get("/x")); } catch { log.info("caught"); records("invoices").set("a", #{}); }
           log.info("after");"#,
    )
    .pass();
    assert!(
        matches!(pass.outcome, Outcome::Needs(_)),
        "{:?}",
        pass.outcome
    );
    assert!(pass.log.is_empty(), "{:?}", pass.log);
}

#[test]
fn a_program_compiled_once_runs_each_event_with_its_own_values() {
    let given = given(
        r#"fn id() { event.id } log.info(event.id); log.info(id()); log.info([1].map(|it| event.id)[0]);"#,
    );
    let program = given.program();
    for id in ["evt_a", "evt_b"] {
        let event = format!(r#"{{"id":"{id}"}}"#);
        let pass = on_script_thread(|| run(&program, &event, given.world()));
        assert_eq!(
            pass.log
                .iter()
                .map(|it| it.text.as_str())
                .collect::<Vec<_>>(),
            [id, id, id]
        );
    }
}

#[test]
fn replays_of_an_attempt_see_the_same() {
    let given = given(r#"log.info(`${now()} ${random_id()} ${random_id()}`);"#);
    let first = given.log();
    assert_eq!(first, given.log());
    let ids: Vec<_> = first[0].split(' ').skip(1).collect();
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn skip_fail_and_retry_in_end_the_run_and_drop_its_changes() {
    let ends = |statement: &str| {
        let script = format!(
            "records(\"invoices\").set(\"a\", #{{}});\ntry {{ {statement} }} catch {{ }}\nlog.info(\"on\");"
        );
        let pass = given(&script).pass();
        assert!(pass.log.is_empty());
        pass.outcome
    };
    assert!(
        matches!(ends(r#"skip("not ours");"#), Outcome::Skipped { reason } if reason == "not ours")
    );
    let Outcome::Dead(failure) = ends(r#"fail("wrong account");"#) else {
        panic!()
    };
    assert_eq!(
        (
            failure.message.as_str(),
            failure.script.as_str(),
            failure.line
        ),
        ("wrong account", SCRIPT, 2)
    );
    assert_eq!(
        failure.source_line,
        r#"try { fail("wrong account"); } catch { }"#
    );
    let Outcome::RetryIn { wait, reason } = ends(r#"retry_in("10m", "not yet");"#) else {
        panic!()
    };
    assert_eq!(
        (wait, reason.as_str()),
        (Duration::from_secs(600), "not yet")
    );
    assert!(matches!(
        ends(r#"[1].map(|it| skip("in a callback"));"#),
        Outcome::Skipped { .. }
    ));
}

#[test]
fn a_panic_in_the_host_fails_the_run_and_leaves_the_thread_clean() {
    let bad = given(r#"records("invoices").get("panic");"#);
    let good = given(r#"log.info(event.id);"#);
    let (bad_program, good_program) = (bad.program(), good.program());
    on_script_thread(|| {
        let pass = run(&bad_program, EVENT, bad.world());
        assert!(
            matches!(&pass.outcome, Outcome::Failed(it) if it.message.contains("panic")),
            "{:?}",
            pass.outcome
        );
        let pass = run(&good_program, EVENT, good.world());
        assert!(
            matches!(pass.outcome, Outcome::Done { .. }),
            "{:?}",
            pass.outcome
        );
    });
}

#[test]
fn an_error_of_the_world_cannot_be_caught() {
    let it = given("try { records(\"invoices\").get(\"unreadable\"); } catch { }").failure();
    assert_eq!(
        (it.message.as_str(), it.line),
        ("the ledger cannot be read", 1)
    );
}

#[test]
fn a_handler_goes_through_call_by_call() {
    let script = r#"
// invoice.paid: mark the invoice as paid, then tell accounting.
let invoice = event.data.object;
let paid = records("invoices").update(invoice.id, #{
    status: "paid",
    amount: invoice.amount_paid,
    paid_at: event.created,
});
if !("booking" in paid) {
    let answer = service("accounting").post(`/invoices/${invoice.id}/paid`, #{ amount: invoice.amount_paid });
    records("invoices").update(invoice.id, #{ booking: answer.body.booking_id });
}
"#;
    let Outcome::Needs(request) = given(script).pass().outcome else {
        panic!("no call")
    };
    assert_eq!(
        (request.path.as_str(), request.body.as_deref()),
        ("/invoices/in_1/paid", Some(r#"{"amount":1234}"#))
    );
    let done = given(script).answer(200, r#"{"booking_id":"b_7"}"#);
    let expected =
        r#"invoices/in_1 {"amount":1234,"booking":"b_7","paid_at":1700000000,"status":"paid"}"#;
    assert_eq!(done.changed(), [expected]);
    let again = given(script).record("invoices", "in_1", r#"{"booking":"b_7"}"#);
    assert_eq!(again.changed(), [expected]);
}

#[test]
fn a_program_is_shared_by_threads() {
    fn is_shared<T: Clone + Send + Sync>(_: &T) {}
    let given = given("let n = 0; for i in 0..1000 { n += i; } print(`${event.id} ${n}`);");
    let program = given.program();
    is_shared(&program);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (program, given) = (program.clone(), &given);
            scope.spawn(move || {
                for round in 0..20 {
                    let id = format!("evt_{thread}_{round}");
                    let event = format!(r#"{{"id":"{id}"}}"#);
                    let pass = on_script_thread(|| run(&program, &event, given.world()));
                    assert_eq!(pass.log[0].text, format!("{id} 499500"));
                }
            });
        }
    });
}
