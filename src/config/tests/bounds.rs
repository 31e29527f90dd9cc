//! Every bound: the value on it is taken, the one past it is not.

use super::*;

/// `section` is a header, with what else the table needs.
#[track_caller]
fn check_bound(section: &str, key: &str, good: &[&str], bad: &[&str]) {
    for value in good {
        read(&file_with(&format!("{section}\n{key} = {value}")));
    }
    for value in bad {
        let text = file_with(&format!("{section}\n{key} = {value}"));
        let found = parse(&text, "handlers.toml", &world)
            .expect_err(&format!("{key} = {value}"))
            .findings;
        assert_eq!(found.len(), 1, "{}", shown(&found));
        assert!(
            found[0]
                .message
                .starts_with(&format!("`{key}` must be between")),
            "{}",
            found[0]
        );
    }
}

#[track_caller]
fn only_says(text: &str, message: &str) {
    let found = parse(text, "handlers.toml", &world)
        .expect_err(message)
        .findings;
    let messages: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(messages, [message]);
}

#[test]
fn every_bound_of_the_server_holds() {
    let check = |key, good: &[&str], bad: &[&str]| check_bound("[server]", key, good, bad);
    check(
        "head_size_max",
        &["\"8 KiB\"", "\"1 MiB\""],
        &["\"8191 B\"", "\"1025 KiB\""],
    );
    check(
        "body_size_max",
        &["\"64 KiB\"", "\"64 MiB\""],
        &["\"65535 B\"", "\"65 MiB\""],
    );
    check(
        "head_timeout",
        &["\"1s\"", "\"1m\""],
        &["\"999ms\"", "\"61s\"", "\"0s\""],
    );
    check(
        "body_timeout",
        &["\"1s\"", "\"5m\""],
        &["\"999ms\"", "\"301s\""],
    );
    check(
        "keep_alive",
        &["\"1s\"", "\"10m\""],
        &["\"999ms\"", "\"601s\""],
    );
    check(
        "connections_max",
        &["1", "100_000", "0x10"],
        &["0", "100001", "-1", "99999999999999999999999"],
    );
    check(
        "drain_timeout",
        &["\"1s\"", "\"10m\""],
        &["\"0s\"", "\"601s\""],
    );
}

#[test]
fn every_bound_of_an_attempt_holds() {
    let check = |key, good: &[&str], bad: &[&str]| check_bound("[limits]", key, good, bad);
    check(
        "operations_max",
        &["1000", "1000000000"],
        &["999", "1000000001"],
    );
    check(
        "engine_time_max",
        &["\"10ms\"", "\"1m\""],
        &["\"9ms\"", "\"61s\""],
    );
    check("memory_mib", &["8", "1024"], &["7", "1025"]);
    check("calls_max", &["1", "1000"], &["0", "1001"]);
    check("changes_max", &["1", "100000"], &["0", "100001"]);
    check("script_threads", &["1", "256"], &["0", "257"]);
    check("runs_in_flight_max", &["1", "1000000"], &["0", "1000001"]);
}

#[test]
fn every_bound_of_the_retention_holds() {
    check_bound(
        "[retention]",
        "events",
        &["\"1d\"", "\"3650d\""],
        &["\"23h\"", "\"3651d\""],
    );
    check_bound(
        "[retention]\nevents = \"1d\"",
        "dedupe",
        &["\"35d\"", "\"7300d\""],
        &["\"34d\"", "\"7301d\""],
    );
}

#[test]
fn every_bound_of_an_endpoint_holds() {
    let endpoint = "[endpoints.x]\npath = \"/x\"\nsigning_secrets = [\"whsec_2\"]";
    check_bound(
        endpoint,
        "tolerance",
        &["\"1s\"", "\"1h\""],
        &["\"0s\"", "\"999ms\"", "\"3601s\""],
    );
}

#[test]
fn every_bound_of_a_service_holds() {
    let service = "[services.s]\nurl = \"https://example.com\"";
    let check = |key, good: &[&str], bad: &[&str]| check_bound(service, key, good, bad);
    check(
        "timeout",
        &["\"100ms\"", "\"10m\""],
        &["\"99ms\"", "\"601s\""],
    );
    check(
        "connect_timeout",
        &["\"100ms\"", "\"10s\""],
        &["\"99ms\"", "\"11s\""],
    );
    for part in ["head_timeout", "body_timeout"] {
        check(part, &["\"100ms\"", "\"10s\""], &["\"99ms\"", "\"11s\""]);
    }
    check("connections_max", &["1", "10000"], &["0", "10001"]);
    check(
        "answer_size_max",
        &["\"1 KiB\"", "\"16 MiB\""],
        &["\"1023 B\"", "\"17 MiB\""],
    );
    check(
        "idempotency",
        &["\"1m\"", "\"365d\""],
        &["\"59s\"", "\"366d\""],
    );
}

#[test]
fn every_bound_of_a_breaker_holds() {
    let breaker = "[services.s]\nurl = \"https://example.com\"\n[services.s.breaker]";
    let check = |key, good: &[&str], bad: &[&str]| check_bound(breaker, key, good, bad);
    check("failures", &["2", "1000"], &["1", "1001"]);
    check(
        "first",
        &["\"100ms\"", "\"10m\""],
        &["\"99ms\"", "\"601s\""],
    );
    check("max", &["\"1s\"", "\"10m\""], &["\"999ms\"", "\"601s\""]);
}

