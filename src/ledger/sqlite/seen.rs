//! What makes a delivery a duplicate.
//!
//! The table `seen` is in the order of keys that rise with time, but within a second they are random: a row an event
//! would touch a page an event, which was most of what a commit wrote. So the newest events are known in memory first
//! (after a start, from the events themselves) and go into the table later, many at once, in the order of their keys.

use super::writer::{ApplyError, Applying};
use crate::clock::UnixMillis;
use crate::event::Event;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// The part of a dedupe key that is a hash of the event's id.
pub(super) const LOW_BITS: i64 = (1 << 30) - 1;
/// How far from its own key an event can lie: as many scopes as have the same id, and then some.
pub(super) const PROBES_MAX: i64 = 255;
/// The key of `meta` that says up to which event the table is complete.
pub(super) const MERGED_THROUGH: &str = "seen_through";
/// Events that are known in memory before they begin to go into the table.
const GENERATION: usize = 8192;
/// Rows that go into the table with one commit: a few pages.
const ROWS_PER_COMMIT: usize = 256;

/// The hash of an event's id that its dedupe key ends with. Leaves room for probing.
pub(super) fn low_bits(id: &str) -> i64 {
    let hash = xxhash_rust::xxh3::xxh3_64(id.as_bytes()).cast_signed();
    (hash & LOW_BITS).min(LOW_BITS - PROBES_MAX)
}

/// What an event is known by: a key that rises with time, and a fingerprint that tells two with one key apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct DedupeKey {
    /// `created << 30 | 30 bits of hash(id)`: a random key would touch a cold page an event.
    key: i64,
    /// Hash of scope and id.
    fingerprint: i64,
}

impl DedupeKey {
    pub(super) fn of(event: &Event) -> Self {
        Self::new(&event.scope, &event.envelope.id, event.envelope.created)
    }

    fn new(scope: &str, id: &str, created: UnixMillis) -> Self {
        const CREATED_SECONDS_MAX: i64 = (1 << 33) - 1;
        let mut hasher = xxhash_rust::xxh3::Xxh3Default::new();
        hasher.update(&(scope.len() as u64).to_le_bytes());
        hasher.update(scope.as_bytes());
        hasher.update(id.as_bytes());
        let seconds = created.seconds().clamp(0, CREATED_SECONDS_MAX);
        Self {
            key: seconds << 30 | low_bits(id),
            fingerprint: hasher.digest().cast_signed(),
        }
    }
}

/// A row to be.
#[derive(Clone, Copy, Debug)]
struct Row {
    event_seq: i64,
    received_at: UnixMillis,
}

/// How far the events have come.
#[derive(Clone, Copy, Default)]
struct Reached {
    /// The newest event that was ever added.
    newest: i64,
    /// The newest of those that are in the table, with all before it.
    merged_through: i64,
}

/// The newest events, and the table that holds the others.
#[derive(Default)]
pub(super) struct Seen {
    fresh: HashMap<DedupeKey, Row>,
    /// The generation that goes into the table bit by bit, and what of it is still to go, in falling order of keys.
    merging: HashMap<DedupeKey, Row>,
    to_merge: Vec<DedupeKey>,
    /// The newest event of that generation.
    merging_through: i64,
    reached: Reached,
    /// What a transaction that fails goes back to.
    reached_on_disk: Reached,
    /// No row of the table has a higher key; so most events are known to be new without a look at it.
    highest: i64,
    /// What the open transaction has done, to be undone if it fails.
    added: Vec<DedupeKey>,
    merged: Vec<DedupeKey>,
}

