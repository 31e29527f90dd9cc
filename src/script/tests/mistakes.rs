//! What is found before a script runs.

use super::*;

#[test]
fn slips_from_other_languages_are_told_with_what_to_write() {
    complains(
        "if event.id === \"x\" { }",
        1,
        "`===` is JavaScript",
        "`==`",
    );
    complains(
        "if event.id !== \"x\" { }",
        1,
        "`!==` is JavaScript",
        "`!=`",
    );
    complains("let x = null;", 1, "no `null`", "`()`");
    complains("let x = undefined;", 1, "no `null`", "`()`");
    complains("let x = None;", 1, "no `null`", "`()`");
    complains("let x = True;", 1, "Python", "`true`");
    complains("let x = 'paid';", 1, "double quotes", "\"text\"");
    complains(
        "if event.livemode { } elif true { }",
        1,
        "no `elif`",
        "else if",
    );
    complains(
        "if event.livemode {\n}\nelif true { }",
        3,
        "no `elif`",
        "else if",
    );
    complains("if event.livemode and true { }", 1, "no `and`", "`&&`");
    complains("if event.livemode or true { }", 1, "no `or`", "`||`");
    complains("if not event.livemode { }", 1, "no `not`", "`!`");
    complains("def f(x) { x }", 1, "begin with `fn`", "fn name");
    complains("function f(x) { x }", 1, "begin with `fn`", "fn name");
    complains("var x = 1;", 1, "no `var`", "`let`");
    complains("let f = x => x + 1;", 1, "`=>`", "|x|");
    complains(
        "let x = event.livemode ? 1 : 2;",
        1,
        "a ? b : c",
        "if a { b } else { c }",
    );
    complains(
        "# a comment\nlet x = 1;",
        1,
        "comments begin with `//`",
        "//",
    );
    complains("let x = 1; x++;", 1, "no `++`", "`x += 1`");
    complains("let m = { a: 1 };", 1, "a map begins with `#{`", "#{ name");
    complains("let x = new Date();", 1, "no `new Date()`", "now()");
    complains("for (let x of [1]) { }", 1, "", "for it in list");
    complains("if event.livemode:\n  print(1)", 1, "braces", "{");
    complains("console.log(1);", 1, "no `console`", "log.info");
    complains("if 1 { }", 1, "here belongs", "compare it");
    complains(
        "let a = await service(\"accounting\").get(\"/x\");",
        1,
        "no `await`",
        "alone",
    );
}

#[test]
fn dollar_braces_in_double_quotes_are_warned_of() {
    complains(
        "print(\"paid ${event.id}\");",
        1,
        "stays as it is",
        "backticks",
    );
    assert!(given("print(\"paid ${event.id}\");").compile().is_ok());
}

#[test]
fn a_missing_semicolon_is_told_where_it_is_missing() {
    complains("let x = 1\nlet y = 2;", 1, "a `;` is missing", ";");
    complains(
        "let x = 1 // one\n\n// two\nlet y = 2;",
        1,
        "a `;` is missing",
        ";",
    );
}

#[test]
fn what_ends_a_line_in_editors_alone_is_told() {
    for end in ["\r", "\u{85}", "\u{2028}", "\u{2029}"] {
        let script = format!("let a = 1;\n// a comment{end}skip(\"x\");");
        complains(&script, 2, "ends a line in editors", "Enter");
        assert!(given(&format!("let a = `x{end}y`;")).findings().is_empty());
    }
    assert!(given("let a = 1;\r\n// b\r\n").findings().is_empty());
}

#[test]
fn what_is_left_open_is_told() {
    complains(
        "if event.livemode {\n  print(1);\n",
        1,
        "`{` is never closed",
        "}",
    );
    complains("let x = \"abc;\n", 1, "no end", "double quotes");
}

#[test]
fn unknown_variables_are_told_with_what_was_meant() {
    complains(
        "let invoice = event.data.object;\nprint(invoise.id);",
        2,
        "no variable `invoise`",
        "`invoice`",
    );
    complains("print(evnt.id);", 1, "no variable `evnt`", "`event`");
    complains(
        "let rate = 2;\nfn f(x) { x * rate }",
        2,
        "no variable `rate`",
        "parameters",
    );
    complains(
        "money::vat(1);",
        1,
        "nothing is imported as `money`",
        "import \"lib/money\"",
    );
}

#[test]
fn unknown_functions_are_told_with_what_was_meant() {
    complains(
        "record(\"invoices\").get(\"a\");",
        1,
        "no function `record`",
        "`records`",
    );
    complains(
        "records(\"invoices\").gett(\"a\");",
        1,
        "no function `gett`",
        "`get`",
    );
    complains(
        "fn double(x) { x * 2 }\ndoubel(1);",
        2,
        "no function `doubel`",
        "`double`",
    );
    complains(
        "fn double(x) { x * 2 }\ndouble(1, 2);",
        2,
        "takes 1 value",
        "",
    );
    complains("let f = |x| x;\nf(1);", 2, "`f` is a variable", "f.call(");
    complains(
        "let s = \"a\"; s.toUpperCase();",
        1,
        "toUpperCase",
        "to_upper",
    );
    complains("let x = parseInt(\"1\");", 1, "parseInt", "parse_int");
    complains("sleep(1);", 1, "no function `sleep`", "retry_in");
}

