//! What a look at the files shows without reading them: a look that finds the same again has nothing to do.

use super::Location;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use xxhash_rust::xxh3::Xxh3Default;

/// The most scripts below the folder.
const SCRIPTS_MAX: usize = 5_000;
/// The most files and folders below scripts/, whatever they are: a link may lead to the whole disk.
const ENTRIES_MAX: usize = 20_000;
/// How deep folders below scripts/ may go.
pub(super) const DEPTH_MAX: usize = 8;
/// The most folders that are watched; what lies in others is seen by the look from time to time.
const FOLDERS_MAX: usize = 1_000;
/// Two saves can come in one tick of the clock that files are dated with: a younger date vouches for nothing.
const VOUCHES_AFTER: Duration = Duration::from_millis(100);

/// Which files there are, with their inodes, sizes and dates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    hash: u64,
    newest_s_ns: (i64, i64),
    /// Files that handlers.toml names with `${file:…}`.
    pub(super) named: Vec<String>,
}

/// Scripts that a stamp has come by, as messages name them and as the system does.
#[derive(Default)]
pub(super) struct Found {
    pub scripts: Vec<(String, PathBuf)>,
    /// The folders that were gone through: a script may come into any of them.
    pub folders: Vec<PathBuf>,
    /// The first one that is one too many, and what there is too much of.
    pub too_many: Option<(String, String)>,
    entries: usize,
    /// Device and inode of the folders that are being gone through, one inside the other.
    open: Vec<(u64, u64)>,
}

impl Stamp {
    /// Looks again, for the same named files.
    pub(super) fn again(&self, location: &Location) -> Self {
        let mut stamp = Self::begin(location);
        stamp.complete(location, self.named.clone());
        stamp
    }

