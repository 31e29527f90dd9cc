//! For tests that do all in one thread.

use super::Writer;

/// The writer in a test's hand: it commits when it is told to, on a disk that does as it is told.
pub(crate) struct ByHand(Option<Writer>);

impl ByHand {
    pub(in crate::ledger::sqlite) fn new(writer: Writer) -> Self {
        Self(Some(writer))
    }

    /// Commits what waits; false when nothing does.
    pub(crate) fn commit(&mut self) -> bool {
        let Some(writer) = &mut self.0 else {
            return false;
        };
        let batch = writer.queue.take_now();
        if batch.is_empty() {
            return false;
        }
        if let Err((why, batch)) = writer.write(batch)
            && let Some(writer) = self.0.take()
        {
            writer.stop(&why, batch);
        }
        true
    }

    /// The same on a disk that has no room for a page more.
    pub(crate) fn commit_on_a_full_disk(&mut self) -> bool {
        // Never fewer than there are: SQLite sees to that.
        self.pages_max(1);
        let some = self.commit();
        self.pages_max(i64::from(u32::MAX - 1));
        some
    }

    /// Commits what waits, and then the log cannot be synced: whether the commit is on disk is not known, and the ledger
    /// stops.
    pub(crate) fn commit_without_a_sync(&mut self) -> bool {
        let Some(mut writer) = self.0.take() else {
            return false;
        };
        let batch = writer.queue.take_now();
        let some = !batch.is_empty();
        if some {
            let _ = writer.commit_together(&batch);
        }
        writer.stop("the log could not be synced", batch);
        some
    }

    fn pages_max(&self, pages: i64) {
        if let Some(writer) = &self.0 {
            let sql = format!("PRAGMA max_page_count = {pages}");
            let _ = writer
                .state
                .connection
                .query_row(&sql, [], |row| row.get::<_, i64>(0));
        }
    }
}
