//! Looks at the files: cheap ones while nothing has changed, patient ones while somebody writes.

use super::stamp::Stamp;
use super::{Files, Reloader};
use std::path::PathBuf;
use std::time::Duration;
use tracing::warn;

/// Files that were looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Looked {
    pub(super) hash: Option<String>,
    pub(super) stamp: Stamp,
    /// All of them but handlers.toml.
    pub(super) paths: Vec<PathBuf>,
    /// Folders in which scripts lie, or may come to lie.
    pub(super) folders: Vec<PathBuf>,
}

impl Looked {
    pub(super) fn of(files: &Files) -> Self {
        Self {
            hash: Some(files.hash.clone()),
            stamp: files.stamp.clone(),
            paths: files.paths(),
            folders: files.folders.clone(),
        }
    }
}

impl Reloader {
    /// The cheap look: no file is read while all of them look as they did.
    pub(super) async fn looks_the_same(&self) -> bool {
        #[cfg(test)]
        if self.is_by_hand {
            return false;
        }
        let stamp = {
            let state = self.lock();
            if !state.vouches {
                return false;
            }
            state.seen.stamp.clone()
        };
        let location = self.location().clone();
        let looked = self.look_at_files(move || stamp.again(&location) == stamp);
        looked.await.unwrap_or(false)
    }

    /// The files once they have stood still: an editor empties a file before it writes it, and half of a script can be
    /// a good script.
    pub(super) async fn settled_files(&self) -> Result<Files, String> {
        const STILL_FOR: Duration = Duration::from_millis(40);
        const LOOKS_MAX: usize = 50;
        #[cfg(test)]
        if self.is_by_hand {
            return Ok(Files::read(self.location()));
        }
        let read = || {
            let location = self.location().clone();
            self.look_at_files(move || Files::read(&location))
        };
        let mut files = read().await?;
        let is_known = self.lock().seen.hash.as_deref() == Some(files.hash.as_str());
        for _ in 0..LOOKS_MAX {
            if is_known {
                break;
            }
            tokio::time::sleep(STILL_FOR).await;
            let again = read().await?;
            let is_still = again.hash == files.hash && again.stamp == files.stamp;
            files = again;
            if is_still {
                break;
            }
        }
        Ok(files)
    }

    /// In bounded time. That it cannot be done is logged when it begins to be so.
    pub(super) async fn look_at_files<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let looker = &self.location().looker;
        let is_known = looker.hangs().is_some();
        let looked = looker.look(look).await;
        if let Err(why) = &looked
            && !is_known
        {
            warn!("{why}");
        }
        looked
    }
}
