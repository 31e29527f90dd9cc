//! Script versions: pins, canaries, what is kept.

use super::super::course::Course;
use crate::run::RunId;
use std::collections::BTreeMap;

const SEEN_TRIED: [&str; 6] = [
    "seen tried and done",
    "seen tried and failed",
    "seen tried and guilty",
    "seen tried and excused",
    "seen tried and ill",
    "seen tried and doubtful",
];

impl Course {
    pub(super) fn check_versions(&mut self) {
        self.check_kept();
        self.check_pins();
        self.check_canaries();
    }

    /// A start without a good handlers.toml puts nothing else into force than what was.
    pub(in super::super) fn check_start(&mut self) {
        // A kill may come between a handlers.toml and the version that fits it.
        if !self.files.is_torn || self.facts.was_narrow {
            return;
        }
        let in_force = self.life().current.load_full();
        for it in in_force.handlers() {
            let name = &it.handler.name;
            let looks = &self.life().looks;
            let before = looks.texts(&format!(
                "SELECT value FROM meta WHERE key = 'last_good_version/{name}'"
            ));
            if let (Ok(program), Some(before)) = (it.program(), before.first()) {
                assert_eq!(program.version(), before[0], "{name} after a start");
            }
        }
    }

    /// The text of a version that somebody may need is there.
    fn check_kept(&mut self) {
        let lacking = self.life().looks.texts(
            "SELECT version FROM (SELECT version FROM pins UNION SELECT version FROM canaries
               UNION SELECT version FROM handler_versions
               UNION SELECT value FROM meta WHERE key LIKE 'last_good_version/%')
             WHERE version NOT IN (SELECT hash FROM script_versions)",
        );
        assert!(
            lacking.is_empty(),
            "versions without their text: {lacking:?}"
        );
    }

    /// What is pinned runs, and nothing else does from then on.
    fn check_pins(&mut self) {
        let now = self.life().now();
        let in_force = self.life().current.load_full();
        let rows = self.life().looks.texts("SELECT handler, version FROM pins");
        let mut pins = BTreeMap::new();
        for it in rows {
            let (handler, version) = (it[0].clone(), it[1].clone());
            if let Some(loaded) = in_force.handler(&handler) {
                let runs = loaded.program().map(|it| it.version());
                let is_it = runs.is_ok_and(|it| it == version) && loaded.chosen.canary.is_none();
                if !is_it && runs.is_ok() {
                    panic!("{handler} is pinned to {version}, and runs {runs:?}");
                }
            }
            let key = (handler, version);
            let since = self.facts.pins.get(&key).copied().unwrap_or(now);
            let (handler, version) = &key;
            let mut others = self.life().looks.texts(&format!(
                "SELECT run, number FROM attempts WHERE started_at > {} AND version <> '{version}'
                   AND run IN (SELECT id FROM runs_open WHERE handler = '{handler}'
                     UNION SELECT id FROM runs_done WHERE handler = '{handler}')",
                since.0
            ));
            // It may have run as another handler's.
            others.retain(|it| {
                let run = RunId(it[0].parse().unwrap());
                !self.facts.moved.contains(&run.event_seq())
            });
            if !others.is_empty() {
                panic!(
                    "{handler} is pinned to {version}, and {others:?} ran others\n{}",
                    self.told()
                );
            }
            pins.insert(key, since);
        }
        self.facts.pins = pins;
    }

    /// A version that was rolled back is not in force nor tried again before somebody wants it, and a run that failed on one that is tried is done by the one
    /// before it.
    fn check_canaries(&mut self) {
        let looks = &self.life().looks;
        let rolled_back = looks.texts(
            "SELECT handler, version FROM handler_versions WHERE rolled_back_at IS NOT NULL",
        );
        let mut stuck = looks.texts(
            "SELECT open.id, open.state, open.why FROM runs_open AS open
               JOIN canaries ON canaries.handler = open.handler
               JOIN attempts ON attempts.run = open.id
             WHERE attempts.version = canaries.version AND attempts.started_at > canaries.began_at
               AND attempts.outcome IN ('failed', 'dead')
               AND (open.state = 'dead' OR (open.state = 'waiting' AND open.due_at IS NOT NULL))
               -- Run again, and come to a call of a name that another run is making.
               AND coalesce(open.why, '') NOT LIKE 'waits for run %'
               AND NOT EXISTS (SELECT 1 FROM attempts AS later WHERE later.run = open.id
                 AND (later.started_at, later.number) > (attempts.started_at, attempts.number))",
        );
        let tried = looks.texts("SELECT outcome, count(*) FROM canary_runs GROUP BY outcome");
        // It may have failed as another handler's run, whose version that was.
        let seq_of = |it: &[String]| RunId(it[0].parse().unwrap()).event_seq();
        stuck.retain(|it| !self.facts.moved.contains(&seq_of(it)));
        if !stuck.is_empty() {
            panic!(
                "failed on a version that is tried, and not run again: {stuck:?}\n{}",
                self.told()
            );
        }
        let in_force = self.life().current.load_full();
        for it in tried {
            let kind = SEEN_TRIED.iter().find(|kind| kind.ends_with(&it[0]));
            *self.counts.entry(kind.unwrap()).or_default() += 1;
        }
        for it in rolled_back {
            *self.counts.entry("seen rolled back").or_default() += 1;
            let rolled_back = (it[0].clone(), it[1].clone());
            self.facts.rolled_back.insert(rolled_back);
        }
        for (handler, version) in self.facts.stay_rolled_back() {
            let Some(loaded) = in_force.handler(handler) else {
                continue;
            };
            let runs = loaded.program().map(|it| it.version());
            assert_ne!(runs, Ok(version.as_str()), "{handler} was rolled back");
            let tried = loaded.chosen.canary.as_ref();
            let tried = tried.map(|it| it.candidate.version());
            assert_ne!(tried, Some(version.as_str()), "{handler} was rolled back");
        }
    }
}
