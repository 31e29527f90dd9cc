//! Open runs: taken away, retried, replayed, waiting.

use super::*;
use crate::ledger::sqlite::Arrival;
use std::time::Duration;

const A_SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_an_operator_took_is_fenced() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    scene
        .order(Order::Drop {
            run: run(1),
            at: NOW,
        })
        .await
        .unwrap();
    assert_eq!(
        scene.commit(run(1), &[], &[("x", 0, "{}")]).await,
        Applied::Fenced
    );
    assert_eq!(
        scene.count("SELECT count(*) FROM runs_done WHERE state = 'dropped'"),
        1
    );
}

#[tokio::test]
async fn a_dead_run_is_retried_with_a_new_epoch_and_its_attempts_again() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    let postpone = Postpone {
        claim: Claim {
            id: run(1),
            epoch: 0,
        },
        state: State::Dead,
        due_at: None,
        waits_for: None,
        why: "x".into(),
        needs: None,
        attempts: 12,
        attempt: Some(report()),
    };
    assert_eq!(
        scene.opened.ledger.postpone(postpone).await.unwrap(),
        Applied::Done
    );
    assert_eq!(scene.commit(run(1), &[], &[]).await, Applied::Fenced);
    let retried = scene.order(retry(run(1))).await.unwrap();
    assert_eq!(retried, Ordered::Done { affected: 1 });
    let found = scene.reader().open_run(run(1)).unwrap().unwrap();
    assert_eq!(
        (found.claim.epoch, found.attempts, found.forgiven),
        (2, 12, 12)
    );
    let unknown = scene.order(retry(RunId(99))).await.unwrap();
    assert!(matches!(unknown, Ordered::NotFound(_)));
}

#[tokio::test]
async fn who_knows_a_run_as_it_was_before_it_waited_can_do_nothing_to_it() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    let postpone = || Postpone {
        claim: Claim {
            id: run(1),
            epoch: 0,
        },
        state: State::Waiting,
        due_at: Some(UnixMillis(0)),
        waits_for: None,
        why: "x".into(),
        needs: None,
        attempts: 1,
        attempt: Some(report()),
    };
    let ledger = &scene.opened.ledger;
    assert_eq!(ledger.postpone(postpone()).await, Ok(Applied::Done));
    assert_eq!(ledger.postpone(postpone()).await, Ok(Applied::Fenced));
    assert_eq!(scene.commit(run(1), &[], &[]).await, Applied::Fenced);
}

#[tokio::test]
async fn a_replay_waits_for_the_earlier_run_and_then_is_a_run_of_its_own() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    let planned = || {
        vec![PlannedRun {
            handler: "h".into(),
            lane: Lane(7),
            held: None,
        }]
    };
    let replay = || {
        scene.order(Order::Replay {
            event_seq: 1,
            runs: planned(),
            call_again: false,
        })
    };
    let refused = replay().await.unwrap_err().to_string();
    assert!(refused.contains("still open"), "{refused}");
    scene.commit(run(1), &[], &[]).await;
    assert_eq!(
        replay().await.unwrap(),
        Ordered::Runs(vec![RunId::of(1, 2)])
    );
    assert_eq!(
        scene
            .reader()
            .open_run(RunId::of(1, 2))
            .unwrap()
            .unwrap()
            .replay,
        1
    );
}

