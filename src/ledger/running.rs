//! Which runs are in an engine right now, in a small file that survives the process.
//!
//! A run that kills the process must not do so at every start. The file is written without a sync: it must survive the
//! end of the process, not a power cut, and what the kernel was given it keeps.
//!
//! A process that aborts (a stack overflow, no memory) has been ended from inside, most likely by what it ran; one that
//! is killed, by somebody who knows nothing of runs. So an abort leaves a mark behind the slots, and weighs more.

use crate::run::RunId;
use signal_hook::consts::SIGABRT;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What a run is blamed for when the process aborted while it was in an engine.
const BLAME_FOR_ABORT: u32 = 4;
/// For any other unclean end. The kernel kills, too, when memory is short.
const BLAME_FOR_KILL: u32 = 1;
/// Two aborts or eight kills: no chance.
pub const BLAME_MAX: u32 = 8;

/// A slot: the run's id, and what it was blamed for before.
const SLOT_SIZE_BYTES: usize = 16;
/// Slots of script threads: as many as `limits.script_threads` may be.
pub const THREADS_MAX: usize = 256;
/// Slots of suspects that have not run again yet, behind those of the threads. There are no more than threads were.
const PARKED_MAX: usize = THREADS_MAX;
const SLOTS_SIZE_BYTES: usize = SLOT_SIZE_BYTES * (THREADS_MAX + PARKED_MAX);

/// A run that was in an engine when the process ended uncleanly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    pub run: RunId,
    /// For all unclean ends so far, this one included.
    pub blame: u32,
}

/// The file, open.
pub struct Running {
    file: File,
}

impl Running {
    /// Opens the file and reads who was in an engine at the last end.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<Suspect>)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let mut bytes = vec![0; SLOTS_SIZE_BYTES];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        let is_marked = file.metadata()?.len() > SLOTS_SIZE_BYTES as u64;
        let for_this_end = if is_marked {
            BLAME_FOR_ABORT
        } else {
            BLAME_FOR_KILL
        };
        let named = bytes
            .chunks_exact(SLOT_SIZE_BYTES)
            .enumerate()
            .filter_map(|(slot, it)| {
                let run = i64::from_le_bytes(it[..8].try_into().ok()?);
                let before = u32::from_le_bytes(it[8..12].try_into().ok()?);
                // One that only waited for its turn has nothing to do with this end.
                let is_new = slot < THREADS_MAX;
                let blame = before.saturating_add(if is_new { for_this_end } else { 0 });
                (run != 0).then_some((RunId(run), blame))
            });
        // A suspect that was running stands in a thread's slot and among those that wait: what it has done since counts.
        let mut suspects: BTreeMap<RunId, u32> = BTreeMap::new();
        for (run, blame) in named {
            let most = suspects.entry(run).or_default();
            *most = blame.max(*most);
        }
        let suspects = suspects
            .into_iter()
            .map(|(run, blame)| Suspect { run, blame })
            .collect();
        Ok((Self { file }, suspects))
    }

    /// From now on an abort leaves its mark. Once a process, before the first script runs.
    pub fn mark_aborts(path: &Path) -> io::Result<()> {
        let mark = OpenOptions::new().append(true).open(path)?;
        signal_hook::low_level::pipe::register(SIGABRT, mark)?;
        // Whoever sends the signal from outside means the process to end.
        signal_hook::flag::register_conditional_default(SIGABRT, Arc::new(AtomicBool::new(true)))?;
        Ok(())
    }

    /// Says that the slot's thread is about to run this. Must be called before anything of the script happens.
    pub fn enter(&self, slot: usize, run: RunId, blame: u32) -> io::Result<()> {
        let mut bytes = [0; SLOT_SIZE_BYTES];
        bytes[..8].copy_from_slice(&run.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&blame.to_le_bytes());
        self.file
            .write_all_at(&bytes, (slot * SLOT_SIZE_BYTES) as u64)
    }

    /// Keeps suspects in mind that have not run again yet, and forgets all else. No thread may be in an engine.
    pub fn park(&self, suspects: &BTreeMap<RunId, u32>) -> io::Result<()> {
        let mut bytes = vec![0; SLOTS_SIZE_BYTES];
        let slots = bytes[SLOT_SIZE_BYTES * THREADS_MAX..].chunks_exact_mut(SLOT_SIZE_BYTES);
        for (slot, (run, blame)) in slots.zip(suspects) {
            slot[..8].copy_from_slice(&run.0.to_le_bytes());
            slot[8..12].copy_from_slice(&blame.to_le_bytes());
        }
        self.file.write_all_at(&bytes, 0)?;
        // Without the mark, if there is one.
        self.file.set_len(SLOTS_SIZE_BYTES as u64)
    }

    /// Says that the slot's thread is out of the engine again.
    pub fn leave(&self, slot: usize) -> io::Result<()> {
        self.file
            .write_all_at(&[0; SLOT_SIZE_BYTES], (slot * SLOT_SIZE_BYTES) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the file says at a start.
    #[track_caller]
    fn check(path: &Path, expected: &[(i64, u32)]) {
        let (_, suspects) = Running::open(path).unwrap();
        let found: Vec<(i64, u32)> = suspects.iter().map(|it| (it.run.0, it.blame)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn who_was_in_an_engine_at_the_end_is_suspect_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("running");
        let (running, suspects) = Running::open(&path).unwrap();
        assert_eq!(suspects, []);
        running.enter(0, RunId(10_001), 0).unwrap();
        running.enter(1, RunId(20_001), BLAME_FOR_KILL).unwrap();
        running.leave(0).unwrap();
        drop(running);
        check(&path, &[(20_001, BLAME_FOR_KILL * 2)]);
    }

    #[test]
    fn a_suspect_that_is_there_at_the_next_end_too_is_blamed_for_both() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("running");
        let (running, _) = Running::open(&path).unwrap();
        let suspects = BTreeMap::from([(RunId(10_001), 1), (RunId(20_001), 1)]);
        running.park(&suspects).unwrap();
        running.enter(THREADS_MAX - 1, RunId(10_001), 1).unwrap();
        drop(running);
        check(&path, &[(10_001, 1 + BLAME_FOR_KILL), (20_001, 1)]);
    }

    #[test]
    fn an_abort_weighs_more_and_only_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("running");
        let (running, _) = Running::open(&path).unwrap();
        running.park(&BTreeMap::new()).unwrap();
        running.enter(0, RunId(10_001), 0).unwrap();
        let mut mark = OpenOptions::new().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut mark, b"X").unwrap();
        check(&path, &[(10_001, BLAME_FOR_ABORT)]);
        let suspects = BTreeMap::from([(RunId(10_001), BLAME_FOR_ABORT)]);
        running.park(&suspects).unwrap();
        running.enter(0, RunId(10_001), BLAME_FOR_ABORT).unwrap();
        check(&path, &[(10_001, BLAME_FOR_ABORT + BLAME_FOR_KILL)]);
    }
}
