//! The ledger on SQLite: opened with care, written by one thread, read by others.

mod accept;
mod checkpoint;
mod commit;
mod decide;
mod decide_versions;
mod decided_versions;
pub mod forget_versions;
mod journal;
pub mod list;
pub mod many;
mod migrate;
mod once;
mod order;
pub mod read;
mod seen;
pub mod sql;
mod writer;

use super::compress::Dictionary;
use super::desk::Desk;
use super::folder::Folder;
use super::in_place::InPlace;
use super::queue::Queue;
use super::request::OpenRun;
use super::{Ledger, LedgerError};
use crate::run::Lane;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::Notify;

/// The first version without the WAL-reset race (fixed in 3.51.3).
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// Larger is slower: after a page split SQLite goes through all of the cache at the commit.
const CACHE_SIZE_KIB: i64 = 8 * 1024;
/// A log that was cut to less than it grows to would be made longer again each time, which is slow: blocks that exist
/// are written in half the time.
const WAL_SIZE_BYTES_KEPT: i64 = 256 * 1024 * 1024;

/// What an open ledger consists of.
pub struct Opened {
    pub ledger: Ledger,
    pub dictionary: Dictionary,
    pub arrivals: Arc<Arrivals>,
    pub threads: Threads,
}

/// The ledger's own threads.
pub struct Threads {
    writer: JoinHandle<()>,
    checkpointer: JoinHandle<()>,
}

impl Threads {
    /// Waits until all that the ledger was given is done; [`Ledger::close`] first.
    pub fn join(self) {
        for it in [self.writer, self.checkpointer] {
            if it.join().is_err() {
                tracing::error!("a thread of the ledger panicked");
            }
        }
    }
}

/// What a commit has just made, in its order.
pub enum Arrival {
    /// It may start.
    Ready(OpenRun),
    /// The same, of an event that is known: runs with higher ids may have come before it.
    Late(OpenRun),
    /// One that may not, and that no later run of its lane may overtake.
    Held(Lane),
}

/// Runs that a commit has just made, for the worker. Bounded: what does not fit is found on disk.
#[derive(Default)]
pub struct Arrivals {
    inbox: Mutex<Arrived>,
    pub bell: Notify,
}

impl Arrival {
    /// Whether a look at the disk that is past lower ids has still to come to it.
    fn is_newest(&self) -> bool {
        match self {
            Self::Ready(run) => run.claim.epoch == 0,
            Self::Late(_) | Self::Held(_) => false,
        }
    }
}

/// Runs, and whether there were more than fitted.
#[derive(Default)]
pub struct Arrived {
    pub runs: Vec<Arrival>,
    pub overflowed: bool,
    /// What did not fit may have lower ids than what came before, or may not start.
    pub lost_others_than_newest: bool,
}

const ARRIVALS_MAX: usize = 4096;

impl Arrivals {
    /// All that has come since the last time.
    pub fn take(&self) -> Arrived {
        std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn leave(&self, mut runs: Vec<Arrival>) {
        if runs.is_empty() {
            return;
        }
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if inbox.runs.len() + runs.len() > ARRIVALS_MAX {
            inbox.overflowed = true;
            inbox.lost_others_than_newest |= !runs.iter().all(Arrival::is_newest);
        } else {
            inbox.runs.append(&mut runs);
        }
        drop(inbox);
        self.bell.notify_one();
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot open the ledger {path}: {cause}")]
    Sqlite {
        path: String,
        cause: rusqlite::Error,
    },
    #[error("cannot open the ledger {path}: {cause}")]
    Io { path: String, cause: std::io::Error },
    #[error("this build carries SQLite {0}, which can damage a ledger; at least 3.51.3 is needed")]
    SqliteTooOld(&'static str),
    #[error(
        "the ledger {path} was written by a newer hookyard (schema {found}, this one knows {known}); run that version"
    )]
    Newer {
        path: String,
        found: i64,
        known: i64,
    },
    #[error(
        "the ledger {path} has schema {found}, this hookyard knows {known}; start the host once, which brings it up to date"
    )]
    Older {
        path: String,
        found: i64,
        known: i64,
    },
}

/// Opens the ledger for writing and starts its threads. The folder is locked, and no other process has the database
/// open after an unclean end: the caller has seen to that.
///
/// Before this returns, all that an earlier process committed is on disk, so that no duplicate is answered because of
/// a commit that a power cut could still take back.
pub fn open(folder: &Folder, samples: &[String], desk: Arc<Desk>) -> Result<Opened, OpenError> {
    let (connection, dictionary) = prepare(folder, samples)?;
    let path = folder.database();
    let at = |cause| OpenError::Sqlite {
        path: path.display().to_string(),
        cause,
    };
    let io = |cause| OpenError::Io {
        path: path.display().to_string(),
        cause,
    };
    let queue = Arc::new(Queue::default());
    let arrivals = Arc::new(Arrivals::default());
    let checkpointer = checkpoint::Checkpointer::start(folder, queue.clone()).map_err(io)?;
    let writer = writer::Writer::new(
        connection,
        queue.clone(),
        arrivals.clone(),
        checkpointer.signal,
        InPlace::of(folder).map_err(io)?,
    )
    .map_err(at)?;
    let writer = std::thread::Builder::new()
        .name("ledger-writer".into())
        .spawn(move || writer.run())
        .map_err(io)?;
    let threads = Threads {
        writer,
        checkpointer: checkpointer.thread,
    };
    Ok(Opened {
        ledger: Ledger { queue, desk },
        dictionary,
        arrivals,
        threads,
    })
}

