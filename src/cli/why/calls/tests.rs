use super::super::timeline::tests::{at, attempt, call, plain, raw, run};
use super::*;

/// What three attempts, which began at 10, 20 and 30, had to do with a call.
#[track_caller]
fn check_call(call: &CallRow, expected: [&str; 3]) {
    let starts = [at(10), at(20), at(30)];
    for (nth, expected) in expected.into_iter().enumerate() {
        let found = plain(&call_in_attempt(
            call,
            starts[nth],
            starts.get(nth + 1).copied(),
        ));
        let first = found.first().map_or("", String::as_str);
        assert_eq!(
            first
                .strip_prefix("call 1  POST https://a.example/paid  ")
                .unwrap_or(first),
            expected
        );
    }
}

#[test]
fn a_call_that_was_answered_before_is_not_told_of_an_attempt_that_says_nothing_of_it() {
    check_call(&call("settled", 12, Some(13)), ["settled", "", ""]);
}

#[test]
fn a_call_that_was_sent_again_says_in_which_attempt_it_was_answered() {
    check_call(
        &call("settled", 12, Some(25)),
        [
            "settled",
            "sent again with the same key, answered 200 2023-11-14T22:13:45Z",
            "",
        ],
    );
}

#[test]
fn what_was_answered_later_is_not_told_as_this_attempts_answer() {
    let lines = plain(&call_in_attempt(
        &call("settled", 12, Some(25)),
        at(10),
        Some(at(20)),
    ));
    assert_eq!(
        lines[1],
        "  written down 2023-11-14T22:13:32Z, no lasting answer in this attempt"
    );
}

#[test]
fn a_call_of_a_later_attempt_is_not_told_in_an_earlier_one() {
    check_call(&call("settled", 32, Some(33)), ["", "", "settled"]);
}

/// What an attempt tells of a call of which this is noted.
#[track_caller]
fn check_note(note: &str, expected: &str) {
    let attempt = AttemptRow {
        calls: raw(&format!(
            "[{{\"number\":1,\"service\":\"accounting\",\"method\":\"POST\",\"path\":\"/paid\",{note}}}]"
        )),
        ..attempt(1, 10, "failed")
    };
    let story = RunStory {
        run: run("dead"),
        attempts: vec![attempt.clone()],
        journal: vec![call("settled", 12, Some(13))],
        decisions: vec![],
        record_changes: vec![],
    };
    let found = plain(&of_attempt(&story, &attempt, None));
    let first = found.first().map_or("", String::as_str);
    let start = "call 1  POST https://a.example/paid  ";
    assert_eq!(first.strip_prefix(start).unwrap_or(first), expected);
}

#[test]
fn an_attempt_tells_what_it_did_with_each_call() {
    check_note(r#""did":"new","became":"settled","status":200"#, "settled");
    check_note(
        r#""did":"new","became":"refused","status":422"#,
        "refused and forgotten: the next attempt makes a new call",
    );
    check_note(
        r#""did":"new","became":"intended""#,
        "no answer: its outcome is unknown",
    );
    check_note(
        r#""did":"sent_again","became":"unsettled","status":503"#,
        "sent again with the same key, unsettled: to be sent again with the same key",
    );
    check_note(
        r#""did":"from_journal","status":200,"differs":true"#,
        "answered from the journal, not sent again, matched although its body differs",
    );
    check_note(
        r#""did":"outcome_unknown""#,
        "outcome unknown: sent before, never answered, and not sent again",
    );
    check_note(
        r#""did":"calls_changed""#,
        "not sent: which of the earlier calls this is, is not certain",
    );
}

#[test]
fn an_attempt_tells_what_an_operator_decided() {
    check_note(
        r#""did":"from_journal","status":200,"differs":true,"decided":"reuse""#,
        "answered from the journal, not sent again, matched although its body differs, decided by an operator (--reuse)",
    );
    check_note(
        r#""did":"new","became":"settled","status":200,"decided":"again""#,
        "settled, decided by an operator (--again)",
    );
    let decision = DecisionRow {
        run: run("ready").id,
        number: 1,
        choice: "settle".into(),
        call: Some(3),
        through: 3,
        decided_by: "alice".into(),
        decided_at: at(15),
        over_at: None,
    };
    assert_eq!(
        plain(&[decided(&decision)]),
        ["retry --settle  2023-11-14T22:13:35Z by alice: call 3 has taken effect"]
    );
}

#[test]
fn an_attempt_tells_no_time_of_an_answer_that_came_later() {
    let note = |did: &str| {
        raw(&format!(
            "[{{\"number\":1,\"service\":\"accounting\",\"method\":\"POST\",\"path\":\"/paid\",\"did\":\"{did}\",\"became\":\"unsettled\",\"status\":503}}]"
        ))
    };
    let first = AttemptRow {
        calls: note("new"),
        ..attempt(1, 10, "failed")
    };
    let second = AttemptRow {
        calls: note("sent_again"),
        ..attempt(2, 20, "failed")
    };
    let mut story = RunStory {
        run: run("waiting"),
        attempts: vec![first.clone()],
        journal: vec![call("unsettled", 12, Some(13))],
        decisions: vec![],
        record_changes: vec![],
    };
    let told = |story: &RunStory| plain(&of_attempt(story, &first, None))[1].clone();
    assert!(told(&story).ends_with("later)"), "{}", told(&story));
    story.attempts.push(second);
    assert!(told(&story).ends_with("answered 503"), "{}", told(&story));
}
