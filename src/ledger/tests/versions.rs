//! Decisions about script versions, and changes of many runs.

use super::*;
use crate::ledger::sqlite::forget_versions::NEWEST_KEPT;
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
async fn a_run_that_has_made_a_call_on_another_version_is_no_candidates() {
    let scene = Scene::new();
    decide(&scene, vec![saved("v1"), begin("v2")]).await;
    // A kill ended the attempt before it was reported.
    let call = super::calls::with_an_intended_call(&scene).await;
    let made_by = &scene.reader().journal(call.id).unwrap()[0].version;
    assert_ne!(made_by, "v2");
    let past = |version: &str| scene.reader().canary_run("h", version, call.id).unwrap();
    assert_eq!(past("v2"), CanaryRun::NotIts);
    assert_eq!(past(made_by), CanaryRun::Its);
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
                .runs_to_hold("h", why.is_none(), (after, RunId(i64::MAX)))
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

#[tokio::test]
async fn versions_are_forgotten_but_those_that_count_the_newest_and_those_of_late() {
    let scene = Scene::new();
    let at = |n: i64| UnixMillis(NOW.0 + n);
    let count = NEWEST_KEPT as i64 + 10;
    for n in 0..count {
        let version: Arc<str> = format!("v{n:02}").into();
        let keep = VersionDecision::Keep {
            version: version.clone(),
            script: "scripts/h.rhai".into(),
            sources: "{}".into(),
            at: at(n),
        };
        let in_force = |handler: &str| VersionDecision::InForce {
            handler: handler.into(),
            version: version.clone(),
            at: at(n),
        };
        let mut decisions = vec![keep, in_force("h")];
        // Another handler has the same script, and had it less often.
        if n == 3 {
            decisions.push(in_force("g"));
        }
        decide(&scene, decisions).await;
    }
    let pin = VersionDecision::Pin {
        handler: "h".into(),
        version: Some("v01".into()),
        at: at(count),
    };
    decide(&scene, vec![pin, begin("v02")]).await;
    // Another candidate that was tried until now, and is as old.
    let end = VersionDecision::EndCanary {
        handler: "g".into(),
        rolled_back: None,
        at: at(count + 1),
    };
    let tried_by_g = VersionDecision::BeginCanary {
        handler: "g".into(),
        version: "v00".into(),
        at: at(0),
    };
    decide(&scene, vec![tried_by_g, end]).await;
    let of_g = "SELECT last_at FROM handler_versions WHERE handler = 'g' AND version = 'v00'";
    assert_eq!(scene.count(of_g), at(count + 1).0);
    let over = |before| scene.reader().versions_that_are_over(before).unwrap();
    let names = |found: Vec<(String, String)>| -> Vec<String> {
        found.into_iter().map(|(_, version)| version).collect()
    };
    // v05 was in force until v06 came.
    assert_eq!(names(over(at(6))), ["v00", "v03", "v04"]);
    let later = at(count + 1);
    let expected = ["v00", "v03", "v04", "v05", "v06", "v07", "v08", "v09"];
    assert_eq!(names(over(later)), expected);

    // What is decided between the look and the order counts.
    let mut versions = over(later);
    versions.push(("h".into(), "v01".into()));
    let affected = expected.len();
    let order = Order::ForgetVersions {
        versions,
        before: later,
    };
    assert_eq!(scene.order(order).await, Ok(Ordered::Done { affected }));
    assert_eq!(names(over(later)), [""; 0]);
    let kept = |version: &str| scene.reader().script_version(version).unwrap().is_some();
    assert!(!kept("v04") && !kept("v09"));
    assert!(kept("v00") && kept("v01") && kept("v02") && kept("v03") && kept("v10"));
}

#[tokio::test]
async fn the_versions_that_open_runs_have_run_on_are_found_in_bites() {
    let scene = Scene::new();
    for n in 1..=3 {
        scene.accept(&format!("evt_{n}"), &["h"]).await;
    }
    super::calls::with_an_intended_call(&scene).await;
    // One that is done needs its version no more than its event does.
    scene.commit(run(2), &[], &[]).await;
    let mut versions = std::collections::HashSet::new();
    let mut after = RunId::default();
    let mut bites = 0;
    while let Some(last) = scene
        .reader()
        .versions_of_open_runs(after, 1, &mut versions)
        .unwrap()
    {
        (after, bites) = (last, bites + 1);
    }
    assert_eq!(bites, 2);
    assert_eq!(versions.into_iter().collect::<Vec<_>>(), ["v1"]);
}

#[tokio::test]
async fn only_a_retry_that_is_carried_out_lets_a_handler_go_on_that_got_stuck() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    let stuck = VersionDecision::Stuck {
        handler: "h".into(),
        version: "v1".into(),
        run: run(1),
    };
    decide(&scene, vec![stuck]).await;
    let is_kept = || {
        let known = scene.reader().version_decisions().unwrap().stuck;
        known.contains_key("h")
    };
    let retry = || {
        scene.order(Order::Retry {
            run: run(1),
            decision: None,
        })
    };
    let Ordered::NotFound(why) = retry().await.unwrap() else {
        panic!("a run that is ready cannot be retried")
    };
    assert!(why.contains("is ready"), "{why}");
    assert!(is_kept());
    let dead = Postpone {
        claim: Claim {
            id: run(1),
            epoch: 0,
        },
        state: State::Dead,
        due_at: None,
        waits_for: None,
        why: "stuck".into(),
        needs: None,
        attempts: 1,
        attempt: None,
    };
    scene.opened.ledger.postpone(dead).await.unwrap();
    assert_eq!(retry().await.unwrap(), Ordered::Done { affected: 1 });
    assert!(!is_kept());
}
