//! What an operator says of a call with a name.

use super::*;

impl Scene {
    /// Says that the first call of this run has taken effect, and answered 201.
    async fn settle(&self, run: RunId) {
        let decision = Some(Decision {
            choice: Choice::Settle {
                answer: answer(201),
            },
            by: "alice".into(),
            at: LATER,
        });
        let order = Order::Retry { run, decision };
        let ordered = self.order(order).await.unwrap();
        assert_eq!(ordered, Ordered::Done { affected: 1 });
    }

    fn is_settled_for_all(&self) -> bool {
        let call = self.once("n").unwrap();
        (call.standing.state, call.answer) == (CallState::Settled, Some(answer(201)))
    }
}

/// The first run was dropped while its call was on its way, and a replay goes on from its calls. Then it turns out that
/// the call never left; and the replay, which cannot know, waits for somebody's word.
async fn replayed() -> (Scene, RunId) {
    let scene = scene().await;
    let drop = Order::Drop {
        run: run(1),
        at: LATER,
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
    let id = RunId::of(1, 2);
    assert_eq!(scene.reader().journal(id).unwrap().len(), 1);
    scene.end(claim(1, 0), "k0", CallState::Unsent).await;
    scene.give_up(Claim { id, epoch: 0 }).await;
    assert_eq!(scene.once("n"), None);
    (scene, id)
}

#[tokio::test]
async fn an_operator_settles_it_for_everybody() {
    let scene = scene().await;
    scene.give_up(claim(1, 0)).await;
    scene.settle(run(1)).await;
    assert!(scene.is_settled_for_all());
}

#[tokio::test]
async fn what_is_settled_in_the_copy_of_a_call_is_settled_although_the_call_itself_is_gone() {
    let (scene, copy) = replayed().await;
    scene.settle(copy).await;
    assert!(scene.is_settled_for_all());
}

#[tokio::test]
async fn what_is_settled_in_the_copy_of_a_call_is_settled_for_who_makes_it_by_now() {
    let (scene, copy) = replayed().await;
    assert_eq!(scene.intend(claim(2, 0), "k0", None).await, Applied::Done);
    scene.settle(copy).await;
    assert!(scene.is_settled_for_all());
    let theirs = scene.reader().journal(run(2)).unwrap();
    assert_eq!(theirs[0].state, CallState::Settled);
}