#[test]
fn every_bound_of_a_retry_holds() {
    check_bound(
        "[handlers.h.retry]",
        "attempts",
        &["1", "100"],
        &["0", "101"],
    );
    check_bound(
        "[handlers.h.retry]",
        "first",
        &["\"100ms\"", "\"1d\""],
        &["\"99ms\"", "\"25h\""],
    );
    check_bound(
        "[handlers.h.retry]\nfirst = \"1m\"",
        "max",
        &["\"1m\"", "\"30d\""],
        &["\"59s\"", "\"31d\""],
    );
}

#[test]
fn every_bound_of_a_canary_holds() {
    let check = |key, good: &[&str], bad: &[&str]| {
        check_bound("[handlers.h.canary]", key, good, bad);
    };
    check("share", &["\"0.01%\"", "\"100%\""], &["\"0%\"", "\"101%\""]);
    check("runs", &["1", "10000"], &["0", "10001"]);
    check("errors", &["\"0%\"", "\"99.99%\""], &["\"100%\""]);
}

#[test]
fn there_are_no_more_tables_than_allowed() {
    let table = |kind: &str, count: usize, lines: &dyn Fn(usize) -> String| -> String {
        (0..count)
            .map(|it| format!("[{kind}.n{it}]\n{}\n", lines(it)))
            .collect()
    };
    let endpoint = |it: usize| format!("path = \"/{it}\"\nsigning_secrets = [\"whsec_1\"]");
    let service = |_: usize| "url = \"https://example.com\"".to_owned();
    let handler = |_: usize| "events = [\"*\"]\nscript = \"scripts/x.rhai\"".to_owned();

    read(&file_with(&table("endpoints", 63, &endpoint)));
    only_says(
        &file_with(&table("endpoints", 64, &endpoint)),
        "there are 65 endpoints, at most 64 are allowed",
    );
    read(&file_with(&table("services", 256, &service)));
    only_says(
        &file_with(&table("services", 257, &service)),
        "there are 257 services, at most 256 are allowed",
    );
    read(&file_with(&table("handlers", 999, &handler)));
    only_says(
        &file_with(&table("handlers", 1000, &handler)),
        "there are 1001 handlers, at most 1000 are allowed",
    );
}

#[test]
fn no_list_is_longer_than_allowed() {
    let list = |count: usize, item: &dyn Fn(usize) -> String| {
        (0..count)
            .map(|it| format!("\"{}\"", item(it)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let secrets = |count| file_where("\"whsec_1\"", &list(count, &|it| format!("whsec_{it}")));
    read(&secrets(16));
    only_says(
        &secrets(17),
        "there are 17 signing secrets, at most 16 are allowed",
    );
    let records = |count| {
        handler_with(&format!(
            "records = [{}]",
            list(count, &|it| format!("c{it}"))
        ))
    };
    let access = |count| {
        let each: Vec<String> = (0..count).map(|it| format!("c{it} = \"read\"")).collect();
        handler_with(&format!("records = {{ {} }}", each.join(", ")))
    };
    read(&access(64));
    only_says(&access(65), "at most 64 collections are allowed");
    let name = |chars| handler_with(&format!("records = [\"{}\"]", "c".repeat(chars)));
    read(&name(64));
    let long = "c".repeat(65);
    only_says(
        &name(65),
        &format!("`{long}` cannot be the name of a collection"),
    );
    read(&records(64));
    only_says(&records(65), "at most 64 collections are allowed");
    let order_by = |count| {
        handler_with(&format!(
            "order_by = [{}]",
            list(count, &|it| format!("data.a{it}"))
        ))
    };
    read(&order_by(8));
    only_says(
        &order_by(9),
        "`order_by` must name 1 to 8 paths, these are 9",
    );
    let events = |count| file_where("\"invoice.paid\"", &list(count, &|it| format!("?a.b{it}")));
    read(&events(1000));
    only_says(
        &events(1001),
        "`events` has 1001 items, at most 1000 are allowed",
    );
    let headers = |count: usize| {
        let lines: String = (0..count).map(|it| format!("x-{it} = \"1\"\n")).collect();
        file_with(&format!(
            "[services.s]\nurl = \"https://example.com\"\n[services.s.headers]\n{lines}"
        ))
    };
    read(&headers(32));
    only_says(&headers(33), "there are 33 headers, at most 32 are allowed");
}

#[test]
fn no_text_is_longer_than_allowed() {
    let path =
        |length: usize| file_where("/webhooks/stripe", &format!("/{}", "a".repeat(length - 1)));
    read(&path(512));
    only_says(&path(513), "`path` has 513 bytes, at most 512 are allowed");
    let secret = |length| file_where("whsec_1", &"a".repeat(length));
    read(&secret(512));
    only_says(
        &secret(513),
        "a signing secret has 513 bytes, more than the 512 that are allowed",
    );
    let header = |length| {
        let value = "a".repeat(length);
        file_with(&format!(
            "[services.s]\nurl = \"https://example.com\"\nheaders = {{ x = \"{value}\" }}"
        ))
    };
    read(&header(8192));
    only_says(
        &header(8193),
        "the header `x` has 8193 bytes, at most 8192 are allowed",
    );
}

#[test]
fn the_file_is_no_larger_than_a_mebibyte() {
    let filled = |length: usize| {
        let bare = file_with("#").len();
        file_with(&format!("#{}", "x".repeat(length - bare)))
    };
    read(&filled(1024 * 1024));
    only_says(
        &filled(1024 * 1024 + 1),
        "the file has 1048577 bytes, more than the 1048576 that are allowed",
    );
}
