//! The data folder of `dev`: never one that a real host works with.

use crate::cli::Places;
use crate::config::Secret;
use crate::ledger::folder::Folder;
use crate::reload::{Location, Rehearsal, new_signing_secret};
use anyhow::{Context, ensure};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where it is unless --data says otherwise.
pub(in crate::cli) const DATA: &str = ".hookyard-dev";

/// A data folder with a signing secret of its own, which stays the same from start to start.
pub(super) struct DevFolder {
    pub(super) folder: Folder,
    pub(super) signing_secret: Secret,
}

impl DevFolder {
    /// Makes it if need be.
    pub(super) fn open(folder: Folder) -> anyhow::Result<Self> {
        let path = folder.path();
        let secret = secret_file(path);
        ensure!(
            secret.exists() || !folder.database().exists(),
            "the data folder {} is that of a real host, and `dev` would fill it with samples: name another one with --data",
            path.display()
        );
        make(path, &secret).with_context(|| format!("cannot use the folder {}", path.display()))?;
        let signing_secret = read(&secret)
            .with_context(|| format!("{} holds no signing secret: remove it", secret.display()))?;
        Ok(Self {
            folder,
            signing_secret,
        })
    }
}

/// Where the files are; those of a rehearsal if the data folder is one of `dev`, so that commands see what it sees.
pub(in crate::cli) fn location_of(places: &Places) -> Location {
    /// Commands that look make no calls.
    const NOWHERE: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);
    match read(&secret_file(&places.data)) {
        Some(it) => places
            .location()
            .rehearsed(Arc::new(Rehearsal::new(it, NOWHERE))),
        None => places.location(),
    }
}

fn secret_file(folder: &Path) -> PathBuf {
    folder.join("signing_secret")
}

fn read(secret: &Path) -> Option<Secret> {
    let text = fs::read_to_string(secret).ok()?;
    let text = text.trim();
    text.starts_with("whsec_").then(|| Secret::new(text))
}

fn make(folder: &Path, secret: &Path) -> std::io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    // Nobody wants samples in his repository.
    write_new(&folder.join(".gitignore"), "*\n")?;
    write_new(secret, &format!("{}\n", new_signing_secret()))
}

/// Writes a file for its owner alone, unless it is there.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(mut it) => it.write_all(text.as_bytes()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signing_secret_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let open = || DevFolder::open(Folder::new(dir.path().join("dev"))).unwrap();
        let first = open().signing_secret;
        assert_eq!(first, open().signing_secret);
        assert_eq!(first.reveal().len(), "whsec_".len() + 64);
    }

    #[test]
    fn the_data_of_a_real_host_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        fs::write(folder.database(), "").unwrap();
        let refused = DevFolder::open(folder).err().unwrap().to_string();
        assert!(refused.contains("--data"), "{refused}");
        assert!(!secret_file(dir.path()).exists());
    }
}
