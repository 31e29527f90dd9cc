//! What a run's story tells of its calls: what each attempt did with each of them, and what an operator decided. Pure.

use super::RunStory;
use super::timeline::parsed;
use crate::call;
use crate::cli::out::word;
use crate::cli::table::{BOLD, DIM, RED, YELLOW};
use crate::cli::times::{moment, took};
use crate::clock::UnixMillis;
use crate::ledger::decision::ChoiceName;
use crate::ledger::note::{CallNote, Did};
use crate::ledger::request::CallState;
use crate::ledger::sqlite::list::{AttemptRow, CallRow, DecisionRow};
use std::time::Duration;

/// The calls of an attempt, which lasted until the next one began.
pub(super) fn of_attempt(
    story: &RunStory,
    attempt: &AttemptRow,
    until: Option<UnixMillis>,
) -> Vec<String> {
    if is_told(story) {
        return notes(attempt)
            .iter()
            .flat_map(|note| noted(note, row(story, note), is_last_sent(story, attempt, note)))
            .collect();
    }
    let calls = story.journal.iter();
    calls
        .flat_map(|it| call_in_attempt(it, attempt.started_at, until))
        .collect()
}

/// The calls that no attempt told of having made.
pub(super) fn unreported(story: &RunStory) -> Vec<String> {
    let made_here: Vec<i64> = story
        .attempts
        .iter()
        .flat_map(notes)
        .filter(|it| it.did == Did::New)
        .filter_map(|it| it.number)
        .collect();
    let first = story.attempts.first().map(|it| it.started_at);
    let is_told = is_told(story);
    story
        .journal
        .iter()
        .filter(|it| {
            if is_told {
                !made_here.contains(&it.number)
            } else {
                first.is_none_or(|first| it.intended_at < first)
            }
        })
        .flat_map(|it| made(it, false))
        .collect()
}

/// What an operator decided.
pub(super) fn decided(it: &DecisionRow) -> String {
    let about = match it.call {
        Some(call) => format!("call {call}"),
        None => "calls that match none of the earlier ones".into(),
    };
    let what = match ChoiceName::parse(&it.choice) {
        Some(ChoiceName::Reuse) => "take the earlier answers",
        Some(ChoiceName::Again) => "are made as new ones",
        Some(ChoiceName::Resend) => "may be sent once more",
        Some(ChoiceName::Settle) => "has taken effect",
        None => "",
    };
    format!(
        "{BOLD}retry --{}{BOLD:#}  {} by {}: {about} {what}",
        it.choice,
        moment(it.decided_at),
        word(&it.decided_by)
    )
}

/// Attempts of an older ledger say nothing of their calls; then the times tell.
fn is_told(story: &RunStory) -> bool {
    story.attempts.iter().any(|it| it.calls.is_some())
}

/// What an attempt's report tells of its calls.
pub(in crate::cli) fn notes(attempt: &AttemptRow) -> Vec<CallNote> {
    parsed(attempt.calls.as_deref()).unwrap_or_default()
}

fn row<'a>(story: &'a RunStory, note: &CallNote) -> Option<&'a CallRow> {
    let number = note.number?;
    story.journal.iter().find(|it| it.number == number)
}

/// Whether what the journal says of a call's answer is of this attempt: no later one has sent it again.
fn is_last_sent(story: &RunStory, attempt: &AttemptRow, note: &CallNote) -> bool {
    let later = story
        .attempts
        .iter()
        .filter(|it| attempt.number < it.number);
    let mut sent = later.flat_map(notes).filter(|it| it.did == Did::SentAgain);
    !sent.any(|it| it.number == note.number)
}

/// What an attempt did with a call.
fn noted(note: &CallNote, row: Option<&CallRow>, is_last_sent: bool) -> Vec<String> {
    let place = row.map_or(note.path.as_str(), |it| &it.url);
    let number = note.number.map_or(String::new(), |it| format!(" {it}"));
    let once = once(note.once.as_deref());
    let name = format!(
        "call{number}  {} {}{once}",
        note.method.as_str(),
        word(place)
    );
    let mut lines = vec![format!("{name}  {}", said(note))];
    let status = note.status.map(|it| format!("answered {it}"));
    match (note.did, row) {
        (Did::New, Some(row)) => {
            let is_this = is_last_sent && note.became.is_some_and(|it| it.as_str() == row.state);
            let answered = status.unwrap_or_else(|| format!("{RED}no answer{RED:#}"));
            let end = match row.answered_at.filter(|_| is_this) {
                Some(at) => format!("{answered} {} ({} later)", moment(at), waited(row, at)),
                None => answered,
            };
            lines.push(format!("  written down {}, {end}", moment(row.intended_at)));
            lines.push(key(row));
            lines.extend(given(row));
        }
        (Did::New | Did::SentAgain, _) => lines.extend(status.map(|it| format!("  {it}"))),
        (Did::FromJournal | Did::FromOtherRun | Did::OutcomeUnknown | Did::CallsChanged, _) => {}
    }
    lines
}

/// The same without colours.
pub(in crate::cli) fn said_of(note: &CallNote) -> String {
    anstream::adapter::strip_str(&said(note)).to_string()
}

