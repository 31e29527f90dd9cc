//! The two-phase checkpoint: a thread copies the log into the database and syncs it, a slice at a time, as the log grows;
//! once the log is long the writer, between two commits, copies the little that is left, after which the log begins anew.
//!
//! SQLite syncs the database file only when a checkpoint reaches the last frame, which a thread beside a busy writer
//! never does. Without a sync of its own the writer's short rest would flush everything: stalls of 20 to 40 ms. And
//! without slices the thread's sync would keep the disk busy for 70 ms, in which every commit waits behind it.

use super::super::LedgerError;
use super::super::folder::Folder;
use super::super::queue::Queue;
use rusqlite::Connection;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Frames in the log at which it is to begin anew: 64 MiB of pages.
const FRAMES_BEFORE_CHECKPOINT: i64 = 16_000;
/// Frames by which the log grows before the next slice of it is copied.
const FRAMES_PER_SLICE: i64 = 500;
/// Under a load that fills the disk larger slices cost less: pages that change all the time are copied with each.
const BETWEEN_SLICES: Duration = Duration::from_millis(70);
/// Frames that the writer copies itself.
const FRAMES_LEFT_TO_WRITER_MAX: i64 = 50;
/// Passes before the rest is left to the writer, however long it is: the log must not grow without end.
const PASSES_MAX: usize = 10;

/// The thread that copies the bulk.
pub(super) struct Checkpointer {
    pub thread: JoinHandle<()>,
    pub signal: Signal,
}

/// The writer's side.
pub(super) struct Signal {
    start: SyncSender<()>,
    /// Frames in the log when the last slice was asked for.
    asked_at_frames: i64,
    asked_at: Instant,
    finish: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
}

/// What a pass found: frames in the log, and how many of them are in the database.
struct Progress {
    log: i64,
    copied: i64,
}

impl Checkpointer {
    pub(super) fn start(folder: &Folder, queue: Arc<Queue>) -> io::Result<Self> {
        let connection = super::connect(folder).map_err(io::Error::other)?;
        // Closing any descriptor of the file would drop the locks that SQLite holds on it: this one lives as long as
        // the thread, which outlives the writer.
        let database = File::options()
            .read(true)
            .write(true)
            .open(folder.database())?;
        let (start, started) = sync_channel(1);
        let finish = Arc::new(AtomicBool::new(false));
        let failed = Arc::new(AtomicBool::new(false));
        let signal = Signal {
            start,
            asked_at_frames: 0,
            asked_at: Instant::now(),
            finish: finish.clone(),
            failed: failed.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("ledger-checkpoint".into())
            .spawn(move || {
                if let Err(why) = copy_when_asked(&connection, &database, &started, &finish) {
                    tracing::error!(
                        "the ledger stops: {why}; nothing is lost that was answered 200"
                    );
                    failed.store(true, Ordering::Release);
                    // Nobody needs to post for the host to end.
                    queue.close(LedgerError::Failed(why.into()));
                }
            })?;
        Ok(Self { thread, signal })
    }
}

impl Signal {
    /// Nobody copies.
    #[cfg(test)]
    pub(super) fn to_nobody() -> Self {
        Self {
            start: sync_channel(1).0,
            asked_at_frames: 0,
            asked_at: Instant::now(),
            finish: Arc::default(),
            failed: Arc::default(),
        }
    }

    /// Asks for the next slice once the log is that much longer. Called after each commit, by the writer alone.
    pub(super) fn after_commit(&mut self, frames_in_log: i64) {
        let grown = if frames_in_log < self.asked_at_frames {
            // The log has begun anew.
            frames_in_log
        } else {
            frames_in_log - self.asked_at_frames
        };
        if grown < FRAMES_PER_SLICE || self.asked_at.elapsed() < BETWEEN_SLICES {
            return;
        }
        (self.asked_at_frames, self.asked_at) = (frames_in_log, Instant::now());
        // A full channel means that the thread has not even begun with the one before.
        let _ = self.start.try_send(());
    }

    /// Whether the bulk is copied and the writer is to do the rest now.
    pub(super) fn take_finish(&self) -> bool {
        self.finish.swap(false, Ordering::AcqRel)
    }

    /// Whether a sync of the database failed: nothing that it holds can be trusted until the next start.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

/// An error means that what the database file holds can no longer be trusted.
fn copy_when_asked(
    connection: &Connection,
    database: &File,
    started: &Receiver<()>,
    finish: &AtomicBool,
) -> Result<(), String> {
    while started.recv().is_ok() {
        let mut passes = 0;
        loop {
            passes += 1;
            let progress = passive(connection);
            // Even when the pass was cut short, what it wrote must be seen to reach the disk, or not.
            if let Err(error) = database.sync_data() {
                return Err(format!("the database file could not be synced: {error}"));
            }
            match progress {
                // One slice of a log that may still grow.
                Ok(it) if it.log < FRAMES_BEFORE_CHECKPOINT => break,
                Ok(it)
                    if it.log - it.copied <= FRAMES_LEFT_TO_WRITER_MAX || passes == PASSES_MAX =>
                {
                    finish.store(true, Ordering::Release);
                    let left = it.log - it.copied;
                    tracing::debug!(
                        left,
                        "the log is copied but for {left} frames, which the writer copies"
                    );
                    break;
                }
                Ok(_) => {}
                Err(error) => {
                    match super::judge(&error) {
                        super::Verdict::DiskFull | super::Verdict::Refused(_) => {
                            tracing::warn!(%error, "a checkpoint was cut short: {error}");
                        }
                        super::Verdict::Untrusted(why) => {
                            return Err(format!("a checkpoint failed: {why}"));
                        }
                    }
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Copies what can be copied without waiting for anyone.
pub(super) fn finish(connection: &Connection) -> rusqlite::Result<()> {
    passive(connection).map(|_| ())
}

/// Copies the whole log into the database, syncs it, and empties the log. Nobody else may be at work.
pub(super) fn truncate(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn passive(connection: &Connection) -> rusqlite::Result<Progress> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(Progress {
            log: row.get(1)?,
            copied: row.get(2)?,
        })
    })
}
