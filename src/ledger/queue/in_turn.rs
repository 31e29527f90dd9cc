//! What waits, by handler: handlers in turn, so that none waits behind thousands of another's. Pure.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub(super) struct InTurn<T> {
    /// Handlers of whom something waits, in the order of their turns.
    turns: VecDeque<Arc<str>>,
    waiting: HashMap<Arc<str>, VecDeque<T>>,
    count: usize,
}

impl<T> Default for InTurn<T> {
    fn default() -> Self {
        Self {
            turns: VecDeque::new(),
            waiting: HashMap::new(),
            count: 0,
        }
    }
}

impl<T> InTurn<T> {
    pub(super) fn push(&mut self, handler: &Arc<str>, it: T) {
        self.count += 1;
        if let Some(waiting) = self.waiting.get_mut(handler) {
            return waiting.push_back(it);
        }
        self.turns.push_back(handler.clone());
        self.waiting.insert(handler.clone(), VecDeque::from([it]));
    }

    /// So many at most; of each handler in the order in which they came.
    pub(super) fn take(&mut self, count_max: usize) -> Vec<T> {
        let mut taken = Vec::with_capacity(count_max.min(self.count));
        while taken.len() < count_max {
            let Some(handler) = self.turns.pop_front() else {
                break;
            };
            let Some(waiting) = self.waiting.get_mut(&handler) else {
                continue;
            };
            taken.extend(waiting.pop_front());
            if waiting.is_empty() {
                self.waiting.remove(&handler);
            } else {
                self.turns.push_back(handler);
            }
        }
        self.count -= taken.len();
        taken
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(waiting: &[(&str, u32)]) -> InTurn<u32> {
        let mut it = InTurn::default();
        for (handler, number) in waiting {
            it.push(&(*handler).into(), *number);
        }
        it
    }

    #[test]
    fn no_handler_waits_behind_another_ones_many() {
        let mut it = of(&[
            ("many", 1),
            ("many", 2),
            ("many", 3),
            ("few", 11),
            ("one", 21),
        ]);
        assert_eq!(it.take(3), [1, 11, 21]);
        assert_eq!(it.len(), 2);
        // Whoever comes later has his turn after those who wait.
        it.push(&"few".into(), 12);
        assert_eq!(it.take(9), [2, 12, 3]);
        assert_eq!((it.len(), it.take(9)), (0, Vec::new()));
    }

    #[test]
    fn turns_go_on_where_they_ended() {
        let mut it = of(&[("a", 1), ("a", 2), ("b", 11), ("b", 12)]);
        let one_by_one: Vec<u32> = std::iter::from_fn(|| it.take(1).pop()).collect();
        assert_eq!(one_by_one, [1, 11, 2, 12]);
    }
}
