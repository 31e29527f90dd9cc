//! Who calls next: handlers in turn, and in each the calls in the order in which they came (a lane has one at a time).
//! So many calls at once, so many in a time. Pure: the caller brings the time.

use crate::config::Rate;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A service's line of waiting calls; `W` is how one of them is told.
#[derive(Debug)]
pub(super) struct Line<W> {
    connections_max: usize,
    /// After an illness fewer may call at once: one more with each call that succeeds.
    at_once_max: usize,
    at_once: usize,
    window: Option<Window>,
    /// One call has its turn and waits until the rate allows it.
    is_pacing: bool,
    /// Handlers with waiting calls, in the order of their turns.
    turns: VecDeque<Arc<str>>,
    waiting: HashMap<Arc<str>, VecDeque<W>>,
}

impl<W> Line<W> {
    pub(super) fn new(connections_max: usize, rate: Option<Rate>) -> Self {
        Self {
            connections_max: connections_max.max(1),
            at_once_max: connections_max.max(1),
            at_once: 0,
            window: rate.map(Window::new),
            is_pacing: false,
            turns: VecDeque::new(),
            waiting: HashMap::new(),
        }
    }

    pub(super) fn join(&mut self, handler: &Arc<str>, it: W) {
        let line = self.waiting.entry(handler.clone()).or_default();
        if line.is_empty() {
            self.turns.push_back(handler.clone());
        }
        line.push_back(it);
    }

    /// The next call whose turn it is, if there is room for one; with the moment before which it may not go.
    pub(super) fn next(&mut self, now: Instant) -> Option<(W, Option<Instant>)> {
        if self.at_once >= self.at_once_max || self.is_pacing {
            return None;
        }
        let not_before = match self.window.as_mut().map(|it| it.room(now)) {
            None | Some(Room::Now) => None,
            Some(Room::At(moment)) => Some(moment),
            // Those that have their turn use all that the rate allows.
            Some(Room::Taken) => return None,
        };
        let handler = self.turns.pop_front()?;
        let line = self.waiting.get_mut(&handler)?;
        let it = line.pop_front()?;
        if line.is_empty() {
            self.waiting.remove(&handler);
        } else {
            self.turns.push_back(handler);
        }
        self.at_once += 1;
        self.is_pacing = not_before.is_some();
        if let Some(window) = &mut self.window {
            window.reserved += 1;
        }
        Some((it, not_before))
    }

    /// The one that waited for the rate may go.
    pub(super) fn paced(&mut self) {
        self.is_pacing = false;
    }

    /// A call that had its turn is sent now.
    pub(super) fn sent(&mut self, now: Instant) {
        if let Some(window) = &mut self.window {
            window.reserved -= 1;
            window.passed.push_back(now);
        }
    }

    /// A call that had its turn is over.
    pub(super) fn left(&mut self, was_sent: bool) {
        self.at_once -= 1;
        if let Some(window) = &mut self.window
            && !was_sent
        {
            window.reserved -= 1;
        }
    }

    /// The service is well again: a burst of all that waited is to be spared it.
    pub(super) fn begin_gently(&mut self) {
        self.at_once_max = 1;
    }

    pub(super) fn succeeded(&mut self) {
        self.at_once_max = (self.at_once_max + 1).min(self.connections_max);
    }

    /// Takes all out that wait.
    pub(super) fn clear(&mut self) -> Vec<W> {
        self.turns.clear();
        self.waiting.drain().flat_map(|(_, line)| line).collect()
    }

    pub(super) fn waiting_of(&self, handler: &str) -> usize {
        self.waiting.get(handler).map_or(0, VecDeque::len)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    pub(super) fn at_once(&self) -> usize {
        self.at_once
    }

    pub(super) fn at_once_max(&self) -> usize {
        self.at_once_max
    }

    /// Calls in the rate's stretch of time that ends now.
    pub(super) fn rate_used(&mut self, now: Instant) -> Option<usize> {
        self.window.as_mut().map(|it| {
            it.forget(now);
            it.passed.len()
        })
    }
}

/// The moments of the last calls: never more than `calls_max` in any stretch of `per`.
///
/// The usual leaky bucket holds this only without bursts, and then `60/h` would let a run with three calls wait three
/// minutes.
#[derive(Debug)]
struct Window {
    calls_max: usize,
    per: Duration,
    passed: VecDeque<Instant>,
    /// Calls that have their turn and are not sent yet.
    reserved: usize,
}

enum Room {
    Now,
    At(Instant),
    Taken,
}

/// Of a higher rate the same share of a shorter time is kept, so that memory stays bounded.
const CALLS_REMEMBERED_MAX: u32 = 10_000;

impl Window {
    fn new(rate: Rate) -> Self {
        let (mut calls_max, mut per) = (rate.calls_max.max(1), rate.per);
        while calls_max > CALLS_REMEMBERED_MAX {
            (calls_max, per) = (calls_max / 2, per / 2);
        }
        Self {
            calls_max: usize::try_from(calls_max).unwrap_or(usize::MAX),
            per,
            passed: VecDeque::new(),
            reserved: 0,
        }
    }

