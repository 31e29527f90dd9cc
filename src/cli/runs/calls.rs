//! The calls of a run, one line each: which service, what it answered, how often it was tried. Pure.

use crate::call::Answer;
use crate::cli::out::{excerpt, word};
use crate::cli::table::Table;
use crate::cli::why::{call_notes, said_of};
use crate::ledger::note::{CallNote, Did};
use crate::ledger::request::CallState;
use crate::ledger::sqlite::list::{AttemptRow, CallRow};
use comfy_table::Cell;
use serde::Serialize;

/// A call, over all attempts. Calls that only look are not kept, and are no part of it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Call {
    /// Its number in the journal; none when it left no trace there.
    number: Option<i64>,
    service: String,
    method: String,
    path: String,
    once: Option<String>,
    /// As the journal has it; `not sent` when nothing was.
    state: String,
    status: Option<u16>,
    /// How often it was sent, as far as attempts told of it.
    tries: usize,
    note: Option<String>,
}

/// Those of the journal in order, then those that left no trace there.
pub(super) fn of_run(journal: &[CallRow], attempts: &[AttemptRow]) -> Vec<Call> {
    let notes: Vec<CallNote> = attempts.iter().flat_map(call_notes).collect();
    let mut calls: Vec<Call> = journal.iter().map(|it| kept(it, &notes)).collect();
    let mut traceless: Vec<Vec<&CallNote>> = Vec::new();
    for it in notes.iter().filter(|it| it.number.is_none()) {
        let is_same = |other: &CallNote| {
            (&it.service, it.method, &it.path, &it.once)
                == (&other.service, other.method, &other.path, &other.once)
        };
        match traceless.iter_mut().find(|all| is_same(all[0])) {
            Some(all) => all.push(it),
            None => traceless.push(vec![it]),
        }
    }
    calls.extend(traceless.iter().filter_map(|it| without_trace(it)));
    calls
}

fn kept(row: &CallRow, notes: &[CallNote]) -> Call {
    let of_it = || notes.iter().filter(|it| it.number == Some(row.number));
    let sent = of_it().filter(|it| is_sent(it)).count();
    let answer = row.answer.as_ref();
    let answer = answer.and_then(|it| serde_json::from_str::<Answer>(it.get()).ok());
    let mut told: Vec<String> = Vec::new();
    match of_it().next_back() {
        Some(it) if it.did != Did::New || it.differs || it.decided.is_some() => {
            told.push(said_of(it));
        }
        Some(_) | None => {
            told.extend(
                CallState::parse(&row.state)
                    .and_then(meaning)
                    .map(Into::into),
            );
        }
    }
    told.extend(
        row.given_to
            .filter(|it| *it != row.run)
            .map(|it| format!("taken over by run {it}")),
    );
    Call {
        number: Some(row.number),
        service: row.service.clone(),
        method: row.method.clone(),
        path: row.path.clone().unwrap_or_else(|| row.url.clone()),
        once: row.once.clone(),
        state: row.state.clone(),
        status: answer.map(|it| it.status),
        // It was written down in order to be sent.
        tries: sent.max(1),
        note: (!told.is_empty()).then(|| told.join(", ")),
    }
}

fn without_trace(notes: &[&CallNote]) -> Option<Call> {
    let last = notes.last()?;
    Some(Call {
        number: None,
        service: last.service.clone(),
        method: last.method.as_str().to_owned(),
        path: last.path.clone(),
        once: last.once.clone(),
        state: last.became.map_or("not sent", CallState::as_str).to_owned(),
        status: last.status,
        tries: notes.iter().filter(|it| is_sent(it)).count(),
        note: Some(said_of(last)),
    })
}

fn is_sent(it: &CallNote) -> bool {
    match it.did {
        Did::New | Did::SentAgain => true,
        Did::FromJournal | Did::FromOtherRun | Did::OutcomeUnknown | Did::CallsChanged => false,
    }
}

/// What a state means for the run, where its word does not say it.
fn meaning(state: CallState) -> Option<&'static str> {
    match state {
        CallState::Settled => None,
        CallState::Intended => Some("whether it took effect is not known"),
        CallState::Unsettled => Some("to be sent again with the same key"),
        CallState::Refused => Some("forgotten: the next attempt makes a new call"),
        CallState::Unsent => Some("it never left"),
    }
}

pub(super) fn table(calls: &[Call]) -> Table {
    let header = [
        "call", "service", "method", "path", "state", "status", "tries", "note",
    ];
    let mut table = Table::new(&header).right(&[0, 5, 6]);
    for it in calls {
        let once = it.once.as_ref();
        let once = once.map_or(String::new(), |it| format!(" (once `{}`)", word(it)));
        table.row([
            Cell::new(it.number.map_or(String::new(), |it| it.to_string())),
            Cell::new(word(&it.service)),
            Cell::new(&it.method),
            Cell::new(format!("{}{once}", word(&it.path))),
            Cell::new(&it.state),
            Cell::new(it.status.map_or(String::new(), |it| it.to_string())),
            Cell::new(it.tries),
            Cell::new(excerpt(it.note.as_deref().unwrap_or_default())),
        ]);
    }
    table
}