    /// Whether files that look the same later are the same.
    pub(super) fn vouches(&self, now: SystemTime) -> bool {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).ok();
        let before = now.and_then(|it| it.checked_sub(VOUCHES_AFTER));
        before.is_some_and(|it| {
            let it_s = i64::try_from(it.as_secs()).unwrap_or(i64::MAX);
            self.newest_s_ns < (it_s, i64::from(it.subsec_nanos()))
        })
    }

    /// handlers.toml alone. It is to be read after this, and the rest after [`complete`](Self::complete): what changes
    /// while it is read must look other than it did.
    pub(super) fn begin(location: &Location) -> Self {
        let mut stamp = Self::default();
        let mut hash = Xxh3Default::new();
        stamp.look(location.config(), &mut hash);
        stamp.hash = hash.digest();
        stamp
    }

    pub(super) fn complete(&mut self, location: &Location, named: Vec<String>) -> Found {
        let mut hash = Xxh3Default::new();
        hash.update(&self.hash.to_le_bytes());
        for it in &named {
            self.look(&location.root().join(it), &mut hash);
        }
        self.named = named;
        let mut found = Found::default();
        self.walk(location, &location.scripts(), &mut found, &mut hash);
        self.hash = hash.digest();
        found
    }

    fn walk(
        &mut self,
        location: &Location,
        folder: &Path,
        found: &mut Found,
        hash: &mut Xxh3Default,
    ) {
        let itself = fs::metadata(folder).map_or((0, 0), |it| (it.dev(), it.ino()));
        // Its inode: a folder that was made anew is another one, and has to be watched.
        hash.update(&itself.1.to_le_bytes());
        // A link that leads back to where it lies has nothing that is not there already.
        if found.open.len() > DEPTH_MAX || found.open.contains(&itself) {
            return;
        }
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        if found.folders.len() < FOLDERS_MAX {
            found.folders.push(folder.to_owned());
        }
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|it| it.ok().map(|it| it.path()))
            .take(ENTRIES_MAX + 1)
            .collect();
        paths.sort();
        found.open.push(itself);
        for path in paths {
            self.entry(location, path, found, hash);
            if found.too_many.is_some() {
                break;
            }
        }
        found.open.pop();
    }

    fn entry(
        &mut self,
        location: &Location,
        path: PathBuf,
        found: &mut Found,
        hash: &mut Xxh3Default,
    ) {
        let name = path.file_name().and_then(|it| it.to_str());
        let name = name.unwrap_or_default();
        // Editors and Kubernetes keep their own things beside the files.
        if name.starts_with('.') {
            return;
        }
        found.count(location, &path);
        let is_script = name.ends_with(".rhai");
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => self.walk(location, &path, found, hash),
            Ok(metadata) if is_script => {
                hash.update(path.as_os_str().as_encoded_bytes());
                self.note(&metadata, hash);
                found.add(location, path);
            }
            Err(_) if is_script => {
                hash.update(path.as_os_str().as_encoded_bytes());
                found.add(location, path);
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn look(&mut self, path: &Path, hash: &mut Xxh3Default) {
        hash.update(path.as_os_str().as_encoded_bytes());
        match fs::metadata(path) {
            Ok(it) => self.note(&it, hash),
            Err(error) => hash.update(error.to_string().as_bytes()),
        }
    }

    /// The date of change cannot be set by anybody, unlike that of modification.
    fn note(&mut self, it: &Metadata, hash: &mut Xxh3Default) {
        let changed_s_ns = (it.ctime(), it.ctime_nsec());
        self.newest_s_ns = self.newest_s_ns.max(changed_s_ns);
        for number in [it.dev(), it.ino(), it.size()] {
            hash.update(&number.to_le_bytes());
        }
        for number in [changed_s_ns.0, changed_s_ns.1, it.mtime(), it.mtime_nsec()] {
            hash.update(&number.to_le_bytes());
        }
    }
}

impl Found {
    fn count(&mut self, location: &Location, path: &Path) {
        self.entries += 1;
        if self.entries > ENTRIES_MAX {
            let why = format!(
                "there are more than {ENTRIES_MAX} files and folders in scripts/: does a link lead out of it?"
            );
            self.too_many.get_or_insert((shown(location, path), why));
        }
    }

    fn add(&mut self, location: &Location, path: PathBuf) {
        if self.scripts.len() < SCRIPTS_MAX {
            self.scripts.push((shown(location, &path), path));
        } else {
            let why = format!("there are more than {SCRIPTS_MAX} scripts");
            self.too_many.get_or_insert((shown(location, &path), why));
        }
    }
}

/// Whether a script, as messages name it, lies where the walk does not come.
pub(super) fn is_too_deep(shown: &str) -> bool {
    // scripts/ and the script itself are no folders in between.
    DEPTH_MAX + 2 < Path::new(shown).components().count()
}

/// As messages name it.
fn shown(location: &Location, path: &Path) -> String {
    let from_root = path.strip_prefix(location.root()).unwrap_or(path);
    from_root.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::Files;
    use std::os::unix::fs::symlink;

    fn scene() -> (tempfile::TempDir, Location) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("scripts")).unwrap();
        fs::write(dir.path().join("scripts/a.rhai"), "1").unwrap();
        fs::write(dir.path().join("secret"), "1").unwrap();
        let location = Location::new(dir.path().join("handlers.toml"));
        fs::write(location.config(), "x = \"${file:secret}\"").unwrap();
        (dir, location)
    }

    #[test]
    fn files_that_nobody_touched_look_the_same() {
        let (_dir, location) = scene();
        let stamp = Files::read(&location).stamp;
        assert_eq!(stamp.again(&location), stamp);
    }

    #[test]
    fn whatever_happens_to_a_file_shows() {
        type Happens = fn(&Path);
        let all: [Happens; 7] = [
            |root| fs::write(root.join("handlers.toml"), "x = \"${file:other}\"").unwrap(),
            |root| fs::write(root.join("scripts/a.rhai"), "22").unwrap(),
            |root| fs::write(root.join("scripts/b.rhai"), "1").unwrap(),
            |root| fs::remove_file(root.join("scripts/a.rhai")).unwrap(),
            |root| fs::rename(root.join("secret"), root.join("scripts/a.rhai")).unwrap(),
            |root| fs::write(root.join("secret"), "22").unwrap(),
            |root| {
                fs::rename(root.join("scripts"), root.join("old")).unwrap();
                fs::create_dir(root.join("scripts")).unwrap();
                fs::rename(root.join("old/a.rhai"), root.join("scripts/a.rhai")).unwrap();
            },
        ];
        for (at, happens) in all.into_iter().enumerate() {
            let (dir, location) = scene();
            let stamp = Files::read(&location).stamp;
            happens(dir.path());
            assert_ne!(stamp.again(&location), stamp, "{at}");
        }
    }

    #[test]
    fn links_that_lead_back_show_no_script_twice() {
        let (dir, location) = scene();
        symlink(".", dir.path().join("scripts/here")).unwrap();
        symlink("..", dir.path().join("scripts/up")).unwrap();
        let files = Files::read(&location);
        assert_eq!(
            files.sources.0.keys().collect::<Vec<_>>(),
            ["scripts/a.rhai"]
        );
    }

    #[test]
    fn a_link_to_very_much_is_told_and_not_gone_through() {
        let (dir, location) = scene();
        let much = tempfile::tempdir().unwrap();
        for at in 0..150 {
            let folder = much.path().join(at.to_string());
            fs::create_dir(&folder).unwrap();
            for file in 0..150 {
                fs::write(folder.join(file.to_string()), "").unwrap();
            }
        }
        symlink(much.path(), dir.path().join("scripts/z")).unwrap();
        let files = Files::read(&location);
        assert!(files.sources.0.contains_key("scripts/a.rhai"));
        let [it] = &files.problems[..] else {
            panic!("{:?}", files.problems)
        };
        assert!(it.file.starts_with("scripts/z/"), "{it:?}");
        assert!(it.message.contains("more than 20000 files"), "{it:?}");
    }

    #[test]
    fn a_file_of_just_now_vouches_for_nothing() {
        let (_dir, location) = scene();
        let stamp = Files::read(&location).stamp;
        let now = SystemTime::now();
        assert!(!stamp.vouches(now));
        assert!(stamp.vouches(now + Duration::from_secs(1)));
    }
}
