//! Scripts with one call or two, over every short history of edits, failures, attempts cut short and edits taken back.

use super::*;
use crate::worker::past::Past;

/// What an attempt runs: a version of the script, and what its call says. In one of them it depends on the world.
const ASKS: [(&str, &str); 4] = [("v1", "a"), ("v2", "b"), ("v3", "a"), ("v1", "c")];
/// What becomes of a call that is sent.
const ENDS: [CallState; 5] = [
    CallState::Settled,
    CallState::Intended,
    CallState::Unsettled,
    CallState::Refused,
    CallState::Unsent,
];
const ATTEMPTS: usize = 4;

/// What an attempt leaves of what others left; none when nothing is sent.
fn attempt(
    before: &[JournalEntry],
    (version, body): (&str, &str),
    end: CallState,
    now: UnixMillis,
) -> Option<Vec<JournalEntry>> {
    let journal = Journal::new(before.to_vec(), Matching::Usual);
    let mut after = before.to_vec();
    let now = Past::of(before, version).now.unwrap_or(now);
    match journal.peek(&asked(body, version)) {
        Match::New { .. } => {
            let mut made = entry(journal.next_number(), body, end, version);
            made.now = now;
            made.sent_by = journal.attempt();
            after.push(made);
        }
        Match::Again(found) => {
            let it = after
                .iter_mut()
                .find(|it| it.number == found.entry.number)?;
            it.version = version.into();
            it.now = now;
            it.sent_by = it.sent_by.and(journal.attempt());
            it.state = match (it.state, end) {
                (state, CallState::Unsent) => state,
                // One that was never answered is told of by an answer for good only.
                (CallState::Intended, CallState::Unsettled) => CallState::Intended,
                (_, end) => end,
            };
        }
        Match::Settled(_) | Match::CallsChanged => return None,
    }
    after.retain(|it| it.state != CallState::Unsent);
    Some(after)
}

fn check_all(before: &[JournalEntry], told: &mut Vec<String>) -> usize {
    if told.len() == ATTEMPTS {
        return 1;
    }
    let now = UnixMillis(told.len() as i64);
    let mut histories = 0;
    for asks in ASKS {
        for end in ENDS {
            let Some(after) = attempt(before, asks, end, now) else {
                histories += 1;
                break;
            };
            told.push(format!("{} says {}: {end:?}", asks.0, asks.1));
            let may_have_effect = after
                .iter()
                .filter(|it| !is_forgotten(it) && it.state != CallState::Unsettled);
            assert!(may_have_effect.count() <= 1, "{told:#?}");
            histories += check_all(&after, told);
            told.pop();
        }
    }
    histories
}

#[test]
fn one_call_takes_effect_once_however_its_script_is_edited_between_attempts() {
    let histories = check_all(&[], &mut Vec::new());
    assert!(histories > 10_000, "{histories}");
}

/// An attempt that makes two calls, or was cut short before the second; none when it may not.
fn attempt_of_two(before: &[JournalEntry], ends: &[CallState]) -> Vec<JournalEntry> {
    let mut journal = Journal::new(before.to_vec(), Matching::Usual);
    for (body, end) in ["a", "b"].into_iter().zip(ends) {
        let mut it = match journal.peek(&asked(body, "v1")) {
            Match::New { .. } => JournalEntry {
                sent_by: journal.attempt(),
                ..entry(journal.next_number(), body, *end, "v1")
            },
            Match::Again(found) => found.entry,
            Match::Settled(found) => {
                journal.put(found.entry, &content(body));
                continue;
            }
            Match::CallsChanged => panic!("an unchanged script is in doubt: {before:#?}"),
        };
        assert_eq!(it.content, content(body), "{before:#?}");
        it.sent_by = it.sent_by.and(journal.attempt());
        it.state = *end;
        journal.put(it, &content(body));
    }
    journal.entries.iter().map(|it| (**it).clone()).collect()
}

#[test]
fn calls_that_were_made_one_beside_the_other_are_never_taken_for_one_another() {
    let ends = &ENDS[..4];
    assert!(!ends.contains(&CallState::Unsent), "it leaves no trace");
    let whole = ends.iter().flat_map(|a| ends.iter().map(|b| vec![*a, *b]));
    let cut_short = ends.iter().map(|a| vec![*a]);
    let attempts: Vec<Vec<CallState>> = whole.chain(cut_short).collect();
    let mut histories = vec![vec![]];
    for _ in 0..3 {
        let more = histories
            .iter()
            .flat_map(|before| attempts.iter().map(|ends| attempt_of_two(before, ends)));
        histories = more.collect();
        for history in &histories {
            let made = |body: &str| history.iter().any(|it| it.content == content(body));
            if !(made("a") && made("b")) {
                continue;
            }
            for (body, version) in [("a", "v1"), ("b", "v1"), ("a", "v2"), ("b", "v2")] {
                let journal = Journal::new(history.clone(), Matching::Usual);
                match journal.peek(&asked(body, version)) {
                    Match::Settled(it) | Match::Again(it) => {
                        assert_eq!(it.entry.content, content(body), "{history:#?}");
                    }
                    Match::New { .. } => {}
                    Match::CallsChanged => panic!("{version} says {body}: {history:#?}"),
                }
            }
        }
    }
    assert_eq!(histories.len(), attempts.len().pow(3));
}
