use super::*;

const MONEY: &str = "export const RATE = 20;\nconst INNER = 2;\nfn vat(x) { x * RATE_OF() / 100 }\nfn RATE_OF() { global::RATE }\nprivate fn hidden() { 1 }\nfn id() { event.id }\nfn broken(x) {\n  x.nope\n}\nfn keep() { records(\"invoices\").set(\"from_lib\", #{ by: event.id }); }";

fn with_money(script: &str) -> Given {
    given(script).file("scripts/lib/money.rhai", MONEY)
}

#[test]
fn an_import_is_a_file_under_scripts() {
    let it = with_money(
        r#"import "lib/money" as money;
           print(money::vat(100) == 20); print(money::RATE == 20); print(money::id() == "evt_1");
           money::keep();
           print([100].map(|it| money::vat(it))[0] == 20);"#,
    );
    assert!(it.log().iter().all(|it| it == "true"), "{:?}", it.log());
    assert_eq!(it.changed(), [r#"invoices/from_lib {"by":"evt_1"}"#]);
    let program = it.program();
    assert_eq!(
        program.sources().keys().collect::<Vec<_>>(),
        ["scripts/it.rhai", "scripts/lib/money.rhai"]
    );
}

#[test]
fn files_import_each_other_down_the_line() {
    let it = given(r#"import "a" as a; print(a::f() == 3);"#)
        .file(
            "scripts/a.rhai",
            "import \"b\" as b;\nfn f() { b::g() + 1 }",
        )
        .file("scripts/b.rhai", "fn g() { 2 }");
    assert_eq!(it.log(), ["true"]);
}

#[test]
fn an_error_in_an_import_is_told_there() {
    let it =
        with_money("import \"lib/money\" as money;\nmoney::broken(event.data.object);").failure();
    assert_eq!((it.script.as_str(), it.line), ("scripts/lib/money.rhai", 8));
    assert!(it.message.contains("event.data.object.nope"), "{it:?}");
    assert_eq!(it.source_line, "  x.nope");
}

#[test]
fn a_version_is_that_of_all_files() {
    let version = |script: &str, lib: &str| {
        given(script)
            .file("scripts/a.rhai", lib)
            .file("scripts/unused.rhai", lib)
            .program()
            .version()
            .to_owned()
    };
    let first = version("import \"a\" as a;", "fn f() { 1 }");
    assert_eq!(first.len(), 64);
    assert_eq!(first, version("import \"a\" as a;", "fn f() { 1 }"));
    assert_ne!(first, version("import \"a\" as a;", "fn f() { 2 }"));
    assert_ne!(first, version("import \"a\" as a; ", "fn f() { 1 }"));
    assert_eq!(version("1;", "fn f() { 1 }"), version("1;", "fn f() { 2 }"));
}

#[test]
fn an_import_cannot_leave_scripts() {
    for path in [
        "../secret",
        "/etc/passwd",
        "lib/../../secret",
        "./a",
        "a//b",
        "C:\\\\a",
        "..",
        "",
        "a/..",
    ] {
        let it = given(&format!("import \"{path}\" as x;")).file("secret.rhai", "fn f() { 1 }");
        let findings = it.findings();
        assert!(
            findings[0].message.contains("cannot be imported"),
            "{path}: {}",
            shown(&findings)
        );
    }
}

#[test]
fn an_import_names_its_file_directly() {
    complains(
        "let x = \"a\";\nimport x as a;",
        2,
        "name its file directly",
        "lib/money",
    );
}

#[test]
fn a_cycle_is_found_before_anything_runs() {
    let it = given(r#"import "a" as a;"#)
        .file("scripts/a.rhai", r#"import "b" as b;"#)
        .file("scripts/b.rhai", r#"import "a" as a;"#);
    let findings = it.findings();
    assert!(
        findings[0].message.contains(
            "imports itself: scripts/it.rhai -> scripts/a.rhai -> scripts/b.rhai -> scripts/a.rhai"
        ),
        "{}",
        shown(&findings)
    );
    assert_eq!(findings[0].file, "scripts/b.rhai");
}

#[test]
fn a_missing_file_is_told_with_what_was_meant() {
    let findings = with_money("\nimport \"lib/mony\" as money;").findings();
    assert!(
        findings[0]
            .message
            .contains("no file `scripts/lib/mony.rhai`"),
        "{}",
        shown(&findings)
    );
    assert_eq!(
        (findings[0].line, findings[0].help.as_deref()),
        (
            2,
            Some("did you mean `scripts/lib/money.rhai`? write `import \"lib/money\" as money;`")
        )
    );
}

#[test]
fn a_missing_file_is_not_said_to_be_the_one_that_asks_for_it() {
    let findings = given("import \"its\" as its;").findings();
    assert!(findings[0].message.contains("no file `scripts/its.rhai`"));
    assert_eq!(findings[0].help, None);
}

#[test]
fn a_path_that_is_not_written_as_imports_are_leads_to_the_one_that_is() {
    for written in [
        "scripts/lib/money.rhai",
        "scripts/lib/money",
        "./lib/money",
        "./scripts/lib/money.rhai",
        "/scripts/lib/money.rhai",
        "../lib/money",
    ] {
        let findings = with_money(&format!("import \"{written}\" as m;")).findings();
        assert_eq!(
            findings[0].help.as_deref(),
            Some("write `import \"lib/money\" as m;`: paths begin in scripts/"),
            "{written}"
        );
    }
    assert!(
        with_money("import \"lib/money.rhai\" as m;")
            .findings()
            .is_empty()
    );
}

#[test]
fn a_dot_behind_an_import_is_told() {
    let findings = with_money("import \"lib/money\" as m;\nm.vat(1);").findings();
    let it = &findings[0];
    assert_eq!(
        it.message,
        "`m` is a file that is imported, and not a value"
    );
    assert_eq!(it.help.as_deref(), Some("write `m::vat(…)`"));
}

#[test]
fn what_a_file_does_not_have_is_told() {
    let finds = |script: &str, message: &str| {
        let findings = with_money(&format!("import \"lib/money\" as money;\n{script}")).findings();
        assert!(
            findings
                .iter()
                .any(|it| it.message.contains(message) && it.line == 2),
            "{}",
            shown(&findings)
        );
    };
    finds(
        "money::vatt(1);",
        "no function `vatt` in scripts/lib/money.rhai",
    );
    finds("money::vat(1, 2);", "takes 1 value, and here it gets 2");
    finds("money::hidden();", "private");
    finds("let x = money::INNER;", "no `INNER`");
}

#[test]
fn a_file_that_is_imported_does_nothing_by_itself() {
    let findings = given("import \"a\" as a;")
        .file(
            "scripts/a.rhai",
            "fn f() { 1 }\nrecords(\"invoices\").get(\"a\");",
        )
        .findings();
    assert!(
        findings[0].message.contains("only functions"),
        "{}",
        shown(&findings)
    );
    assert_eq!(
        (findings[0].file.as_str(), findings[0].line),
        ("scripts/a.rhai", 2)
    );
}

#[test]
fn a_function_in_place_can_be_given_to_an_imported_one() {
    for (script, lib) in [
        (
            "a::each([1], |x| x + 1)[0]",
            "fn each(list, f) { list.map(f) }",
        ),
        ("a::once(|x| x + one)", "fn once(f) { f.call(1) }"),
        ("a::once(|x| inc(x))", "fn once(f) { f.call(1) }"),
        ("a::once(inc)", "fn once(f) { f.call(1) }"),
        ("[1].map(|x| a::inc(x))[0]", "fn inc(x) { x + 1 }"),
    ] {
        let script =
            format!("import \"a\" as a; fn inc(x) {{ x + 1 }} let one = 1; print({script} == 2);");
        assert_eq!(
            given(&script).file("scripts/a.rhai", lib).log(),
            ["true"],
            "{script}"
        );
    }
}

#[test]
fn a_function_in_place_ends_with_the_import_that_made_it() {
    let it = given("import \"a\" as a;\na::make().call(1);")
        .file("scripts/a.rhai", "fn make() { |x| x + 1 }")
        .failure();
    assert!(it.message.contains("made in an imported file"), "{it:?}");
    assert_eq!(it.line, 2);
    let it =
        given("import \"a\" as a;\n[1].map(a::inc);").file("scripts/a.rhai", "fn inc(x) { x + 1 }");
    assert_eq!(
        it.findings()[0].help.as_deref(),
        Some("to pass on a function write `|x| a::inc(x)`")
    );
}
