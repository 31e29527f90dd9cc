//! From files to what is in force: read whole, check whole, swap in one step. A bad save changes nothing.

mod files;
mod last_good;
mod rehearsal;
mod watch;

use crate::clock::Clock;
use crate::config::{self, Config, Handler, Variable};
use crate::diagnostic::Diagnostic;
use crate::envelope::Wanted;
use crate::in_force::{Current, InForce};
use crate::ledger::request::Order;
use crate::ledger::sqlite::read::{ReadError, Reader};
use crate::ledger::{Ledger, LedgerError};
use crate::run::RunId;
use crate::script::{Engine, Grants, Program, Sources};
use crate::services::Services;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tracing::{info, warn};

pub use files::{Files, Location};
pub use last_good::LastGood;
pub use rehearsal::{Rehearsal, new_signing_secret};
pub use watch::watch;

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// Whether something new is in force.
    pub is_changed: bool,
    /// What changed, a line each.
    pub changes: Vec<String>,
    /// What stays as it was, and why: diagnostics, as a person reads them.
    pub problems: Vec<String>,
    /// Changes that need a restart to take effect.
    pub needs_restart: Vec<String>,
    /// What is odd, and in force all the same.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Where the newest report is told.
pub type Reports = tokio::sync::watch::Sender<Report>;

/// Files, checked: what would be in force, and what is wrong.
pub struct Checked {
    /// Nothing when handlers.toml itself is wrong.
    pub config: Option<Config>,
    /// The handlers' programs, in their order.
    pub programs: Vec<Result<Arc<Program>, Vec<Diagnostic>>>,
    pub problems: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

/// Checks files as a reload would, and changes nothing.
pub fn check(files: &Files) -> Checked {
    let parsed = match &files.handlers {
        Ok(text) => config::parse(text, &files.name, &|variable| variable_of(files, variable)),
        Err(why) => Err(vec![Diagnostic::of_file(&files.name, why.clone())]),
    };
    let config = match parsed {
        Ok(mut it) => {
            if let Some(rehearsal) = files.location.rehearsal() {
                rehearsal.adapt(&mut it);
            }
            it
        }
        Err(problems) => {
            return Checked {
                config: None,
                programs: Vec::new(),
                problems,
                warnings: Vec::new(),
            };
        }
    };
    let engine = Engine::new(&config.limits);
    let mut warnings = config.warnings.clone();
    let mut problems = files.problems.clone();
    let mut programs = Vec::with_capacity(config.handlers.len());
    for handler in &config.handlers {
        let compiled = compile(&engine, handler, &files.sources);
        match &compiled {
            Ok(program) => add(&mut warnings, program.warnings()),
            Err(found) => add(&mut problems, found),
        }
        programs.push(compiled);
    }
    Checked {
        config: Some(config),
        programs,
        problems,
        warnings,
    }
}

/// Two handlers may share a script: each finding is told once.
fn add(all: &mut Vec<Diagnostic>, found: &[Diagnostic]) {
    for it in found {
        if !all.contains(it) {
            all.push(it.clone());
        }
    }
}

fn compile(
    engine: &Arc<Engine>,
    handler: &Handler,
    sources: &Sources,
) -> Result<Arc<Program>, Vec<Diagnostic>> {
    let grants = Grants {
        collections: handler.records.clone(),
        services: handler.services.clone(),
    };
    engine
        .compile(&handler.script, sources, &grants)
        .map(Arc::new)
}

fn variable_of(files: &Files, variable: Variable<'_>) -> Result<String, String> {
    let value = value_of(files, variable);
    match files.location.rehearsal() {
        Some(rehearsal) if value.is_err() => Ok(match variable {
            Variable::Env(name) => rehearsal.stand_in_for(name),
            Variable::File(path) => rehearsal.stand_in_for(&path.display().to_string()),
        }),
        Some(_) | None => value,
    }
}

fn value_of(files: &Files, variable: Variable<'_>) -> Result<String, String> {
    match variable {
        Variable::Env(name) => std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => {
                format!("the environment variable `{name}` is not set")
            }
            std::env::VarError::NotUnicode(_) => {
                format!("the environment variable `{name}` is not UTF-8 text")
            }
        }),
        Variable::File(path) => files.location.read_secret(path),
    }
}