/// Opens a ledger whose writer is in a test's hand.
#[cfg(test)]
pub(crate) fn open_by_hand(
    folder: &Folder,
    samples: &[String],
    desk: Arc<Desk>,
) -> Result<(Ledger, Dictionary, Arc<Arrivals>, writer::ByHand), OpenError> {
    let (connection, dictionary) = prepare(folder, samples)?;
    let queue = Arc::new(Queue::default());
    let arrivals = Arc::new(Arrivals::default());
    let signal = checkpoint::Signal::to_nobody();
    let path = folder.database().display().to_string();
    let in_place = InPlace::of(folder).map_err(|cause| OpenError::Io {
        path: path.clone(),
        cause,
    })?;
    let writer = writer::Writer::new(
        connection,
        queue.clone(),
        arrivals.clone(),
        signal,
        in_place,
    )
    .map_err(|cause| OpenError::Sqlite { path, cause })?;
    let ledger = Ledger { queue, desk };
    Ok((ledger, dictionary, arrivals, writer::ByHand::new(writer)))
}

#[cfg(test)]
pub(crate) use writer::ByHand;

/// The write connection to a ledger that is up to date, and whose log is in the database.
fn prepare(folder: &Folder, samples: &[String]) -> Result<(Connection, Dictionary), OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::SqliteTooOld(rusqlite::version()));
    }
    let path = folder.database();
    let at = |cause| OpenError::Sqlite {
        path: path.display().to_string(),
        cause,
    };
    folder.make_database().map_err(|cause| OpenError::Io {
        path: path.display().to_string(),
        cause,
    })?;
    let mut connection = connect(folder).map_err(at)?;
    connection
        .pragma_update(None, "auto_vacuum", "INCREMENTAL")
        .map_err(at)?;
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(at)?;
    migrate::migrate(&mut connection, &path)?;
    checkpoint::truncate(&connection).map_err(at)?;
    let dictionary = dictionary(&connection, samples).map_err(at)?;
    Ok((connection, dictionary))
}

/// A connection that writes: every commit syncs the log, nobody checkpoints unasked.
fn connect(folder: &Folder) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(folder.database(), flags)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // The last one to close would checkpoint too, even after a sync that failed, and then delete the log.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -CACHE_SIZE_KIB)?;
    connection.pragma_update(None, "journal_size_limit", WAL_SIZE_BYTES_KEPT)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// The newest dictionary; a new ledger trains its first one.
fn dictionary(connection: &Connection, samples: &[String]) -> rusqlite::Result<Dictionary> {
    use rusqlite::OptionalExtension;
    let newest = connection
        .query_row(
            "SELECT id, bytes FROM dictionaries ORDER BY id DESC LIMIT 1",
            [],
            |row| Ok(Dictionary::new(row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some(it) = newest {
        return Ok(it);
    }
    let bytes = Dictionary::train(samples);
    connection.execute(
        "INSERT INTO dictionaries (id, bytes) VALUES (1, ?1)",
        [&bytes],
    )?;
    Ok(Dictionary::new(1, bytes))
}

/// What an error of SQLite means for the ledger.
enum Verdict {
    /// This request cannot be done; others can.
    Refused(String),
    /// No room: nothing was written, later may go.
    DiskFull,
    /// What is on disk is no longer known: stop.
    Untrusted(String),
}

fn judge(error: &rusqlite::Error) -> Verdict {
    use rusqlite::ErrorCode as Code;
    match error {
        rusqlite::Error::SqliteFailure(cause, _) => match cause.code {
            Code::DiskFull => Verdict::DiskFull,
            // The shared index could not grow: it holds nothing durable, and it is disk space all the same.
            Code::SystemIoFailure if cause.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => {
                Verdict::DiskFull
            }
            Code::ConstraintViolation | Code::TooBig | Code::TypeMismatch => {
                Verdict::Refused(error.to_string())
            }
            _ => Verdict::Untrusted(error.to_string()),
        },
        _ => Verdict::Refused(error.to_string()),
    }
}

impl From<Verdict> for LedgerError {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Refused(why) => Self::Refused(why),
            Verdict::DiskFull => Self::DiskFull,
            Verdict::Untrusted(why) => Self::Failed(why.into()),
        }
    }
}
