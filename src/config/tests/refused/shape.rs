//! The file, its tables, and values of every kind.

use super::*;

#[test]
fn a_misspelt_section_leads_to_the_right_one() {
    refused(
        &file_with(
            r#"[servers]
listen = "127.0.0.1:1""#,
        ),
        "7:2",
        "unknown key `servers`",
        "did you mean `server`?",
    );
}

#[test]
fn an_unknown_key_is_answered_with_the_known_ones() {
    refused(
        &file_with(
            r#"[retention]
weather = "1d""#,
        ),
        "8:1",
        "unknown key `weather` in [retention]",
        "known here: events, dedupe",
    );
}

#[test]
fn a_misspelt_key_within_a_line_leads_to_the_right_one() {
    refused(
        &handler_with("retry = { attempt = 3 }"),
        "7:11",
        "unknown key `attempt` in `retry`",
        "did you mean `attempts`?",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    refused(
        &file_where("whsec_1", "${file:/run/x}"),
        "3:20",
        "the file `/run/x` cannot be read: no such file",
        "create the file, or let the user that runs hookyard read it",
    );
}

#[test]
fn a_variable_without_its_end_is_refused() {
    refused(
        &file_where("whsec_1", "${STRIPE"),
        "3:20",
        "`${` has no `}`",
        "write `${NAME}` for a variable, or `$${` for the characters themselves",
    );
}

#[test]
fn one_text_alone_is_no_list() {
    refused(
        &handler_with(r#"records = "invoices""#),
        "7:11",
        "`records` must be a list, this is text",
        r#"write `records = ["invoices"]`"#,
    );
}

#[test]
fn a_time_has_a_unit() {
    refused(
        &endpoint_with(r#"tolerance = "300""#),
        "4:13",
        "`tolerance` must be a time, this is `300`",
        r#"write a number and a unit (ms, s, m, h, d), such as "5m"; without this line it is 5m"#,
    );
}

#[test]
fn a_time_is_text() {
    refused(
        &endpoint_with("tolerance = 300"),
        "4:13",
        "`tolerance` must be text, this is a whole number",
        r#"write `tolerance = "300s"`"#,
    );
}

#[test]
fn a_size_has_a_unit_that_people_agree_on() {
    refused(
        &file_with(
            r#"[server]
body_size_max = "2 MB""#,
        ),
        "8:17",
        "`body_size_max` must be a size, this is `2 MB`",
        r#"write a number and a unit (B, KiB, MiB), such as "1 MiB"; without this line it is 1 MiB"#,
    );
}

#[test]
fn a_size_is_text() {
    refused(
        &file_with(
            "[server]
body_size_max = 2000000",
        ),
        "8:17",
        "`body_size_max` must be text, this is a whole number",
        r#"write `body_size_max = "2000000 B"`"#,
    );
}

#[test]
fn what_is_to_be_written_is_made_of_what_is_there() {
    for (text, at, message, help) in [
        (
            file_with("[server]\nconnections_max = \"512\""),
            "8:19",
            "`connections_max` must be a whole number, this is text",
            "write `connections_max = 512`",
        ),
        (
            service_with("rate = 7"),
            "9:8",
            "`rate` must be text, this is a whole number",
            "write `rate = \"7/s\"`",
        ),
        (
            endpoint_with("tolerance = 999999"),
            "4:13",
            "`tolerance` must be text, this is a whole number",
            "write `tolerance = \"5m\"`",
        ),
        (
            file_where("[\"invoice.paid\"]", "[5]"),
            "5:11",
            "`events` must be a list of texts, this is a whole number",
            "write `events = [\"invoice.paid\"]`",
        ),
        (
            handler_with("records = [true]"),
            "7:12",
            "`records` must be a list of texts, this is a yes or no",
            "write `records = [\"invoices\"]`",
        ),
        (
            file_where("[\"whsec_1\"]", "[5]"),
            "3:20",
            "`signing_secrets` must be a list of texts, this is a whole number",
            "write `signing_secrets = [\"${STRIPE_WEBHOOK_SECRET}\"]`",
        ),
    ] {
        refused(&text, at, message, help);
    }
}

#[test]
fn signs_that_are_none_of_toml_are_told() {
    let quotes = "type it anew: text stands in straight \"double quotes\"";
    for (lines, at, message, help) in [
        (
            "order_by = [“a”]",
            "7:13",
            "`“` is a quotation mark of a word processor",
            quotes,
        ),
        (
            "on_dead = ”block”",
            "7:11",
            "`”` is a quotation mark of a word processor",
            quotes,
        ),
        (
            "on_dead: \"block\"",
            "7:8",
            "a key and its value stand apart by `=`",
            "write `on_dead = …`",
        ),
    ] {
        refused(&handler_with(lines), at, message, help);
    }
    refused(
        &file_with("[[services]]\nurl = \"https://example.com\""),
        "7:1",
        "a table has one bracket on each side, and its name: `[[services]]` would be one of several without names",
        "write `[services.some-name]`",
    );
}

#[test]
fn an_address_is_a_number() {
    refused(
        &file_with(
            r#"[server]
listen = "localhost:8080""#,
        ),
        "8:10",
        "`listen` must be an IP address and a port, this is `localhost:8080`",
        r#"write "127.0.0.1:8080" for this machine alone, or "0.0.0.0:8080" for every network that it is in"#,
    );
}

#[test]
fn a_number_has_no_point() {
    refused(
        &file_with(
            "[server]
connections_max = 1.5",
        ),
        "8:19",
        "`connections_max` must be a whole number, this is a number with a point",
        "write `connections_max = 4096`",
    );
}

#[test]
fn a_yes_is_not_text() {
    refused(
        &service_with(r#"private_network = "yes""#),
        "9:19",
        "`private_network` must be a yes or no, this is text",
        "write `private_network = true` or `false`",
    );
}

#[test]
fn duplicates_are_known_as_long_as_events_are_kept() {
    refused(
        &file_with(
            r#"[retention]
events = "100d"
dedupe = "50d""#,
        ),
        "9:10",
        "`dedupe` is 50d, shorter than `events` with 100d",
        r#"write at least "100d", or shorten `events`"#,
    );
}

#[test]
fn duplicates_are_known_for_longer_than_stripe_resends() {
    refused(
        &file_with(
            r#"[retention]
events = "7d"
dedupe = "7d""#,
        ),
        "9:10",
        "`dedupe` must be between 35d and 7300d, this is `7d`",
        r#"write a number and a unit (ms, s, m, h, d), such as "90d"; without this line it is 90d"#,
    );
}

#[test]
fn a_name_is_plain() {
    refused(
        &file_where("handlers.h", r#"handlers."Invoice Paid""#),
        "4:11",
        "`Invoice Paid` cannot be the name of one of the handlers",
        "a name has 1 to 64 of a-z, 0-9, `-` and `_`, and begins with a letter or digit: `invoice-paid`",
    );
}

#[test]
fn handlers_are_tables_with_names() {
    refused(
        &file_where("[handlers.h]", "[[handlers]]"),
        "4:1",
        "a table has one bracket on each side, and its name: `[[handlers]]` would be one of several without names",
        "write `[handlers.some-name]`",
    );
}

#[test]
fn a_table_of_names_holds_only_tables() {
    refused(
        &file_with(
            r#"[services]
url = "https://example.com""#,
        ),
        "8:1",
        "`url` stands in [services], where only tables with names can stand",
        "give each a name and a table of its own: `[services.some-name]`",
    );
}

#[test]
fn a_section_is_a_table() {
    refused(
        &format!("server = 1\n{}", file_with("")),
        "1:10",
        "`server` must be a table",
        "write `[server]`",
    );
}

#[test]
fn a_file_without_an_endpoint_does_nothing() {
    refused(
        r#"[handlers.h]
events = ["invoice.paid"]
script = "scripts/h.rhai""#,
        "file",
        "there is no endpoint, so Stripe has nowhere to post to",
        &smallest(),
    );
}

#[test]
fn an_empty_file_does_nothing() {
    refused(
        "",
        "file",
        "there is no endpoint and no handler",
        &smallest(),
    );
}

#[test]
fn a_key_stands_once() {
    refused(
        &handler_with(r#"script = "scripts/g.rhai""#),
        "7:1",
        "`script` stands here a second time: the first is on line 6",
        "remove or rename one of the two",
    );
}

#[test]
fn a_key_within_a_line_stands_once_too() {
    refused(
        &handler_with(r#"retry = { script = 1, script = 2 }"#),
        "7:23",
        "`script` stands here a second time",
        "remove or rename one of the two",
    );
}

#[test]
fn a_table_that_stands_twice_is_told_once_and_not_again_for_its_keys() {
    refused(
        &file_with("[handlers.h]\nevents = [\"charge.*\"]\nscript = \"scripts/g.rhai\""),
        "7:11",
        "the table `[handlers.h]` stands here a second time: the first is on line 4",
        "remove or rename one of the two",
    );
}

const ON_ONE_LINE: &str = r#"text stands on one line between two double quotes, "like this"; a line break in it is written `\n`"#;

#[test]
fn text_ends_where_it_began() {
    refused(
        &handler_with(r#"on_dead = "block"#),
        "7:17",
        "this text has no end on its line",
        ON_ONE_LINE,
    );
}

#[test]
fn text_that_goes_on_in_the_next_line_is_one_mistake() {
    refused(
        &file_where("/webhooks/stripe", "/webhooks\n/stripe now"),
        "2:18",
        "this text has no end on its line",
        ON_ONE_LINE,
    );
}

#[test]
fn a_list_without_its_end_is_one_mistake() {
    refused(
        &file_where("[\"whsec_1\"]", "[\"whsec_1\""),
        "4:1",
        "the list before this table has no end",
        "a list stands between `[` and `]`, with a comma after each item: [\"a\", \"b\"]",
    );
}

#[test]
fn mistakes_in_two_tables_are_told_both() {
    let text = file_where("\"/webhooks/stripe\"", "/webhooks").replace("\"scripts/h", "scripts/h");
    let found = parse(&text, "handlers.toml", &world)
        .expect_err("two")
        .findings;
    let lines: Vec<usize> = found.iter().map(|it| it.line).collect();
    assert_eq!(lines, [2, 6], "{}", shown(&found));
}

#[test]
fn a_value_is_there() {
    refused(
        &handler_with("records ="),
        "7:10",
        "this is not TOML: string values must be quoted, expected literal string",
        r#"text stands between two double quotes: "like this""#,
    );
}

#[test]
fn what_a_variable_holds_is_shown_in_no_message() {
    let secret = |_: Variable<'_>| Ok("whsec_nobody".to_owned());
    for (before, line) in [
        ("events = [\"invoice.paid\"]", "events = [\"${A}\"]"),
        ("events = [\"invoice.paid\"]", "events = [\"${A}.*\"]"),
        ("script = \"scripts/h.rhai\"", "script = \"${A}\""),
        ("[handlers.h]", "[handlers.h]\norder_by = \"${A}.\""),
        ("[handlers.h]", "[handlers.h]\non_dead = \"${A}\""),
        ("[handlers.h]", "[handlers.h]\nservices = [\"${A}\"]"),
        ("[handlers.h]", "[handlers.h]\nrecords = [\"${A}!\"]"),
    ] {
        let text = file_where(before, line);
        let found = parse(&text, "handlers.toml", &secret).unwrap_err().findings;
        assert!(!shown(&found).contains("nobody"), "{}", shown(&found));
    }
}
