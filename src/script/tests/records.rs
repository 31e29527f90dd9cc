use super::*;

#[test]
fn a_script_reads_its_own_changes() {
    let it = given(
        r#"let r = records("invoices");
           r.update("in_1", #{ status: "paid" });
           let seen = r.get("in_1");
           print(seen.status == "paid"); print(seen.amount == 5); print(seen.id == "in_1");
           r.set("in_2", #{ amount: 7 });
           print(r.find(#{ amount: 7 }).len() == 1);
           print(r.find(#{ status: "paid" })[0].id == "in_1");
           r.remove("in_1");
           print(r.get("in_1") == ());
           print(r.find(#{ status: "paid" }).is_empty());
           r.update("in_1", #{ again: true });"#,
    )
    .record("invoices", "in_1", r#"{"amount":5}"#);
    assert!(it.log().iter().all(|it| it == "true"), "{:?}", it.log());
    assert_eq!(
        it.changed(),
        [
            r#"invoices/in_1 {"again":true}"#,
            r#"invoices/in_2 {"amount":7}"#
        ]
    );
}

#[test]
fn a_change_says_what_it_is_based_on() {
    let it = given(r#"records("invoices").update("in_1", #{ b: 2 }); records("invoices").update("in_1", #{ c: 3 }); records("totals").add("all", "n", 1);"#)
        .record("invoices", "in_1", r#"{"a":1}"#);
    let changes = it.changes();
    assert_eq!(changes.len(), 2);
    assert_eq!(
        (changes[0].base_version, changes[0].before.as_deref()),
        (3, Some(r#"{"a":1}"#))
    );
    assert_eq!(changes[0].after.as_deref(), Some(r#"{"a":1,"b":2,"c":3}"#));
    assert_eq!(
        (changes[1].base_version, changes[1].before.as_deref()),
        (0, None)
    );
}

#[test]
fn every_record_seen_is_listed_once_with_its_version() {
    let pass = given(r#"let r = records("invoices"); r.get("in_1"); r.get("in_1"); r.get("nope"); r.find(#{ a: 2 });"#)
        .record("invoices", "in_1", r#"{"a":1}"#)
        .record("invoices", "in_2", r#"{"a":2}"#)
        .pass();
    let reads: Vec<_> = pass
        .reads
        .iter()
        .map(|it| (it.key.id.as_str(), it.version))
        .collect();
    assert_eq!(reads, [("in_1", 3), ("in_2", 3), ("nope", 0)]);
    assert!(matches!(pass.outcome, Outcome::Done { changes } if changes.is_empty()));
}

#[test]
fn what_becomes_the_same_again_is_no_change() {
    let it = given(r#"records("invoices").set("in_1", records("invoices").get("in_1"));"#).record(
        "invoices",
        "in_1",
        r#"{"a":1}"#,
    );
    assert!(it.changes().is_empty());
}

#[test]
fn update_if_newer_applies_only_what_is_not_older() {
    let it = given(
        r#"let r = records("invoices");
           print(r.update_if_newer("in_1", 100, #{ status: "open" }));
           print(r.update_if_newer("in_1", 100, #{ status: "tie" }));
           print(!r.update_if_newer("in_1", 99, #{ status: "old" }));
           r.update("in_1", #{ note: "kept" });
           print(!r.update_if_newer("in_1", 99, #{ status: "old" }));"#,
    );
    assert!(it.log().iter().all(|it| it == "true"));
    let changes = it.changes();
    assert_eq!(changes[0].newest_event_at, Some(UnixMillis(100_000)));
    assert_eq!(
        changes[0].after.as_deref(),
        Some(r#"{"note":"kept","status":"tie"}"#)
    );
}

#[test]
fn add_counts_from_zero_and_never_overflows() {
    let it = given(
        r#"let t = records("totals");
           print(t.add("all", "sum", 5) == 5);
           print(t.add("all", "sum", -2) == 3);
           t.set("big", #{ n: 9223372036854775807 });
           try { t.add("big", "n", 1); print(false); } catch (e) { print(e.message.contains("cannot add")); }"#,
    );
    assert!(it.log().iter().all(|it| it == "true"), "{:?}", it.log());
}

#[test]
fn a_whole_object_of_the_event_can_be_kept() {
    let it = given(
        r#"records("invoices").set(event.data.object.id, event.data.object); records("totals").set("last", event.data.object.metadata);"#,
    );
    let changed = it.changed();
    assert!(
        changed[0].starts_with(
            r#"invoices/in_1 {"amount_paid":1234,"currency":"eur","customer":"cus_1","lines""#
        ),
        "{changed:?}"
    );
    assert_eq!(changed[1], r#"totals/last {"default":"yes","order":"77"}"#);
}

#[test]
fn find_merges_changes_and_keeps_its_limit() {
    let it = given(
        r#"let r = records("invoices");
           r.update("a", #{ k: 2 });
           let found = r.find(#{ k: 1 }, 2);
           print(`${found.map(|it| it.id)}`);
           r.set("aa", #{ k: 1 });
           print(`${r.find(#{ k: 1 }, 2).map(|it| it.id)}`);"#,
    )
    .record("invoices", "a", r#"{"k":1}"#)
    .record("invoices", "b", r#"{"k":1}"#)
    .record("invoices", "c", r#"{"k":1}"#)
    .record("invoices", "d", r#"{"k":1}"#);
    assert_eq!(it.log(), [r#"["b", "c"]"#, r#"["aa", "b"]"#]);
}

#[test]
fn find_leaves_nothing_out_in_silence() {
    let limits = Limits {
        changes_max: 1000,
        ..super::limits()
    };
    let script = "let r = records(\"invoices\");\nfor i in 0..101 { r.set(`${i}`, #{ k: 1 }); }\n";
    let it = given(&format!("{script}r.find(#{{ k: 1 }});"))
        .limits(limits.clone())
        .failure();
    assert!(it.message.contains("more than 100"), "{it:?}");
    let it = given(&format!("{script}print(r.find(#{{ k: 1 }}, 500).len());")).limits(limits);
    assert_eq!(it.log(), ["101"]);
}

#[test]
fn mistakes_with_records_say_what_to_write() {
    // A name that is put together is seen by no check.
    fails(
        "let n = \"invoic\" + \"e\";\nrecords(n).get(\"a\");",
        2,
        "not given the records `invoice`",
        "did you mean `invoices`",
    );
    fails(
        "records(\"\" + \"invoices\").get(5);",
        1,
        "the id of a record has to be text, and this is whole number",
        "to_string()",
    );
    fails(
        "records(\"\" + \"invoices\").get(event.account);",
        1,
        "nothing",
        "event.data.object.id",
    );
    fails(
        "records(\"\" + \"invoices\").set(\"a\", 5);",
        1,
        "`set` needs a map",
        "#{",
    );
    fails(
        "records(\"\" + \"invoices\").set(\"a\", #{ f: || 1 });",
        1,
        "`f`: JSON has nothing for a function",
        "",
    );
    fails(
        "records(\"\" + \"invoices\").find(#{ id: \"a\" });",
        1,
        "the id is none",
        "get(id)",
    );
    fails(
        "records(\"\" + \"invoices\").update_if_newer(\"a\", \"x\", #{});",
        1,
        "time of the event",
        "event.created",
    );
    fails(
        "let s = \"x\"; for i in 0..19 { s += s; }\nrecords(\"\" + \"invoices\").set(\"a\", #{ s: s });",
        2,
        "262144 is the most",
        "fields",
    );
}

#[test]
fn the_id_of_a_record_is_its_own() {
    // Read: whatever stands in the document.
    let imported = given(r#"print(records("invoices").get("in_1").id == "in_1"); print(records("invoices").find(#{ a: 1 })[0].id == "in_1");
        print(records("invoices").update("in_1", #{ b: 2 }).id == "in_1");"#)
        .record("invoices", "in_1", r#"{"id":"other","a":1}"#);
    assert_eq!(imported.log(), ["true", "true", "true"]);
    // Written: its own or none.
    let own = given(r#"records("invoices").set("in_1", event.data.object);"#).changed();
    assert!(!own[0].contains("\"id\":\"in_1\""), "{own:?}");
    for change in [
        r#"set("cus_1", event.data.object)"#,
        r#"update("cus_1", #{ id: "in_1" })"#,
        r#"update_if_newer("cus_1", 5, #{ id: "in_1" })"#,
    ] {
        fails(
            &format!("records(\"invoices\").{change};"),
            1,
            "the id of this record is `cus_1`, and these fields have another `id`: `in_1`",
            "map.remove(\"id\")",
        );
    }
    fails(
        "records(\"totals\").add(\"a\", \"id\", 1);",
        1,
        "cannot count in `id`",
        "count",
    );
}

#[test]
fn what_a_change_gives_back_may_be_changed_whatever_it_was_made_from() {
    let it = given(
        r#"import "lib/x" as lib;
           let r = ();
           r = records("invoices").update("a", #{ status: lib::STATUS, list: lib::LIST });
           r.status = "other"; r.list[0] = 2; r.list.push(3);
           print(r.status == "other" && r.list == [2, 3]);"#,
    )
    .file(
        "scripts/lib/x.rhai",
        "export const STATUS = \"paid\";\nexport const LIST = [1];",
    );
    assert_eq!(it.log(), ["true"]);
    assert_eq!(it.changed(), [r#"invoices/a {"list":[1],"status":"paid"}"#]);
}
