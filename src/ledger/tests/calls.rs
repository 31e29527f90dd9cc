//! Calls in the journal, and what operators decide about them.

use super::*;
use crate::ledger::decision::{Choice, ChoiceName, Decision, Matching, Needs};
use crate::ledger::sent_by::SentBy;

#[tokio::test]
async fn a_call_is_in_the_journal_before_it_is_sent_and_after_it_is_answered() {
    let scene = Scene::new();
    scene.accept("evt_1", &["h"]).await;
    let claim = Claim {
        id: run(1),
        epoch: 0,
    };
    let entry = JournalEntry {
        number: 1,
        sent_by: SentBy::only(1),
        state: CallState::Intended,
        service: "s".into(),
        method: "POST".into(),
        url: "http://s/x".into(),
        path: Some("/x".into()),
        request: "{}".into(),
        content: "c".into(),
        idempotency_key: "k".into(),
        version: "v1".into(),
        now: NOW,
        seen: None,
        intended_at: NOW,
        answered_at: None,
        answer: None,
        decided: None,
        once: None,
        given_to: None,
    };
    let intent = |reads| Intent {
        claim,
        entry: entry.clone(),
        reads,
        once: None,
    };
    let stale = Read {
        key: RecordKey {
            collection: "c".into(),
            id: "i".into(),
        },
        version: 3,
    };
    assert_eq!(
        scene
            .opened
            .ledger
            .intent(intent(vec![stale]))
            .await
            .unwrap(),
        Applied::Stale
    );
    assert_eq!(scene.reader().journal(run(1)).unwrap(), []);
    assert_eq!(
        scene.opened.ledger.intent(intent(vec![])).await.unwrap(),
        Applied::Done
    );
    assert_eq!(
        scene.reader().journal(run(1)).unwrap(),
        std::slice::from_ref(&entry)
    );
    let answer = crate::call::Answer {
        status: 201,
        headers: std::collections::BTreeMap::new(),
        text: "{}".into(),
        body_missing: None,
        has_bad_utf8: false,
    };
    let settle = Settle {
        claim,
        number: 1,
        state: CallState::Settled,
        answer: Some(answer.clone()),
        at: NOW,
        decided: None,
        once: None,
    };
    assert_eq!(
        scene.opened.ledger.settle(settle).await.unwrap(),
        Applied::Done
    );
    let found = scene.reader().journal(run(1)).unwrap().remove(0);
    assert_eq!(
        (found.state, found.answer),
        (CallState::Settled, Some(answer))
    );
}

/// A run with one call that is written down and has no answer.
pub(super) async fn with_an_intended_call(scene: &Scene) -> Claim {
    scene.accept("evt_1", &["h"]).await;
    let claim = Claim {
        id: run(1),
        epoch: 0,
    };
    let entry = JournalEntry {
        number: 1,
        sent_by: SentBy::only(1),
        state: CallState::Intended,
        service: "s".into(),
        method: "POST".into(),
        url: "http://s/x".into(),
        path: Some("/x".into()),
        request: "{}".into(),
        content: "c".into(),
        idempotency_key: "k".into(),
        version: "v1".into(),
        now: NOW,
        seen: None,
        intended_at: NOW,
        answered_at: None,
        answer: None,
        decided: None,
        once: None,
        given_to: None,
    };
    let intent = Intent {
        claim,
        entry,
        reads: vec![],
        once: None,
    };
    let ledger = &scene.opened.ledger;
    assert_eq!(ledger.intent(intent).await, Ok(Applied::Done));
    claim
}

fn settle(claim: Claim, state: CallState) -> Settle {
    Settle {
        claim,
        number: 1,
        state,
        answer: None,
        decided: None,
        once: None,
        at: NOW,
    }
}

#[tokio::test]
async fn a_late_answer_of_an_attempt_that_was_taken_away_unsettles_nothing() {
    let scene = Scene::new();
    let old = with_an_intended_call(&scene).await;
    let hold = |why| Order::Hold {
        handler: "h".into(),
        why,
        runs: vec![run(1)],
    };
    scene.order(hold(Some("x".into()))).await.unwrap();
    scene.order(hold(None)).await.unwrap();
    let new = Claim { epoch: 2, ..old };
    let ledger = &scene.opened.ledger;
    let state = || scene.reader().journal(run(1)).unwrap()[0].state;
    // Somebody else is sending the call: what it was not is not the old attempt's to say.
    let late = ledger.settle(settle(old, CallState::Refused)).await;
    assert_eq!((late, state()), (Ok(Applied::Fenced), CallState::Intended));
    let done = ledger.settle(settle(new, CallState::Settled)).await;
    assert_eq!((done, state()), (Ok(Applied::Done), CallState::Settled));
    for late in [CallState::Unsettled, CallState::Unsent, CallState::Settled] {
        ledger.settle(settle(old, late)).await.unwrap();
        assert_eq!(state(), CallState::Settled);
    }
}

#[tokio::test]
async fn a_call_that_never_left_leaves_no_trace() {
    let scene = Scene::new();
    let claim = with_an_intended_call(&scene).await;
    let unsent = settle(claim, CallState::Unsent);
    scene.opened.ledger.settle(unsent).await.unwrap();
    assert_eq!(scene.reader().journal(run(1)).unwrap(), []);
}

