//! Calls that have a name.

use super::*;

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
