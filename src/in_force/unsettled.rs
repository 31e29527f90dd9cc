//! Handlers whose open runs are being put into other lanes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Handlers of which no run begins, because their open runs are being put into other lanes: one that is in its new lane
/// could overtake one that is not yet.
#[derive(Default)]
pub struct Unsettled(Mutex<BTreeMap<Arc<str>, Place>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Some runs are in lanes that they are to leave.
    Old,
    /// All are where they belong on disk. What memory holds is older.
    New,
}

impl Unsettled {
    pub fn holds(&self, handler: &str) -> bool {
        self.lock().contains_key(handler)
    }

    pub fn add(&self, handler: Arc<str>) {
        self.lock().insert(handler, Place::Old);
    }

    /// On disk all runs are in the lanes that they belong to.
    pub fn are_in_place(&self) {
        self.lock().values_mut().for_each(|it| *it = Place::New);
    }

    /// Whoever begins runs has forgotten what he knew of lanes.
    pub fn forgotten(&self) {
        self.lock().retain(|_, place| match place {
            Place::Old => true,
            Place::New => false,
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
