use super::*;
use crate::clock::UnixMillis;

fn content(body: &str) -> String {
    content_of("books", "POST", "/x", Some(body))
}

fn entry(number: i64, body: &str, state: CallState, version: &str) -> JournalEntry {
    JournalEntry {
        number,
        state,
        service: "books".into(),
        method: "POST".into(),
        url: "http://b/x".into(),
        path: Some("/x".into()),
        request: String::new(),
        content: content(body),
        idempotency_key: format!("key-{number}"),
        version: version.into(),
        now: UnixMillis(0),
        seen: None,
        intended_at: UnixMillis(0),
        answered_at: None,
        answer: None,
        decided: None,
        once: None,
        given_to: None,
    }
}

fn asked<'a>(body: &'a str, version: &'a str) -> Asked<'a> {
    Asked {
        service: "books",
        method: "POST",
        path: "/x",
        url: "http://b/x",
        body: Some(body),
        once: None,
        version,
    }
}

/// What the calls with these bodies, in this order, are to a journal.
#[track_caller]
fn check_with(
    matching: Matching,
    entries: &[JournalEntry],
    version: &str,
    bodies: &[&str],
    expected: &[&str],
) {
    let mut journal = Journal::new(entries.to_vec(), matching);
    let mut found = Vec::new();
    for body in bodies {
        let mut say = |what: &str, it: Found, journal: &mut Journal| {
            let differs = if it.differs { ", differs" } else { "" };
            let decided = it
                .decided
                .map_or(String::new(), |it| format!(" by {}", it.as_str()));
            found.push(format!("{what} {}{differs}{decided}", it.entry.number));
            journal.put(it.entry, &content(body));
        };
        match journal.peek(&asked(body, version)) {
            Match::Settled(it) => say("settled", it, &mut journal),
            Match::Again(it) => say("again", it, &mut journal),
            Match::New { decided } => {
                let number = journal.next_number();
                journal.put(
                    entry(number, body, CallState::Settled, version),
                    &content(body),
                );
                found.push(decided.map_or("new".into(), |it| format!("new by {}", it.as_str())));
            }
            Match::CallsChanged => {
                found.push("changed".into());
                break;
            }
        }
    }
    assert_eq!(found, expected);
}

#[track_caller]
fn check(entries: &[JournalEntry], version: &str, bodies: &[&str], expected: &[&str]) {
    check_with(Matching::Usual, entries, version, bodies, expected);
}

fn settled(bodies: &[&str], version: &str) -> Vec<JournalEntry> {
    (1..)
        .zip(bodies)
        .map(|(number, body)| entry(number, body, CallState::Settled, version))
        .collect()
}

#[test]
fn a_settled_call_is_never_made_again() {
    let one = settled(&["a"], "v1");
    check(&one, "v1", &["a", "b"], &["settled 1", "new"]);
    check(&one, "v2", &["a"], &["settled 1"]);
}

#[test]
fn equal_calls_match_one_for_one() {
    let twice = [
        entry(1, "a", CallState::Settled, "v1"),
        entry(2, "a", CallState::Intended, "v1"),
    ];
    check(
        &twice,
        "v1",
        &["a", "a", "a"],
        &["settled 1", "again 2", "new"],
    );
}

#[test]
fn an_unchanged_script_that_says_something_else_means_its_next_call() {
    let one = [
        entry(1, "a", CallState::Settled, "v1"),
        entry(2, "b", CallState::Unsettled, "v1"),
    ];
    check(
        &one,
        "v1",
        &["x", "y"],
        &["settled 1, differs", "again 2, differs"],
    );
}

#[test]
fn an_edited_script_means_the_one_call_that_is_left_or_an_operator_decides() {
    check(
        &settled(&["a"], "v1"),
        "v2",
        &["b"],
        &["settled 1, differs"],
    );
    let two = settled(&["a", "b"], "v1");
    check(&two, "v2", &["c"], &["changed"]);
    check(
        &two,
        "v2",
        &["b", "c"],
        &["settled 2", "settled 1, differs"],
    );
}

#[test]
fn an_edited_script_may_say_something_else_after_an_answered_failure() {
    let failed = [entry(1, "a", CallState::Unsettled, "v1")];
    check(&failed, "v2", &["b"], &["new"]);
    check(&failed, "v2", &["a"], &["again 1"]);
}

#[test]
fn a_line_added_behind_makes_its_call_and_one_that_went_takes_none_along() {
    check(
        &settled(&["a"], "v1"),
        "v2",
        &["a", "c"],
        &["settled 1", "new"],
    );
    check(&settled(&["a", "b"], "v1"), "v2", &["b"], &["settled 2"]);
}

