//! Calls that are made once over all runs, as the ledger keeps them.

mod by_hand;

use super::*;
use crate::call::Answer;
use crate::ledger::decision::{Choice, Decision, Needs};
use crate::ledger::once::{OnceCall, OnceIntent, OnceKey};
use crate::ledger::sent_by::SentBy;
use std::collections::BTreeMap;
use std::time::Duration;

const LATER: UnixMillis = UnixMillis(NOW.0 + 60_000);

fn answer(status: u16) -> Answer {
    Answer {
        status,
        headers: BTreeMap::new(),
        text: "{}".into(),
        body_missing: None,
        has_bad_utf8: false,
    }
}

fn claim(event_seq: i64, epoch: i64) -> Claim {
    let id = run(event_seq);
    Claim { id, epoch }
}

/// Call 1 of a run, with this name at one of two services.
fn entry(service: &str, name: &str, key: &str) -> JournalEntry {
    JournalEntry {
        number: 1,
        sent_by: SentBy::only(1),
        state: CallState::Intended,
        service: service.into(),
        method: "POST".into(),
        url: "http://s/x".into(),
        path: Some("/x".into()),
        request: "{\"first\":true}".into(),
        content: "c".into(),
        idempotency_key: key.into(),
        version: "v1".into(),
        now: NOW,
        seen: None,
        intended_at: NOW,
        answered_at: None,
        answer: None,
        decided: None,
        once: Some(name.into()),
        given_to: None,
    }
}

impl Scene {
    /// As it stands for the second run.
    fn once(&self, name: &str) -> Option<OnceCall> {
        self.once_for(run(2), name)
    }

    fn once_for(&self, asks: RunId, name: &str) -> Option<OnceCall> {
        self.reader().once("s", name, asks).unwrap()
    }

    /// A run writes its call `n` down, which stands as the last argument says.
    async fn intend(&self, claim: Claim, key: &str, seen: Option<&OnceCall>) -> Applied {
        let generation = seen.map_or(0, |it| it.standing.generation);
        let generation = match seen.map(|it| it.standing.state) {
            Some(CallState::Refused) => generation + 1,
            _ => generation,
        };
        let intent = Intent {
            claim,
            entry: entry("s", "n", key),
            reads: vec![],
            once: Some(OnceIntent {
                expected: seen.map(|it| it.standing),
                generation,
                at: LATER,
            }),
        };
        self.opened.ledger.intent(intent).await.unwrap()
    }

    async fn end(&self, claim: Claim, key: &str, state: CallState) {
        let settle = Settle {
            claim,
            number: 1,
            state,
            answer: (state == CallState::Settled).then(|| answer(200)),
            decided: None,
            once: Some(OnceKey {
                service: "s".into(),
                name: "n".into(),
                idempotency_key: key.into(),
            }),
            at: LATER,
        };
        self.opened.ledger.settle(settle).await.unwrap();
    }

    async fn give_up(&self, claim: Claim) {
        let dead = Postpone {
            claim,
            state: State::Dead,
            due_at: None,
            waits_for: None,
            why: "outcome unknown".into(),
            needs: Some(Needs::OutcomeUnknown { call: 1 }),
            attempts: 1,
            attempt: None,
        };
        assert_eq!(self.opened.ledger.postpone(dead).await, Ok(Applied::Done));
    }
}

/// Two runs of two events; the first has written its call `n` down.
async fn scene() -> Scene {
    let scene = Scene::new();
    for id in ["evt_1", "evt_2"] {
        scene.accept(id, &["h"]).await;
    }
    assert_eq!(scene.intend(claim(1, 0), "k0", None).await, Applied::Done);
    scene
}

#[tokio::test]
async fn who_decided_on_what_is_no_longer_so_writes_nothing() {
    let scene = scene().await;
    assert_eq!(scene.intend(claim(2, 0), "k0", None).await, Applied::Stale);
    assert!(scene.reader().journal(run(2)).unwrap().is_empty());
    let under_way = scene.once("n").unwrap();
    assert!(under_way.standing.is_under_way);
    assert_eq!(
        (under_way.standing.owner, under_way.standing.number),
        (run(1), 1)
    );
    // The owner is dead by now, and then ready again: neither is what was seen before.
    scene.give_up(claim(1, 0)).await;
    let seen = Some(&under_way);
    assert_eq!(scene.intend(claim(2, 0), "k0", seen).await, Applied::Stale);
    let given_up = scene.once("n").unwrap();
    assert!(!given_up.standing.is_under_way && given_up.standing.waits_for_word);
    let order = Order::Retry {
        run: run(1),
        decision: None,
    };
    scene.order(order).await.unwrap();
    let seen = Some(&given_up);
    assert_eq!(scene.intend(claim(2, 0), "k0", seen).await, Applied::Stale);
}

