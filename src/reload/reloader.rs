//! Keeps what is in force in step with the files, while the host runs.

use super::check::{Checked, check};
use super::differences::{differences, needs_restart, refuses_rename};
use super::fall_back::fall_back;
use super::{Files, Location, Report, Reports};
use crate::clock::Clock;
use crate::in_force::{Current, InForce};
use crate::ledger::sqlite::read::Reader;
use crate::ledger::{Ledger, LedgerError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tracing::{info, warn};

/// Keeps what is in force in step with the files.
pub struct Reloader {
    location: Location,
    current: Current,
    pub(super) ledger: Ledger,
    reader: Mutex<Reader>,
    pub(super) clock: Arc<dyn Clock>,
    /// Rings when open runs were released, held or put into other lanes.
    pub(super) nudge: Arc<Notify>,
    state: Mutex<State>,
    /// Holds the newest report, for whoever wants to see what reloads do.
    reports: Reports,
}

#[derive(Default)]
struct State {
    /// Hash of the files that were last looked at, good or bad.
    seen: Option<String>,
    /// What is wrong with the files as they are, for `readyz`.
    problems: Vec<String>,
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
        let (reader, state) = (Mutex::new(reader), Mutex::default());
        let reports = Reports::default();
        Self {
            location,
            current,
            ledger,
            reader,
            clock,
            nudge,
            state,
            reports,
        }
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

    /// Problems of the files as they are; none when what they say is in force.
    pub fn problems(&self) -> Vec<String> {
        self.lock().problems.clone()
    }

    /// Has the worker look at all open runs: some of them were taken away.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// After a start: what is in force is kept in the ledger, and open runs are brought in line with it.
    pub async fn settle_first(&self, report: &Report, hash: String) -> Result<(), LedgerError> {
        {
            let mut state = self.lock();
            state.seen = Some(hash);
            state.problems.clone_from(&report.problems);
        }
        let in_force = self.current.load_full();
        self.keep(&in_force).await?;
        self.align(&in_force).await
    }

    /// Looks at the files; when they changed, checks them and puts into force what is good.
    pub async fn reload(&self, is_asked_for: bool) -> Report {
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
            if state.seen.as_deref() == Some(files.hash.as_str()) && !is_asked_for {
                return Report::default();
            }
            state.seen = Some(files.hash.clone());
        }
        let report = self.put_into_force(files).await;
        for problem in &report.problems {
            warn!("a save is not in force:\n{problem}");
        }
        for change in &report.changes {
            info!("reloaded: {change}");
        }
        for it in &report.needs_restart {
            warn!("needs a restart to take effect: {it}");
        }
        self.lock().problems.clone_from(&report.problems);
        self.reports.send_replace(report.clone());
        report
    }

    /// The files once they have stood still: an editor empties a file before it writes it, and half of a script can be
    /// a good script.
    async fn settled_files(&self) -> Result<Files, String> {
        const STILL_FOR: Duration = Duration::from_millis(40);
        const LOOKS_MAX: usize = 50;
        let read = || {
            let location = self.location.clone();
            tokio::task::spawn_blocking(move || Files::read(&location))
        };
        let mut files = read().await.map_err(|it| it.to_string())?;
        let is_known = self.lock().seen.as_deref() == Some(files.hash.as_str());
        for _ in 0..LOOKS_MAX {
            if is_known {
                break;
            }
            tokio::time::sleep(STILL_FOR).await;
            let again = read().await.map_err(|it| it.to_string())?;
            let is_still = again.hash == files.hash && again.newest == files.newest;
            files = again;
            if is_still {
                break;
            }
        }
        Ok(files)
    }

    async fn put_into_force(&self, files: Files) -> Report {
        let before = self.current.load_full();
        let checked = tokio::task::spawn_blocking(move || check(&files)).await;
        let Ok(Checked {
            config,
            programs,
            problems,
            warnings,
        }) = checked
        else {
            return Report {
                problems: vec!["the check ended by itself".into()],
                ..Report::default()
            };
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
        let Some(config) = config else { return report };
        if let Some(why) = refuses_rename(&before.config, &config) {
            report.problems.push(why);
            return report;
        }
        let services = match before.services.renew(&config.services) {
            Ok(it) => it,
            Err(error) => {
                report.problems.push(error.to_string());
                return report;
            }
        };
        let in_memory = |name: &str| {
            let program = before.handler(name)?.program.as_ref().ok()?;
            Some(program.sources().clone())
        };
        let programs = fall_back(&config, programs, in_memory, &mut report);
        let next = InForce::new(config, services, programs);
        report.changes.extend(differences(&before, &next));
        report.needs_restart = needs_restart(&before.config, &next.config);
        report.is_changed = true;
        let next = Arc::new(next);
        if let Err(error) = self.keep(&next).await {
            report
                .problems
                .push(format!("nothing was changed: {error}"));
            report.is_changed = false;
            return report;
        }
        self.current.store(next.clone());
        if let Err(error) = self.align(&next).await {
            report
                .problems
                .push(format!("open runs could not be brought in line: {error}"));
        }
        report
    }

    pub(super) fn reader(&self) -> std::sync::MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
