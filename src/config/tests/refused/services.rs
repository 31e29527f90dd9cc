//! Services, their addresses and headers.

use super::*;

#[test]
fn a_service_has_a_url() {
    refused(
        &file_with(
            r#"[services.s]
timeout = "1s""#,
        ),
        "7:1",
        "[services.s] has no `url`",
        r#"add the line `url = "https://accounting.example.com/api"`"#,
    );
}

#[test]
fn a_url_has_a_scheme() {
    refused(
        &file_with(
            r#"[services.s]
url = "example.com""#,
        ),
        "8:7",
        "`url` does not begin with `https://`",
        r#"write the whole address: "https://accounting.example.com/api""#,
    );
}

#[test]
fn a_url_is_of_the_web() {
    refused(
        &file_with(
            r#"[services.s]
url = "ftp://example.com""#,
        ),
        "8:7",
        "a service is reached by https:// or http://",
        r#"write "https://…""#,
    );
}

#[test]
fn a_url_has_a_host() {
    refused(
        &file_with(
            r#"[services.s]
url = "https://""#,
        ),
        "8:7",
        "`url` is not a web address: empty host",
        r#"write the whole address: "https://accounting.example.com/api""#,
    );
}

#[test]
fn a_url_has_no_query() {
    refused(
        &file_with(
            r#"[services.s]
url = "https://example.com/?a=1""#,
        ),
        "8:7",
        "`url` must end before `?` and `#`: scripts add the rest of the path",
        "leave that part out",
    );
}

#[test]
fn http_is_for_networks_of_ones_own() {
    refused(
        &file_with(
            r#"[services.s]
url = "http://example.com""#,
        ),
        "8:7",
        "http:// sends everything in the clear, secrets too",
        r#"write "https://…", or `private_network = true` if it is on this machine or in a network of your own"#,
    );
}

#[test]
fn a_rate_has_a_time() {
    refused(
        &service_with(r#"rate = "20""#),
        "9:8",
        "`rate` must be a rate of 1 to 1000000 calls, this is `20`",
        r#"write how many in which time: "20/s", "100/m" or "1000/h""#,
    );
}

#[test]
fn headers_are_a_table() {
    refused(
        &service_with(r#"headers = ["a"]"#),
        "9:11",
        "`headers` must be a table, this is a list",
        r#"write `headers = { authorization = "Bearer ${ACCOUNTING_TOKEN}" }`"#,
    );
}

#[test]
fn the_hosts_own_headers_are_its_own() {
    refused(
        &service_with(r#"headers = { Idempotency-Key = "1" }"#),
        "9:13",
        "the header `idempotency-key` is set by hookyard itself",
        "remove it",
    );
}

#[test]
fn a_header_has_a_name() {
    refused(
        &service_with(r#"headers = { "a b" = "1" }"#),
        "9:13",
        "`a b` cannot be the name of a header",
        "write letters, digits and `-`",
    );
}

#[test]
fn a_header_stands_once() {
    refused(
        &service_with(r#"headers = { a = "1", A = "2" }"#),
        "9:22",
        "the header `a` stands here twice",
        "remove one of them; upper and lower case are the same",
    );
}

#[test]
fn a_header_from_a_variable_has_no_line_break() {
    refused(
        &service_with(r#"headers = { a = "${BREAK}" }"#),
        "9:17",
        "the header `a` holds a character that no header can hold",
        "look for a line break or another control character in it",
    );
}

#[test]
fn connecting_is_a_part_of_the_timeout() {
    refused(
        &service_with(
            r#"timeout = "1s"
connect_timeout = "2s""#,
        ),
        "10:19",
        "`connect_timeout` must be between 100ms and 1s, this is `2s`",
        r#"write a number and a unit (ms, s, m, h, d), such as "1s"; without this line it is 1s"#,
    );
}

#[test]
fn a_breaker_is_off_or_a_table() {
    refused(
        &file_with("[services.s]\nurl = \"https://example.com\"\nbreaker = \"never\""),
        "9:11",
        "`breaker` must be \"off\" or a table, this is `never`",
        "write `breaker = { failures = 5, first = \"1s\", max = \"15s\" }`, or \"off\" to send calls however many have failed",
    );
    refused(
        &file_with("[services.s]\nurl = \"https://example.com\"\nbreaker = 5"),
        "9:11",
        "`breaker` must be \"off\" or a table, this is a whole number",
        "write `breaker = { failures = 5, first = \"1s\", max = \"15s\" }`",
    );
    refused(
        &file_with("[services.s]\nurl = \"https://example.com\"\nbreaker = { failure = 5 }"),
        "9:13",
        "unknown key `failure` in `breaker`",
        "did you mean `failures`?",
    );
}

#[test]
fn a_private_network_that_is_no_yes_or_no_is_one_mistake() {
    refused(
        &file_with(
            r#"[services.s]
url = "http://localhost:1"
private_network = "yes""#,
        ),
        "9:19",
        "`private_network` must be a yes or no, this is text",
        "write `private_network = true` or `false`",
    );
}

#[test]
fn keys_that_a_service_ignores_are_said_with_none() {
    refused(
        &service_with(r#"idempotency = "off""#),
        "9:15",
        "`idempotency` cannot be `off`",
        r#"write "none" for a service that ignores idempotency keys, or how long it remembers them, such as "24h""#,
    );
}
