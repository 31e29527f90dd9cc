//! The turn of a run that has lost over and over: while it lasts, no other run may change the records that it looks at.
//!
//! One run has it at a time, in the order in which they asked, so that two of them never wait for each other. It ends
//! before anything is waited for that may take long: it lasts for one pass of a script, which is bounded, and a commit.

use crate::record::{RecordKey, RecordedChange};
use crate::run::RunId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, OwnedMutexGuard};

/// Where runs ask for the turn, and where the others wait until it is over.
#[derive(Default)]
pub struct Turns {
    in_order: Arc<tokio::sync::Mutex<()>>,
    reserved: Mutex<Option<Reserved>>,
    over: Notify,
}

struct Reserved {
    run: RunId,
    reach: Reach,
}

/// What others may not change meanwhile.
pub(super) enum Reach {
    Records(HashSet<RecordKey>),
    /// For a run that looks at other records each time, and so lost in its turn as well.
    Collections(Vec<Arc<str>>),
}

/// A turn in which nobody has anything reserved: an operator's. Over when dropped.
pub struct ByHand {
    _in_order: OwnedMutexGuard<()>,
}

/// The turn; over when dropped.
pub(super) struct Alone {
    turns: Arc<Turns>,
    run: RunId,
    _in_order: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits for the turn.
    pub(super) async fn alone(self: &Arc<Self>, run: RunId, reach: Reach) -> Alone {
        let in_order = self.in_order.clone().lock_owned().await;
        let alone = Alone {
            turns: self.clone(),
            run,
            _in_order: in_order,
        };
        alone.reserve(reach);
        alone
    }

    /// For an operator's changes of these records: none while they are in nobody's way, else a turn, in the order of
    /// asking. So runs get through beside an import that never ends, and an import beside runs that take turn after turn.
    pub async fn by_hand(&self, records: &[RecordKey]) -> Option<ByHand> {
        let is_free = |it: &Reserved| !records.iter().any(|key| it.reach.has(key));
        if self.reserved().as_ref().is_none_or(is_free) {
            return None;
        }
        let in_order = self.in_order.clone().lock_owned().await;
        Some(ByHand {
            _in_order: in_order,
        })
    }

    /// Waits until these changes of a run are in nobody's way. A commit that is already on its way is not stopped: it can
    /// cost whoever has the turn one try more.
    pub(super) async fn clear(&self, run: RunId, changes: &[RecordedChange]) {
        while !self.is_clear(run, changes) {
            let over = self.over.notified();
            tokio::pin!(over);
            // Before another look, or the end of the turn could come in between.
            over.as_mut().enable();
            if self.is_clear(run, changes) {
                return;
            }
            over.await;
        }
    }

    pub(super) fn is_clear(&self, run: RunId, changes: &[RecordedChange]) -> bool {
        let is_free = |it: &Reserved| it.run == run || !it.reach.touches(changes);
        self.reserved().as_ref().is_none_or(is_free)
    }

    fn reserved(&self) -> MutexGuard<'_, Option<Reserved>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alone {
    /// Another reach for the same turn.
    pub(super) fn reserve(&self, reach: Reach) {
        let run = self.run;
        *self.turns.reserved() = Some(Reserved { run, reach });
        self.turns.over.notify_waiters();
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        *self.turns.reserved() = None;
        self.turns.over.notify_waiters();
    }
}

impl Reach {
    fn touches(&self, changes: &[RecordedChange]) -> bool {
        changes.iter().any(|it| self.has(&it.change.key))
    }

    fn has(&self, key: &RecordKey) -> bool {
        match self {
            Self::Records(records) => records.contains(key),
            Self::Collections(names) => names.iter().any(|it| **it == *key.collection),
        }
    }
}

/// What an attempt has lost so far, and over which records.
#[derive(Default)]
pub(super) struct Losses {
    /// Tries that ended because a record that was read had been changed meanwhile.
    pub count: u32,
    in_turn: u32,
    over: HashSet<RecordKey>,
}

/// So many tries that are lost beside the others, and the run takes a turn alone.
const BESIDE_OTHERS_MAX: u32 = 8;
/// So many that are lost in turns alone, and the next one reserves whole collections.
const IN_TURN_MAX: u32 = 4;