#[tokio::test]
async fn a_decision_counts_until_the_run_is_given_up_again() {
    let scene = Scene::new();
    let claim = with_an_intended_call(&scene).await;
    let dead = |epoch, needs| Postpone {
        claim: Claim { epoch, ..claim },
        state: State::Dead,
        due_at: None,
        waits_for: None,
        why: "x".into(),
        needs: Some(needs),
        attempts: 1,
        attempt: Some(report()),
    };
    let decide = |choice| Order::Retry {
        run: run(1),
        decision: Some(Decision {
            choice,
            by: "alice".into(),
            at: NOW,
        }),
    };
    let ledger = &scene.opened.ledger;
    let refused = scene.order(decide(Choice::Again)).await.unwrap();
    assert!(matches!(refused, Ordered::NotFound(why) if why.contains("is ready")));
    ledger.postpone(dead(0, Needs::CallsChanged)).await.unwrap();
    scene.order(decide(Choice::Again)).await.unwrap();
    let matching = || scene.reader().matching(run(1)).unwrap();
    assert_eq!(matching(), Matching::Again { through: 1 });
    let unknown = Needs::OutcomeUnknown { call: 1 };
    ledger.postpone(dead(2, unknown)).await.unwrap();
    assert_eq!(matching(), Matching::Usual);
    scene.order(decide(Choice::Resend)).await.unwrap();
    let decided = || scene.reader().journal(run(1)).unwrap()[0].decided;
    assert_eq!(decided(), Some(ChoiceName::Resend));
    ledger.postpone(dead(4, unknown)).await.unwrap();
    assert_eq!(decided(), None);
    let decisions = scene.reader().decisions(run(1)).unwrap();
    assert!(
        decisions
            .iter()
            .all(|it| it.over_at.is_some() && it.decided_by == "alice")
    );
    assert_eq!(decisions.len(), 2);
}

#[tokio::test]
async fn a_word_on_a_call_is_used_up_by_sending_it_and_not_by_failing_to() {
    let scene = Scene::new();
    let claim = with_an_intended_call(&scene).await;
    let ledger = &scene.opened.ledger;
    let dead = Postpone {
        claim,
        state: State::Dead,
        due_at: None,
        waits_for: None,
        why: "x".into(),
        needs: Some(Needs::OutcomeUnknown { call: 1 }),
        attempts: 1,
        attempt: Some(report()),
    };
    ledger.postpone(dead).await.unwrap();
    let resend = Order::Retry {
        run: run(1),
        decision: Some(Decision {
            choice: Choice::Resend,
            by: "alice".into(),
            at: NOW,
        }),
    };
    scene.order(resend).await.unwrap();
    let claim = Claim { epoch: 2, ..claim };
    let entry = || scene.reader().journal(run(1)).unwrap().remove(0);
    let intent = || Intent {
        claim,
        entry: entry(),
        reads: vec![],
        once: None,
    };
    for word in [Some(ChoiceName::Resend), None] {
        assert_eq!(entry().decided, Some(ChoiceName::Resend));
        ledger.intent(intent()).await.unwrap();
        // Should the process end here, it may have been sent.
        assert_eq!(entry().decided, None);
        let end = Settle {
            decided: word,
            ..settle(claim, CallState::Intended)
        };
        ledger.settle(end).await.unwrap();
        assert_eq!(entry().decided, word);
    }
}

#[tokio::test]
async fn a_settled_call_is_not_written_down_to_be_sent_again() {
    let scene = Scene::new();
    let claim = with_an_intended_call(&scene).await;
    let ledger = &scene.opened.ledger;
    let entry = || scene.reader().journal(run(1)).unwrap().remove(0);
    let intent = Intent {
        claim,
        entry: entry(),
        reads: vec![],
        once: None,
    };
    ledger
        .settle(settle(claim, CallState::Settled))
        .await
        .unwrap();
    assert_eq!(ledger.intent(intent).await, Ok(Applied::Stale));
    assert_eq!(entry().state, CallState::Settled);
}

#[tokio::test]
async fn a_call_whose_run_was_dropped_and_replayed_while_it_was_on_its_way_is_settled_for_both() {
    let scene = Scene::new();
    let old = with_an_intended_call(&scene).await;
    let drop = Order::Drop {
        run: run(1),
        at: NOW,
    };
    scene.order(drop).await.unwrap();
    let replay = Order::Replay {
        event_seq: 1,
        runs: vec![PlannedRun {
            handler: "h".into(),
            lane: Lane(7),
            held: None,
        }],
        call_again: false,
    };
    scene.order(replay).await.unwrap();
    let state = |ordinal| scene.reader().journal(RunId::of(1, ordinal)).unwrap()[0].state;
    assert_eq!(state(2), CallState::Intended);
    let ledger = &scene.opened.ledger;
    let late = ledger.settle(settle(old, CallState::Settled)).await;
    assert_eq!(late, Ok(Applied::Fenced));
    assert_eq!([state(1), state(2)], [CallState::Settled; 2]);
}
