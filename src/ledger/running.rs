//! Which runs are in an engine right now, in a small file that survives the process.
//!
//! A run that kills the process must not do so at every start. The file is written without a sync: it must survive the
//! end of the process, not a power cut, and what the kernel was given it keeps.

use crate::run::RunId;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A slot: the run's id, and how many ends of the process it has been in an engine for.
const SLOT_SIZE_BYTES: usize = 16;
/// Slots of script threads.
pub const THREADS_MAX: usize = 64;
/// Slots of suspects that have not run again yet, behind those of the threads.
const PARKED_MAX: usize = 64;

/// A run that was in an engine when the process ended uncleanly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    pub run: RunId,
    /// How many unclean ends it was there for, this one included.
    pub ends: u32,
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
            .open(path)?;
        let mut bytes = vec![0; SLOT_SIZE_BYTES * (THREADS_MAX + PARKED_MAX)];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        let suspects = bytes
            .chunks_exact(SLOT_SIZE_BYTES)
            .enumerate()
            .filter_map(|(slot, it)| {
                let run = i64::from_le_bytes(it[..8].try_into().ok()?);
                let ends = u32::from_le_bytes(it[8..12].try_into().ok()?);
                // One that only waited for its turn has nothing to do with this end.
                let this_end = u32::from(slot < THREADS_MAX);
                (run != 0).then_some(Suspect {
                    run: RunId(run),
                    ends: ends + this_end,
                })
            })
            .collect();
        Ok((Self { file }, suspects))
    }

    /// Says that the slot's thread is about to run this. Must be called before anything of the script happens.
    pub fn enter(&self, slot: usize, run: RunId, ends: u32) -> io::Result<()> {
        let mut bytes = [0; SLOT_SIZE_BYTES];
        bytes[..8].copy_from_slice(&run.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&ends.to_le_bytes());
        self.file
            .write_all_at(&bytes, (slot * SLOT_SIZE_BYTES) as u64)
    }

    /// Keeps suspects in mind that have not run again yet, and forgets all else. No thread may be in an engine.
    pub fn park(&self, suspects: &HashMap<RunId, u32>) -> io::Result<()> {
        let mut bytes = vec![0; SLOT_SIZE_BYTES * (THREADS_MAX + PARKED_MAX)];
        let slots = bytes[SLOT_SIZE_BYTES * THREADS_MAX..].chunks_exact_mut(SLOT_SIZE_BYTES);
        for (slot, (run, ends)) in slots.zip(suspects) {
            slot[..8].copy_from_slice(&run.0.to_le_bytes());
            slot[8..12].copy_from_slice(&ends.to_le_bytes());
        }
        self.file.write_all_at(&bytes, 0)
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

    #[test]
    fn who_was_in_an_engine_at_the_end_is_suspect_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("running");
        let (running, suspects) = Running::open(&path).unwrap();
        assert_eq!(suspects, []);
        running.enter(0, RunId(10_001), 0).unwrap();
        running.enter(1, RunId(20_001), 1).unwrap();
        running.leave(0).unwrap();
        drop(running);
        let (_, suspects) = Running::open(&path).unwrap();
        assert_eq!(
            suspects,
            [Suspect {
                run: RunId(20_001),
                ends: 2
            }]
        );
    }
}
