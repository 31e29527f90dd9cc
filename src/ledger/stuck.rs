//! The runs of a handler that got stuck, which hold it when they are too many. Pure.

use crate::run::RunId;
use std::collections::BTreeSet;

/// Different runs of one handler that may get stuck before it is held.
pub const STUCK_RUNS_MAX: usize = 3;

/// A handler's runs that got stuck, all on one version of its script.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stuck {
    version: String,
    runs: BTreeSet<RunId>,
}

impl Stuck {
    /// Another one, on this version. On another version than those before, it is the first.
    pub fn note(&mut self, run: RunId, version: &str) {
        if self.version != version {
            version.clone_into(&mut self.version);
            self.runs.clear();
        }
        // As many as are told of; the rest adds nothing.
        if self.runs.len() < STUCK_RUNS_MAX {
            self.runs.insert(run);
        }
    }

    /// Why the runs of a handler are held that runs this version of this script, if they are.
    pub fn holds(&self, handler: &str, version: &str, script: &str) -> Option<String> {
        let first = self.runs.first()?;
        let is_held = STUCK_RUNS_MAX <= self.runs.len() && self.version == version;
        is_held.then(|| {
            let runs: Vec<String> = self.runs.iter().map(ToString::to_string).collect();
            format!(
                "handler `{handler}` is held: change {script}, or `hookyard runs retry {first}`, and its runs go on; its script got stuck in one step in {STUCK_RUNS_MAX} different runs ({})",
                runs.join(", "),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_different_runs_on_one_version_hold_it_and_no_other() {
        let mut it = Stuck::default();
        let is_held = |it: &Stuck, version| it.holds("a", version, "scripts/a.rhai").is_some();
        for (run, version, expected) in [
            (1, "v1", false),
            (2, "v1", false),
            (2, "v1", false),
            (3, "v1", true),
            (4, "v1", true),
            (5, "v2", false),
            (6, "v2", false),
            (7, "v2", true),
        ] {
            it.note(RunId(run), version);
            assert_eq!(is_held(&it, version), expected, "run {run}");
        }
        assert!(!is_held(&it, "v1"));
        let why = it.holds("a", "v2", "scripts/a.rhai").unwrap();
        assert!(why.contains("`hookyard runs retry 5`"), "{why}");
    }
}