impl Seen {
    /// Learns from the events what the table does not know yet.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let merged_through: Option<String> = connection
            .query_row(
                "SELECT value FROM meta WHERE key = ?1",
                [MERGED_THROUGH],
                |row| row.get(0),
            )
            .optional()?;
        let merged_through = merged_through.and_then(|it| it.parse().ok()).unwrap_or(0);
        let mut it = Self {
            reached: Reached {
                newest: merged_through,
                merged_through,
            },
            highest: connection
                .query_row("SELECT max(key) FROM seen", [], |row| row.get(0))
                .map(|it: Option<i64>| it.unwrap_or(0))?,
            ..Self::default()
        };
        let mut statement = connection.prepare(
            "SELECT seq, scope, id, created_at, received_at FROM events WHERE seq > ?1 ORDER BY seq",
        )?;
        let mut rows = statement.query([merged_through])?;
        while let Some(row) = rows.next()? {
            let (scope, id): (String, String) = (row.get(1)?, row.get(2)?);
            let key = DedupeKey::new(&scope, &id, UnixMillis(row.get(3)?));
            let row = Row {
                event_seq: row.get(0)?,
                received_at: UnixMillis(row.get(4)?),
            };
            it.reached.newest = row.event_seq;
            it.fresh.insert(key, row);
        }
        it.reached_on_disk = it.reached;
        Ok(it)
    }

    /// The number that an event is known under; a new one is known from now on, under `event_seq`.
    pub(super) fn find_or_add(
        &mut self,
        connection: &Connection,
        key: DedupeKey,
        event_seq: i64,
        received_at: UnixMillis,
    ) -> Applying<Option<i64>> {
        if let Some(row) = self.fresh.get(&key).or_else(|| self.merging.get(&key)) {
            return Ok(Some(row.event_seq));
        }
        if key.key <= self.highest
            && let Place::Known(known) = place_of(connection, key)?
        {
            return Ok(Some(known));
        }
        self.fresh.insert(
            key,
            Row {
                event_seq,
                received_at,
            },
        );
        self.added.push(key);
        self.reached.newest = event_seq;
        Ok(None)
    }

    /// Puts some of the older ones into the table, inside of the open transaction.
    pub(super) fn merge_some(&mut self, connection: &Connection) -> Applying<()> {
        self.merge(connection, ROWS_PER_COMMIT)
    }

    /// Puts all up to this event into the table, before the event itself is deleted.
    pub(super) fn merge_through(
        &mut self,
        connection: &Connection,
        event_seq: i64,
    ) -> Applying<()> {
        while self.reached.merged_through < event_seq
            && !(self.fresh.is_empty() && self.to_merge.is_empty())
        {
            if self.to_merge.is_empty() {
                self.begin_generation();
            }
            self.merge(connection, usize::MAX)?;
        }
        Ok(())
    }

    fn merge(&mut self, connection: &Connection, rows_max: usize) -> Applying<()> {
        if self.to_merge.is_empty() {
            return Ok(());
        }
        for _ in 0..rows_max {
            let Some(key) = self.to_merge.pop() else {
                break;
            };
            self.merged.push(key);
            let Some(row) = self.merging.get(&key) else {
                continue;
            };
            if insert(connection, key.key, key, row)? {
                self.highest = self.highest.max(key.key);
                continue;
            }
            match place_of(connection, key)? {
                Place::Free(at) => {
                    insert(connection, at, key, row)?;
                    self.highest = self.highest.max(at);
                }
                // A merge before the last end had come this far.
                Place::Known(_) => {}
            }
        }
        if self.to_merge.is_empty() {
            connection
                .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
                .execute(params![MERGED_THROUGH, self.merging_through.to_string()])?;
            self.reached.merged_through = self.merging_through;
        }
        Ok(())
    }

    /// The transaction is on disk.
    pub(super) fn committed(&mut self) {
        self.added.clear();
        self.merged.clear();
        self.reached_on_disk = self.reached;
        if self.to_merge.is_empty() {
            // The table has them.
            self.merging.clear();
            if self.fresh.len() >= GENERATION {
                self.begin_generation();
            }
        }
    }

    /// The transaction never was.
    pub(super) fn rolled_back(&mut self) {
        for key in self.added.drain(..) {
            self.fresh.remove(&key);
            self.merging.remove(&key);
        }
        while let Some(key) = self.merged.pop() {
            self.to_merge.push(key);
        }
        self.reached = self.reached_on_disk;
        self.merging_through = self.merging_through.min(self.reached.newest);
    }

    /// Those of the one before stay in memory until the table has them on disk.
    fn begin_generation(&mut self) {
        self.to_merge = self.fresh.keys().copied().collect();
        self.to_merge.sort_unstable_by(|a, b| b.cmp(a));
        self.merging.extend(self.fresh.drain());
        self.merging_through = self.reached.newest;
    }
}

/// Puts a row into the table, unless another one is there.
fn insert(connection: &Connection, at: i64, key: DedupeKey, row: &Row) -> rusqlite::Result<bool> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO seen (key, fingerprint, event_seq, received_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO NOTHING",
        )?
        .execute(params![
            at,
            key.fingerprint,
            row.event_seq,
            row.received_at.0
        ])?;
    Ok(inserted == 1)
}

/// Where a key is in the table, or would be.
enum Place {
    Known(i64),
    Free(i64),
}