impl Losses {
    /// Another one, over one of these records.
    pub(super) fn note<'a>(
        &mut self,
        records: impl Iterator<Item = &'a RecordKey>,
        was_alone: bool,
    ) {
        self.count += 1;
        self.in_turn += u32::from(was_alone);
        self.over.extend(records.cloned());
    }

    /// The try after the present one, if it is lost, is alone.
    pub(super) fn is_last_beside_others(&self) -> bool {
        BESIDE_OTHERS_MAX <= self.count + 1
    }

    /// What the next try must have for itself; none while it may still go with the others.
    pub(super) fn reach(&self, granted: impl Iterator<Item = Arc<str>>) -> Option<Reach> {
        if self.count < BESIDE_OTHERS_MAX {
            None
        } else if self.in_turn < IN_TURN_MAX {
            Some(Reach::Records(self.over.clone()))
        } else {
            Some(Reach::Collections(granted.collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Change;
    use std::time::Duration;

    fn key(text: &str) -> RecordKey {
        let (collection, id) = text.split_once('/').unwrap();
        RecordKey {
            collection: collection.into(),
            id: id.into(),
        }
    }

    fn change(text: &str) -> Vec<RecordedChange> {
        vec![RecordedChange::from(Change {
            key: key(text),
            base_version: 0,
            before: None,
            after: None,
            newest_event_at: None,
        })]
    }

    fn records(texts: &[&str]) -> Reach {
        Reach::Records(texts.iter().map(|it| key(it)).collect())
    }

    #[track_caller]
    fn check(reach: Reach, changed: &str, expected: bool) {
        assert_eq!(reach.touches(&change(changed)), expected);
    }

    #[test]
    fn only_who_changes_the_same_records_is_in_the_way() {
        check(records(&["a/1"]), "a/1", true);
        check(records(&["a/1"]), "a/2", false);
        check(records(&["a/1"]), "b/1", false);
        check(Reach::Collections(vec!["a".into()]), "a/2", true);
        check(Reach::Collections(vec!["a".into()]), "b/1", false);
    }

    /// What can go on does.
    async fn let_all_go_on() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn others_wait_until_the_turn_is_over_and_its_holder_does_not() {
        let turns = Arc::new(Turns::default());
        let alone = turns.alone(RunId(1), records(&["a/1"])).await;
        turns.clear(RunId(1), &change("a/1")).await;
        turns.clear(RunId(2), &change("a/2")).await;
        let (waiter, over) = (turns.clone(), change("a/1"));
        let waiting = tokio::spawn(async move { waiter.clear(RunId(2), &over).await });
        let_all_go_on().await;
        assert!(!waiting.is_finished());
        alone.reserve(Reach::Collections(vec!["a".into()]));
        let_all_go_on().await;
        assert!(!waiting.is_finished());
        drop(alone);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn an_operators_change_waits_for_the_turn_and_the_next_turn_for_it() {
        let turns = Arc::new(Turns::default());
        assert!(turns.by_hand(&[key("a/1")]).await.is_none());
        let alone = turns.alone(RunId(1), records(&["a/1"])).await;
        assert!(turns.by_hand(&[key("a/2")]).await.is_none());
        let keys = [key("a/2"), key("a/1")];
        let mut by_hand = Box::pin(turns.by_hand(&keys));
        let soon = tokio::time::timeout(Duration::ZERO, by_hand.as_mut()).await;
        assert!(soon.is_err());
        let mut next = Box::pin(turns.alone(RunId(2), records(&["a/1"])));
        let soon = tokio::time::timeout(Duration::ZERO, next.as_mut()).await;
        assert!(soon.is_err());
        drop(alone);
        let by_hand = by_hand.await;
        assert!(by_hand.is_some());
        let soon = tokio::time::timeout(Duration::ZERO, next.as_mut()).await;
        assert!(soon.is_err(), "the operator asked first");
        drop(by_hand);
        assert_eq!(next.await.run, RunId(2));
    }

    #[tokio::test]
    async fn one_run_has_the_turn_at_a_time_in_the_order_of_asking() {
        let turns = Arc::new(Turns::default());
        let first = turns.alone(RunId(1), records(&[])).await;
        let mut later: Vec<_> = (2..5)
            .map(|it| Box::pin(turns.alone(RunId(it), records(&[]))))
            .collect();
        for it in &mut later {
            let now = tokio::time::timeout(Duration::ZERO, it.as_mut()).await;
            assert!(now.is_err());
        }
        drop(first);
        for (at, it) in later.into_iter().enumerate() {
            let alone = it.await;
            assert_eq!(alone.run, RunId(at as i64 + 2));
        }
    }

    #[test]
    fn a_run_goes_with_the_others_then_alone_then_with_whole_collections() {
        let mut losses = Losses::default();
        let mut kinds = Vec::new();
        for _ in 0..BESIDE_OTHERS_MAX + IN_TURN_MAX {
            let reach = losses.reach(["a".into()].into_iter());
            let was_alone = reach.is_some();
            kinds.push(reach.map(|it| matches!(it, Reach::Records(_))));
            losses.note([key("a/1")].iter(), was_alone);
        }
        let beside = BESIDE_OTHERS_MAX as usize;
        assert!(kinds[..beside].iter().all(Option::is_none));
        assert!(kinds[beside..].iter().all(|it| *it == Some(true)));
        let last = losses.reach(["a".into()].into_iter());
        assert!(matches!(last, Some(Reach::Collections(it)) if it == ["a".into()]));
    }
}
