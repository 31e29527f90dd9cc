//! Sees that files changed: the system's watch, and a look from time to time as a net below it.

use super::{Location, Reloader};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Changes that come closer together than this are looked at once.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// A change that the system did not tell is seen after this time.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Symbolic links on the way to one file; the system follows no more either.
const LINKS_MAX: usize = 40;

/// Folders by their real path, each with its inode: one that was made anew is another one.
type Folders = BTreeMap<PathBuf, u64>;

/// Reloads when files change, or when `asked` rings, until shutdown.
pub async fn watch(reloader: Arc<Reloader>, asked: Arc<Notify>, shutdown: CancellationToken) {
    let changed = Arc::new(Notify::new());
    let mut watched = Folders::new();
    let mut watcher = {
        let changed = changed.clone();
        notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Whoever reads a file opens it; we do.
            if event.is_ok_and(|it| !is_look(it.kind)) {
                changed.notify_one();
            }
        })
    };
    if let Err(error) = &watcher {
        warn!(%error, "files cannot be watched, they are looked at every {LOOK_EVERY:?}: {error}");
    }
    loop {
        if let Ok(watcher) = &mut watcher
            && let Ok(wanted) = wanted(&reloader).await
            && renew(watcher, &mut watched, wanted)
        {
            // What happened in a folder before it was watched was not told.
            changed.notify_one();
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = changed.notified() => {
                tokio::time::sleep(DEBOUNCE).await;
                reloader.reload(false).await;
            }
            () = asked.notified() => { reloader.reload(true).await; }
            () = tokio::time::sleep(LOOK_EVERY) => { reloader.reload(false).await; }
        }
    }
}

fn is_look(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(it) => it != AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => false,
    }
}

/// Watches the folders that are wanted, and no others; whether one is new. Folders come and go with saves.
fn renew(watcher: &mut impl Watcher, watched: &mut Folders, wanted: Folders) -> bool {
    for (gone, _) in watched.iter().filter(|it| wanted.get(it.0) != Some(it.1)) {
        // A folder that was deleted is watched no more anyway.
        let _ = watcher.unwatch(gone);
    }
    let mut has_new = false;
    let mut now = Folders::new();
    for (folder, inode) in wanted {
        let is_known = watched.get(&folder) == Some(&inode);
        if is_known || watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok() {
            has_new |= !is_known;
            now.insert(folder, inode);
        }
    }
    *watched = now;
    has_new
}

/// Looking for them takes the system's answer for each.
async fn wanted(reloader: &Reloader) -> Result<Folders, String> {
    let location = reloader.location().clone();
    let (paths, within) = reloader.places();
    let look = move || folders(&location, &paths, &within);
    reloader.look_at_files(look).await
}

/// The folders whose files count or may come to lie in, and those that symbolic links on the way to them lie in.
///
/// Each by its real path only: the system knows one watch a folder, and whoever ends it under one name ends it under all.
fn folders(location: &Location, paths: &[PathBuf], within: &[PathBuf]) -> Folders {
    let mut folders = Folders::new();
    let mut parents: BTreeSet<&Path> = within.iter().map(PathBuf::as_path).collect();
    for path in paths {
        // A thousand scripts lie in few folders: only a link has a way of its own.
        match path.parent() {
            Some(parent) if !path.is_symlink() => {
                parents.insert(parent);
            }
            Some(_) | None => add_way_to(path, &mut folders),
        }
    }
    for it in parents {
        add_way_to(&it.join("any"), &mut folders);
    }
    add_way_to(location.config(), &mut folders);
    add_way_to(&location.scripts().join("any"), &mut folders);
    folders
}

/// The folder that a file lies in, and that of each link on the way to it.
fn add_way_to(path: &Path, folders: &mut Folders) {
    let mut add = |folder: &Path| {
        if let Ok(real) = folder.canonicalize()
            && let Ok(it) = real.metadata()
            && it.is_dir()
        {
            folders.insert(real, it.ino());
        }
    };
    let Ok(mut path) = std::path::absolute(path) else {
        return;
    };
    for _ in 0..LINKS_MAX {
        let outermost = path.ancestors().filter(|it| it.is_symlink()).last();
        let Some((link, target)) = outermost.and_then(|it| Some((it, it.read_link().ok()?))) else {
            break;
        };
        let Some(parent) = link.parent() else { break };
        add(parent);
        let target = parent.join(target);
        path = match path.strip_prefix(link) {
            Ok(rest) if !rest.as_os_str().is_empty() => target.join(rest),
            Ok(_) | Err(_) => target,
        };
    }
    if let Some(parent) = path.parent() {
        add(parent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn each_link_on_the_way_to_a_file_may_be_swapped() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for folder in ["mount", "mount/..v1", "at"] {
            fs::create_dir(root.join(folder)).unwrap();
        }
        fs::write(root.join("mount/..v1/a"), "").unwrap();
        symlink("..v1", root.join("mount/..data")).unwrap();
        symlink("../mount/..data/a", root.join("at/a")).unwrap();
        let mut folders = Folders::new();
        add_way_to(&root.join("at/a"), &mut folders);
        let expected = ["at", "mount", "mount/..v1"].map(|it| root.join(it));
        assert_eq!(folders.into_keys().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn links_that_lead_in_a_circle_come_to_an_end() {
        let dir = tempfile::tempdir().unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        let mut folders = Folders::new();
        add_way_to(&dir.path().join("a"), &mut folders);
        assert_eq!(folders.len(), 1);
    }

    #[test]
    fn a_folder_into_which_a_script_may_come_is_watched_too() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("scripts/deep/er")).unwrap();
        let location = Location::new(root.join("handlers.toml"));
        let files = crate::reload::Files::read(&location);
        let folders = folders(&location, &files.paths(), &files.folders);
        let expected = ["", "scripts", "scripts/deep", "scripts/deep/er"].map(|it| root.join(it));
        let expected = expected.map(|it| it.components().collect::<PathBuf>());
        assert_eq!(folders.into_keys().collect::<Vec<_>>(), expected);
    }
}
