use super::*;
use crate::call::Method;

fn asked(script: &str) -> Request {
    match given(script).pass().outcome {
        Outcome::Needs(request) => request,
        other => panic!("no call but {other:?}"),
    }
}

#[test]
fn a_map_goes_out_as_json_with_its_keys_in_order() {
    let it = asked(
        r#"service("accounting").post(`/invoices/${event.data.object.id}/paid`, #{ z: 1, a: event.data.object.metadata, m: money(1234, "eur"), none: () });"#,
    );
    assert_eq!(
        (it.method, it.path.as_str()),
        (Method::Post, "/invoices/in_1/paid")
    );
    assert_eq!(
        it.body.as_deref(),
        Some(
            r#"{"a":{"default":"yes","order":"77"},"m":{"amount":1234,"currency":"eur"},"none":null,"z":1}"#
        )
    );
    assert_eq!(it.headers["content-type"], "application/json");
}

#[test]
fn options_set_headers_query_form_and_accept() {
    let it = asked(
        r#"service("accounting").get("/x?a=1", #{ query: #{ q: "a b&c" }, headers: #{ "X-Source": 5 }, accept: [404] });"#,
    );
    assert_eq!((it.path.as_str(), it.body), ("/x?a=1&q=a+b%26c", None));
    assert_eq!(
        (it.headers["x-source"].as_str(), it.accept),
        ("5", vec![404])
    );
    let form = Some("a%5B0%5D=1&a%5B1%5D=2&b%5Bc%5D=x");
    let it = asked(
        r#"service("accounting").post("/x", #{ a: [1, 2], b: #{ c: "x" } }, #{ form: true });"#,
    );
    assert_eq!(
        (it.body.as_deref(), it.headers["content-type"].as_str()),
        (form, "application/x-www-form-urlencoded")
    );
    let it = asked(
        r#"service("accounting").post("/x", (), #{ form: #{ a: [1, 2], b: #{ c: "x" } } });"#,
    );
    assert_eq!(it.body.as_deref(), form);
    let it = asked(r#"service("accounting").delete("/x", #{ accept: 404 });"#);
    assert_eq!(
        (it.method, it.body, it.accept),
        (Method::Delete, None, vec![404])
    );
    let it = asked(r#"service("accounting").put("/x", "plain");"#);
    assert_eq!(
        (it.body.as_deref(), it.headers["content-type"].as_str()),
        (Some("plain"), "text/plain; charset=utf-8")
    );
}

#[test]
fn an_answer_has_status_headers_body_and_text() {
    let it = given(
        r#"let a = service("accounting").get("/x");
           print(a.status == 200); print(a.headers["retry-after"] == "30");
           print(a.body.list[1].n == 2); print(a.body.big == "18446744073709551616");
           print(a.text.starts_with("{"));
           let body = a.body; body.mine = 1; body.list.push(3);
           print(body.mine == 1 && body.list.len() == 3);"#,
    )
    .answer(
        200,
        r#"{"list":[{"n":1},{"n":2}],"big":18446744073709551616}"#,
    );
    assert!(it.log().iter().all(|it| it == "true"), "{:?}", it.log());
}

#[test]
fn an_answer_that_is_not_accepted_fails_with_the_call() {
    let it = given("let x = 1;\nservice(\"accounting\").post(\"/x\", #{});")
        .answer(503, "down")
        .failure();
    assert_eq!(
        (it.message.as_str(), it.line),
        ("`accounting` answered 503 to POST /x", 2)
    );
    let call = it.call.expect("a call");
    assert_eq!(
        (call.status, call.text.as_str(), call.retry_after.as_deref()),
        (503, "down", Some("30"))
    );
    assert!(it.help.unwrap().contains("accept: [503]"));
    let it = given(r#"[1].map(|it| service("accounting").get("/x"));"#)
        .answer(500, "")
        .failure();
    assert_eq!(it.call.map(|it| it.status), Some(500));
}

#[test]
fn an_accepted_status_is_an_answer() {
    let it = given(r#"print(service("accounting").get("/x", #{ accept: [404] }).status == 404);"#)
        .answer(404, "");
    assert_eq!(it.log(), ["true"]);
}

#[test]
fn an_error_that_is_caught_is_no_failure_and_tells_its_status() {
    let it = given(r#"try { service("accounting").get("/x"); } catch (e) { print(e.status == 404); print(e.message.contains("404")); }"#).answer(404, "");
    assert_eq!(it.log(), ["true", "true"]);
    let it = given("try { service(\"accounting\").get(\"/x\"); } catch (e) {\n throw e; }")
        .answer(404, "")
        .failure();
    assert_eq!(it.call.map(|it| it.status), Some(404));
}

#[test]
fn an_empty_body_is_nothing_and_one_that_is_no_json_is_an_error_only_when_touched() {
    let it =
        given(r#"let a = service("accounting").get("/x"); print(a.body == ());"#).answer(204, "");
    assert_eq!(it.log(), ["true"]);
    let it =
        given(r#"let a = service("accounting").get("/x"); print(a.text);"#).answer(200, "hello");
    assert_eq!(it.log(), ["hello"]);
    let it = given("let a = service(\"accounting\").get(\"/x\");\na.body.x;")
        .answer(200, "hello")
        .failure();
    assert!(it.message.contains("not JSON"), "{it:?}");
    assert_eq!((it.line, it.help.unwrap().contains(".text")), (2, true));
}

#[test]
fn a_missing_body_is_an_error_only_when_touched() {
    let touches = |script: &str| {
        let given = given(script).answer(200, "{");
        let program = given.program();
        let mut world = given.world();
        Arc::make_mut(&mut world.answers[0]).body_missing = Some("it was cut off".to_owned());
        on_script_thread(|| run(&program, EVENT, world)).outcome
    };
    assert!(matches!(
        touches(r#"print(service("accounting").get("/x").status);"#),
        Outcome::Done { .. }
    ));
    for field in ["body", "text"] {
        let outcome = touches(&format!(
            r#"print(service("accounting").get("/x").{field});"#
        ));
        assert!(
            matches!(&outcome, Outcome::Failed(it) if it.message.contains("cut off")),
            "{outcome:?}"
        );
    }
}

#[test]
fn mistakes_with_services_say_what_to_write() {
    // A name that is put together is seen by no check.
    fails(
        "let n = \"acounting\";\nservice(n).get(\"/x\");",
        2,
        "not given the service `acounting`",
        "`accounting`",
    );
    fails(
        "service(\"\" + \"accounting\").get(\"https://evil.example/x\");",
        1,
        "not to a whole address",
        "handlers.toml",
    );
    fails(
        "service(\"\" + \"accounting\").get(\"x\");",
        1,
        "begins with `/`",
        "\"/x\"",
    );
    fails(
        "service(\"\" + \"accounting\").get(\"/a b\");",
        1,
        "cannot have ' '",
        "query",
    );
    fails(
        "service(\"\" + \"accounting\").get(\"/x\", #{ amount: 1 });",
        1,
        "no option `amount`",
        "post(path, body, options)",
    );
    fails(
        "service(\"\" + \"accounting\").get(\"/x\", #{ acept: 1 });",
        1,
        "no option `acept`",
        "`accept`",
    );
    fails(
        "service(\"\" + \"accounting\").get(\"/x\", #{ headers: #{ host: \"y\" } });",
        1,
        "`host` is set by the host",
        "",
    );
    fails(
        "service(\"\" + \"accounting\").get(\"/x\", #{ headers: #{ a: \"y\\r\\nb: c\" } });",
        1,
        "character",
        "",
    );
    fails(
        "service(\"\" + \"accounting\").post(\"/x\", #{ f: || 1 });",
        1,
        "cannot be sent as JSON: `f`",
        "",
    );
}

#[test]
fn a_call_that_changes_something_may_have_a_name_by_which_it_is_made_once() {
    let once = |call: &str| asked(&format!("service(\"accounting\").{call};")).once;
    for call in [
        r#"post("/x", #{}, #{ once: `paid-${event.data.object.id}` })"#,
        r#"delete("/x", #{ once: "paid-" + event.data.object.id })"#,
    ] {
        assert_eq!(once(call), Some("paid-in_1".into()));
    }
    assert_eq!(once(r#"post("/x", #{ once: "in the body" })"#), None);
    let longest = "é".repeat(255);
    let call = format!("put(\"/x\", #{{}}, #{{ once: \"{longest}\" }})");
    assert_eq!(once(&call), Some(longest));
}

#[test]
fn a_name_that_is_none_is_told_and_what_is_written_out_before_it_runs() {
    for (call, message) in [
        (r#"post("/x", #{}, #{ once: "" })"#, "`once` is empty"),
        (r#"get("/x", #{ once: "a" })"#, "and `get` only looks"),
        (
            r#"post("/x", #{}, #{ once: "a\nb" })"#,
            "`once` cannot have '\\n' in it",
        ),
    ] {
        let script = format!("service(\"accounting\").{call};");
        complains(&script, 1, message, "once");
        let later = script
            .replace("once: ", "once: \"\" + ")
            .replace("#{ once: \"\" + \"a\" }", "options()");
        let later = format!("fn options() {{ let it = #{{}}; it.once = \"a\"; it }}\n{later}");
        fails(&later, 2, message, "once");
    }
    fails(
        r#"service("accounting").post("/x", #{}, #{ once: 5 + 0 });"#,
        1,
        "`once` has to be text, and this is",
        "once: `paid-",
    );
    let long = format!(
        "service(\"accounting\").post(\"/x\", #{{}}, #{{ once: \"{}\" }});",
        "x".repeat(256)
    );
    complains(
        &long,
        1,
        "`once` has 256 characters, and 255 is the most",
        "",
    );
}

#[test]
fn json_that_was_no_utf8_is_an_error_and_stays_readable_as_text_and_a_sign_that_was_sent_is_none() {
    let given =
        given("let a = service(\"accounting\").get(\"/x\");\nprint(a.text);\nprint(a.body.name);")
            .answer(200, "{\"name\":\"Zo\u{fffd}\"}");
    // The service may have sent the sign itself.
    assert_eq!(given.log()[1], "Zo\u{fffd}");
    let program = given.program();
    let mut world = given.world();
    Arc::make_mut(&mut world.answers[0]).has_bad_utf8 = true;
    let outcome = on_script_thread(|| run(&program, EVENT, world)).outcome;
    let Outcome::Failed(failure) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(failure.line, 3);
    assert!(failure.message.contains("no UTF-8"), "{failure:?}");
    assert!(failure.help.unwrap().contains("parse_json(answer.text)"));
}

#[test]
fn a_body_that_is_not_there_has_the_advice_that_fits() {
    for (why, is_size) in [
        (
            "it came compressed (gzip) although we asked for plain text",
            false,
        ),
        ("it is larger than the limit of 100 bytes", true),
    ] {
        let given = given("service(\"accounting\").get(\"/x\").body;").answer(200, "");
        let program = given.program();
        let mut world = given.world();
        Arc::make_mut(&mut world.answers[0]).body_missing = Some(why.to_owned());
        let outcome = on_script_thread(|| run(&program, EVENT, world)).outcome;
        let Outcome::Failed(it) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(it.help.unwrap().contains("ask for less"), is_size, "{why}");
    }
}