    fn room(&mut self, now: Instant) -> Room {
        self.forget(now);
        if self.passed.len() + self.reserved < self.calls_max {
            return Room::Now;
        }
        match self.passed.front() {
            Some(oldest) if self.reserved < self.calls_max => Room::At(*oldest + self.per),
            Some(_) | None => Room::Taken,
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.passed.front().is_some_and(|it| *it + self.per <= now) {
            self.passed.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(connections_max: usize, rate: Option<(u32, u64)>) -> Line<String> {
        let rate = rate.map(|(calls_max, per_ms)| Rate {
            calls_max,
            per: Duration::from_millis(per_ms),
        });
        Line::new(connections_max, rate)
    }

    fn join(line: &mut Line<String>, handler: &str, count: usize) {
        for number in 1..=count {
            line.join(&handler.into(), format!("{handler}{number}"));
        }
    }

    /// Takes all turns that there are, one call at a time.
    fn order(line: &mut Line<String>) -> String {
        let now = Instant::now();
        let mut order = String::new();
        while let Some((it, _)) = line.next(now) {
            line.left(false);
            order += &it;
            order.push(' ');
        }
        order
    }

    #[test]
    fn handlers_take_turns_and_within_one_the_first_comes_first() {
        let mut it = line(1, None);
        join(&mut it, "a", 4);
        join(&mut it, "b", 2);
        join(&mut it, "c", 1);
        assert_eq!(order(&mut it), "a1 b1 c1 a2 b2 a3 a4 ");
    }

    #[test]
    fn a_handler_with_thousands_of_calls_keeps_another_waiting_for_one_turn() {
        let mut it = line(1, None);
        join(&mut it, "a", 5_000);
        let now = Instant::now();
        it.next(now);
        join(&mut it, "b", 1);
        it.left(false);
        let next: Vec<String> = (0..2)
            .filter_map(|_| {
                let (next, _) = it.next(now)?;
                it.left(false);
                Some(next)
            })
            .collect();
        assert_eq!(next, ["a2", "b1"]);
    }

    #[test]
    fn no_more_have_their_turn_at_once_than_there_are_connections() {
        let mut it = line(3, None);
        join(&mut it, "a", 10);
        let now = Instant::now();
        assert_eq!((0..9).filter_map(|_| it.next(now)).count(), 3);
        it.left(true);
        assert_eq!((0..9).filter_map(|_| it.next(now)).count(), 1);
    }

    #[test]
    fn no_stretch_of_time_has_more_calls_than_the_rate() {
        let (per_ms, start) = (1_000, Instant::now());
        let mut it = line(100, Some((4, per_ms)));
        join(&mut it, "a", 40);
        let mut now = start;
        let mut sent = Vec::new();
        while let Some((_, not_before)) = it.next(now) {
            if let Some(moment) = not_before {
                assert!(it.next(now).is_none(), "one waits for the rate, not all");
                now = moment;
                it.paced();
            }
            // Between its turn and its sending lies a commit.
            now += Duration::from_millis(7);
            it.sent(now);
            it.left(true);
            sent.push(now);
        }
        assert_eq!(sent.len(), 40);
        for stretch in sent.windows(5) {
            assert!(stretch[4] - stretch[0] >= Duration::from_millis(per_ms));
        }
        assert!(sent[39] - start < Duration::from_millis(10 * per_ms));
    }

    #[test]
    fn a_turn_that_was_not_used_leaves_the_rate_as_it_was() {
        let mut it = line(10, Some((2, 1_000)));
        join(&mut it, "a", 50);
        let now = Instant::now();
        for _ in 0..20 {
            assert!(matches!(it.next(now), Some((_, None))));
            it.left(false);
        }
    }

    #[test]
    fn after_an_illness_one_more_goes_at_once_with_each_call_that_succeeds() {
        let mut it = line(3, None);
        it.begin_gently();
        join(&mut it, "a", 20);
        let now = Instant::now();
        for at_once in [1, 2, 3, 3] {
            assert_eq!((0..9).filter_map(|_| it.next(now)).count(), at_once);
            (0..at_once).for_each(|_| it.left(true));
            it.succeeded();
        }
    }

    #[test]
    fn a_high_rate_is_kept_in_bounded_memory() {
        let mut it = line(1, Some((4_000_000_000, 1_000)));
        let mut now = Instant::now();
        for _ in 0..50_000 {
            join(&mut it, "a", 1);
            if let Some((_, not_before)) = it.next(now) {
                now = not_before.unwrap_or(now);
                it.paced();
                it.sent(now);
                it.left(true);
            }
        }
        let kept = it.window.unwrap().passed.len();
        assert!(kept <= CALLS_REMEMBERED_MAX as usize, "{kept}");
    }
}