/// What an attempt did with a call, in words.
fn said(note: &CallNote) -> String {
    let became = note
        .became
        .map(|it| became(it, note.status))
        .unwrap_or_default();
    let did = match note.did {
        Did::New => became,
        Did::SentAgain => match note.run {
            Some(run) => {
                format!("taken over from run {run}, sent again with the same key, {became}")
            }
            None => format!("sent again with the same key, {became}"),
        },
        Did::FromJournal => {
            format!("{DIM}answered from the journal, not sent again{DIM:#}")
        }
        Did::FromOtherRun => {
            let run = note.run.unwrap_or_default();
            format!("{DIM}answered by run {run}'s call, not sent{DIM:#}")
        }
        Did::OutcomeUnknown => {
            format!("{RED}outcome unknown{RED:#}: sent before, never answered, and not sent again")
        }
        Did::CallsChanged => {
            format!("{RED}not sent{RED:#}: which of the earlier calls this is, is not certain")
        }
    };
    let differs = match (note.differs, &note.once) {
        (false, _) => String::new(),
        (true, None) => format!(", {YELLOW}matched although its body differs{YELLOW:#}"),
        (true, Some(_)) => format!(
            ", {YELLOW}matched by its name although its method, path or body differs{YELLOW:#}"
        ),
    };
    let decided = note.decided.map_or(String::new(), |it| {
        format!(", decided by an operator (--{})", it.as_str())
    });
    format!("{did}{differs}{decided}")
}

fn became(state: CallState, status: Option<u16>) -> String {
    match (state, status) {
        (CallState::Settled, _) => "settled".into(),
        (CallState::Intended, None) => format!("{RED}no answer{RED:#}: its outcome is unknown"),
        (CallState::Intended, Some(_)) => format!(
            "{YELLOW}unknown as before{YELLOW:#}: this answer does not tell whether it took effect when it was sent earlier"
        ),
        (CallState::Unsettled, _) => {
            format!("{YELLOW}unsettled{YELLOW:#}: to be sent again with the same key")
        }
        (CallState::Refused, _) => {
            format!("{RED}refused{RED:#} and forgotten: the next attempt makes a new call")
        }
        (CallState::Unsent, _) => format!("{RED}unsent{RED:#}: it never left"),
    }
}

/// The name by which a call is made once over all runs.
fn once(name: Option<&str>) -> String {
    name.map_or(String::new(), |it| format!(", once `{}`", word(it)))
}

fn given(row: &CallRow) -> Option<String> {
    let to = row.given_to?;
    Some(match to == row.run {
        true => "  made again under another number, from what another run left".into(),
        false => format!("  taken over by run {to}"),
    })
}

fn waited(row: &CallRow, at: UnixMillis) -> String {
    took(Duration::from_millis(
        u64::try_from(at.0 - row.intended_at.0).unwrap_or(0),
    ))
}

fn key(row: &CallRow) -> String {
    format!(
        "  {DIM}service `{}`, Idempotency-Key {}{DIM:#}",
        row.service, row.idempotency_key
    )
}

/// What an attempt, which lasted until the next one began, had to do with a call.
fn call_in_attempt(call: &CallRow, from: UnixMillis, until: Option<UnixMillis>) -> Vec<String> {
    let is_in = |at: UnixMillis| from <= at && until.is_none_or(|until| at < until);
    if is_in(call.intended_at) {
        return made(call, call.answered_at.is_some_and(|at| !is_in(at)));
    }
    let name = format!("call {}  {} {}", call.number, call.method, word(&call.url));
    match call.answered_at {
        _ if call.intended_at >= from => Vec::new(),
        // An operator's word, which is told as such.
        Some(_) if call.decided.is_some() => Vec::new(),
        Some(at) if is_in(at) => {
            vec![format!(
                "{name}  sent again with the same key, {} {}",
                answered(call),
                moment(at)
            )]
        }
        // Whether an attempt asked for what was answered before it is not known.
        Some(_) | None => Vec::new(),
    }
}

/// A call, as it was first made.
fn made(call: &CallRow, is_answered_later: bool) -> Vec<String> {
    let end = match call.answered_at {
        Some(_) if is_answered_later => "no lasting answer in this attempt".into(),
        Some(at) => format!(
            "{} {} ({} later)",
            answered(call),
            moment(at),
            waited(call, at)
        ),
        None => format!("{RED}no answer{RED:#}"),
    };
    let state = CallState::parse(&call.state).map_or(call.state.clone(), |state| match state {
        CallState::Intended => {
            format!("{YELLOW}intended{YELLOW:#}: whether it took effect is not known")
        }
        CallState::Settled | CallState::Unsettled | CallState::Refused | CallState::Unsent => {
            became(state, None)
        }
    });
    let decided = match &call.decided {
        Some(it) => format!(", decided by an operator (--{})", word(it)),
        None => String::new(),
    };
    let mut lines = vec![
        format!(
            "call {}  {} {}{}  {state}{decided}",
            call.number,
            call.method,
            word(&call.url),
            once(call.once.as_deref())
        ),
        format!("  written down {}, {end}", moment(call.intended_at)),
        key(call),
    ];
    lines.extend(given(call));
    lines
}

fn answered(call: &CallRow) -> String {
    match parsed::<call::Answer>(call.answer.as_deref()) {
        Some(it) => format!("answered {}", it.status),
        None => "given up".into(),
    }
}

#[cfg(test)]
mod tests;