#[test]
fn a_call_whose_entry_served_for_another_one_is_not_made_a_second_time() {
    let one = settled(&["a"], "v1");
    // A line before it was added; a list that is gone through grew at its front.
    check(&one, "v2", &["c", "a"], &["settled 1, differs", "changed"]);
    check(&one, "v1", &["c", "a"], &["settled 1, differs", "changed"]);
    let two = settled(&["a", "b"], "v1");
    check(&two, "v1", &["c", "a"], &["settled 1, differs", "changed"]);
}

#[test]
fn an_operators_reuse_takes_the_earlier_answers_in_order_and_makes_none_of_them_again() {
    let two = settled(&["a", "b"], "v1");
    check_with(
        Matching::Reuse,
        &two,
        "v2",
        &["c", "d", "e"],
        &["settled 1, differs by reuse", "settled 2, differs", "new"],
    );
    check_with(
        Matching::Reuse,
        &settled(&["a"], "v1"),
        "v2",
        &["c", "a", "a"],
        &["settled 1, differs", "settled 1 by reuse", "new"],
    );
}

#[test]
fn an_operators_again_makes_what_is_not_word_for_word_the_same_and_only_once() {
    let again = Matching::Again { through: 2 };
    let mut calls = settled(&["a", "b"], "v1");
    check_with(
        again,
        &calls,
        "v2",
        &["c", "a", "d"],
        &["new by again", "settled 1", "new by again"],
    );
    // Made in this retry: found as any other.
    calls.push(entry(3, "c", CallState::Unsettled, "v2"));
    check_with(again, &calls, "v2", &["c", "a"], &["again 3", "settled 1"]);
    check_with(
        again,
        &calls,
        "v2",
        &["c at another time", "a"],
        &["again 3, differs", "settled 1"],
    );
}

#[test]
fn a_refused_call_is_forgotten_and_the_next_has_a_new_generation() {
    let refused = [
        entry(1, "a", CallState::Refused, "v1"),
        entry(2, "a", CallState::Refused, "v1"),
    ];
    check(&refused, "v1", &["a"], &["new"]);
    let journal = Journal::new(refused.to_vec(), Matching::Usual);
    assert_eq!(journal.generation(&content("a")), 2);
}

#[test]
fn a_call_that_was_refused_is_made_anew_and_takes_no_other_calls_answer() {
    let mut calls = settled(&["b", "a"], "v1");
    calls[0].state = CallState::Refused;
    check(&calls, "v1", &["b", "a"], &["new", "settled 2"]);
    check(&calls, "v1", &["c"], &["settled 2, differs"]);
}

#[test]
fn a_service_that_moves_to_another_address_is_the_same_service() {
    let mut call = entry(1, "a", CallState::Settled, "v1");
    call.url = "https://elsewhere/api/x".into();
    check(&[call], "v1", &["a"], &["settled 1"]);
}

#[test]
fn an_entry_without_a_path_is_known_by_its_address() {
    let mut call = entry(1, "a", CallState::Settled, "v1");
    call.path = None;
    call.content = content_of("books", "POST", "http://b/x", Some("a"));
    check(std::slice::from_ref(&call), "v1", &["a"], &["settled 1"]);
    call.url = "https://elsewhere/api/x".into();
    check(&[call], "v2", &["a"], &["new"]);
}

#[test]
fn a_journal_is_bounded_in_calls_and_in_bytes() {
    let count = i64::try_from(JOURNAL_CALLS_MAX).unwrap();
    let mut all: Vec<JournalEntry> = (1..=count)
        .map(|it| entry(it, "a", CallState::Refused, "v1"))
        .collect();
    let full = Journal::new(all.clone(), Matching::Usual)
        .is_full()
        .unwrap();
    assert!(full.contains("4096 calls in all its attempts"), "{full}");
    all.pop();
    let mut journal = Journal::new(all, Matching::Usual);
    assert_eq!(journal.is_full(), None);
    let mut large = entry(count, "b", CallState::Settled, "v1");
    large.request = "x".repeat(JOURNAL_SIZE_BYTES_MAX);
    let mut journal_of_one = Journal::new(vec![], Matching::Usual);
    journal_of_one.put(large, &content("b"));
    let full = journal_of_one.is_full().unwrap();
    assert!(full.contains("over the limit of 67108864"), "{full}");
    journal_of_one.take_out(count);
    assert_eq!(journal_of_one.is_full(), None);
    journal.take_out(1);
    assert_eq!(journal.is_full(), None);
}

