//! The one thread that writes: takes all that waits, commits it together, answers.

#[cfg(test)]
mod by_hand;

use super::super::desk::{Desk, Reply};
use super::super::in_place::{InPlace, LOOK_EVERY};
use super::super::queue::Queue;
use super::super::{Answer, LedgerError, Operation, Outcome, Request};
use super::checkpoint::{self, Signal};
use super::seen::Seen;
use super::{Arrival, Arrivals, Verdict, accept, commit, journal, judge, order};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[cfg(test)]
pub(crate) use by_hand::ByHand;

pub(super) struct Writer {
    state: Tables,
    queue: Arc<Queue>,
    arrivals: Arc<Arrivals>,
    checkpoint: Signal,
    frames_in_log: Arc<AtomicI64>,
    in_place: InPlace,
    /// It could not store what it was given last for lack of room; what needs none may have been stored since.
    has_no_room: bool,
}

/// The write connection, and the numbers that it gives out next.
pub(super) struct Tables {
    pub connection: Connection,
    pub seen: Seen,
    pub next: Next,
    /// Up to which event retention has looked in its present round.
    pub pruned_through: i64,
    /// Runs that the batch has made, or made ready, so far.
    pub arrived: Vec<Arrival>,
}

/// Given back when a batch is rolled back.
#[derive(Clone, Copy)]
pub(super) struct Next {
    pub event_seq: i64,
    pub change: i64,
}

/// What a request did inside of the open transaction.
pub(super) type Applying<T> = Result<T, ApplyError>;

pub(super) enum ApplyError {
    Sqlite(rusqlite::Error),
    /// The request cannot be done; it has written nothing.
    Refused(String),
}

impl From<rusqlite::Error> for ApplyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Writer {
    pub(super) fn new(
        mut connection: Connection,
        queue: Arc<Queue>,
        arrivals: Arc<Arrivals>,
        checkpoint: Signal,
        in_place: InPlace,
    ) -> rusqlite::Result<Self> {
        let frames_in_log = Arc::new(AtomicI64::new(0));
        let seen_by_hook = frames_in_log.clone();
        connection.wal_hook(Some(
            move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
                seen_by_hook.store(i64::from(pages), Ordering::Relaxed);
                Ok(())
            },
        ))?;
        let next = Next {
            event_seq: next_of(&connection, "SELECT max(seq) FROM events", "next_event_seq")?,
            change: next_of(
                &connection,
                "SELECT max(id) FROM record_changes",
                "next_change",
            )?,
        };
        let seen = Seen::load(&connection)?;
        let state = Tables {
            connection,
            seen,
            next,
            pruned_through: 0,
            arrived: Vec::new(),
        };
        Ok(Self {
            state,
            queue,
            arrivals,
            checkpoint,
            frames_in_log,
            in_place,
            has_no_room: false,
        })
    }

    pub(super) fn run(mut self) {
        while let Some(batch) = self.queue.take(LOOK_EVERY) {
            if let Err((why, batch)) = self.write(batch) {
                return self.stop(&why, batch);
            }
        }
        if self.checkpoint.has_failed() {
            return;
        }
        // All is answered; leave a ledger that needs no recovery.
        if let Err(error) = checkpoint::truncate(&self.state.connection) {
            tracing::warn!(%error, "the log could not be put into the database at the end: {error}");
        }
    }

    /// Commits a batch and answers it; an error comes with what is still to be answered, and is the end.
    fn write(&mut self, batch: Vec<Request>) -> Result<(), (String, Vec<Request>)> {
        if self.checkpoint.has_failed() {
            return Err(("a checkpoint failed".into(), batch));
        }
        if batch.is_empty() {
            return self
                .in_place
                .disturbed()
                .map_or(Ok(()), |why| Err((why, batch)));
        }
        let answers = match self.commit_together(&batch) {
            Ok(it) => {
                let is_accept = |it: &Request| matches!(it.operation, Operation::Accept(_));
                if self.has_no_room && batch.iter().any(is_accept) {
                    self.has_no_room = false;
                    self.queue.had_room(true);
                }
                it
            }
            // One of them cannot be done; who it is shows when each goes alone.
            Err(Verdict::Refused(_)) if batch.len() > 1 => match self.commit_apart(&batch) {
                Ok(it) => it,
                Err(why) => return Err((why, batch)),
            },
            Err(Verdict::Untrusted(why)) => return Err((why, batch)),
            Err(verdict) => {
                let error = LedgerError::from(verdict);
                if error == LedgerError::DiskFull {
                    self.has_no_room = true;
                    self.queue.had_room(false);
                    tracing::error!(
                        "no space is left on the disk: events are answered 503 until there is"
                    );
                }
                batch.iter().map(|_| Err(error.clone())).collect()
            }
        };
        // Before anybody is told that it is stored.
        let disturbed = self.in_place.lost().or_else(|| self.in_place.disturbed());
        if let Some(why) = disturbed {
            return Err((why, batch));
        }
        self.arrivals.leave(std::mem::take(&mut self.state.arrived));
        deliver(batch, answers);
        self.after_commit().map_err(|why| (why, Vec::new()))
    }

    fn commit_together(&mut self, batch: &[Request]) -> Result<Vec<Answer>, Verdict> {
        let before = self.state.next;
        let result = self.state.apply_all(batch);
        if result.is_err() {
            self.state.roll_back(before);
        }
        result
    }

    /// Each request in a transaction of its own, so that a bad one does not fail its neighbours.
    fn commit_apart(&mut self, batch: &[Request]) -> Result<Vec<Answer>, String> {
        let mut answers = Vec::with_capacity(batch.len());
        let mut arrived = Vec::new();
        for request in batch {
            match self.commit_together(std::slice::from_ref(request)) {
                Ok(mut it) => {
                    answers.append(&mut it);
                    arrived.append(&mut self.state.arrived);
                }
                Err(Verdict::Untrusted(why)) => return Err(why),
                Err(verdict) => answers.push(Err(verdict.into())),
            }
        }
        self.state.arrived = arrived;
        Ok(answers)
    }

    /// The writer's part of a checkpoint, and the next one's beginning.
    fn after_commit(&mut self) -> Result<(), String> {
        if self.checkpoint.take_finish()
            && let Err(error) = checkpoint::finish(&self.state.connection)
        {
            match judge(&error) {
                Verdict::Untrusted(why) => {
                    return Err(format!("a checkpoint could not be finished: {why}"));
                }
                Verdict::DiskFull | Verdict::Refused(_) => {
                    tracing::warn!(%error, "the end of a checkpoint was put off: {error}");
                }
            }
        }
        self.checkpoint
            .after_commit(self.frames_in_log.load(Ordering::Relaxed));
        Ok(())
    }

    /// What the page cache shows may not be on disk: nothing is committed or checkpointed any more, by anybody.
    fn stop(self, why: &str, batch: Vec<Request>) {
        let lost = match self.in_place.look() {
            Some(_) => "what was written since then is in the file that is gone",
            None => "nothing is lost that was answered 200",
        };
        tracing::error!("the ledger stops: {why}; {lost}");
        let error = LedgerError::Failed(why.into());
        self.queue.close(error.clone());
        let refused = |batch: Vec<Request>| {
            let answers = batch.iter().map(|_| Err(error.clone())).collect();
            deliver(batch, answers);
        };
        refused(batch);
        while let Some(batch) = self.queue.take(LOOK_EVERY) {
            refused(batch);
        }
    }
}