#[tokio::test]
async fn runs_that_wait_for_a_service_are_found_by_it_the_oldest_first_and_are_due_at_no_time() {
    let scene = Scene::new();
    for n in 1..=4 {
        scene.accept(&format!("evt_{n}"), &["h"]).await;
        let postpone = Postpone {
            claim: Claim {
                id: run(n),
                epoch: 0,
            },
            state: State::Waiting,
            due_at: None,
            waits_for: Some(if n == 2 {
                "bank".into()
            } else {
                "books".into()
            }),
            why: "service `books` is ill".into(),
            needs: None,
            attempts: 0,
            attempt: None,
        };
        assert_eq!(
            scene.opened.ledger.postpone(postpone).await,
            Ok(Applied::Done)
        );
    }
    let scene = scene.reopen().await;
    let reader = scene.reader();
    let none = BlockedByDead::new([].into_iter());
    // All of them are in one lane.
    let found = |after, limit| -> Vec<(RunId, bool)> {
        let runs = reader.runs_waiting_for("books", "h", after, limit, &none, NOW);
        runs.unwrap()
            .iter()
            .map(|(it, is_head)| (it.claim.id, *is_head))
            .collect()
    };
    assert_eq!(found(RunId(0), 2), [(run(1), true), (run(3), false)]);
    assert_eq!(found(run(3), 2), [(run(4), false)]);
    let groups: Vec<(String, usize)> = reader
        .waiting_for_services()
        .unwrap()
        .iter()
        .map(|it| (format!("{} {}", it.service, it.handler), it.runs))
        .collect();
    assert_eq!(groups, [("bank h".into(), 1), ("books h".into(), 3)]);
    assert!(
        reader
            .waiting_runs((UnixMillis(0), RunId(0)), 10)
            .unwrap()
            .is_empty()
    );
    scene
        .order(Order::Retry {
            run: run(1),
            decision: None,
        })
        .await
        .unwrap();
    assert_eq!(found(RunId(0), 1), [(run(3), false)]);
}

#[tokio::test]
async fn a_replay_of_a_run_that_was_moved_has_a_number_of_its_own() {
    let scene = Scene::new();
    scene.accept("evt_1", &["old"]).await;
    let replay = |handler: &str| Order::Replay {
        event_seq: 1,
        runs: vec![PlannedRun {
            handler: handler.into(),
            lane: Lane(7),
            held: None,
        }],
        call_again: true,
    };
    let drop = |ordinal| Order::Drop {
        run: RunId::of(1, ordinal),
        at: NOW,
    };
    let number = |ordinal| {
        let open = scene.reader().open_run(RunId::of(1, ordinal)).unwrap();
        open.map(|it| it.replay)
    };
    scene.order(drop(1)).await.unwrap();
    scene.order(replay("old")).await.unwrap();
    assert_eq!(number(2), Some(1));
    let moved = Order::Move {
        from: "old".into(),
        to: "new".into(),
        runs: vec![(RunId::of(1, 2), Lane(8))],
        held: None,
    };
    scene.order(moved).await.unwrap();
    scene.order(drop(2)).await.unwrap();
    scene.order(replay("new")).await.unwrap();
    assert_eq!(number(3), Some(2));
}

#[tokio::test]
async fn the_worker_is_told_that_a_run_of_a_known_event_comes_late() {
    let scene = Scene::new();
    let arrived = || {
        let arrived = scene.opened.arrivals.take().runs;
        let told = arrived.iter().map(|it| match it {
            Arrival::Ready(it) => format!("ready {}", it.claim.id),
            Arrival::Late(it) => format!("late {}", it.claim.id),
            Arrival::Held(lane) => format!("held {}", lane.0),
        });
        told.collect::<Vec<_>>()
    };
    scene.accept_at("evt_1", "own", "stripe", &["h"]).await;
    scene.accept_at("evt_2", "own", "stripe", &["h"]).await;
    assert_eq!(arrived(), ["ready 10001", "ready 20001"]);
    // Another endpoint of the same scope.
    let again = scene.accept_at("evt_1", "connect", "stripe", &["h", "other"]);
    assert!(again.await.is_duplicate);
    assert_eq!(arrived(), ["late 10002"]);
}

#[tokio::test]
async fn of_runs_that_do_not_fit_it_is_told_whether_all_are_the_newest() {
    let scene = Scene::new();
    let many = vec!["h"; 5_000];
    scene.accept("evt_1", &many).await;
    let arrived = scene.opened.arrivals.take();
    assert!(arrived.overflowed && !arrived.lost_others_than_newest);
    let runs: Vec<PlannedRun> = (0..5_000)
        .map(|it| PlannedRun {
            handler: format!("h{it}").into(),
            lane: Lane(7),
            held: None,
        })
        .collect();
    scene.accept("evt_2", &[]).await;
    let replay = Order::Replay {
        event_seq: 2,
        runs,
        call_again: false,
    };
    scene.order(replay).await.unwrap();
    let arrived = scene.opened.arrivals.take();
    assert!(arrived.overflowed && arrived.lost_others_than_newest);
}

