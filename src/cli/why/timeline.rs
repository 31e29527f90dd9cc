//! A run's story for people: what happened in which attempt. Pure.

use super::{RunStory, calls};
use crate::cli::exact::Fields;
use crate::cli::out::{clean, first_line, word};
use crate::cli::table::{BOLD, DIM, RED, YELLOW, state_style};
use crate::cli::times::{took, when};
use crate::clock::UnixMillis;
use crate::ledger::sqlite::list::{AttemptRow, ChangeRow, RunRow};
use crate::reload::short;
use crate::script::{Failure, LogLevel, LogLine};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// The most characters of one value of a record.
const VALUE_SHOWN_CHARS_MAX: usize = 200;

/// The lines that tell of a run.
pub(super) fn lines(story: &RunStory, now: UnixMillis) -> Vec<String> {
    let mut lines = head(&story.run, now);
    for (at, attempt) in story.attempts.iter().enumerate() {
        let from = attempt.started_at;
        let until = story.attempts.get(at + 1).map(|it| it.started_at);
        lines.extend(
            of_attempt(attempt, now)
                .into_iter()
                .map(|it| format!("  {it}")),
        );
        let calls = calls::of_attempt(story, attempt, until);
        lines.extend(calls.into_iter().map(|it| format!("    {it}")));
        lines.extend(
            story
                .decisions
                .iter()
                .filter(|it| {
                    from <= it.decided_at && until.is_none_or(|until| it.decided_at < until)
                })
                .map(|it| format!("  {}", calls::decided(it))),
        );
    }
    let unreported = calls::unreported(story);
    if !unreported.is_empty() {
        let by = match story.run.replay {
            0 => "in attempts of which there is no report",
            _ => "in an earlier run of this event",
        };
        lines.push(format!("  {DIM}{by}{DIM:#}"));
        lines.extend(unreported.into_iter().map(|it| format!("    {it}")));
    }
    if !story.record_changes.is_empty() {
        lines.push("  record changes".into());
    }
    for it in &story.record_changes {
        let from = if it.version == 1 {
            "new".into()
        } else {
            format!("version {}", it.version - 1)
        };
        let place = format!("{}/{}", word(&it.collection), word(&it.record_id));
        lines.push(format!(
            "    {BOLD}{place}{BOLD:#}  {from} → version {}",
            it.version
        ));
        lines.extend(changed(it).into_iter().map(|it| format!("      {it}")));
    }
    lines
}

fn head(run: &RunRow, now: UnixMillis) -> Vec<String> {
    let state = state_style(&run.state);
    let replay = if run.replay > 0 {
        format!(", replay {}", run.replay)
    } else {
        String::new()
    };
    let moment = match (run.finished_at, run.due_at) {
        (Some(at), _) => format!("  {}", when(at, now)),
        (None, Some(at)) => format!("  until {}", when(at, now)),
        (None, None) => String::new(),
    };
    let mut lines = vec![format!(
        "{BOLD}run {}{BOLD:#}  handler `{}`{replay}  {state}{}{state:#}{moment}",
        run.id, run.handler, run.state
    )];
    lines.extend(run.why.iter().flat_map(|it| told("  ", it)));
    lines
}

fn of_attempt(it: &AttemptRow, now: UnixMillis) -> Vec<String> {
    let style = state_style(&it.outcome);
    let in_all = match it.took_ms {
        ..1 => "under 1 ms".into(),
        ms => took(Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
    };
    let in_script = took(Duration::from_micros(
        u64::try_from(it.engine_us).unwrap_or(0),
    ));
    let mut lines = vec![format!(
        "attempt {}  {}  {style}{}{style:#}  {DIM}in {in_all}, {in_script} of it in the script, version {}{DIM:#}",
        it.number,
        when(it.started_at, now),
        it.outcome,
        short(&it.version)
    )];
    lines.extend(
        parsed::<Vec<LogLine>>(it.log.as_deref())
            .unwrap_or_default()
            .iter()
            .map(logged),
    );
    if let Some(error) = &it.error {
        match serde_json::from_str::<Failure>(error.get()) {
            Ok(failure) => lines.extend(failed(&failure)),
            Err(_) => lines.push(format!("  {RED}error{RED:#}: {}", clean(error.get()))),
        }
    }
    lines
}

pub(in crate::cli) fn logged(it: &LogLine) -> String {
    let place = if it.line == 0 {
        String::new()
    } else {
        format!(" line {}", it.line)
    };
    let level = match it.level {
        LogLevel::Info => format!("{DIM}log{place}:{DIM:#}"),
        LogLevel::Warn => format!("{YELLOW}warning{YELLOW:#}{DIM}{place}:{DIM:#}"),
    };
    format!("  {level} {}", first_line(&it.text))
}

/// An error as the compilers of this world draw it.
pub(in crate::cli) fn failed(it: &Failure) -> Vec<String> {
    let mut lines = told("    ", &it.message);
    if let Some(first) = lines.first_mut() {
        *first = format!("  {RED}error{RED:#}: {}", first.trim_start());
    }
    if it.line > 0 {
        lines.push(format!("   --> {}:{}:{}", it.script, it.line, it.column));
        if !it.source_line.trim().is_empty() {
            lines.push(format!(
                "    {DIM}{} |{DIM:#} {}",
                it.line,
                clean(it.source_line.trim_end())
            ));
        }
    }
    if let Some(call) = &it.call {
        lines.push(format!(
            "    asked `{}`: {} {}; it answered {}",
            call.service,
            call.method.as_str(),
            word(&call.path),
            call.status
        ));
        if !call.text.trim().is_empty() {
            lines.extend(indented("    | ", &call.text));
        }
    }
    lines.extend(
        it.help
            .iter()
            .flat_map(|help| indented("    ", &format!("help: {help}"))),
    );
    lines
}

/// What a change did, a line a field: `status: "open" → "paid"`.
pub(in crate::cli) fn changed(it: &ChangeRow) -> Vec<String> {
    let fields = |text: &Option<Box<RawValue>>| parsed::<Fields>(text.as_deref());
    let Some(after) = fields(&it.after) else {
        return vec![format!("{RED}removed{RED:#}")];
    };
    let before = fields(&it.before).unwrap_or(Fields(Vec::new()));
    let gone = before.0.iter().filter(|(it, _)| after.get(it).is_none());
    after
        .0
        .iter()
        .chain(gone)
        .map(|(name, _)| name)
        .map(|name| match (before.get(name), after.get(name)) {
            (Some(old), Some(new)) => format!("{}: {} → {}", word(name), value(old), value(new)),
            (None, Some(new)) => format!("{}: {}", word(name), value(new)),
            (Some(old), None) => format!("{}: {} → (gone)", word(name), value(old)),
            (None, None) => word(name),
        })
        .collect()
}

fn value(it: &RawValue) -> String {
    let text = word(it.get());
    match text.char_indices().nth(VALUE_SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text,
    }
}

pub(super) fn parsed<'a, T: Deserialize<'a>>(json: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(json?.get()).ok()
}

/// What a script may have said: its further lines are marked, so that none can look like one of ours.
fn told(by: &str, text: &str) -> Vec<String> {
    let mut lines = indented(by, text);
    for it in lines.iter_mut().skip(1) {
        it.insert_str(by.len(), "| ");
    }
    lines
}

fn indented(by: &str, text: &str) -> Vec<String> {
    clean(text.trim_end())
        .lines()
        .map(|it| format!("{by}{it}"))
        .collect()
}

#[cfg(test)]
pub(super) mod tests;
