//! What a handler was given: collections to read or to change, and no others.

use super::*;

const MAY_READ: &str = "this handler may only read the records `rates`";
const INSTEAD: &str = "write `rates = \"write\"` in `records = { … }` of this handler";

#[test]
fn a_collection_to_read_can_be_read() {
    let it = given(
        "let rates = records(\"rates\");\nprint(rates.get(\"eur\").rate); print(rates.find(#{ rate: 2 }).len());",
    )
    .record("rates", "eur", r#"{"rate":2}"#);
    assert_eq!(it.log(), ["2", "1"]);
    assert!(it.changes().is_empty());
}

#[test]
fn a_change_of_what_may_only_be_read_is_found_before_it_runs() {
    for change in [
        "set(\"a\", #{})",
        "update(\"a\", #{})",
        "update_if_newer(\"a\", event.created, #{})",
        "add(\"a\", \"n\", 1)",
        "remove(\"a\")",
    ] {
        let function = change.split('(').next().unwrap();
        let message = format!("{MAY_READ}, and `{function}` changes them");
        complains(
            &format!("records(\"rates\").{change};"),
            1,
            &message,
            INSTEAD,
        );
        let by_variable = format!("let rates = records(\"rates\");\nrates.{change};");
        complains(&by_variable, 2, &message, INSTEAD);
    }
    complains(
        "let n = records(\"rates\").update(\"a\", #{}).n;",
        1,
        MAY_READ,
        INSTEAD,
    );
}

#[test]
fn what_cannot_be_told_before_is_refused_when_it_runs() {
    fails(
        "let name = \"rat\" + \"es\";\nrecords(name).set(\"a\", #{});",
        2,
        MAY_READ,
        INSTEAD,
    );
    fails(
        "let it = records(\"invoices\");\nit = records(\"rates\");\nit.remove(\"a\");",
        3,
        MAY_READ,
        INSTEAD,
    );
    fails(
        "fn change(rates) { rates.add(\"a\", \"n\", 1) }\nlet rates = records(\"rates\");\nchange(rates);",
        1,
        MAY_READ,
        INSTEAD,
    );
}

#[test]
fn a_name_that_stands_for_several_things_is_no_mistake() {
    let it = given(
        "fn change(rates) { rates.set(\"a\", #{ k: 1 }); }\n\
         if event.livemode { let it = records(\"rates\"); it.get(\"a\"); } else { let it = records(\"invoices\"); it.set(\"b\", #{}); }\n\
         let rates = records(\"rates\");\nchange(records(\"invoices\"));",
    );
    assert_eq!(it.changed(), ["invoices/a {\"k\":1}", "invoices/b {}"]);
}

#[test]
fn a_collection_that_was_not_given_does_not_exist() {
    let add = "add `secrets = \"write\"` (or \"read\") to `records = { … }` of this handler";
    let message = "this handler was not given the records `secrets`";
    complains("records(\"secrets\").get(\"a\");", 1, message, add);
    fails(
        "let name = \"sec\" + \"rets\";\nrecords(name).get(\"a\");",
        2,
        message,
        add,
    );
}

#[test]
fn the_bounds_of_a_record_hold_to_the_byte() {
    let put = |id_bytes: usize, body_bytes: usize| {
        // `{"s":""}` has eight.
        format!(
            "let id = \"\".pad({id_bytes}, 'x');\nrecords(\"invoices\").set(id, #{{ s: \"\".pad({}, 'x') }});",
            body_bytes - 8
        )
    };
    assert_eq!(given(&put(255, 262_144)).changes().len(), 1);
    fails(
        &put(256, 100),
        2,
        "the id of a record has 1 to 255 bytes, and this has 256",
        "",
    );
    fails(
        &put(1, 262_145),
        2,
        "this record of `invoices` has 262145 bytes, and 262144 is the most",
        "keep only the fields",
    );
}

#[test]
fn one_change_too_many_is_an_error_and_the_same_record_counts_once() {
    let changes = |count: usize| {
        format!(
            "for i in 0..{count} {{\n  records(\"invoices\").set(`in_${{i}}`, #{{ a: i }});\n  records(\"invoices\").add(`in_${{i}}`, \"n\", 1);\n}}"
        )
    };
    assert_eq!(given(&changes(10)).changes().len(), 10);
    fails(
        &changes(11),
        2,
        "one event may change at most 10 records",
        "`changes_max`",
    );
}
