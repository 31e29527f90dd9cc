//! Decisions about script versions, and changes of many runs.

use super::*;
use crate::ledger::sqlite::many::RUNS_PER_BITE;
use crate::ledger::version_decision::{CanaryOutcome, CanaryRun, Score};

fn saved(version: &str) -> VersionDecision {
    VersionDecision::InForce {
        handler: "h".into(),
        version: version.into(),
        at: NOW,
    }
}

fn tried(run: RunId, outcome: CanaryOutcome) -> VersionDecision {
    VersionDecision::Tried {
        handler: "h".into(),
        version: "v2".into(),
        run,
        outcome,
    }
}

async fn decide(scene: &Scene, decisions: Vec<VersionDecision>) {
    scene
        .order(Order::DecideVersions { decisions })
        .await
        .unwrap();
}

fn begin(version: &str) -> VersionDecision {
    VersionDecision::BeginCanary {
        handler: "h".into(),
        version: version.into(),
        at: NOW,
    }
}

#[tokio::test]
async fn a_canary_counts_what_its_version_did_and_what_the_one_before_it_could_do() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    decide(&scene, vec![saved("v1"), begin("v2")]).await;
    let run = |n| RunId::of(n, 1);
    let past = |n| scene.reader().canary_run("h", "v2", run(n)).unwrap();
    assert_eq!(past(1), CanaryRun::Its);
    decide(&scene, vec![tried(run(1), CanaryOutcome::Failed)]).await;
    assert_eq!(past(1), CanaryRun::FailedThere { at_service: false });
    // The attempt does not count against the run.
    assert_eq!(scene.count("SELECT forgiven FROM runs_open"), 1);
    let score = || scene.reader().canary_score("h").unwrap();
    assert_eq!(score(), Score::default());
    let outcomes = [
        (1, CanaryOutcome::Guilty),
        (2, CanaryOutcome::Done),
        (3, CanaryOutcome::Excused),
    ];
    let all = outcomes.map(|(n, outcome)| tried(run(n), outcome));
    decide(&scene, all.to_vec()).await;
    let expected = Score {
        done: 1,
        failed: 1,
        doubtful: 0,
    };
    assert_eq!(score(), expected);
    assert_eq!(past(1), CanaryRun::NotIts);
    // Another candidate begins anew, and news of the one before it change nothing.
    decide(
        &scene,
        vec![begin("v3"), tried(run(4), CanaryOutcome::Done)],
    )
    .await;
    assert_eq!(score(), Score::default());
}

#[tokio::test]
async fn a_version_that_was_rolled_back_is_so_until_it_comes_into_force() {
    let scene = Scene::new();
    let end = VersionDecision::EndCanary {
        handler: "h".into(),
        rolled_back: Some("3 failed".into()),
        at: NOW,
    };
    decide(&scene, vec![saved("v1"), begin("v2"), end]).await;
    let decisions = scene.reader().version_decisions().unwrap();
    let key = ("h".to_owned(), "v2".to_owned());
    assert_eq!(decisions.rolled_back[&key], "3 failed");
    assert_eq!(decisions.in_force["h"], "v1");
    assert!(decisions.canaries.is_empty());
    decide(&scene, vec![saved("v2")]).await;
    let decisions = scene.reader().version_decisions().unwrap();
    assert!(decisions.rolled_back.is_empty());
    assert_eq!(decisions.in_force["h"], "v2");
}

#[tokio::test]
async fn many_runs_are_held_and_released_in_bites() {
    let scene = Scene::new();
    let runs = RUNS_PER_BITE + 7;
    for n in 0..runs {
        scene.accept(&format!("evt_{n}"), &["h"]).await;
    }
    let held = "SELECT count(*) FROM runs_open WHERE state = 'held'";
    for (why, expected) in [(Some("gone".to_owned()), runs), (None, 0)] {
        let mut after = RunId::default();
        let mut sizes = Vec::new();
        loop {
            let bite = scene
                .reader()
                .runs_to_hold("h", why.is_none(), after)
                .unwrap();
            let Some(last) = bite.last() else { break };
            after = *last;
            sizes.push(bite.len() as i64);
            let order = Order::Hold {
                handler: "h".into(),
                why: why.clone(),
                runs: bite,
            };
            scene.order(order).await.unwrap();
        }
        assert_eq!(sizes, [RUNS_PER_BITE, 7]);
        assert_eq!(scene.count(held), expected);
    }
}

#[tokio::test]
async fn a_run_is_not_moved_to_a_handler_that_its_event_has_a_run_of() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h", "g"]).await;
    scene.accept("evt_2", &["h"]).await;
    let of_h = [RunId::of(1, 1), RunId::of(2, 1)];
    let order = Order::Move {
        from: "h".into(),
        to: "g".into(),
        runs: of_h.map(|it| (it, Lane(9))).to_vec(),
        held: None,
    };
    let moved = scene.order(order).await.unwrap();
    assert_eq!(moved, Ordered::Done { affected: 1 });
    let of_g = "SELECT count(*) FROM runs_open WHERE handler = 'g' AND lane = 9 AND epoch = 1";
    assert_eq!(scene.count(of_g), 1);
}
