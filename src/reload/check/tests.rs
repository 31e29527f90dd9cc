//! What a check finds.

use super::*;
use crate::in_force::Chosen;
use crate::reload::Location;
use crate::services::Services;
use std::fs;

const HANDLERS: &str = "[endpoints.stripe]\npath = \"/x\"\nsigning_secrets = [\"whsec_1\"]\n\
        [handlers.a]\nevents = [\"*\"]\nscript = \"scripts/a.rhai\"\n\
        [handlers.b]\nevents = [\"*\"]\nscript = \"scripts/b.rhai\"\n";

#[test]
fn an_event_type_that_no_handler_of_a_script_gets_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let save = |path: &str, text: &str| fs::write(dir.path().join(path), text).unwrap();
    fs::create_dir_all(dir.path().join("scripts")).unwrap();
    let handlers = HANDLERS
        .replacen("\"*\"", "\"invoice.paid\", \"charge.*\"", 1)
        .replacen("\"*\"", "\"customer.created\"", 1)
        .replace("b.rhai", "a.rhai");
    save("handlers.toml", &handlers);
    save(
        "scripts/a.rhai",
        "if event.type == \"invoice.payed\" { }\n\
             if event.type == \"invoice.paid\" || \"charge.refunded\" != event.type { }\n\
             if event.type in [\"customer.created\", \"payout.paid\"] { }\n\
             let text = switch event.type {\n\
             \"customer.created\" | \"customer.deleted\" => \"payout.paid\",\n\
             _ => \"charge.expired\",\n};\n\
             if text == \"x\" { }\n",
    );
    let checked = check(&Files::read(&Location::new(
        dir.path().join("handlers.toml"),
    )));
    assert!(checked.problems.is_empty(), "{:?}", checked.problems);
    let told: Vec<_> = checked
        .warnings
        .iter()
        .map(|it| (it.line, it.message.as_str(), it.help.as_deref().unwrap()))
        .collect();
    let expected = [
        (
            1,
            "there is no event type `invoice.payed`: this is never true",
            "did you mean `invoice.paid`?",
        ),
        (
            3,
            "the handler of this script gets no `payout.paid`: this is never true",
            "add \"payout.paid\" to `events = […]` of the handler in handlers.toml",
        ),
        (
            5,
            "the handler of this script gets no `customer.deleted`: this is never true",
            "did you mean `customer.created`? Else add \"customer.deleted\" to `events = […]` of the handler in handlers.toml",
        ),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_script_that_cannot_be_read_has_one_error() {
    let dir = tempfile::tempdir().unwrap();
    let save = |path: &str, text: &[u8]| fs::write(dir.path().join(path), text).unwrap();
    fs::create_dir_all(dir.path().join("scripts/lib")).unwrap();
    save("handlers.toml", HANDLERS.as_bytes());
    save("scripts/a.rhai", b" \n");
    save("scripts/b.rhai", b"import \"lib/x\" as x;\n");
    save("scripts/lib/x.rhai", b"fn x() { \"\xff\" }");
    let checked = check(&Files::read(&Location::new(
        dir.path().join("handlers.toml"),
    )));
    let told = |it: &Diagnostic| (it.file.clone(), it.message.clone());
    let problems: Vec<_> = checked.problems.iter().map(told).collect();
    let expected = [
        ("scripts/a.rhai", "the script is empty"),
        (
            "scripts/lib/x.rhai",
            "it cannot be read: byte 11 is not UTF-8, on line 1; save it as UTF-8",
        ),
    ];
    assert_eq!(
        problems,
        expected.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    assert!(checked.programs.iter().all(Result::is_err));
}

#[test]
fn a_script_that_is_not_there_is_told_where_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let save = |path: &str, text: &str| fs::write(dir.path().join(path), text).unwrap();
    fs::create_dir_all(dir.path().join("scripts")).unwrap();
    save("handlers.toml", HANDLERS);
    save("scripts/b.rhai", "log.info(\"b\");");
    let checked = check(&Files::read(&Location::new(
        dir.path().join("handlers.toml"),
    )));
    let [it] = checked.problems.as_slice() else {
        panic!("{:?}", checked.problems)
    };
    assert!(it.file.ends_with("handlers.toml"), "{it}");
    assert!(it.source_line.contains("scripts/a.rhai"), "{it}");
    assert!(
        it.message.contains("no file `scripts/a.rhai`") && it.message.contains("handler `"),
        "{it}"
    );
}

#[test]
fn a_save_compiles_only_what_it_changed() {
    let dir = tempfile::tempdir().unwrap();
    let save = |path: &str, text: &str| fs::write(dir.path().join(path), text).unwrap();
    fs::create_dir_all(dir.path().join("scripts/lib")).unwrap();
    save("handlers.toml", HANDLERS);
    save("scripts/lib/x.rhai", "fn x() { 1 }");
    save(
        "scripts/a.rhai",
        "import \"lib/x\" as lib; log.info(`${lib::x()}`);",
    );
    save("scripts/b.rhai", "log.info(\"b\");");
    let location = Location::new(dir.path().join("handlers.toml"));
    let look = |before: Option<&InForce>| {
        let Checked {
            config, programs, ..
        } = check_beside(&Files::read(&location), before);
        let chosen = programs.into_iter().map(|it| Chosen {
            saved: it.as_ref().ok().cloned(),
            canary: None,
            program: it.map_err(|_| "broken".to_owned()),
        });
        let services = Services::new(&[]).unwrap();
        InForce::new(config.unwrap(), services, chosen.collect())
    };
    let same = |one: &InForce, other: &InForce| {
        let program = |it: &InForce, at: usize| it.handlers()[at].program().unwrap().clone();
        [0, 1].map(|at| Arc::ptr_eq(&program(one, at), &program(other, at)))
    };
    let first = look(None);
    assert_eq!(same(&first, &look(Some(&first))), [true, true]);
    save("scripts/lib/x.rhai", "fn x() { 2 }");
    let second = look(Some(&first));
    assert_eq!(same(&first, &second), [false, true]);
    // What a script may use is compiled in.
    save("handlers.toml", &format!("{HANDLERS}records = [\"c\"]\n"));
    let third = look(Some(&second));
    assert_eq!(same(&second, &third), [true, false]);
}

#[test]
fn of_handlers_that_share_a_script_the_one_that_lacks_something_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let save = |path: &str, text: &str| fs::write(dir.path().join(path), text).unwrap();
    fs::create_dir_all(dir.path().join("scripts")).unwrap();
    let handlers = HANDLERS
        .replace("b.rhai", "a.rhai")
        .replace("[handlers.b]", "records = [\"c\"]\n[handlers.b]");
    save("handlers.toml", &handlers);
    save("scripts/a.rhai", "records(\"c\").get(event.id);");
    let checked = check(&Files::read(&Location::new(
        dir.path().join("handlers.toml"),
    )));
    let [it] = checked.problems.as_slice() else {
        panic!("{:?}", checked.problems)
    };
    assert_eq!(it.message, "handler `b` was not given the records `c`");
    assert!(it.help.as_ref().unwrap().contains("of handler `b`"), "{it}");
}

