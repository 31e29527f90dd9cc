use super::*;
use crate::ledger::request::CallState::{Intended, Refused, Settled, Unsettled};
use crate::ledger::sent_by::SentBy;

const ME: RunId = RunId(2);
const OTHER: RunId = RunId(1);

fn row(owner: RunId, state: CallState, is_under_way: bool) -> Option<Standing> {
    Some(Standing {
        owner,
        number: 1,
        state,
        generation: 3,
        is_under_way,
        waits_for_word: false,
    })
}

/// This run's own entry 1, with this name, which is to be sent again.
fn own(name: Option<&str>) -> Option<JournalEntry> {
    Some(JournalEntry {
        number: 1,
        sent_by: SentBy::only(1),
        state: Unsettled,
        service: "books".into(),
        method: "POST".into(),
        url: "http://b/x".into(),
        path: Some("/x".into()),
        request: String::new(),
        content: String::new(),
        idempotency_key: String::new(),
        version: "v1".into(),
        now: UnixMillis(0),
        seen: None,
        intended_at: UnixMillis(0),
        answered_at: None,
        answer: None,
        decided: None,
        once: name.map(str::to_owned),
        given_to: None,
    })
}

#[track_caller]
fn check(own: Option<JournalEntry>, row: Option<Standing>, expected: Way) {
    assert_eq!(way(ME, "n", own.as_ref(), row.as_ref(), true), expected);
}

#[test]
fn a_name_that_nobody_has_is_a_new_call_or_the_one_that_the_run_began() {
    check(None, None, Way::New { generation: 0 });
    check(own(Some("n")), None, Way::Own { generation: 0 });
    check(own(None), None, Way::Own { generation: 0 });
}

#[test]
fn its_own_call_goes_on_as_its_journal_says() {
    for state in [Intended, Unsettled] {
        let row = row(ME, state, state == Intended);
        check(own(Some("n")), row, Way::Own { generation: 3 });
        // Its entry has another name since an edit.
        check(None, row, Way::TakeOver);
    }
    check(None, row(ME, Refused, false), Way::New { generation: 4 });
}

#[test]
fn what_was_refused_is_a_new_call_with_a_new_key() {
    check(None, row(OTHER, Refused, false), Way::New { generation: 4 });
    let refused = row(OTHER, Refused, false);
    check(own(Some("n")), refused, Way::New { generation: 4 });
    // Not the call that was refused: made before the script gave it the name.
    check(own(None), refused, Way::Own { generation: 3 });
}

#[test]
fn an_answered_failure_is_taken_over_and_an_unanswered_call_only_when_its_owner_makes_it_no_more() {
    for own in [None, own(Some("n"))] {
        check(own.clone(), row(OTHER, Unsettled, false), Way::TakeOver);
        check(own.clone(), row(OTHER, Intended, false), Way::TakeOver);
        let under_way = row(OTHER, Intended, true);
        check(own, under_way, waiting(false));
    }
}

#[test]
fn a_word_about_a_call_is_said_in_one_place() {
    let row = row(OTHER, Intended, false).map(|it| Standing {
        waits_for_word: true,
        ..it
    });
    check(None, row, waiting(true));
    check(own(Some("n")), row, waiting(true));
    // However long that takes.
    assert_eq!(way(ME, "n", None, row.as_ref(), false), waiting(true));
}

fn waiting(for_word: bool) -> Way {
    let owner = OTHER;
    Way::Wait { owner, for_word }
}

#[test]
fn nobody_waits_for_ever_for_a_call_that_has_no_answer() {
    let under_way = row(OTHER, Intended, true);
    let it = way(ME, "n", None, under_way.as_ref(), false);
    assert_eq!(it, Way::TakeOver);
    let hours = |it: u64| Duration::from_secs(it * 3600);
    let now = UnixMillis(0).after(hours(30));
    let check = |kept| is_waited_for(UnixMillis(0), kept, now);
    assert_eq!(
        [None, Some(hours(1)), Some(hours(24)), Some(hours(31))].map(check),
        [false, false, false, true]
    );
    assert!(is_waited_for(
        UnixMillis(0),
        None,
        UnixMillis(0).after(hours(23))
    ));
}

#[test]
fn what_is_settled_by_now_is_looked_at_again() {
    for owner in [ME, OTHER] {
        check(None, row(owner, Settled, false), Way::LookAgain);
        check(own(Some("n")), row(owner, Settled, false), Way::LookAgain);
    }
}

#[test]
fn the_longer_a_call_is_under_way_the_later_it_is_looked_at_again() {
    let after_s = |lasted_s: i64| {
        look_again_at(UnixMillis(0), UnixMillis(lasted_s * 1000)).0 / 1000 - lasted_s
    };
    assert_eq!(
        [0, 1, 10, 60, 3600, 86_400].map(after_s),
        [1, 1, 5, 30, 300, 300]
    );
    // A clock that was set back.
    assert_eq!(
        look_again_at(UnixMillis(5000), UnixMillis(0)),
        UnixMillis(1000)
    );
}