#[test]
fn a_call_that_was_refused_beside_one_like_it_that_was_not_is_made_anew_and_is_no_other() {
    let calls = [
        entry(1, "a", CallState::Refused, "v1"),
        entry(2, "a", CallState::Settled, "v1"),
        entry(3, "b", CallState::Unsettled, "v1"),
    ];
    let all = ["settled 2", "new", "again 3"];
    check(&calls, "v1", &["a", "a", "b"], &all);
    check(&calls, "v2", &["a", "a", "b"], &all);
    // One more than there were: the script is the same, so what it asks for is the call that is left.
    check(
        &calls,
        "v1",
        &["a", "a", "a"],
        &["settled 2", "new", "again 3, differs"],
    );
}

/// What calls with these bodies and names are to a journal of entries with bodies and names, all settled.
#[track_caller]
fn check_names(
    entries: &[(&str, Option<&str>)],
    version: &str,
    asked_for: &[(&str, Option<&str>)],
    expected: &[&str],
) {
    let entries = (1..)
        .zip(entries)
        .map(|(number, (body, once))| JournalEntry {
            once: once.map(str::to_owned),
            ..entry(number, body, CallState::Settled, "v1")
        });
    let mut journal = Journal::new(entries.collect(), Matching::Usual);
    let mut found = Vec::new();
    for (body, once) in asked_for {
        let asked = Asked {
            once: *once,
            ..asked(body, version)
        };
        found.push(match journal.peek(&asked) {
            Match::Settled(it) => {
                let differs = if it.differs { ", differs" } else { "" };
                let text = format!("settled {}{differs}", it.entry.number);
                journal.put(it.entry, &asked.content());
                text
            }
            Match::Again(it) => format!("again {}", it.entry.number),
            Match::New { .. } => "new".into(),
            Match::CallsChanged => "changed".into(),
        });
    }
    assert_eq!(found, expected);
}

#[test]
fn one_name_is_one_call_whatever_it_says_and_however_often_it_is_asked_for() {
    let named = [("a", Some("n"))];
    check_names(
        &named,
        "v1",
        &[("a", Some("n")), ("b", Some("n")), ("a", Some("n"))],
        &["settled 1", "settled 1, differs", "settled 1"],
    );
    check_names(&named, "v2", &[("b", Some("n"))], &["settled 1, differs"]);
}

#[test]
fn another_name_is_another_call_unless_the_script_was_edited() {
    let named = [("a", Some("n"))];
    check_names(&named, "v1", &[("a", Some("m"))], &["new"]);
    check_names(&named, "v2", &[("a", Some("m"))], &["settled 1"]);
    check_names(&named, "v2", &[("b", Some("m"))], &["settled 1, differs"]);
}

#[test]
fn an_edit_that_adds_a_name_or_takes_it_away_makes_no_call_again() {
    for (before, after) in [(None, Some("n")), (Some("n"), None)] {
        check_names(&[("a", before)], "v2", &[("a", after)], &["settled 1"]);
        check_names(
            &[("a", before)],
            "v2",
            &[("b", after)],
            &["settled 1, differs"],
        );
        // In one version what says something else is another call: a name may have been answered elsewhere before.
        check_names(&[("a", before)], "v1", &[("a", after)], &["settled 1"]);
        check_names(&[("a", before)], "v1", &[("b", after)], &["new"]);
    }
}

#[test]
fn what_another_run_has_taken_over_counts_no_longer_unless_it_was_settled() {
    let given = |state| JournalEntry {
        once: Some("n".into()),
        given_to: Some(crate::run::RunId(9)),
        ..entry(1, "a", state, "v1")
    };
    let asked = Asked {
        once: Some("n"),
        ..asked("a", "v1")
    };
    for state in [CallState::Intended, CallState::Unsettled] {
        let journal = Journal::new(vec![given(state)], Matching::Usual);
        assert_eq!(journal.peek(&asked), Match::New { decided: None });
    }
    let journal = Journal::new(vec![given(CallState::Settled)], Matching::Usual);
    assert!(matches!(journal.peek(&asked), Match::Settled(_)));
}

#[test]
fn an_edit_that_changes_the_name_of_a_call_without_a_lasting_answer_is_decided_by_somebody() {
    let named = JournalEntry {
        once: Some("n".into()),
        ..entry(1, "a", CallState::Unsettled, "v1")
    };
    for once in [None, Some("m")] {
        let asked = Asked {
            once,
            ..asked("a", "v2")
        };
        let found = |matching| Journal::new(vec![named.clone()], matching).peek(&asked);
        assert_eq!(found(Matching::Usual), Match::CallsChanged);
        let again = Match::New {
            decided: Some(ChoiceName::Again),
        };
        assert_eq!(found(Matching::Again { through: 1 }), again);
        assert!(matches!(found(Matching::Reuse), Match::Again(_)));
    }
}