/// Keeps what is in force in step with the files.
pub struct Reloader {
    location: Location,
    current: Current,
    ledger: Ledger,
    reader: Mutex<Reader>,
    clock: Arc<dyn Clock>,
    /// Rings when open runs were released, held or put into other lanes.
    nudge: Arc<Notify>,
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

/// What a start begins with.
pub struct First {
    pub in_force: InForce,
    pub report: Report,
    /// Of the files that were read.
    pub hash: String,
}

/// The first version after a start: from the files, or, where these are broken, from what was good before.
pub fn first(location: &Location, reader: &Reader) -> Result<First, String> {
    let files = Files::read(location);
    let hash = files.hash.clone();
    let last_good = LastGood::load(reader);
    let mut checked = check(&files);
    let mut report = Report {
        is_changed: true,
        ..Report::default()
    };
    report
        .problems
        .extend(checked.problems.iter().map(ToString::to_string));
    if let (Some(new), Some(text)) = (&checked.config, &last_good.config) {
        let old = Files {
            handlers: Ok(text.clone()),
            ..files.clone()
        };
        let why = check(&old).config.and_then(|old| refuses_rename(&old, new));
        if let Some(why) = why {
            report.problems.push(why);
            checked.config = None;
        }
    }
    if checked.config.is_none() {
        let text = last_good
            .config
            .as_deref()
            .ok_or_else(|| report.problems.join("\n\n"))?;
        let old = Files {
            handlers: Ok(text.to_owned()),
            ..files
        };
        checked = check(&old);
        if checked.config.is_none() {
            return Err(report.problems.join("\n\n"));
        }
        for it in checked.problems.iter().map(ToString::to_string) {
            if !report.problems.contains(&it) {
                report.problems.push(it);
            }
        }
        report.changes.push(format!(
            "{} has errors: the last good version of it is in force",
            location.name()
        ));
    }
    let Checked {
        config: Some(config),
        programs,
        warnings,
        ..
    } = checked
    else {
        return Err(report.problems.join("\n\n"));
    };
    for it in warnings {
        warn!("{it}");
    }
    let services = Services::new(&config.services).map_err(|it| it.to_string())?;
    let programs = fall_back(
        &config,
        programs,
        |name| last_good.sources(reader, name),
        &mut report,
    );
    Ok(First {
        in_force: InForce::new(config, services, programs),
        report,
        hash,
    })
}

/// Gives handlers whose script is broken the last version of it that was good, if there is one.
fn fall_back(
    config: &Config,
    programs: Vec<Result<Arc<Program>, Vec<Diagnostic>>>,
    last_good: impl Fn(&str) -> Option<BTreeMap<String, String>>,
    report: &mut Report,
) -> Vec<Result<Arc<Program>, String>> {
    let engine = Engine::new(&config.limits);
    config
        .handlers
        .iter()
        .zip(programs)
        .map(|(handler, program)| {
            let Err(found) = program else {
                return program.map_err(|_| String::new());
            };
            let old = last_good(&handler.name)
                .and_then(|it| compile(&engine, handler, &Sources(it)).ok());
            match old {
                Some(it) => {
                    report.changes.push(format!(
                        "handler `{}` stays on version {} of {}, the last good one",
                        handler.name,
                        short(it.version()),
                        handler.script
                    ));
                    Ok(it)
                }
                None => {
                    let first = found
                        .first()
                        .map(|it| it.message.clone())
                        .unwrap_or_default();
                    report.changes.push(format!(
                        "handler `{}` has no good version of {}: its runs are held",
                        handler.name, handler.script
                    ));
                    Err(format!("{} has errors: {first}", handler.script))
                }
            }
        })
        .collect()
}

/// As much of a version's hash as tells it from others.
pub fn short(version: &str) -> &str {
    version.get(..12).unwrap_or(version)
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

    /// Keeps what is good in the ledger, so that a start with broken files works from it.
    async fn keep(&self, in_force: &InForce) -> Result<(), LedgerError> {
        let at = self.clock.now();
        let set = |key: String, value: String| self.ledger.order(Order::SetMeta { key, value });
        set(last_good::CONFIG.into(), in_force.config.text.clone()).await?;
        for it in in_force.handlers() {
            let Ok(program) = &it.program else { continue };
            let key = last_good::key_of(&it.handler.name);
            let known = self.reader().meta(&key).ok().flatten();
            if known.as_deref() == Some(program.version()) {
                continue;
            }
            let sources = serde_json::to_string(program.sources())
                .map_err(|it| LedgerError::Refused(it.to_string()))?;
            self.ledger
                .order(Order::KeepVersion {
                    hash: program.version().into(),
                    script: program.script().to_owned(),
                    sources,
                    at,
                })
                .await?;
            set(key, program.version().to_owned()).await?;
        }
        Ok(())
    }

    /// Holds open runs of handlers that are gone, releases held ones of handlers that are good again, and puts runs into
    /// other lanes where `order_by` changed.
    async fn align(&self, now: &InForce) -> Result<(), LedgerError> {
        let with_runs = self
            .reader()
            .handlers_with_open_runs()
            .map_err(|it| LedgerError::Refused(it.to_string()))?;
        for (name, has_held) in with_runs {
            let handler: Arc<str> = name.into();
            let order = match now.handler(&handler) {
                None => Some(format!("handler `{handler}` is not in handlers.toml")),
                Some(it) if it.program.is_ok() && has_held => None,
                Some(_) => continue,
            };
            self.ledger
                .order(Order::Hold {
                    handler,
                    why: order,
                })
                .await?;
        }
        for it in now.handlers() {
            // The ledger knows it, so that a change which was made while no host ran is seen too.
            let key = last_good::order_key_of(&it.handler.name);
            let value = format!("{:?}", it.handler.order_by);
            let known = self.reader().meta(&key).ok().flatten();
            if known.as_ref() == Some(&value) {
                continue;
            }
            if known.is_some() {
                self.relane(now, &it.handler.name).await?;
            }
            self.ledger.order(Order::SetMeta { key, value }).await?;
        }
        self.nudge.notify_one();
        Ok(())
    }

    async fn relane(&self, now: &InForce, handler: &str) -> Result<(), LedgerError> {
        const RUNS_AT_ONCE: i64 = 500;
        let unreadable = |it: ReadError| LedgerError::Refused(it.to_string());
        let Some(loaded) = now.handler(handler) else {
            return Ok(());
        };
        let mut after = RunId::default();
        loop {
            let mut lanes = Vec::new();
            {
                let mut reader = self.reader();
                for run in reader
                    .open_runs_of(handler, after, RUNS_AT_ONCE)
                    .map_err(unreadable)?
                {
                    after = run.claim.id;
                    let seq = run.claim.id.event_seq();
                    let Some(event) = reader.event(seq).map_err(unreadable)? else {
                        continue;
                    };
                    let parsed = Wanted::read(&now.wanted, &event.body, event.received_at);
                    lanes.push((run.claim.id, loaded.lane(&parsed, &event.scope)));
                }
            }
            if lanes.is_empty() {
                return Ok(());
            }
            self.ledger.order(Order::Relane { lanes }).await?;
        }
    }

    fn reader(&self) -> std::sync::MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An endpoint that has another name at the same path would know no earlier event: it must say under which scope they
/// were known.
fn refuses_rename(before: &Config, after: &Config) -> Option<String> {
    after.endpoints.iter().find_map(|new| {
        let old = before.endpoints.iter().find(|old| old.path == new.path)?;
        let is_renamed = old.name != new.name && new.scope == new.name && old.scope != new.scope;
        is_renamed.then(|| {
            format!(
                "endpoint `{}` was renamed to `{}`: write `dedupe_scope = \"{}\"` below [endpoints.{}], so that the events which came under the old name stay known, or `dedupe_scope = \"{}\"` to begin anew",
                old.name, new.name, old.scope, new.name, new.name
            )
        })
    })
}

fn differences(before: &InForce, after: &InForce) -> Vec<String> {
    let mut lines = Vec::new();
    for it in after.handlers() {
        let name = &it.handler.name;
        match before.handler(name) {
            None => lines.push(format!("handler `{name}` is new")),
            Some(old) => {
                if old.handler != it.handler {
                    lines.push(format!("handler `{name}` has other settings"));
                }
                let (old, new) = (old.program.as_ref().ok(), it.program.as_ref().ok());
                if let Some(new) = new
                    && old.is_none_or(|old| old.version() != new.version())
                {
                    lines.push(format!(
                        "handler `{name}` runs version {} of {}",
                        short(new.version()),
                        new.script()
                    ));
                }
            }
        }
    }
    for it in before.handlers() {
        if after.handler(&it.handler.name).is_none() {
            lines.push(format!(
                "handler `{}` is gone: its open runs are held",
                it.handler.name
            ));
        }
    }
    if before.config.endpoints != after.config.endpoints {
        lines.push("the endpoints changed".into());
    }
    if before.config.services != after.config.services {
        lines.push("the services changed".into());
    }
    lines
}

fn needs_restart(before: &Config, after: &Config) -> Vec<String> {
    let (old, new) = (&before.server, &after.server);
    let mut lines = Vec::new();
    let mut differs = |is_other: bool, key: &str| {
        if is_other {
            lines.push(format!("[server] {key}"));
        }
    };
    differs(old.listen != new.listen, "listen");
    differs(
        old.connections_max != new.connections_max,
        "connections_max",
    );
    differs(
        old.head_size_bytes_max != new.head_size_bytes_max,
        "head_size_max",
    );
    differs(old.head_timeout != new.head_timeout, "head_timeout");
    differs(old.keep_alive != new.keep_alive, "keep_alive");
    if before.limits.script_threads != after.limits.script_threads {
        lines.push("[limits] script_threads".into());
    }
    lines
}
