//! The runs of a handler that got stuck, which hold it when they are too many. Pure.

use crate::run::RunId;
use std::collections::BTreeSet;

/// Different runs of one handler that may get stuck before it is held.
pub const STUCK_RUNS_MAX: usize = 3;

/// A handler's runs that got stuck: on one version of its script, and on the version before it, which may be in force
/// beside one that is tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stuck {
    version: String,
    runs: BTreeSet<RunId>,
    #[serde(default)]
    before: Option<(String, BTreeSet<RunId>)>,
}

impl Stuck {
    /// Another one, on this version. On a version that is neither of the two, it is the first.
    pub fn note(&mut self, run: RunId, version: &str) {
        if self.version != version {
            let (known, runs) = self.before.take().unwrap_or_default();
            let runs = if known == version {
                runs
            } else {
                BTreeSet::new()
            };
            let last = std::mem::replace(&mut self.version, version.to_owned());
            self.before = Some((last, std::mem::replace(&mut self.runs, runs)));
        }
        // As many as are told of; the rest adds nothing.
        if self.runs.len() < STUCK_RUNS_MAX {
            self.runs.insert(run);
        }
    }

    /// Why the runs of a handler are held that runs this version of this script, if they are.
    pub fn holds(&self, handler: &str, version: &str, script: &str) -> Option<String> {
        let before = self.before.as_ref().map(|(it, runs)| (it, runs));
        let all = [Some((&self.version, &self.runs)), before];
        let (_, runs) = all.into_iter().flatten().find(|it| it.0 == version)?;
        let first = runs.first()?;
        let is_held = STUCK_RUNS_MAX <= runs.len();
        is_held.then(|| {
            let runs: Vec<String> = runs.iter().map(ToString::to_string).collect();
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
        assert!(is_held(&it, "v1"), "it may be saved again");
        let why = it.holds("a", "v2", "scripts/a.rhai").unwrap();
        assert!(why.contains("`hookyard runs retry 5`"), "{why}");
        it.note(RunId(8), "v3");
        assert!(!is_held(&it, "v1"));
    }

    #[test]
    fn runs_that_get_stuck_on_a_version_that_is_tried_and_then_on_the_one_before_it_hold_both() {
        let mut it = Stuck::default();
        for run in 1..=3 {
            it.note(RunId(run), "tried");
            it.note(RunId(run), "before");
        }
        for version in ["tried", "before"] {
            assert!(it.holds("a", version, "scripts/a.rhai").is_some());
        }
        let kept = serde_json::to_string(&it).unwrap();
        assert_eq!(serde_json::from_str::<Stuck>(&kept).unwrap(), it);
        let of_before_there_were_two = r#"{"version":"v1","runs":[1,2,3]}"#;
        let it: Stuck = serde_json::from_str(of_before_there_were_two).unwrap();
        assert!(it.holds("a", "v1", "scripts/a.rhai").is_some());
    }
}
