//! The data folder: one process writes in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tracing::warn;

/// A data folder, not yet locked.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// Held by the one process that may write; gone when it ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
    _folder: Option<File>,
}

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("cannot use the data folder {path}: {cause}")]
    Io { path: PathBuf, cause: io::Error },
    #[error(
        "the data folder {path} is in use by {by}; one host writes to a data folder: stop that one, or give another folder with --data"
    )]
    InUse { path: PathBuf, by: String },
}

impl Folder {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn database(&self) -> PathBuf {
        self.0.join("ledger.db")
    }

    /// The database, its log and the log's index.
    pub fn ledger_files(&self) -> [PathBuf; 3] {
        ["ledger.db", "ledger.db-wal", "ledger.db-shm"].map(|it| self.0.join(it))
    }

    /// Makes the database's file if need be, for its owner alone: SQLite would make it as the umask says, and gives the
    /// log and its index the database's mode. Files that are there already are narrowed: a copy that was put back may
    /// have the mode that `cp` or an archive gave it, and events are nobody else's business.
    pub(super) fn make_database(&self) -> io::Result<()> {
        for path in self.ledger_files().iter().chain([&self.running()]) {
            narrow(path)?;
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.database())
            .map(drop)
    }

    pub fn control_socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// Names the runs that are in an engine right now.
    pub fn running(&self) -> PathBuf {
        self.0.join("running")
    }

    /// Makes the folder if need be (only for its owner) and takes its lock.
    pub fn lock(&self) -> Result<FolderLock, FolderError> {
        let io = |cause| FolderError::Io {
            path: self.0.clone(),
            cause,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .map_err(io)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.0.join("lock"))
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.take(20).read_to_string(&mut pid);
                return Err(FolderError::InUse {
                    path: self.0.clone(),
                    by: format!("process {}", pid.trim()),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(io(cause)),
        }
        // Whoever tidies up may delete the file, and its lock with it; the folder itself has one, too.
        let folder = File::open(&self.0).map_err(io)?;
        let folder = match folder.try_lock() {
            Ok(()) => Some(folder),
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::InUse {
                    path: self.0.clone(),
                    by: "another process (its file `lock` was deleted)".into(),
                });
            }
            // Some network file systems lock only files that are open for writing.
            Err(TryLockError::Error(_)) => None,
        };
        // Only for the message above. The disk may be full: the lock holds without it.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(FolderLock {
            _file: file,
            _folder: folder,
        })
    }

    /// The process that has the database's shared index open, if one has. Its index would vouch for pages that may
    /// never have reached the disk, so after an unclean end the host must wait until it is gone.
    pub fn other_user(&self) -> Option<i32> {
        /// SQLite's "dead man switch": every process with the index open holds a shared lock on this byte.
        const WAL_DEAD_MAN_SWITCH: u64 = 128;
        let index = self.0.join("ledger.db-shm");
        let file = OpenOptions::new().read(true).write(true).open(index).ok()?;
        let mut wanted = rustix::process::Flock::from(rustix::process::FlockType::WriteLock);
        wanted.start = WAL_DEAD_MAN_SWITCH;
        wanted.length = 1;
        let holder = rustix::process::fcntl_getlk(&file, &wanted)
            .ok()
            .flatten()?;
        holder.pid.map(|it| it.as_raw_nonzero().get())
    }

    /// The host that has the folder, as far as that can be told without taking anything from it.
    pub fn host(&self) -> Option<i32> {
        let pid = fs::read_to_string(self.0.join("lock"))
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let process = rustix::process::Pid::from_raw(pid)?;
        let lives = rustix::process::test_kill_process(process).is_ok();
        (lives && self.other_user().is_some()).then_some(pid)
    }

    /// Whether the last host ended without putting its log into the database.
    pub fn ended_uncleanly(&self) -> bool {
        fs::metadata(self.0.join("ledger.db-wal")).is_ok_and(|it| it.len() > 0)
    }
}

/// Takes everybody's rights but the owner's from a file, and says so.
fn narrow(path: &Path) -> io::Result<()> {
    const OTHERS: u32 = 0o077;
    let mode = match fs::metadata(path) {
        Ok(it) => it.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let shown = path.display();
    match fs::set_permissions(path, fs::Permissions::from_mode(mode & !OTHERS)) {
        Ok(()) => warn!(
            "{shown} could be used by others (mode {mode:o}): it is its owner's alone now (mode {:o})",
            mode & !OTHERS
        ),
        // Another one's file, or a file system that knows no modes. To refuse the start would lose more.
        Err(error) => warn!(
            %error,
            "{shown} can be used by others (mode {mode:o}), and that cannot be changed: {error}"
        ),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_of_one_folder_names_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().join("data"));
        let lock = folder.lock().unwrap();
        let refused = folder.lock().unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        std::fs::remove_file(folder.path().join("lock")).unwrap();
        let refused = folder.lock().unwrap_err().to_string();
        assert!(refused.contains("in use by another process"), "{refused}");
        drop(lock);
        folder.lock().unwrap();
    }
}
