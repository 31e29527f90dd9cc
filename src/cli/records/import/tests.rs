use super::lines::from_json;
use super::table::from_csv;
use super::*;

type Parsed = Result<Vec<RecordByHand>, String>;

#[track_caller]
fn check(parsed: Parsed, expected: Result<&[(&str, &str)], &str>) {
    let found: Result<Vec<(String, String)>, String> = parsed.map(|all| {
        all.into_iter()
            .map(|it| (it.id, it.body.unwrap_or_default()))
            .collect()
    });
    match (found, expected) {
        (Ok(found), Ok(expected)) => {
            let found: Vec<(&str, &str)> = found
                .iter()
                .map(|(a, b)| (a.as_str(), b.as_str()))
                .collect();
            assert_eq!(found, expected);
        }
        (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
        (found, expected) => panic!("{found:?} is not {expected:?}"),
    }
}

#[test]
fn json_lines_are_taken_as_they_are_written_and_as_we_print_them() {
    let ours =
        "{\"collection\":\"c\",\"id\":\"b\",\"version\":3,\"body\":{\"x\":1.10},\"updated_at\":5}";
    check(
        from_json("c", &format!("{{\"id\":\"a\",\"body\":{{}}}}\n\n{ours}\n")),
        Ok(&[("a", "{}"), ("b", "{\"x\":1.10}")]),
    );
}

#[test]
fn a_mistake_in_json_names_its_line() {
    let good = "{\"id\":\"a\",\"body\":{}}\n";
    check(
        from_json("c", &format!("{good}{{\"id\":\"b\",\"boddy\":{{}}}}")),
        Err("line 2, column"),
    );
    check(
        from_json("c", &format!("{good}{{\"id\":\"b\",\"body\":[]}}")),
        Err("line 2: the body of `b`"),
    );
    check(
        from_json("c", &format!("{good}{good}")),
        Err("line 2: record `a` stands on line 1"),
    );
    check(
        from_json("d", "{\"collection\":\"c\",\"id\":\"a\",\"body\":{}}"),
        Err("a record of `c`, not of `d`"),
    );
    check(
        from_json("c", "{\"id\":\"a\",\"body\":{\"id\":\"b\"}}"),
        Err("`id` is not the id of the record"),
    );
    check(
        from_json("c", "{\"id\":\"\",\"body\":{}}"),
        Err("line 1: an id has 1 to"),
    );
}

#[test]
fn csv_columns_become_text_fields_and_empty_cells_none() {
    check(
        from_csv(
            "c",
            "name,id,note\r\nZoë,cus_1,\"a, \"\"b\"\"\"\r\nMax,cus_2,\r\n",
        ),
        Ok(&[
            ("cus_1", r#"{"name":"Zoë","note":"a, \"b\""}"#),
            ("cus_2", r#"{"name":"Max"}"#),
        ]),
    );
}

#[test]
fn a_mistake_in_csv_names_its_line() {
    check(
        from_csv("c", "name,email\na,b\n"),
        Err("line 1: no column is named `id`"),
    );
    check(
        from_csv("c", "id,a,a\n1,2,3\n"),
        Err("line 1: two columns are named `a`"),
    );
    check(
        from_csv("c", "id,a\n1,2\n3\n"),
        Err("line 3: it has 1 cells, the first line names 2"),
    );
    check(
        from_csv("c", "id,a\n1,\"x\ny\"\n1,2\n"),
        Err("line 4: record `1` stands on line 2"),
    );
}

#[test]
fn a_command_carries_a_bounded_number_of_records_and_bytes() {
    let record = |size: usize| RecordByHand {
        collection: "c".into(),
        id: "i".into(),
        body: Some("x".repeat(size)),
    };
    let lengths = |records: Vec<RecordByHand>| -> Vec<usize> {
        batches(records).iter().map(Vec::len).collect()
    };
    assert_eq!(lengths(vec![record(10); 1_001]), [500, 500, 1]);
    assert_eq!(lengths(vec![record(BYTES_AT_ONCE / 2); 3]), [1, 1, 1]);
    assert_eq!(lengths(vec![record(BYTES_AT_ONCE / 2 - 2); 3]), [2, 1]);
}

#[test]
fn a_table_that_is_read_otherwise_than_it_was_meant_is_refused() {
    check(
        from_csv("c", "id,a\nx,\"open\ny,2\n"),
        Err("line 2: a `\"` opens a cell"),
    );
    check(from_csv("c", "id,\nx,1\n"), Err("column 2 has no name"));
    check(from_csv("c", "id;a\nx;1\n"), Err("divided by `;`"));
    check(
        from_csv("c", "id,a\nx,\"say \"\"hi\"\"\"\ny,5\" disk\n"),
        Ok(&[("x", r#"{"a":"say \"hi\""}"#), ("y", r#"{"a":"5\" disk"}"#)]),
    );
}
