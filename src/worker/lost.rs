//! What stuck scripts have cost: the threads that were left behind, and the handlers that are held for it.
//!
//! A thread inside a native call cannot be ended, only left behind. So their number is bounded, and a handler that
//! takes one after another is held, also over restarts, until its script changes or an operator retries one of its runs.

use crate::in_force::{InForce, LoadedHandler};
use crate::ledger::stuck::{STUCK_RUNS_MAX, Stuck};
use crate::run::RunId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

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
    /// As the ledger has them too.
    handlers: HashMap<String, Stuck>,
}

impl Lost {
    pub(super) fn new(script_threads: usize) -> Arc<Self> {
        Arc::new(Self {
            threads_max: HANDLERS_LOST_MAX * (script_threads + STUCK_RUNS_MAX - 1),
            state: Mutex::default(),
            used_up: CancellationToken::new(),
        })
    }

    /// What an earlier process has learned about handlers counts on.
    pub(super) fn remember(&self, handlers: HashMap<String, Stuck>) {
        self.lock().handlers = handlers;
    }

    /// An operator lets a handler go on.
    pub fn forget(&self, handler: &str) {
        self.lock().handlers.remove(handler);
    }

    /// What is wrong because of it, for `readyz`.
    pub fn problems(&self, in_force: &InForce) -> Vec<String> {
        let mut problems: Vec<String> = in_force
            .handlers()
            .iter()
            .filter_map(|it| self.holds(it))
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

    /// A run got stuck on this version.
    pub(super) fn run(&self, run: RunId, handler: &str, version: &str) {
        let mut state = self.lock();
        let stuck = state.handlers.entry(handler.to_owned()).or_default();
        stuck.note(run, version);
    }

    /// Why the runs of a handler are held, if they are: until its script changes or an operator retries one.
    pub(super) fn holds(&self, loaded: &LoadedHandler) -> Option<String> {
        let state = self.lock();
        let name = &loaded.handler.name;
        let stuck = state.handlers.get(&**name)?;
        let program = loaded.program().ok()?;
        stuck.holds(name, program.version(), program.script())
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