/// As an operator has it sent again whose script does not say the name any more.
#[tokio::test]
async fn a_call_whose_name_is_said_no_more_is_sent_again_only_while_it_is_nobody_elses() {
    let scene = scene().await;
    scene.end(claim(1, 0), "k0", CallState::Unsettled).await;
    let again = async |of: i64| {
        let intent = Intent {
            claim: claim(of, 0),
            entry: entry("s", "n", "k0"),
            reads: vec![],
            once: None,
        };
        scene.opened.ledger.intent(intent).await.unwrap()
    };
    assert_eq!(again(1).await, Applied::Done);
    let standing = scene.once("n").unwrap().standing;
    assert!(standing.is_under_way, "others wait for it");
    assert_eq!(standing.state, CallState::Intended);
    scene.end(claim(1, 0), "k0", CallState::Unsettled).await;
    let seen = scene.once("n");
    let taken = scene.intend(claim(2, 0), "k0", seen.as_ref()).await;
    assert_eq!(taken, Applied::Done);
    assert_eq!(again(1).await, Applied::Stale);
}

#[tokio::test]
async fn a_run_that_goes_on_from_the_calls_of_one_that_is_over_has_its_names_too() {
    let scene = scene().await;
    scene.end(claim(1, 0), "k0", CallState::Unsettled).await;
    let again = || async {
        let intent = Intent {
            claim: claim(2, 0),
            entry: entry("s", "n", "k0"),
            reads: vec![],
            once: None,
        };
        scene.opened.ledger.intent(intent).await.unwrap()
    };
    assert_eq!(again().await, Applied::Stale, "while that one is open");
    let drop = Order::Drop {
        run: run(1),
        at: LATER,
    };
    scene.order(drop).await.unwrap();
    assert_eq!(again().await, Applied::Done);
    let standing = scene.once_for(run(1), "n").unwrap().standing;
    assert_eq!(
        (standing.owner, standing.state),
        (run(2), CallState::Intended)
    );
}

#[tokio::test]
async fn a_call_that_is_taken_over_is_nobody_elses_any_more_and_a_late_answer_settles_it_all_the_same()
 {
    let scene = scene().await;
    scene.give_up(claim(1, 0)).await;
    let seen = scene.once("n");
    assert_eq!(
        scene.intend(claim(2, 0), "k0", seen.as_ref()).await,
        Applied::Done
    );
    assert_eq!(scene.once("n").unwrap().standing.owner, run(2));
    let former = || scene.reader().journal(run(1)).unwrap().remove(0);
    assert_eq!(former().given_to, Some(run(2)));
    // The word about it is to be said where it is.
    let decision = Some(Decision {
        choice: Choice::Resend,
        by: "alice".into(),
        at: LATER,
    });
    let order = Order::Retry {
        run: run(1),
        decision,
    };
    let Ordered::NotFound(why) = scene.order(order).await.unwrap() else {
        panic!("it has no call that waits")
    };
    assert!(why.contains("was taken over by run 20001"), "{why}");
    // What the former owner hears late counts only when it took effect.
    scene.end(claim(1, 0), "k0", CallState::Refused).await;
    assert_eq!(scene.once("n").unwrap().standing.state, CallState::Intended);
    scene.end(claim(1, 0), "k1", CallState::Settled).await;
    assert_eq!(scene.once("n").unwrap().standing.state, CallState::Intended);
}

/// They would wait for each other: the owner until the run before it is out of the way, and that one for the owner's call.
#[tokio::test]
async fn a_call_whose_owner_waits_in_its_lane_for_the_run_that_asks_is_not_under_way_for_that_run()
{
    let scene = Scene::new();
    for id in ["evt_1", "evt_2", "evt_3"] {
        scene.accept(id, &["h"]).await;
    }
    let one_lane = [(run(1), Lane(7)), (run(2), Lane(7)), (run(3), Lane(8))];
    let lanes = one_lane.to_vec();
    scene.order(Order::Relane { lanes }).await.unwrap();
    assert_eq!(scene.intend(claim(2, 0), "k0", None).await, Applied::Done);
    let is_under_way = |asks| scene.once_for(asks, "n").unwrap().standing.is_under_way;
    assert!(is_under_way(run(3)));
    assert!(!is_under_way(run(1)));
    let seen = scene.once_for(run(3), "n");
    let decided_for_another = scene.intend(claim(1, 0), "k0", seen.as_ref()).await;
    assert_eq!(decided_for_another, Applied::Stale);
    let seen = scene.once_for(run(1), "n");
    assert_eq!(
        scene.intend(claim(1, 0), "k0", seen.as_ref()).await,
        Applied::Done
    );
    assert_eq!(scene.once("n").unwrap().standing.owner, run(1));
}

