//! Sees that files changed: the system's watch, and a look from time to time as a net below it.

use super::{Files, Location, Reloader};
use notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, NoCache, new_debouncer_opt};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Changes that come closer together than this are looked at once.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// A change that the system did not tell is seen after this time.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Reloads when files change, or when `asked` rings, until shutdown.
pub async fn watch(reloader: Arc<Reloader>, asked: Arc<Notify>, shutdown: CancellationToken) {
    let changed = Arc::new(Notify::new());
    let mut watched = BTreeSet::new();
    let mut watcher = {
        let changed = changed.clone();
        new_debouncer_opt::<_, notify::RecommendedWatcher, NoCache>(
            DEBOUNCE,
            None,
            move |_: DebounceEventResult| changed.notify_one(),
            NoCache,
            notify::Config::default(),
        )
    };
    if let Err(error) = &watcher {
        warn!(%error, "files cannot be watched, they are looked at every {LOOK_EVERY:?}: {error}");
    }
    loop {
        if let Ok(watcher) = &mut watcher {
            // Folders come and go with saves: what is to be watched is found anew each time.
            let wanted = folders(reloader.location());
            for gone in watched.difference(&wanted) {
                let _ = watcher.unwatch(gone);
            }
            let mut now = BTreeSet::new();
            for folder in wanted {
                let is_watched = watched.contains(&folder) && folder.exists();
                if is_watched || watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok() {
                    now.insert(folder);
                }
            }
            watched = now;
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = changed.notified() => { reloader.reload(false).await; }
            () = asked.notified() => { reloader.reload(true).await; }
            () = tokio::time::sleep(LOOK_EVERY) => { reloader.reload(false).await; }
        }
    }
}

/// The folders whose files count, and those that symbolic links on the way to them lie in.
fn folders(location: &Location) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let files = Files::read(location);
    let mut add_file = |path: PathBuf| {
        if let Ok(real) = path.canonicalize() {
            folders.extend(real.parent().map(PathBuf::from));
        }
        folders.extend(path.parent().map(PathBuf::from));
    };
    add_file(
        location
            .root()
            .join(location.config().file_name().unwrap_or_default()),
    );
    for path in files.sources.0.keys() {
        add_file(location.root().join(path));
    }
    for path in files
        .handlers
        .iter()
        .flat_map(|it| super::files::named_files(it))
    {
        add_file(location.root().join(path));
    }
    folders.insert(location.scripts());
    folders.retain(|it| it.exists());
    folders
}