#[test]
fn a_script_that_is_no_file_or_too_deep_is_not_said_to_be_missing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let deep = "scripts/1/2/3/4/5/6/7/8/9";
    fs::create_dir_all(root.join(deep)).unwrap();
    fs::create_dir_all(root.join("scripts/a.rhai")).unwrap();
    fs::write(root.join(deep).join("b.rhai"), "skip(\"b\");").unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(root.join("scripts/c.rhai"))
        .status();
    assert!(pipe.unwrap().success());
    let handlers = HANDLERS.replace("scripts/b.rhai", &format!("{deep}/b.rhai"));
    let of_c = "[handlers.c]\nevents = [\"*\"]\nscript = \"scripts/c.rhai\"\n";
    fs::write(root.join("handlers.toml"), handlers + of_c).unwrap();
    let checked = check(&Files::read(&Location::new(root.join("handlers.toml"))));
    let mut told: Vec<_> = checked
        .problems
        .iter()
        .map(|it| (&*it.file, &*it.message))
        .collect();
    told.sort_unstable();
    let of_b = format!("{deep}/b.rhai");
    let expected = [
        (
            &*of_b,
            "it is more than 8 folders deep in scripts/, where nothing is looked for",
        ),
        ("scripts/a.rhai", "it is a folder, and no script"),
        ("scripts/c.rhai", "it cannot be read: it is not a file"),
    ];
    assert_eq!(told, expected);
}
