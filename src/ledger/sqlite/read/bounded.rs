//! A connection each of whose queries may take so long and no longer.

use rusqlite::Connection;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Whoever takes the connection out of it asks the next thing: its time counts from there. SQLite itself does not tell
/// where a query ends and the next begins.
pub(in crate::ledger::sqlite) struct Bounded {
    connection: Connection,
    asked: Arc<AtomicU64>,
}

impl Bounded {
    pub(super) fn new(
        mut connection: Connection,
        query_time_max: Duration,
    ) -> rusqlite::Result<Self> {
        const INSTRUCTIONS_BETWEEN_LOOKS: i32 = 100_000;
        let asked = Arc::new(AtomicU64::new(0));
        let now_asked = asked.clone();
        let mut looked_at = u64::MAX;
        let mut began = Instant::now();
        connection.progress_handler(
            INSTRUCTIONS_BETWEEN_LOOKS,
            Some(move || {
                let asked = now_asked.load(Ordering::Relaxed);
                if looked_at != asked {
                    // As far as is known: it began since the look before.
                    looked_at = asked;
                    began = Instant::now();
                }
                began.elapsed() > query_time_max
            }),
        )?;
        Ok(Self { connection, asked })
    }

    /// To change how the connection works.
    pub(in crate::ledger::sqlite) fn set_up(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Deref for Bounded {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.asked.fetch_add(1, Ordering::Relaxed);
        &self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME_MAX: Duration = Duration::from_millis(200);

    /// Counts so far: some 10 instructions each.
    fn count(connection: &Bounded, to: i64) -> rusqlite::Result<i64> {
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?1) SELECT count(*) FROM n";
        connection.query_row(sql, [to], |row| row.get(0))
    }

    #[test]
    fn a_query_that_takes_longer_is_ended_and_the_next_has_its_own_time() {
        let it = Bounded::new(Connection::open_in_memory().unwrap(), TIME_MAX).unwrap();
        let began = Instant::now();
        let ended = count(&it, i64::MAX).unwrap_err();
        assert_eq!(
            ended.sqlite_error_code(),
            Some(rusqlite::ErrorCode::OperationInterrupted)
        );
        assert!(began.elapsed() >= TIME_MAX);
        assert_eq!(count(&it, 20_000).unwrap(), 20_000);
    }

    #[test]
    fn short_queries_without_a_pause_between_them_are_not_ended_however_long_it_goes_on() {
        let it = Bounded::new(Connection::open_in_memory().unwrap(), TIME_MAX).unwrap();
        let began = Instant::now();
        while began.elapsed() < 3 * TIME_MAX {
            assert_eq!(count(&it, 20_000).unwrap(), 20_000);
        }
    }
}
