//! Which attempts sent a call: what one attempt sent, it sent one beside the other. Pure.

/// Some of a run's attempts, of those that wrote down a call, as bits. The last one that has a bit stands for all that
/// come after it: they are rare, and taken for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentBy(pub i64);

/// Within what SQLite counts as positive.
const ATTEMPTS_MAX: u32 = 62;

impl SentBy {
    /// That attempt, from 1.
    pub fn only(attempt: u32) -> Self {
        Self(1 << (attempt.clamp(1, ATTEMPTS_MAX) - 1))
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// 0: none.
    pub fn last(self) -> u32 {
        i64::BITS - self.0.leading_zeros()
    }

    pub fn has_some_of(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_told_apart_up_to_the_62nd() {
        let all = SentBy::only(1).and(SentBy::only(3));
        assert_eq!((all.last(), SentBy::default().last()), (3, 0));
        assert!(all.has_some_of(SentBy::only(3)) && !all.has_some_of(SentBy::only(2)));
        assert_eq!(SentBy::only(62), SentBy::only(1000));
        assert_eq!(SentBy::only(1000).last(), 62);
        assert!(SentBy::only(1000).0 > 0);
    }
}