impl Tables {
    fn apply_all(&mut self, batch: &[Request]) -> Result<Vec<Answer>, Verdict> {
        self.connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|it| judge(&it))?;
        let mut answers = Vec::with_capacity(batch.len());
        for request in batch {
            match self.apply(&request.operation) {
                Ok(it) => answers.push(Ok(it)),
                Err(ApplyError::Refused(why)) => answers.push(Err(LedgerError::Refused(why))),
                Err(ApplyError::Sqlite(error)) => return Err(judge(&error)),
            }
            // After some errors SQLite has rolled everything back by itself; what follows would commit one by one.
            if self.connection.is_autocommit() {
                return Err(Verdict::Untrusted("the transaction ended by itself".into()));
            }
        }
        match self.seen.merge_some(&self.connection) {
            Ok(()) => {}
            Err(ApplyError::Refused(why)) => return Err(Verdict::Untrusted(why)),
            Err(ApplyError::Sqlite(error)) => return Err(judge(&error)),
        }
        self.connection
            .execute_batch("COMMIT")
            .map_err(|it| judge(&it))?;
        self.seen.committed();
        Ok(answers)
    }

    fn apply(&mut self, operation: &Operation) -> Applying<Outcome> {
        Ok(match operation {
            Operation::Accept(it) => Outcome::Receipt(accept::accept(self, it)?),
            Operation::Commit(it) => Outcome::Applied(commit::commit(self, it)?),
            Operation::Postpone(it) => Outcome::Applied(commit::postpone(self, it)?),
            Operation::Intent(it) => Outcome::Applied(journal::intent(self, it)?),
            Operation::Settle(it) => Outcome::Applied(journal::settle(self, it)?),
            Operation::Order(it) => Outcome::Ordered(order::order(self, it)?),
        })
    }

    fn roll_back(&mut self, before: Next) {
        self.next = before;
        self.seen.rolled_back();
        self.arrived.clear();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back: {error}");
        }
    }
}

/// One message a runtime, whatever the number of answers.
fn deliver(batch: Vec<Request>, answers: Vec<Answer>) {
    type Letters = Vec<(Reply, Answer)>;
    let mut by_desk: Vec<(Arc<Desk>, Letters)> = Vec::new();
    for (request, answer) in batch.into_iter().zip(answers) {
        let letter = (request.reply, answer);
        match by_desk
            .iter_mut()
            .find(|(desk, _)| Arc::ptr_eq(desk, &request.desk))
        {
            Some((_, letters)) => letters.push(letter),
            None => by_desk.push((request.desk, vec![letter])),
        }
    }
    for (desk, letters) in by_desk {
        desk.leave(letters);
    }
}

/// The number after the highest that was ever given: retention may have deleted the row that had it.
fn next_of(connection: &Connection, highest: &str, key: &str) -> rusqlite::Result<i64> {
    let in_table: Option<i64> = connection.query_row(highest, [], |row| row.get(0))?;
    let kept: Option<i64> = connection.query_row(
        "SELECT max(CAST(value AS INTEGER)) FROM meta WHERE key = ?1",
        [key],
        |row| row.get(0),
    )?;
    Ok((in_table.unwrap_or(0) + 1).max(kept.unwrap_or(1)))
}
