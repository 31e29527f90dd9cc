//! Keeps what is in force in step with the files, while the host runs.

use super::check::{Checked, check_beside};
use super::choose::Choice;
use super::differences::{differences, needs_restart, refuses_rename};
use super::first::Settled;
use super::last_good::kept;
use super::look::Looked;
use super::losses::refuses_loss;
use super::{Files, Location, Report, Reports};
use crate::clock::Clock;
use crate::in_force::{Current, InForce};
use crate::ledger::sqlite::read::{ReadError, Reader};
use crate::ledger::{Ledger, LedgerError};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::Notify;
use tracing::{info, warn};

/// Keeps what is in force in step with the files.
pub struct Reloader {
    location: Location,
    /// What the host was started with.
    first: Arc<InForce>,
    pub(super) current: Current,
    pub(super) ledger: Ledger,
    reader: Arc<Mutex<Reader>>,
    pub(super) clock: Arc<dyn Clock>,
    /// Rings when open runs were released, held or put into other lanes.
    pub(super) nudge: Arc<Notify>,
    /// Rings when open runs could not be brought in line.
    pub(super) unaligned: Notify,
    /// Held by whoever changes what is in force: one after another.
    pub(super) turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// Holds the newest report, for whoever wants to see what reloads do.
    reports: Reports,
    /// All is done in the thread of whoever asks.
    #[cfg(test)]
    pub(super) is_by_hand: bool,
}

/// Told while it is so.
const ALIGNING: &str = "the open runs are being brought in line with handlers.toml since the start: no run begins until that is done, events are taken";

#[derive(Default)]
pub(super) struct State {
    /// What was last looked at, good or bad.
    pub(super) seen: Looked,
    /// Whether `seen` was taken long enough after the last change to be told from the next one.
    pub(super) vouches: bool,
    /// What is wrong with the files as they are, for `readyz`.
    problems: Vec<String>,
    /// What is decided against the files: handlers, and how it is told.
    pub(super) decided: Vec<String>,
    /// Open runs wait to be brought in line after the start, for so long that it is to be told.
    pub(super) aligning: bool,
    /// What the files say and the host, as it was started, does not do.
    needs_restart: Vec<String>,
    /// Held runs of handlers that are gone.
    pub(super) of_gone: Vec<String>,
}

impl Reloader {
    pub fn new(
        location: Location,
        current: Current,
        ledger: Ledger,
        reader: Reader,
        clock: Arc<dyn Clock>,
        nudge: Arc<Notify>,
    ) -> Self {
        let (reader, state) = (Arc::new(Mutex::new(reader)), Mutex::default());
        let reports = Reports::default();
        Self {
            location,
            first: current.load_full(),
            current,
            ledger,
            reader,
            clock,
            nudge,
            unaligned: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            state,
            reports,
            #[cfg(test)]
            is_by_hand: false,
        }
    }

