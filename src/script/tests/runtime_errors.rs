//! What a run says when it fails: in words, at its line, with what to write instead.

use super::*;

#[test]
fn errors_of_a_run_are_told_in_words() {
    fails(
        "let m = #{ amount: 1 };\nprint(m.amuont);",
        2,
        "no field `amuont`",
        ".get(\"amuont\")",
    );
    fails(
        "let x = 1 + event.account;",
        1,
        "`+` cannot do that with whole number and nothing",
        "??",
    );
    fails(
        "let x = 5 - \"3\";",
        1,
        "`-` cannot do that with whole number and text",
        "parse_int",
    );
    fails("let l = [1];\nl[5];", 2, "no item 5", "");
    fails(
        "let x = event.data.object.lines.data[7];",
        1,
        "no `event.data.object.lines.data[7]`: the list has 2 items",
        "len()",
    );
    fails(
        "let x = event.data.object.lines.data.amount;",
        1,
        "is a list",
        "[0].amount",
    );
    fails("throw \"no such customer\";", 1, "no such customer", "");
    fails(
        "let x = 1; if x { }",
        1,
        "here belongs true or false, and this is whole number",
        "",
    );
    fails(
        "let n = 5; for x in n { }",
        1,
        "`for` goes through lists",
        "keys()",
    );
    fails("let x = 1 / 0;", 1, "division by zero", "");
    fails("let x = 9223372036854775807 + 1;", 1, "overflow", "");
    fails(
        "event.data.object.id = 5;",
        1,
        "`event` cannot be changed",
        "copy(",
    );
    fails(
        "let o = event.data.object;\no.id = 5;",
        2,
        "`event` cannot be changed",
        "copy(",
    );
    fails(
        "let x = event.account.id;",
        1,
        "`id` is not there: this is nothing",
        "x != ()",
    );
    fails("let s = \"a\";\ns.status;", 2, "text", "");
    fails(
        "let l = [1, 2].filter(|it| it);",
        1,
        "has to say true or false",
        "filter(",
    );
    fails(
        "[#{}, #{}].sort();",
        1,
        "cannot order map and map",
        "sort(|a, b|",
    );
    fails(
        "retry_in(\"so\" + \"on\", \"x\");",
        1,
        "no length of time",
        "10m",
    );
}

#[test]
fn calls_and_indexes_that_do_not_fit_are_told() {
    fails(
        "let f = |x| x;\nf.call(1, 2);",
        2,
        "more or fewer values",
        "",
    );
    fails("[1].map(|a, b, c, d| a);", 1, "more or fewer values", "");
    fails(
        "event[5];",
        1,
        "fields of the event have names",
        "lines.data[0]",
    );
}

#[test]
fn the_line_is_that_of_the_innermost_place() {
    fails(
        "fn f(x) {\n  x.nope\n}\nfn g(x) {\n  f(x)\n}\ng(event);",
        2,
        "`event.nope`",
        "",
    );
    fails(
        "[1].map(|it| {\n  let x = 1;\n  throw \"inside\";\n});",
        3,
        "inside",
        "",
    );
    fails(
        "[1].map(|it|\n  [2].map(|it|\n    event.nope));",
        3,
        "`event.nope`",
        "",
    );
    fails(
        "let f = |x| {\n  x.nope\n};\nf.call(#{});",
        2,
        "no field `nope`",
        "",
    );
}

#[test]
fn a_misspelt_field_of_an_answer_or_a_record_is_told_with_what_was_meant() {
    let it = given("let a = service(\"accounting\").get(\"/x\");\nprint(a.body.bookingid);")
        .answer(200, r#"{"booking_id":5}"#)
        .failure();
    assert!(
        it.help
            .as_deref()
            .unwrap()
            .contains("did you mean `booking_id`?"),
        "{it:?}"
    );
    assert_eq!(it.line, 2);
    let it = given("print(records(\"invoices\").get(\"a\").statos);")
        .record("invoices", "a", r#"{"status":5}"#)
        .failure();
    assert!(
        it.help
            .as_deref()
            .unwrap()
            .contains("did you mean `status`?"),
        "{it:?}"
    );
}

#[test]
fn a_thrown_map_or_event_is_shown() {
    let it = given("throw #{ code: 5 };").failure();
    assert_eq!(it.message, "#{code: 5}");
}

#[test]
fn a_native_error_that_is_caught_has_a_message() {
    holds("try { let x = event.nope; print(false); } catch (e) { print(e.message.contains(\"event.nope\")); print(`${e}`.contains(\"nope\")); }
           try { let x = 1 / 0; print(false); } catch (e) { print(\"message\" in e); }");
}

#[test]
fn host_functions_of_a_run_are_refused_after_its_end_and_before_its_start() {
    let findings = given("import \"a\" as a;")
        .file("scripts/a.rhai", "const X = now();")
        .findings();
    assert!(
        findings[0].message.contains("only functions"),
        "{}",
        shown(&findings)
    );
}
