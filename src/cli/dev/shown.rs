//! What runs have done since one looked last, for people.

use crate::call::Answer;
use crate::cli::out::{clean, excerpt, word};
use crate::cli::table::{BOLD, DIM, RED, state_style};
use crate::cli::times::took;
use crate::cli::why::{changed, failed, logged};
use crate::clock::UnixMillis;
use crate::ledger::sqlite::list::{AttemptRow, CallRow, ChangeRow, RunFilter, RunRow};
use crate::ledger::sqlite::read::Reader;
use crate::run::{RunId, State};
use crate::script::{Failure, LogLine};
use crate::services::Prepared;
use std::collections::BTreeMap;
use std::time::Duration;

/// Runs that are looked at each time, the newest; older ones have been shown long since.
const RUNS_MAX: usize = 200;

/// What was shown of the runs since a moment.
pub(super) struct Shown {
    since: UnixMillis,
    runs: BTreeMap<RunId, Told>,
}

/// What was told of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    state: String,
    attempts: u32,
    /// The state of each call.
    calls: Vec<String>,
}

impl Shown {
    pub(super) fn since(since: UnixMillis) -> Self {
        Self {
            since,
            runs: BTreeMap::new(),
        }
    }

    /// The lines that tell what is new.
    pub(super) fn news(&mut self, reader: &Reader) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut runs = BTreeMap::new();
        for run in self.newest(reader)?.into_iter().rev() {
            let told = self.runs.remove(&run.id).unwrap_or_default();
            let is_new = told.state != run.state || told.attempts != run.attempts;
            let has_begun = run.state != State::Ready.as_str();
            if !(is_new && has_begun) {
                runs.insert(run.id, told);
                continue;
            }
            let calls = reader.calls(run.id)?;
            lines.extend(story(reader, &run, &told, &calls)?);
            let calls = calls.into_iter().map(|it| it.state).collect();
            let told = Told {
                state: run.state,
                attempts: run.attempts,
                calls,
            };
            runs.insert(run.id, told);
        }
        self.runs = runs;
        Ok(lines)
    }

    /// Whether no run is on its way.
    pub(super) fn are_all_at_rest(&self, reader: &Reader) -> anyhow::Result<bool> {
        let ready = State::Ready.as_str();
        Ok(self.newest(reader)?.iter().all(|it| it.state != ready))
    }

    fn newest(&self, reader: &Reader) -> anyhow::Result<Vec<RunRow>> {
        Ok(reader.list_runs(&RunFilter {
            since: Some(self.since),
            limit: RUNS_MAX,
            ..RunFilter::default()
        })?)
    }
}

fn story(
    reader: &Reader,
    run: &RunRow,
    told: &Told,
    calls: &[CallRow],
) -> anyhow::Result<Vec<String>> {
    let attempts: Vec<AttemptRow> = reader.attempts(run.id)?;
    let new = attempts.iter().filter(|it| told.attempts < it.number);
    let mut lines = vec![head(run, attempts.last())];
    let has_error = attempts.last().is_some_and(|it| it.error.is_some());
    if let Some(why) = run.why.as_ref().filter(|_| !has_error) {
        lines.push(format!("  {}", clean(why)));
    }
    for attempt in new {
        lines.extend(logged_in(attempt));
    }
    for (at, call) in calls.iter().enumerate() {
        if told.calls.get(at) != Some(&call.state) {
            lines.extend(made(call));
        }
    }
    if let Some(last) = attempts.last() {
        lines.extend(error_of(last));
    }
    if let Some(at) = run.finished_at {
        let changes = reader.changes_of_run(run.id, at)?;
        if changes.is_empty() {
            lines.push(format!("  {DIM}no record changed{DIM:#}"));
        }
        lines.extend(changes.iter().flat_map(change));
    }
    if let (Some(due), None) = (run.due_at, run.finished_at) {
        let wait = due.since(crate::cli::times::now()).as_secs() + 1;
        lines.push(format!(
            "  {DIM}tried again in {}{DIM:#}",
            humantime::format_duration(Duration::from_secs(wait))
        ));
    }
    Ok(lines)
}

fn head(run: &RunRow, last: Option<&AttemptRow>) -> String {
    let state = state_style(&run.state);
    let time = last
        .map(|it| match it.took_ms {
            ..1 => " in less than 1 ms".into(),
            ms => format!(
                " in {}",
                took(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
            ),
        })
        .unwrap_or_default();
    let attempt = if run.attempts > 1 {
        format!(", attempt {}", run.attempts)
    } else {
        String::new()
    };
    let did = match last {
        Some(_) => "ran for",
        None => "has not run for",
    };
    format!(
        "{state}{}{state:#}  {BOLD}{}{BOLD:#} {did} {}  {DIM}run {}{attempt}{time}{DIM:#}",
        run.state,
        run.handler,
        word(&run.kind),
        run.id
    )
}

fn logged_in(attempt: &AttemptRow) -> Vec<String> {
    let lines = attempt
        .log
        .as_deref()
        .and_then(|it| serde_json::from_str::<Vec<LogLine>>(it.get()).ok());
    lines.unwrap_or_default().iter().map(logged).collect()
}

fn error_of(attempt: &AttemptRow) -> Vec<String> {
    let Some(error) = &attempt.error else {
        return Vec::new();
    };
    match serde_json::from_str::<Failure>(error.get()) {
        Ok(failure) => failed(&failure),
        Err(_) => vec![format!("  {RED}error{RED:#}: {}", clean(error.get()))],
    }
}

/// A call as the script wrote it, and its answer.
fn made(call: &CallRow) -> Vec<String> {
    let sent = call
        .request
        .as_deref()
        .and_then(|it| serde_json::from_str::<Prepared>(it.get()).ok());
    let body = sent.and_then(|it| it.body).unwrap_or_default();
    let path = path_at_stand_in(&call.service, &call.url);
    let answer = call
        .answer
        .as_deref()
        .and_then(|it| serde_json::from_str::<Answer>(it.get()).ok());
    let answered = match answer {
        Some(it) => format!("answered {}  {}", it.status, excerpt(&it.text)),
        None => "no answer yet".into(),
    };
    vec![
        format!(
            "  called {BOLD}{}{BOLD:#}  {} {}  {}",
            call.service,
            call.method,
            word(path),
            excerpt(&body)
        ),
        format!("    {answered}"),
    ]
}

/// The path as the script wrote it: the stand-in has each service below its name.
fn path_at_stand_in<'a>(service: &str, url: &'a str) -> &'a str {
    let path = url.splitn(4, '/').nth(3);
    path.and_then(|it| it.strip_prefix(service)).unwrap_or(url)
}

fn change(it: &ChangeRow) -> Vec<String> {
    let is_new = if it.version == 1 { "  new" } else { "" };
    let mut lines = vec![format!(
        "  {BOLD}{}/{}{BOLD:#}{is_new}",
        word(&it.collection),
        word(&it.record_id)
    )];
    lines.extend(changed(it).into_iter().map(|it| format!("    {it}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_with_the_path_that_the_script_wrote() {
        let url = "http://127.0.0.1:1/accounting/invoices/in_1?x=/y";
        assert_eq!(path_at_stand_in("accounting", url), "/invoices/in_1?x=/y");
        assert_eq!(path_at_stand_in("mail", url), url);
    }
}