    /// For tests that do all in one thread.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn by_hand(mut self) -> Self {
        self.is_by_hand = true;
        self
    }

    /// Tells of each reload that looked at something new.
    #[must_use]
    pub fn telling(mut self, reports: Reports) -> Self {
        self.reports = reports;
        self
    }

    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Why what the files say is not in force; none when it is.
    pub fn problems(&self) -> Vec<String> {
        let state = self.lock();
        // A start tells it with the file that it could not read.
        let is_told = |why: &String| state.problems.iter().any(|it| it.contains(why));
        let hangs = self.location.looker.hangs().filter(|it| !is_told(it));
        state
            .problems
            .iter()
            .chain(&state.decided)
            .chain(&state.of_gone)
            .cloned()
            .chain(hangs)
            .chain(state.aligning.then(|| ALIGNING.to_owned()))
            .chain(
                state
                    .needs_restart
                    .iter()
                    .map(|it| format!("{it} was changed, which needs a restart to take effect")),
            )
            .collect()
    }

    /// Every file that counts, but handlers.toml itself; and the folders in which others may come to lie.
    pub(super) fn places(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let state = self.lock();
        (state.seen.paths.clone(), state.seen.folders.clone())
    }

    /// Notes what is decided about a handler now.
    pub(super) fn decided_anew(&self, handler: &str, line: Option<String>) {
        let of_handler = format!("handler `{handler}` ");
        let mut state = self.lock();
        state.decided.retain(|it| !it.starts_with(&of_handler));
        state.decided.extend(line);
    }

    /// Has the worker look at all open runs: some of them were taken away.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// After a start: what is in force is kept in the ledger. Open runs are still to be brought in line with it
    /// ([`align_first`](super::align_first)).
    pub async fn settle_first(&self, first: Settled) -> Result<(), LedgerError> {
        {
            let mut state = self.lock();
            let is_known = first.looked.hash.is_some();
            state.vouches = is_known && first.looked.stamp.vouches(SystemTime::now());
            state.seen = first.looked;
            state.problems = first.problems;
            state.decided = first.decided;
        }
        let in_force = self.current.load_full();
        let decisions = self
            .reader()
            .version_decisions()
            .map_err(|it| LedgerError::Refused(it.to_string()))?;
        self.keep(&in_force, &decisions, None).await
    }

    /// Looks at the files; when they changed, checks them and puts into force what is good.
    pub async fn reload(&self, is_asked_for: bool) -> Report {
        let _turn = self.turn.lock().await;
        if !is_asked_for && self.looks_the_same().await {
            self.look_at_runs_of_gone().await;
            return Report::default();
        }
        let files = match self.settled_files().await {
            Ok(it) => it,
            Err(error) => {
                return Report {
                    problems: vec![error],
                    ..Report::default()
                };
            }
        };
        {
            let mut state = self.lock();
            let is_known = state.seen.hash.as_deref() == Some(files.hash.as_str());
            state.vouches = files.stamp.vouches(SystemTime::now());
            state.seen = Looked::of(&files);
            if is_known && !is_asked_for {
                return Report::default();
            }
        }
        let (mut report, is_left_undone) = match self.put_into_force(files).await {
            Ok(it) => (it, false),
            Err(it) => (it, true),
        };
        if !report.is_changed {
            report.decided.clone_from(&self.lock().decided);
            report.needs_restart.clone_from(&self.lock().needs_restart);
        }
        report.held.clone_from(&self.lock().of_gone);
        for problem in &report.problems {
            warn!("a save is not in force:\n{problem}");
        }
        for change in &report.changes {
            info!("reloaded: {change}");
        }
        for it in &report.decided {
            warn!("{it}");
        }
        for it in &report.held {
            warn!("{it}");
        }
        for it in &report.needs_restart {
            warn!("needs a restart to take effect: {it}");
        }
        {
            let mut state = self.lock();
            state.problems.clone_from(&report.problems);
            state.decided.clone_from(&report.decided);
            state.needs_restart.clone_from(&report.needs_restart);
            if is_left_undone {
                // It was not the files: they are tried again with the next look, as if they were new.
                state.seen.hash = None;
                state.vouches = false;
            }
        }
        if report.is_changed {
            // A canary's new settings may end it by what it has done already.
            self.look_at_canaries().await;
            report.decided.clone_from(&self.lock().decided);
        }
        self.reports.send_replace(report.clone());
        report
    }

    /// Some may have been dropped meanwhile.
    async fn look_at_runs_of_gone(&self) {
        if self.lock().of_gone.is_empty() {
            return;
        }
        let now = self.current.load_full();
        if let Err(error) = self.note_runs_of_gone(&now, true).await {
            warn!(%error, "the held runs could not be counted: {error}");
        }
    }

    /// An error: the host could not take it now, whatever the files say.
    async fn put_into_force(&self, files: Files) -> Result<Report, Report> {
        let before = self.current.load_full();
        let decisions = match self.reader().version_decisions() {
            Ok(it) => it,
            Err(error) => return Err(failed(format!("the ledger cannot be read: {error}"))),
        };
        let Some(Checked {
            config,
            programs,
            problems,
            warnings,
        }) = self.checked(files, before.clone()).await
        else {
            return Err(failed("the check ended by itself".into()));
        };
        let mut report = Report::default();
        report
            .problems
            .extend(problems.iter().map(ToString::to_string));
        for it in &warnings {
            warn!("{it}");
        }
        report
            .warnings
            .extend(warnings.iter().map(ToString::to_string));
        let Some(config) = config else {
            return Ok(report);
        };
        if let Some(why) = refuses_rename(&before.config, &config) {
            report.problems.push(why);
            return Ok(report);
        }
        let services = match before.services.renew(&config.services) {
            Ok(it) => it,
            Err(error) => {
                let key = ("services", &*error.service, "url");
                let finding = config.finding(&self.location.name(), key, error.to_string());
                report.problems.push(finding.to_string());
                return Ok(report);
            }
        };
        let mut of_choice = Report::default();
        let chosen = {
            let reader = self.reader();
            let of_ledger = |version: &str| kept(&reader, version);
            let choice = Choice::new(&config, Some(&before), &decisions, &of_ledger);
            choice.of_all(programs, &mut of_choice)
        };
        let runs_now = |name: &str| {
            before.handler(name).is_some_and(|it| it.program().is_ok())
                && !decisions.stuck.contains_key(name)
        };
        if let Some(why) = refuses_loss(&self.location.name(), &config, &chosen, &runs_now) {
            report.problems.push(why);
            return Ok(report);
        }
        report.extend(of_choice);
        let next = InForce::new(config, services, chosen).after(&before);
        report.changes.extend(differences(&before, &next));
        report.needs_restart = needs_restart(&self.first.config, &next.config);
        report.is_changed = true;
        let next = Arc::new(next);
        if let Err(error) = self.keep(&next, &decisions, Some(&before)).await {
            report
                .problems
                .push(format!("nothing was changed: {error}"));
            report.is_changed = false;
            report.changes.clear();
            return Err(report);
        }
        if let Err(error) = self.unsettle(&next).await {
            return Err(failed(format!("nothing was changed: {error}")));
        }
        self.current.store(next.clone());
        if let Err(error) = self.align(&next).await {
            report.problems.push(format!(
                "open runs could not be brought in line yet: {error}"
            ));
        }
        Ok(report)
    }

    /// None when the check ended by itself.
    async fn checked(&self, files: Files, before: Arc<InForce>) -> Option<Checked> {
        let check = move || check_beside(&files, Some(&before));
        #[cfg(test)]
        if self.is_by_hand {
            return Some(check());
        }
        tokio::task::spawn_blocking(check).await.ok()
    }

    pub(super) fn reader(&self) -> std::sync::MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A look into the ledger that may take a while, by another thread.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let unreadable = |it: ReadError| LedgerError::Refused(it.to_string());
        #[cfg(test)]
        if self.is_by_hand {
            return look(&self.reader()).map_err(unreadable);
        }
        let reader = self.reader.clone();
        let look = move || look(&reader.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::task::spawn_blocking(look).await {
            Ok(looked) => looked.map_err(unreadable),
            Err(error) => Err(LedgerError::Refused(error.to_string())),
        }
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(problem: String) -> Report {
    Report {
        problems: vec![problem],
        ..Report::default()
    }
}
