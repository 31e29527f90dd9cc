//! Whose turn on a script thread is next: the handlers share the threads by the time that their scripts take, so that a
//! slow one keeps none of the others waiting for longer than one of its passes. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A pass that takes longer makes its handler a slow one: those leave one thread to the others.
const SLOW_FROM: Duration = Duration::from_millis(100);
/// How much of what a handler was seen to take is forgotten with each pass that takes less: one of so many.
const FORGOTTEN_PART: u32 = 8;

/// What waits for a thread, by handler.
pub(super) struct Shares<T> {
    /// Only one run has a turn alone at a time.
    alone: VecDeque<(Arc<str>, T)>,
    handlers: BTreeMap<Arc<str>, Share<T>>,
    /// What the handler had taken that was given the last turn: whoever comes later begins there, and not with nothing.
    taken_through: Duration,
    slow_at_work: BTreeSet<u64>,
    last_number: u64,
}

/// How a turn came to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Everybody else waits for it.
    Alone,
    /// Thousands of answers may come at once; those that begin take turns with them.
    Resumed,
    Begins,
}

/// A turn that was taken, until it ends.
#[derive(Clone, Debug)]
pub(super) struct AtWork {
    number: u64,
    handler: Arc<str>,
    /// What it is taken to need, until that is known: nothing, of a handler that was not seen before.
    pub charged: Duration,
    /// How many of its handler still wait to begin, if this one was one of them.
    pub left_to_begin: Option<usize>,
}

struct Share<T> {
    begin: VecDeque<T>,
    resumed: VecDeque<T>,
    is_turn_of_resumed: bool,
    /// Time on the threads, counted from a beginning that all share.
    taken: Duration,
    /// What a pass is expected to take.
    usual: Duration,
}

impl<T> Default for Shares<T> {
    fn default() -> Self {
        Self {
            alone: VecDeque::new(),
            handlers: BTreeMap::new(),
            taken_through: Duration::ZERO,
            slow_at_work: BTreeSet::new(),
            last_number: 0,
        }
    }
}

impl<T> Shares<T> {
    pub(super) fn push(&mut self, handler: &Arc<str>, kind: Kind, turn: T) {
        if kind == Kind::Alone {
            return self.alone.push_back((handler.clone(), turn));
        }
        let floor = self.taken_through;
        if !self.handlers.contains_key(handler) {
            // Those that are gone from handlers.toml, among others.
            self.handlers
                .retain(|_, it| it.waits() || floor < it.taken || SLOW_FROM < it.usual);
            let share = Share {
                begin: VecDeque::new(),
                resumed: VecDeque::new(),
                is_turn_of_resumed: false,
                taken: floor,
                usual: Duration::ZERO,
            };
            self.handlers.insert(handler.clone(), share);
        }
        let Some(share) = self.handlers.get_mut(handler) else {
            return;
        };
        if !share.waits() {
            share.taken = share.taken.max(floor);
        }
        if kind == Kind::Resumed {
            share.resumed.push_back(turn);
        } else {
            share.begin.push_back(turn);
        }
    }

    /// How many turns of this handler wait to begin.
    pub(super) fn beginning(&self, handler: &str) -> usize {
        self.handlers.get(handler).map_or(0, |it| it.begin.len())
    }

    /// The next turn for one of so many threads, of the handler that has taken the least. None when nothing waits, or
    /// only such that are to leave this thread to others.
    pub(super) fn take(&mut self, threads: usize) -> Option<(T, AtWork)> {
        if let Some((handler, turn)) = self.alone.pop_front() {
            return Some((turn, self.at_work(handler, None)));
        }
        let is_open_to_slow = threads < 2 || self.slow_at_work.len() < threads - 1;
        let (handler, share) = self
            .handlers
            .iter_mut()
            .filter(|(_, it)| it.waits() && (is_open_to_slow || it.usual < SLOW_FROM))
            .min_by_key(|(_, it)| it.taken)?;
        let before = share.begin.len();
        let turn = share.take()?;
        let left_to_begin = share.begin.len();
        self.taken_through = self.taken_through.max(share.taken);
        let handler = handler.clone();
        let left_to_begin = (left_to_begin < before).then_some(left_to_begin);
        Some((turn, self.at_work(handler, left_to_begin)))
    }

    /// What a turn took is known: it ended, or its thread was given up. Said twice, it counts once more.
    pub(super) fn end(&mut self, it: &AtWork, took: Duration) {
        self.slow_at_work.remove(&it.number);
        let Some(share) = self.handlers.get_mut(&it.handler) else {
            return;
        };
        share.taken = share.taken.saturating_sub(it.charged) + took;
        share.usual = if share.usual < took {
            took
        } else {
            share.usual - (share.usual - took) / FORGOTTEN_PART
        };
    }