#[test]
fn a_function_called_as_a_method_is_told() {
    complains(
        "fn double(x) { x * 2 }\nlet y = 5;\ny.double();",
        3,
        "called without a dot",
        "`double(x)`",
    );
}

#[test]
fn a_function_that_hides_a_built_in_method_is_warned_of() {
    complains(
        "fn get(id) { id }\nrecords(\"invoices\").get(\"a\");",
        1,
        "takes the place of the built-in `.get(…)`",
        "another name",
    );
}

#[test]
fn a_function_that_uses_the_list_it_goes_through_is_told() {
    complains(
        "let a = [1];\na.map(|x| a.len());",
        2,
        "in `a.map(…)` cannot use `a` itself",
        "copy(a)",
    );
    complains(
        "let a = [1];\nlet b = a.filter(|x| a.len() > x).len();",
        2,
        "cannot use `a` itself",
        "copy(a)",
    );
    assert!(
        given("let a = [1]; let all = copy(a); a.map(|x| all.len()); a.map(|x| x);")
            .findings()
            .is_empty()
    );
}

#[test]
fn parsing_what_is_large_takes_little_time() {
    let cases: String = (0..5000).map(|it| format!("{it}=>{it},")).collect();
    for script in [
        format!("switch 1 {{ {cases} _ => 0 }}"),
        format!("let x = {}1{};", "[".repeat(5000), "]".repeat(5000)),
        format!("let x = {}1;", "1 + ".repeat(10_000)),
        format!("f({}1);", "1, ".repeat(15_000)),
        "fn f() { } ".repeat(5000),
        "if true { ".repeat(5000),
        format!("let x = {}1;", "-".repeat(20_000)),
        format!("let x = {}true;", "!".repeat(60_000)),
        format!("let x = a{};", ".b".repeat(30_000)),
    ] {
        let started = std::time::Instant::now();
        let _ = on_script_thread(|| given(&script).findings().len());
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{}",
            &script[..30]
        );
    }
}

#[test]
fn what_a_handler_was_not_given_is_told() {
    complains(
        "records(\"invoice\").get(\"a\");",
        1,
        "not given the records `invoice`",
        "did you mean `invoices`?",
    );
    complains(
        "fn f() {\n  service(\"mail\").get(\"/\")\n}",
        2,
        "not given the service `mail`",
        "services = ",
    );
    complains(
        "[1].map(|it| records(\"orders\"));",
        1,
        "records `orders`",
        "records = ",
    );
}

#[test]
fn event_and_log_name_nothing_else() {
    for (script, line) in [
        ("let event = 1;", 1),
        ("const log = 1;", 1),
        ("fn f(event) { 1 }", 1),
        ("for event in [1] { }", 1),
        ("for (a, log) in [1] { }", 1),
        ("try { } catch (event) { }", 1),
        ("let f = |event| 1;", 1),
        ("[1].map(\n  |a, log| 1);", 2),
    ] {
        complains(script, line, "already has a meaning", "another name");
    }
    assert!(
        given("let f = || event.id; let g = |x| { log.info(event.id); x }; f.call(); g.call(1);")
            .compile()
            .is_ok()
    );
}

#[test]
fn good_scripts_have_no_findings() {
    for script in [
        "",
        "// only a comment",
        "let handlers = #{ paid: |o| o.id }; handlers.paid.call(event.data.object); handlers.paid(event.data.object);",
        "fn f(x) { x } let l = [1, 2].map(f); let g = f; g.call(1);",
        "let x = if event.livemode { 1 } else if event.account == () { 2 } else { 3 };",
        "switch event.type { \"invoice.paid\" => { print(1); } \"a\" | \"b\" => print(2), _ => () }",
        "fn shout() { this.to_upper() } let s = \"a\"; s.shout(); type_of(s);",
        "let m = #{ a: 1 }; m.b = 2; m += #{ c: 3 }; m.keys().sort(); for k in m.keys() { print(m[k]); }",
        "let d = date(event.created); let n = days_between(event.created, now()); let t = add_days(now(), 3);",
        "let x = event.data.object?.customer ?? \"none\"; do { break; } while true; while false { continue; }",
        "print(money(100, \"eur\") + money(1, \"eur\") > money(5, \"eur\"));",
        "const MAX = 5; fn f() { global::MAX } f(); let (s) = 1; s;",
    ] {
        let script = script.replace("let (s) = 1; s;", "");
        let findings = given(&script).findings();
        assert!(findings.is_empty(), "{script}\n{}", shown(&findings));
        let pass = given(&script).pass();
        assert!(
            matches!(pass.outcome, Outcome::Done { .. }),
            "{script}\n{:?}",
            pass.outcome
        );
    }
}

#[test]
fn all_findings_of_all_files_come_at_once() {
    let findings = given("import \"a\" as a;\nservice(\"mail\");\nrecords(\"x\");\nnope();")
        .file("scripts/a.rhai", "let x = ;")
        .findings();
    assert_eq!(findings.len(), 4, "{}", shown(&findings));
}