#[tokio::test]
async fn waiting_runs_are_read_on_from_the_last_one_also_when_all_are_due_at_once() {
    let scene = Scene::new();
    for n in 1..=5 {
        scene.accept(&format!("evt_{n}"), &["h"]).await;
        let postpone = Postpone {
            claim: Claim {
                id: run(n),
                epoch: 0,
            },
            state: State::Waiting,
            due_at: Some(if n == 2 { NOW } else { NOW.after(A_SECOND) }),
            waits_for: None,
            why: "it failed".into(),
            needs: None,
            attempts: 1,
            attempt: None,
        };
        scene.opened.ledger.postpone(postpone).await.unwrap();
    }
    let (mut place, mut read) = ((UnixMillis(i64::MIN), RunId(0)), Vec::new());
    loop {
        let page = scene.reader().waiting_runs(place, 2).unwrap();
        let Some((due_at, last)) = page.last() else {
            break;
        };
        place = (*due_at, last.claim.id);
        read.extend(page.iter().map(|(_, it)| it.claim.id));
    }
    assert_eq!(read, [2, 1, 3, 4, 5].map(run));
}

#[tokio::test]
async fn no_event_has_so_many_runs_that_the_next_would_be_another_events() {
    let scene = Scene::new();
    scene.accept("evt_1", &vec!["h"; 9_997]).await;
    let replay = |handlers: &[&str]| Order::Replay {
        event_seq: 1,
        runs: handlers
            .iter()
            .map(|it| PlannedRun {
                handler: (*it).into(),
                lane: Lane(7),
                held: None,
            })
            .collect(),
        call_again: false,
    };
    let why = |made: i64| {
        LedgerError::Refused(format!(
            "event number 1 has had {made} runs and can have no more than 9999, replays included"
        ))
    };
    assert_eq!(scene.order(replay(&["a", "b", "c"])).await, Err(why(9_997)));
    assert_eq!(
        scene.order(replay(&["a", "b"])).await,
        Ok(Ordered::Runs(vec![
            RunId::of(1, 9_998),
            RunId::of(1, 9_999)
        ]))
    );
    assert_eq!(scene.order(replay(&["c"])).await, Err(why(9_999)));
    assert_eq!(scene.count("SELECT count(*) FROM runs_open"), 9_999);
}

#[tokio::test]
async fn a_look_at_all_open_runs_has_an_end_however_many_there_are() {
    let scene = Scene::new();
    for id in ["evt_1", "evt_2"] {
        scene.accept(id, &vec!["h"; 700]).await;
    }
    scene.accept("evt_3", &["other"]).await;
    let reader = scene.reader();
    let (mut after, mut found) = (RunId(0), Vec::new());
    while let Some(to) = reader.end_of_look(after).unwrap() {
        let of_handler = reader.open_runs_of("h", (after, to), 10_000).unwrap();
        let handlers = reader.handlers_of_open_runs((after, to)).unwrap();
        let handlers = handlers.into_iter().map(|it| it.0);
        found.push((of_handler.len(), handlers.collect::<Vec<_>>().join(" ")));
        after = to;
    }
    let expected = [(600, "h"), (600, "h"), (200, "h other")];
    assert_eq!(found, expected.map(|(runs, it)| (runs, it.to_owned())));
}

#[tokio::test]
async fn lanes_that_are_blocked_are_found_among_any_number_of_open_runs() {
    let scene = Scene::new();
    scene.accept("evt_1", &vec!["h"; 1_300]).await;
    let last = RunId::of(1, 1_300);
    let orders = [
        Order::Relane {
            lanes: vec![(run(1), Lane(9)), (last, Lane(8))],
        },
        Order::Hold {
            handler: "h".into(),
            why: Some("for a test".into()),
            runs: vec![run(1), last],
        },
    ];
    for it in orders {
        scene.order(it).await.unwrap();
    }
    let none = BlockedByDead::new([].into_iter());
    let lanes = |limit| scene.reader().lanes_not_ready(&none, limit).unwrap();
    assert_eq!(lanes(10), [Lane(8), Lane(9)]);
    assert_eq!(lanes(1).len(), 1);
}