#[tokio::test]
async fn a_late_success_settles_the_call_of_whoever_took_it_over() {
    let scene = scene().await;
    scene.give_up(claim(1, 0)).await;
    let seen = scene.once("n");
    scene.intend(claim(2, 0), "k0", seen.as_ref()).await;
    scene.end(claim(1, 0), "k0", CallState::Settled).await;
    let call = scene.once("n").unwrap();
    assert_eq!(
        (call.standing.state, call.answer),
        (CallState::Settled, Some(answer(200)))
    );
    let entry = scene.reader().journal(run(2)).unwrap().remove(0);
    assert_eq!(
        (entry.state, entry.answer),
        (CallState::Settled, Some(answer(200)))
    );
    // Nothing takes the place of that.
    scene.end(claim(2, 0), "k0", CallState::Unsettled).await;
    assert_eq!(scene.once("n").unwrap().standing.state, CallState::Settled);
}

#[tokio::test]
async fn a_call_that_never_left_leaves_no_trace_and_no_gap() {
    let scene = scene().await;
    scene.end(claim(1, 0), "k0", CallState::Unsent).await;
    assert_eq!(scene.once("n"), None);
    assert!(scene.reader().journal(run(1)).unwrap().is_empty());
    // After a refusal the next key is still the next one.
    scene.intend(claim(1, 0), "k0", None).await;
    scene.end(claim(1, 0), "k0", CallState::Refused).await;
    for _ in 0..2 {
        let refused = scene.once("n").unwrap();
        assert_eq!(
            (refused.standing.state, refused.standing.generation),
            (CallState::Refused, 0)
        );
        scene.intend(claim(2, 0), "k1", Some(&refused)).await;
        assert_eq!(scene.once("n").unwrap().standing.generation, 1);
        scene.end(claim(2, 0), "k1", CallState::Unsent).await;
    }
}

#[tokio::test]
async fn names_are_those_of_one_service() {
    let scene = scene().await;
    let intent = Intent {
        claim: claim(2, 0),
        entry: entry("t", "n", "k0"),
        reads: vec![],
        once: Some(OnceIntent {
            expected: None,
            generation: 0,
            at: NOW,
        }),
    };
    assert_eq!(scene.opened.ledger.intent(intent).await, Ok(Applied::Done));
    assert_eq!(scene.once("n").unwrap().standing.owner, run(1));
}

#[tokio::test]
async fn it_outlives_its_event_and_goes_with_the_dedupe_keys_but_never_before_its_owner() {
    let scene = scene().await;
    scene.end(claim(1, 0), "k0", CallState::Settled).await;
    let prune = async |events_before, dedupe_before| {
        let order = || Order::Prune {
            events_before,
            dedupe_before,
        };
        // A look that has come to the newest event begins again with the next one.
        for order in [order(), order()] {
            scene.order(order).await.unwrap();
        }
        scene.once("n").is_some()
    };
    let past = LATER.after(Duration::from_secs(1));
    // Its owner is open.
    assert!(prune(past, past).await);
    scene.commit(run(1), &[], &[]).await;
    assert!(prune(past, NOW).await);
    assert_eq!(
        scene.count("SELECT count(*) FROM journal WHERE run = 10001"),
        0
    );
    // It was put off by a day when its owner was open.
    assert!(prune(past, past).await);
    assert!(!prune(past, past.after(Duration::from_secs(2 * 86_400))).await);
}

#[tokio::test]
async fn a_replay_that_calls_again_forgets_the_calls_of_its_own_event_and_handler_only() {
    let scene = scene().await;
    scene.end(claim(1, 0), "k0", CallState::Settled).await;
    scene.commit(run(1), &[], &[]).await;
    scene.commit(run(2), &[], &[]).await;
    let replay = async |event_seq, handler: &str, call_again| {
        let order = Order::Replay {
            event_seq,
            runs: vec![PlannedRun {
                handler: handler.into(),
                lane: Lane(7),
                held: None,
            }],
            call_again,
        };
        scene.order(order).await.unwrap();
        scene.once("n").unwrap().standing.state
    };
    assert_eq!(replay(2, "h", true).await, CallState::Settled);
    assert_eq!(replay(1, "other", true).await, CallState::Settled);
    assert_eq!(replay(1, "h", true).await, CallState::Refused);
}
