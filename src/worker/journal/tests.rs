mod edits;
mod names;

use super::*;
use crate::clock::UnixMillis;

fn content(body: &str) -> String {
    content_of("books", "POST", "/x", Some(body))
}

/// Sent by the attempt with the number of its version.
fn entry(number: i64, body: &str, state: CallState, version: &str) -> JournalEntry {
    JournalEntry {
        number,
        sent_by: SentBy::only(version[1..].parse().unwrap()),
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

/// The edited script has made another call, maybe in its place: both would happen.
#[test]
fn a_failed_call_is_not_sent_again_by_an_edit_taken_back_once_another_was_made_since() {
    let made_since = [
        entry(1, "a", CallState::Unsettled, "v1"),
        entry(2, "b", CallState::Settled, "v2"),
    ];
    for body in ["a", "c"] {
        check(&made_since, "v1", &[body], &["changed"]);
    }
    check(&made_since, "v3", &["a"], &["changed"]);
    check(&made_since, "v2", &["b"], &["settled 2"]);
    // Whoever asks for both means both.
    check(&made_since, "v3", &["b", "a"], &["settled 2", "again 1"]);
    check_with(
        Matching::Reuse,
        &made_since,
        "v1",
        &["a"],
        &["settled 2, differs by reuse"],
    );
    let again = Matching::Again { through: 2 };
    check_with(again, &made_since, "v1", &["a"], &["again 1 by again"]);
    // Sent again by the edited script itself, it is not what that one replaced.
    let sent_by_both = [
        entry(1, "a", CallState::Unsettled, "v2"),
        entry(2, "b", CallState::Settled, "v2"),
    ];
    check(&sent_by_both, "v2", &["a"], &["again 1"]);
    let mut cut_short = [
        entry(1, "a", CallState::Unsettled, "v1"),
        entry(2, "b", CallState::Unsettled, "v1"),
    ];
    cut_short[0].sent_by = SentBy::only(1).and(SentBy::only(2));
    check(&cut_short, "v1", &["b"], &["again 2"]);
    // Each was sent beside the other, if not from the beginning.
    let (mut made_beside, mut made_later) = (sent_by_both[0].clone(), sent_by_both[1].clone());
    made_beside.sent_by = SentBy::only(1).and(SentBy::only(2));
    made_later.sent_by = SentBy::only(2).and(SentBy::only(3));
    check(&[made_beside, made_later], "v2", &["a"], &["again 1"]);
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

/// A call that an edited script made since then may have been made in its place: an edit taken back makes none beside it.
#[test]
fn a_call_that_was_refused_is_not_made_anew_once_an_edited_script_made_another() {
    for (state, expected) in [
        (CallState::Intended, "again 2, differs"),
        (CallState::Settled, "settled 2, differs"),
        (CallState::Unsettled, "new"),
        (CallState::Refused, "new"),
    ] {
        let calls = [
            entry(1, "a", CallState::Refused, "v1"),
            entry(2, "b", state, "v2"),
        ];
        check(&calls, "v1", &["a"], &[expected]);
        check(&calls, "v3", &["a"], &[expected]);
    }
    let several = [
        entry(1, "a", CallState::Refused, "v1"),
        entry(2, "b", CallState::Settled, "v2"),
        entry(3, "c", CallState::Settled, "v2"),
    ];
    check(&several, "v1", &["a"], &["changed"]);
    // Whoever asks for all of them means all.
    let all = ["settled 2", "settled 3", "new"];
    check(&several, "v3", &["b", "c", "a"], &all);
    let reuse = ["settled 2, differs by reuse"];
    check_with(Matching::Reuse, &several, "v1", &["a"], &reuse);
    let again = Matching::Again { through: 3 };
    check_with(again, &several, "v1", &["a"], &["new by again"]);
    // The other one went before it, and by the edited script beside it.
    let before = [
        entry(1, "b", CallState::Settled, "v1"),
        entry(2, "a", CallState::Refused, "v2"),
    ];
    check(&before, "v2", &["a"], &["new"]);
    let mut beside = [
        entry(1, "a", CallState::Refused, "v2"),
        entry(2, "b", CallState::Settled, "v2"),
    ];
    check(&beside, "v2", &["a", "b"], &["new", "settled 2"]);
    // Sent again by an attempt that was cut short before the other.
    beside[1].sent_by = SentBy::only(2).and(SentBy::only(3));
    check(&beside, "v2", &["a"], &["new"]);
    // The world changed between two attempts of an unchanged script, and back.
    beside[1].sent_by = SentBy::only(3);
    check(&beside, "v2", &["a"], &["settled 2, differs"]);
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
