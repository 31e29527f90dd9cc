//! Whether the ledger's files are still where a fresh start would look for them.

use super::folder::Folder;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the writer looks at all files when there is nothing to commit.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The first files of [`Folder::ledger_files`]: the database and its log. From these the index is made anew.
const HOLDING_EVENTS: usize = 2;

/// The open files of a ledger, by what the system knows them as. Files that are deleted, moved away or replaced stay
/// open and writable: every commit succeeds, and a restart finds none of them.
pub(super) struct InPlace {
    files: Vec<(PathBuf, Identity)>,
    looked_at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl InPlace {
    /// To be asked for once the files are open.
    pub(super) fn of(folder: &Folder) -> io::Result<Self> {
        let mut files = Vec::new();
        for path in folder.ledger_files() {
            match fs::metadata(&path) {
                Ok(it) => files.push((path, Identity::of(&it))),
                // SQLite makes the log and its index when it has need of them.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            files,
            looked_at: Instant::now(),
        })
    }

    /// What has become of the database or its log, when they are not in place any more. To be asked between each commit
    /// and its answers: two looks cost a hundredth of the sync before them.
    pub(super) fn lost(&self) -> Option<String> {
        self.look_at(&self.files[..self.files.len().min(HOLDING_EVENTS)])
    }

    /// The same for all files, the log's index too. Looks once in [`LOOK_EVERY`].
    pub(super) fn disturbed(&mut self) -> Option<String> {
        if self.looked_at.elapsed() < LOOK_EVERY {
            return None;
        }
        self.looked_at = Instant::now();
        self.look()
    }

    /// The same, now.
    pub(super) fn look(&self) -> Option<String> {
        self.look_at(&self.files)
    }

    fn look_at(&self, files: &[(PathBuf, Identity)]) -> Option<String> {
        files.iter().find_map(|(path, open)| {
            let what = match fs::metadata(path) {
                Ok(it) if Identity::of(&it) == *open => return None,
                Ok(_) => "was replaced by another file",
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was deleted or moved away",
                // Not to be looked at is not gone.
                Err(_) => return None,
            };
            Some(format!(
                "{} {what} while the host had it open, so that a restart would not find what is written now",
                path.display()
            ))
        })
    }
}

impl Identity {
    fn of(it: &fs::Metadata) -> Self {
        Self {
            device: it.dev(),
            inode: it.ino(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_deleted_or_replaced_is_not_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        let [database, log, _] = folder.ledger_files();
        fs::write(&database, "").unwrap();
        fs::write(&log, "").unwrap();
        let it = InPlace::of(&folder).unwrap();
        assert_eq!(it.look(), None);
        fs::write(&database, "grown").unwrap();
        assert_eq!((it.look(), it.lost()), (None, None));
        let aside = dir.path().join("aside");
        fs::rename(&log, &aside).unwrap();
        assert!(
            it.look()
                .unwrap()
                .contains("ledger.db-wal was deleted or moved away")
        );
        assert_eq!(it.lost(), it.look());
        fs::write(&log, "").unwrap();
        assert!(it.look().unwrap().contains("ledger.db-wal was replaced"));
        assert_eq!(it.lost(), it.look());
        fs::rename(&aside, &log).unwrap();
        assert_eq!(it.look(), None);
    }
}
