use super::*;
use crate::ledger::sqlite::list::CallRow;
use crate::run::RunId;

const NOW: UnixMillis = UnixMillis(1_700_000_100_000);

pub(in crate::cli::why) fn at(seconds: i64) -> UnixMillis {
    UnixMillis(1_700_000_000_000 + seconds * 1000)
}

pub(in crate::cli::why) fn raw(json: &str) -> Option<Box<RawValue>> {
    Some(RawValue::from_string(json.into()).unwrap())
}

pub(in crate::cli::why) fn run(state: &str) -> RunRow {
    RunRow {
        id: RunId(10_001),
        event_id: "evt_1".into(),
        kind: "invoice.paid".into(),
        handler: "invoice-paid".into(),
        state: state.into(),
        attempts: 1,
        replay: 0,
        due_at: None,
        finished_at: Some(at(40)),
        version: Some("0123456789abcdef".into()),
        why: None,
    }
}

pub(in crate::cli::why) fn attempt(number: u32, started: i64, outcome: &str) -> AttemptRow {
    AttemptRow {
        run: RunId(10_001),
        number,
        started_at: at(started),
        took_ms: 1_250,
        engine_us: 420,
        outcome: outcome.into(),
        version: "0123456789abcdef".into(),
        error: None,
        log: None,
        calls: None,
    }
}

pub(in crate::cli::why) fn call(state: &str, intended: i64, answered: Option<i64>) -> CallRow {
    CallRow {
        run: RunId(10_001),
        number: 1,
        state: state.into(),
        service: "accounting".into(),
        method: "POST".into(),
        url: "https://a.example/paid".into(),
        request: None,
        content: String::new(),
        idempotency_key: "key-1".into(),
        version: "0123456789abcdef".into(),
        now: at(0),
        seen: None,
        intended_at: at(intended),
        answered_at: answered.map(at),
        answer: raw(r#"{"status":200,"headers":{},"text":"{}","body_missing":null}"#),
        path: Some("/paid".into()),
        decided: None,
        once: None,
        given_to: None,
    }
}

fn change(version: i64, before: Option<&str>, after: Option<&str>) -> ChangeRow {
    ChangeRow {
        id: 1,
        run: Some(RunId(10_001)),
        collection: "invoices".into(),
        record_id: "in_1".into(),
        version,
        before: before.and_then(raw),
        after: after.and_then(raw),
        at: at(40),
        previous: None,
    }
}

pub(in crate::cli::why) fn plain(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .map(|it| anstream::adapter::strip_str(it).to_string())
        .collect()
}

#[track_caller]
fn check(story: &RunStory, expected: &[&str]) {
    assert_eq!(plain(&lines(story, NOW)), expected);
}

#[test]
fn a_run_tells_its_attempt_its_call_and_its_changes() {
    check(
        &RunStory {
            run: run("done"),
            attempts: vec![attempt(1, 1, "done")],
            journal: vec![call("settled", 2, Some(3))],
            decisions: vec![],
            record_changes: vec![
                change(1, None, Some(r#"{"status":"paid"}"#)),
                change(
                    2,
                    Some(r#"{"status":"open","x":1}"#),
                    Some(r#"{"status":"paid","n":2}"#),
                ),
                change(3, Some(r#"{"status":"paid"}"#), None),
            ],
        },
        &[
            "run 10001  handler `invoice-paid`  done  2023-11-14T22:14:00Z (1m ago)",
            "  attempt 1  2023-11-14T22:13:21Z (1m ago)  done  in 1.25 s, 0.4 ms of it in the script, version 0123456789ab",
            "    call 1  POST https://a.example/paid  settled",
            "      written down 2023-11-14T22:13:22Z, answered 200 2023-11-14T22:13:23Z (1.00 s later)",
            "      service `accounting`, Idempotency-Key key-1",
            "  record changes",
            "    invoices/in_1  new → version 1",
            "      status: \"paid\"",
            "    invoices/in_1  version 1 → version 2",
            "      status: \"open\" → \"paid\"",
            "      n: 2",
            "      x: 1 → (gone)",
            "    invoices/in_1  version 2 → version 3",
            "      removed",
        ],
    );
}

#[test]
fn an_error_shows_its_line_what_was_asked_and_what_was_logged_before() {
    let failed = AttemptRow {
        log: raw(r#"[{"level":"info","line":2,"text":"amount 5\u001b[2J"}]"#),
        error: raw(
            r#"{"message":"accounting answered 503","script":"scripts/invoice_paid.rhai","line":9,"column":3,
                "source_line":"  service(\"accounting\").post(\"/paid\");","help":null,
                "call":{"service":"accounting","method":"POST","path":"/paid","status":503,"text":"busy","retry_after":null}}"#,
        ),
        ..attempt(1, 1, "failed")
    };
    let waiting = RunRow {
        finished_at: None,
        due_at: Some(UnixMillis(NOW.0 + 60_000)),
        why: Some("accounting answered 503".into()),
        ..run("waiting")
    };
    check(
        &RunStory {
            run: waiting,
            attempts: vec![failed],
            journal: vec![],
            decisions: vec![],
            record_changes: vec![],
        },
        &[
            "run 10001  handler `invoice-paid`  waiting  until 2023-11-14T22:16:00Z (in 1m)",
            "  accounting answered 503",
            "  attempt 1  2023-11-14T22:13:21Z (1m ago)  failed  in 1.25 s, 0.4 ms of it in the script, version 0123456789ab",
            "    log line 2: amount 5\\u{1b}[2J",
            "    error: accounting answered 503",
            "     --> scripts/invoice_paid.rhai:9:3",
            "      9 |   service(\"accounting\").post(\"/paid\");",
            "      asked `accounting`: POST /paid; it answered 503",
            "      | busy",
        ],
    );
}

#[test]
fn a_call_of_an_attempt_that_was_never_reported_is_told_all_the_same() {
    let story = RunStory {
        run: run("ready"),
        attempts: vec![],
        journal: vec![call("intended", 12, None)],
        decisions: vec![],
        record_changes: vec![],
    };
    let lines = plain(&lines(&story, NOW));
    assert_eq!(lines[1], "  in attempts of which there is no report");
    assert!(
        lines[2].ends_with("intended: whether it took effect is not known"),
        "{}",
        lines[2]
    );
}

#[test]
fn a_long_value_is_cut() {
    let long = change(1, None, Some(&format!("{{\"x\":\"{}\"}}", "y".repeat(500))));
    let lines = changed(&long);
    assert_eq!(
        lines[0].chars().count(),
        "x: ".len() + VALUE_SHOWN_CHARS_MAX + " …".chars().count()
    );
}

#[test]
fn what_a_script_says_in_several_lines_looks_like_none_of_ours() {
    let said = "no\nattempt 2  2026-11-29T03:43:37Z (3s ago)  done";
    let error = serde_json::json!({ "message": said, "script": "scripts/a.rhai", "line": 0, "column": 0,
        "source_line": "", "help": null, "call": null });
    let story = RunStory {
        run: RunRow {
            why: Some(said.into()),
            ..run("dead")
        },
        attempts: vec![AttemptRow {
            error: raw(&error.to_string()),
            ..attempt(1, 1, "dead")
        }],
        journal: vec![],
        decisions: vec![],
        record_changes: vec![],
    };
    let lines = plain(&lines(&story, NOW));
    let marked = lines.iter().filter(|it| it.contains("attempt 2"));
    assert!(marked.clone().all(|it| it.trim_start().starts_with("| ")));
    assert_eq!(marked.count(), 2);
}
