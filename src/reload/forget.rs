//! Script versions that nobody needs any more are forgotten, as events are.

use super::Reloader;
use super::choose::programs_of;
use crate::clock::UnixMillis;
use crate::ledger::request::Order;
use crate::ledger::sqlite::forget_versions::{VERSIONS_PER_BITE, VersionOf};
use crate::ledger::sqlite::read::ReadError;
use crate::ledger::{LedgerError, Ordered};
use crate::run::RunId;
use std::collections::HashSet;

/// Open runs that one look goes through.
const RUNS_PER_LOOK: i64 = 1000;

impl Reloader {
    /// Forgets versions that were last in use before this time, which is that of the oldest events that are kept: none of
    /// these ran on them. Answers how many.
    pub async fn forget_versions(&self, before: UnixMillis) -> Result<usize, LedgerError> {
        // A version that is being put into force is known to the ledger, and must not be forgotten in between.
        let _turn = self.turn.lock().await;
        let over = self.reader().versions_that_are_over(before);
        let mut over = over.map_err(unreadable)?;
        if over.is_empty() {
            return Ok(0);
        }
        let mut needed = self.versions_of_open_runs().await?;
        for it in self.current.load().handlers() {
            needed.extend(programs_of(&it.chosen).map(|it| it.version().to_owned()));
        }
        over.retain(|(_, version)| !needed.contains(version));
        let mut forgotten = 0;
        for bite in over.chunks(VERSIONS_PER_BITE) {
            let versions: Vec<VersionOf> = bite.to_vec();
            let order = Order::ForgetVersions { versions, before };
            if let Ordered::Done { affected } = self.ledger.order(order).await? {
                forgotten += affected;
            }
        }
        Ok(forgotten)
    }

    async fn versions_of_open_runs(&self) -> Result<HashSet<String>, LedgerError> {
        let mut versions = HashSet::new();
        let mut after = RunId::default();
        loop {
            let last = self
                .reader()
                .versions_of_open_runs(after, RUNS_PER_LOOK, &mut versions);
            match last.map_err(unreadable)? {
                Some(it) => after = it,
                None => return Ok(versions),
            }
            // There may be a million of them, and others want to have their turn on this thread.
            tokio::task::yield_now().await;
        }
    }
}

fn unreadable(it: ReadError) -> LedgerError {
    LedgerError::Refused(it.to_string())
}
