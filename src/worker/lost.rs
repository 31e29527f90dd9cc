//! What stuck scripts have cost: the threads that were left behind, and the handlers that are held for it.
//!
//! A thread inside a native call cannot be ended, only left behind. So their number is bounded, and a handler that
//! takes one after another is held until something about it changes.

use crate::in_force::{InForce, LoadedHandler};
use crate::run::RunId;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Different runs of one handler that may get stuck before it is held.
const RUNS_LOST_MAX: usize = 3;
/// Handlers that may do their worst in one process: each can take all script threads at once when the third of its runs
/// gets stuck.
const HANDLERS_LOST_MAX: usize = 4;

/// Threads and runs lost in this process.
pub struct Lost {
    threads_max: usize,
    state: Mutex<State>,
    used_up: CancellationToken,
}

#[derive(Default)]
struct State {
    threads: usize,
    handlers: HashMap<Arc<str>, Stuck>,
}

/// A handler's runs that got stuck, all under one version.
struct Stuck {
    version: String,
    config: String,
    runs: BTreeSet<RunId>,
}

impl Stuck {
    fn is_under(&self, version: &str, in_force: &InForce) -> bool {
        self.version == version && self.config == in_force.config.text
    }
}

impl Lost {
    pub(super) fn new(script_threads: usize) -> Arc<Self> {
        Arc::new(Self {
            threads_max: HANDLERS_LOST_MAX * (script_threads + RUNS_LOST_MAX - 1),
            state: Mutex::default(),
            used_up: CancellationToken::new(),
        })
    }

    /// What is wrong because of it, for `readyz`.
    pub fn problems(&self, in_force: &InForce) -> Vec<String> {
        let mut problems: Vec<String> = in_force
            .handlers()
            .iter()
            .filter_map(|it| self.holds(it, in_force))
            .collect();
        let threads = self.lock().threads;
        if 0 < threads {
            problems.push(format!(
                "{threads} of at most {} script threads are lost to scripts that got stuck in one step; a restart frees them",
                self.threads_max
            ));
        }
        problems
    }

    /// Waits until so many threads are lost that only a fresh process helps.
    pub async fn used_up(&self) {
        self.used_up.cancelled().await;
    }

    /// Why the process has to end, if it has to.
    pub fn why_used_up(&self) -> Option<String> {
        self.used_up.is_cancelled().then(|| {
            format!(
                "{} script threads are lost to scripts that got stuck in one step, and more are not given: the host ends so that a fresh one can begin; nothing is lost",
                self.lock().threads
            )
        })
    }

    /// A thread was left behind; false when it was the last that may be.
    pub(super) fn thread(&self) -> bool {
        let mut state = self.lock();
        state.threads += 1;
        let may_go_on = state.threads < self.threads_max;
        if !may_go_on {
            self.used_up.cancel();
        }
        may_go_on
    }

    /// A run got stuck under this version.
    pub(super) fn run(&self, run: RunId, handler: &Arc<str>, version: &str, in_force: &InForce) {
        let mut state = self.lock();
        let stuck = state.handlers.entry(handler.clone());
        let stuck = stuck.or_insert_with(|| Stuck {
            version: version.to_owned(),
            config: in_force.config.text.clone(),
            runs: BTreeSet::new(),
        });
        if !stuck.is_under(version, in_force) {
            version.clone_into(&mut stuck.version);
            stuck.config.clone_from(&in_force.config.text);
            stuck.runs.clear();
        }
        // As many as are told of; the rest adds nothing.
        if stuck.runs.len() < RUNS_LOST_MAX {
            stuck.runs.insert(run);
        }
    }

    /// Why the runs of a handler are held, if they are: until its script or handlers.toml changes.
    pub(super) fn holds(&self, loaded: &LoadedHandler, in_force: &InForce) -> Option<String> {
        let state = self.lock();
        let name = &loaded.handler.name;
        let stuck = state.handlers.get(name)?;
        let version = loaded.program().ok()?.version();
        let is_held = RUNS_LOST_MAX <= stuck.runs.len() && stuck.is_under(version, in_force);
        is_held.then(|| {
            let runs: Vec<String> = stuck.runs.iter().map(ToString::to_string).collect();
            format!(
                "handler `{name}` is held: its script got stuck in one step in {RUNS_LOST_MAX} different runs ({}); its runs go on when {} or handlers.toml changes",
                runs.join(", "),
                loaded.handler.script
            )
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a run that got stuck is dead.
pub(super) fn why_stuck(silent_for: Duration) -> String {
    format!(
        "the script got stuck in one step that took longer than {}: the run was given up, and the thread that it was on",
        humantime::format_duration(silent_for)
    )
}