fn place_of(connection: &Connection, wanted: DedupeKey) -> Applying<Place> {
    let mut statement =
        connection.prepare_cached("SELECT fingerprint, event_seq FROM seen WHERE key = ?1")?;
    for key in wanted.key..=wanted.key + PROBES_MAX {
        let found: Option<(i64, i64)> = statement
            .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            None => return Ok(Place::Free(key)),
            Some((fingerprint, known)) if fingerprint == wanted.fingerprint => {
                return Ok(Place::Known(known));
            }
            Some(_) => {}
        }
    }
    Err(ApplyError::Refused(format!(
        "{PROBES_MAX} other events have the dedupe key of this one"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("migrations/0001.sql"))
            .unwrap();
        connection
    }

    fn key(number: i64) -> DedupeKey {
        DedupeKey::new(
            "s",
            &format!("evt_{number}"),
            UnixMillis(number / 100 * 1000),
        )
    }

    /// Adds an event as a transaction of its own.
    fn add(seen: &mut Seen, connection: &Connection, number: i64) -> Option<i64> {
        let found = seen.find_or_add(connection, key(number), number, UnixMillis(0));
        let Ok(found) = found else {
            panic!("a table in memory can be read")
        };
        assert!(seen.merge_some(connection).is_ok());
        seen.committed();
        found
    }

    #[test]
    fn an_event_is_known_before_and_after_it_went_into_the_table() {
        let (connection, mut seen) = (table(), Seen::default());
        let count = 2 * GENERATION as i64 + 100;
        for number in 1..=count {
            assert_eq!(add(&mut seen, &connection, number), None);
        }
        let rows: i64 = connection
            .query_row("SELECT count(*) FROM seen", [], |row| row.get(0))
            .unwrap();
        assert!(rows >= GENERATION as i64, "{rows} rows went into the table");
        for number in 1..=count {
            assert_eq!(add(&mut seen, &connection, number), Some(number));
        }
        // A start knows of the table no more than what is in it: the events here are in no other.
        assert!(seen.merge_through(&connection, count).is_ok());
        let mut seen = Seen::load(&connection).unwrap();
        for number in 1..=count {
            assert_eq!(add(&mut seen, &connection, number), Some(number));
        }
    }

    #[test]
    fn what_is_rolled_back_was_never_seen() {
        let (connection, mut seen) = (table(), Seen::default());
        assert!(matches!(
            seen.find_or_add(&connection, key(1), 1, UnixMillis(0)),
            Ok(None)
        ));
        seen.rolled_back();
        assert_eq!(add(&mut seen, &connection, 1), None);
        assert_eq!(add(&mut seen, &connection, 1), Some(1));
    }

    /// Its row among the events, from which a start learns what the table lacks.
    fn store(connection: &Connection, number: i64) {
        let created = UnixMillis(number / 100 * 1000);
        connection
            .execute(
                "INSERT INTO events (seq, id, scope, endpoint, type, created_at, received_at, livemode, secret_number,
                   size_bytes, dictionary, body) VALUES (?1, ?2, 's', 'e', 't', ?3, 0, 0, 1, 0, 1, x'')",
                params![number, format!("evt_{number}"), created.0],
            )
            .unwrap();
    }

    #[track_caller]
    fn check_known(seen: &mut Seen, connection: &Connection, count: i64) {
        for number in 1..=count {
            let found = seen.find_or_add(connection, key(number), 0, UnixMillis(0));
            assert!(
                matches!(found, Ok(Some(it)) if it == number),
                "event {number} is forgotten"
            );
        }
    }

    #[test]
    fn no_event_is_forgotten_by_a_merge_of_all_that_is_rolled_back() {
        let (connection, mut seen) = (table(), Seen::default());
        let mut count = GENERATION as i64 + 10;
        for number in 1..=count {
            store(&connection, number);
            assert_eq!(add(&mut seen, &connection, number), None);
        }
        connection.execute_batch("BEGIN").unwrap();
        let of_the_batch = seen.find_or_add(&connection, key(count + 1), count + 1, UnixMillis(0));
        assert!(matches!(of_the_batch, Ok(None)));
        assert!(seen.merge_through(&connection, count).is_ok());
        connection.execute_batch("ROLLBACK").unwrap();
        seen.rolled_back();
        check_known(&mut seen, &connection, count);
        for _ in 0..GENERATION / ROWS_PER_COMMIT + 5 {
            count += 1;
            store(&connection, count);
            assert_eq!(add(&mut seen, &connection, count), None);
            if count % 16 == 0 {
                let mut reopened = Seen::load(&connection).unwrap();
                check_known(&mut reopened, &connection, count);
            }
        }
        check_known(&mut seen, &connection, count);
        let mut reopened = Seen::load(&connection).unwrap();
        check_known(&mut reopened, &connection, count);
    }

    #[test]
    fn a_start_knows_the_event_that_took_the_number_of_one_that_was_rolled_back() {
        let (connection, mut seen) = (table(), Seen::default());
        store(&connection, 1);
        assert_eq!(add(&mut seen, &connection, 1), None);
        let refused = seen.find_or_add(&connection, key(200), 2, UnixMillis(0));
        assert!(matches!(refused, Ok(None)));
        seen.rolled_back();
        assert!(seen.merge_through(&connection, 1).is_ok());
        seen.committed();
        store(&connection, 2);
        assert_eq!(add(&mut seen, &connection, 2), None);
        let mut reopened = Seen::load(&connection).unwrap();
        check_known(&mut reopened, &connection, 2);
    }

    #[test]
    fn a_merge_that_is_rolled_back_is_done_again() {
        let (connection, mut seen) = (table(), Seen::default());
        for number in 1..=GENERATION as i64 {
            let found = seen.find_or_add(&connection, key(number), number, UnixMillis(0));
            assert!(matches!(found, Ok(None)));
        }
        seen.committed();
        let left = seen.to_merge.clone();
        connection.execute_batch("BEGIN").unwrap();
        assert!(seen.merge_some(&connection).is_ok());
        connection.execute_batch("ROLLBACK").unwrap();
        seen.rolled_back();
        assert_eq!(seen.to_merge, left);
        assert!(seen.merge_through(&connection, 1).is_ok());
        let rows: i64 = connection
            .query_row("SELECT count(*) FROM seen", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, GENERATION as i64);
    }
}
