use super::*;

#[test]
fn the_event_is_seen_in_functions_closures_and_blocks() {
    holds(
        r#"fn id() { event.id }
           print(id() == "evt_1");
           print([1].map(|it| event.data.object.id)[0] == "in_1");
           if true { let e = event; print(e.data.object.customer == "cus_1"); }
           let get = || event.type;
           print(get.call() == "invoice.paid");
           print(event["data"]["object"]["paid"]);
           print(event.data.object.metadata["default"] == "yes");"#,
    );
}

#[test]
fn nothing_changes_the_event() {
    for attempt in [
        "event.id = 1",
        "event.data.object.id = 1",
        "event[\"id\"] = 1",
        "let e = event; e.id = 1",
        "let o = event.data.object; o.id = 1",
        "let o = event.data.object; o[\"id\"] += \"x\"",
        "event.data.object.lines.data[0] = 1",
        "event.data.object.lines.data[0].id = 1",
        "let l = event.data.object.lines.data; l[0] = 1",
        "fn change(x) { x.id = 1; } change(event)",
        "fn change() { this.id = 1; } event.change()",
        "fn change() { this = 1; } event.data.object.change(); throw 1",
        "let e = event; let f = || { e.id = 1; }; f.call()",
        "[event].map(|e| e.id = 1)",
        "let list = [event.data.object]; list[0].id = 1",
        "let map = #{ e: event }; map.e.id = 1",
        "event.data.object.lines.data.push(1)",
        "event.data.object.lines.data.clear()",
        "event.data.object.clear()",
        "event.data.object.remove(\"id\")",
        "event.data.object.set(\"id\", 1)",
        "event += #{ id: 1 }",
        "event = 1",
    ] {
        let script = format!("try {{ {attempt}; }} catch {{ }}\nlog.info(to_json(event));");
        let given = given(
            &script
                .replace(
                    "try { fn change(x) { x.id = 1; } ",
                    "fn change(x) { x.id = 1; } try { ",
                )
                .replace(
                    "try { fn change() { this.id = 1; } ",
                    "fn change() { this.id = 1; } try { ",
                )
                .replace(
                    "try { fn change() { this = 1; } ",
                    "fn change() { this = 1; } try { ",
                ),
        );
        let Ok(program) = given.compile() else {
            continue;
        };
        let event = freeze(&Bytes::from(EVENT)).expect("an event");
        let expected: serde_json::Value = serde_json::from_str(EVENT).expect("JSON");
        on_script_thread(|| {
            for _ in 0..2 {
                let pass = program.run(&attempt_of(), &event, given.world());
                assert!(
                    matches!(pass.outcome, Outcome::Done { .. }),
                    "{attempt}: {:?}",
                    pass.outcome
                );
                let seen: serde_json::Value =
                    serde_json::from_str(&pass.log[0].text).expect("JSON");
                assert_eq!(seen, expected, "{attempt}");
            }
        });
    }
}

fn attempt_of() -> Attempt {
    super::attempt(EVENT)
}

#[test]
fn a_copy_of_the_event_can_be_changed() {
    holds(
        r#"let o = copy(event.data.object);
           o.status = "done"; o.lines.data.push(1); o.metadata.order = 78;
           print(o.status == "done"); print(o.lines.data.len() == 3); print(o.metadata.order == 78);
           print(event.data.object.lines.data.len() == 2);"#,
    );
}

#[test]
fn a_misspelt_field_is_told_with_its_whole_path_and_what_was_meant() {
    fails(
        "let x = event.data.object.amount_payed;",
        1,
        "there is no `event.data.object.amount_payed`",
        "`event.data.object.amount_paid`",
    );
    fails(
        "let o = event.data.object;\nlet c = o;\nlog.info(c.custmer);",
        3,
        "`event.data.object.custmer`",
        "customer",
    );
    fails(
        "fn f(x) {\n  x.amout\n}\nf(event.data.object.lines.data[1]);",
        2,
        "`event.data.object.lines.data[1].amout`",
        "amount",
    );
    fails(
        "event.data.object.lines.data.map(|it|\n  it.nothing_like_it);",
        2,
        "data[0].nothing_like_it`",
        ".get(",
    );
}

#[test]
fn a_field_that_may_be_missing_can_be_asked_for() {
    holds(
        r#"print("id" in event.data.object);
           print(!("nope" in event.data.object));
           print(event.data.object.get("nope") == ());
           print((event.data.object.get("nope") ?? 5) == 5);
           print(event.account == ());
           print(event.data.object.contains("customer"));"#,
    );
}

#[test]
fn objects_and_lists_of_the_event_can_be_read_as_any() {
    holds(
        r##"let o = event.data.object;
           print(o.metadata.keys() == ["default", "order"]);
           print(o.metadata.values() == ["yes", "77"]);
           print(o.metadata.len() == 2);
           print(o.metadata == #{ order: "77", "default": "yes" });
           print(o.metadata != #{ order: "77" });
           print(o == event.data.object);
           let total = 0;
           for line in o.lines.data { total += line.amount; }
           print(total == 1234);
           print(o.lines.data.map(|it| it.amount).sum() == 1234);
           print(o.lines.data.filter(|it| it.amount > 500)[0].id == "il_2");
           print(o.lines.data.sort(|a, b| b.amount - a.amount)[0].id == "il_2");
           print(o.lines.data[-1].id == "il_2");
           print(o.lines.data.len() == 2);
           print(!o.lines.data.is_empty());
           print(`${o.metadata}` == "#{default: \"yes\", order: \"77\"}");
           print(type_of(event) == "event object");
           print(to_json(o.metadata) == "{\"default\":\"yes\",\"order\":\"77\"}");
           switch event.type { "invoice.paid" => print(true), _ => print(false) }"##,
    );
}

#[test]
fn numbers_stay_what_they_are() {
    let event = r#"{"id":"e","big":18446744073709551615,"huge":123456789012345678901234567890,"max":9223372036854775807,
        "min":-9223372036854775808,"half":0.5,"price":12.34,"fine":0.1234567890123456789012,"big_float":1e400,"text":"1e400 \" 99999999999999999999","ten":[1.5e10]}"#;
    let log = given("print(to_json(event)); print(event.max == 9223372036854775807); print(type_of(event.big)); print(type_of(event.half));")
        .event(event)
        .log();
    assert_eq!(
        log[0],
        r#"{"big":"18446744073709551615","big_float":"1e400","fine":"0.1234567890123456789012","half":0.5,"huge":"123456789012345678901234567890","id":"e","max":9223372036854775807,"min":-9223372036854775808,"price":12.34,"ten":[15000000000.0],"text":"1e400 \" 99999999999999999999"}"#
    );
    assert_eq!(log[1..], ["true", "string", "f64"]);
}

#[test]
fn what_is_no_object_is_no_event() {
    assert!(
        freeze(&Bytes::from("[1]"))
            .unwrap_err()
            .contains("not an object")
    );
    assert!(
        freeze(&Bytes::from("{\"a\":"))
            .unwrap_err()
            .contains("not JSON")
    );
    assert!(freeze(&Bytes::from("{} x")).is_err());
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    assert!(freeze(&Bytes::from(deep)).is_err());
}
