//! How far the open runs on disk that memory does not hold have been looked for, in the order of ids. Pure.

use crate::run::RunId;

/// A scan of the open runs.
#[derive(Default)]
pub(super) struct Backlog {
    /// Every run up to this one was looked at.
    scanned_to: RunId,
    is_scanning: bool,
    /// The lanes whose heads may not start are still to be read: nothing may overtake these.
    lacks_parked: bool,
    /// Runs stayed on disk since the look that is going on began.
    left_meanwhile: bool,
    /// It may be past some of these.
    begins_anew: bool,
}

/// What is to be read next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Lanes whose heads may not start.
    Parked,
    Runs {
        after: RunId,
    },
}

impl Backlog {
    /// Nothing is known of any lane.
    pub(super) fn of_all() -> Self {
        Self {
            lacks_parked: true,
            ..Self::default()
        }
    }

    /// What to read; nothing while something is being read.
    pub(super) fn next(&mut self) -> Option<Next> {
        if self.is_scanning {
            return None;
        }
        self.is_scanning = true;
        if std::mem::take(&mut self.begins_anew) {
            self.scanned_to = RunId::default();
            self.lacks_parked = true;
        }
        if self.lacks_parked {
            return Some(Next::Parked);
        }
        self.left_meanwhile = false;
        Some(Next::Runs {
            after: self.scanned_to,
        })
    }

    /// A run with a higher id than all others stayed on disk.
    pub(super) fn left_on_disk(&mut self) {
        self.left_meanwhile = true;
    }

    /// Runs with any ids stayed on disk, or some that may not start.
    pub(super) fn begin_anew(&mut self) {
        self.begins_anew = true;
        self.left_meanwhile = true;
    }

    pub(super) fn parked_are_known(&mut self) {
        self.is_scanning = false;
        self.lacks_parked = false;
    }

    /// It could not be read.
    pub(super) fn unread(&mut self) {
        self.is_scanning = false;
    }

    /// Runs up to this one were read; none: there were no more. True when all are seen: what came meanwhile may not have been there yet for that
    /// look.
    pub(super) fn looked(&mut self, last: Option<RunId>) -> bool {
        self.is_scanning = false;
        match last {
            Some(last) => {
                self.scanned_to = self.scanned_to.max(last);
                false
            }
            None => !self.left_meanwhile,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_after(it: &mut Backlog, after: i64) {
        let after = RunId(after);
        assert_eq!(it.next(), Some(Next::Runs { after }));
    }

    #[test]
    fn a_scan_goes_on_until_a_look_finds_nothing_and_nothing_came_meanwhile() {
        let mut it = Backlog::default();
        check_after(&mut it, 0);
        assert_eq!(it.next(), None, "one look at a time");
        assert!(!it.looked(Some(RunId(7))));
        check_after(&mut it, 7);
        it.left_on_disk();
        assert!(!it.looked(None));
        check_after(&mut it, 7);
        assert!(it.looked(None));
    }

    #[test]
    fn a_scan_that_may_be_past_a_run_begins_anew_with_what_blocks_lanes() {
        let mut it = Backlog::default();
        check_after(&mut it, 0);
        assert!(!it.looked(Some(RunId(7))));
        check_after(&mut it, 7);
        it.begin_anew();
        // What is being read was read before that.
        assert!(!it.looked(Some(RunId(9))));
        assert_eq!(it.next(), Some(Next::Parked));
        it.parked_are_known();
        check_after(&mut it, 0);
        it.begin_anew();
        assert!(!it.looked(None));
        assert_eq!(it.next(), Some(Next::Parked));
    }
}