    fn at_work(&mut self, handler: Arc<str>, left_to_begin: Option<usize>) -> AtWork {
        self.last_number += 1;
        let share = self.handlers.get_mut(&handler);
        let charged = share.map_or(Duration::ZERO, |it| {
            it.taken += it.usual;
            it.usual
        });
        if SLOW_FROM <= charged {
            self.slow_at_work.insert(self.last_number);
        }
        AtWork {
            number: self.last_number,
            handler,
            charged,
            left_to_begin,
        }
    }
}

impl<T> Share<T> {
    fn waits(&self) -> bool {
        !self.begin.is_empty() || !self.resumed.is_empty()
    }

    fn take(&mut self) -> Option<T> {
        self.is_turn_of_resumed = !self.is_turn_of_resumed;
        if self.is_turn_of_resumed {
            self.resumed.pop_front().or_else(|| self.begin.pop_front())
        } else {
            self.begin.pop_front().or_else(|| self.resumed.pop_front())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(shares: &mut Shares<&'static str>, handler: &str, turns: &[&'static str]) {
        for it in turns {
            shares.push(&handler.into(), Kind::Begins, it);
        }
    }

    /// Has one thread do all that waits, each turn so long as its name says, in milliseconds.
    fn done(shares: &mut Shares<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| {
            let (turn, at_work) = shares.take(1)?;
            let took = turn.trim_start_matches(|it: char| it.is_alphabetic());
            shares.end(&at_work, Duration::from_millis(took.parse().unwrap()));
            Some(turn)
        })
        .collect()
    }

    #[test]
    fn handlers_share_the_time_and_not_the_turns() {
        let mut shares = Shares::default();
        push(&mut shares, "slow", &["s30", "s30", "s30"]);
        push(&mut shares, "quick", &["q10", "q10", "q10", "q10", "q10"]);
        assert_eq!(
            done(&mut shares),
            ["q10", "s30", "q10", "q10", "q10", "s30", "q10", "s30"]
        );
    }

    #[test]
    fn who_had_nothing_to_do_has_saved_nothing_up() {
        let mut shares = Shares::default();
        push(&mut shares, "busy", &["b50", "b50", "b50", "b50"]);
        assert_eq!(done(&mut shares).len(), 4);
        push(&mut shares, "busy", &["b10", "b10", "b10"]);
        push(
            &mut shares,
            "new",
            &["n10", "n10", "n10", "n10", "n10", "n10"],
        );
        let order = done(&mut shares);
        let last = order.iter().rposition(|it| *it == "b10");
        assert_eq!(last, Some(order.len() - 1), "{order:?}");
        push(&mut shares, "busy", &["b10", "b10"]);
        push(&mut shares, "late", &["l10", "l10"]);
        let order = done(&mut shares);
        assert!(
            order[..2].contains(&"b10") && order[..2].contains(&"l10"),
            "{order:?}"
        );
    }

    #[test]
    fn slow_handlers_leave_one_thread_to_the_others() {
        let mut shares = Shares::default();
        push(&mut shares, "slow", &["s400"]);
        push(&mut shares, "other", &["o400"]);
        assert_eq!(done(&mut shares).len(), 2);
        push(&mut shares, "slow", &["s400", "s400"]);
        push(&mut shares, "other", &["o400"]);
        let (_, first) = shares.take(2).unwrap();
        assert!(shares.take(2).is_none());
        push(&mut shares, "quick", &["q1"]);
        assert_eq!(shares.take(2).unwrap().0, "q1");
        // With three threads there is another for them, and when the first has ended or is given up.
        let (_, second) = shares.take(3).unwrap();
        assert!(shares.take(3).is_none());
        shares.end(&first, Duration::from_millis(400));
        assert!(shares.take(2).is_none());
        shares.end(&second, Duration::from_millis(400));
        assert!(shares.take(2).is_some());
    }

    #[test]
    fn a_handler_that_was_slow_once_is_quick_again_after_a_while() {
        let mut shares = Shares::default();
        push(&mut shares, "once", &["o400"]);
        done(&mut shares);
        let is_slow = |shares: &mut Shares<&'static str>| {
            push(shares, "once", &["o1"]);
            let (_, at_work) = shares.take(2).unwrap();
            let is_slow = !shares.slow_at_work.is_empty();
            shares.end(&at_work, Duration::from_millis(1));
            is_slow
        };
        let passes = std::iter::from_fn(|| is_slow(&mut shares).then_some(())).count();
        assert!((5..20).contains(&passes), "{passes}");
    }

    #[test]
    fn a_turn_alone_comes_first_and_answers_take_turns_with_beginnings() {
        let mut shares = Shares::default();
        push(&mut shares, "h", &["b1", "b1"]);
        for it in ["r1", "r1"] {
            shares.push(&"h".into(), Kind::Resumed, it);
        }
        shares.push(&"x".into(), Kind::Alone, "a1");
        assert_eq!(shares.beginning("h"), 2);
        assert_eq!(done(&mut shares), ["a1", "r1", "b1", "r1", "b1"]);
        assert_eq!(shares.beginning("h"), 0);
    }
}
