//! handlers.toml and all scripts, read whole at one moment.

use super::Location;
use super::looker::Looker;
use super::stamp::{DEPTH_MAX, Stamp, is_too_deep};
use crate::diagnostic::Diagnostic;
use crate::script::Sources;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The most bytes that handlers.toml may have.
const HANDLERS_SIZE_BYTES_MAX: u64 = 1024 * 1024;
/// The most bytes that a script may have.
const SCRIPT_SIZE_BYTES_MAX: u64 = 64 * 1024;

/// All that a version is made from.
#[derive(Clone, Debug)]
pub struct Files {
    pub location: Location,
    /// handlers.toml as messages name it.
    pub name: String,
    /// Its text, or why it cannot be read.
    pub handlers: Result<String, String>,
    /// All scripts, by their path from the root: `scripts/lib/money.rhai`.
    pub sources: Sources,
    /// The files that `${file:…}` names, or why they cannot be read.
    secrets: BTreeMap<String, Result<String, String>>,
    /// Folders in which scripts lie, or may come to lie.
    pub(super) folders: Vec<PathBuf>,
    /// Scripts that cannot be read.
    pub problems: Vec<Diagnostic>,
    /// Changes when anything of it changes.
    pub hash: String,
    /// What a look at the files themselves would show, taken before they were read.
    pub stamp: Stamp,
}

impl Files {
    pub fn read(location: &Location) -> Self {
        let mut stamp = Stamp::begin(location);
        // A line of it may hold a secret.
        let handlers = read_bounded(location.config(), HANDLERS_SIZE_BYTES_MAX)
            .map_err(|it| format!("it cannot be read: {}", it.why));
        let named = handlers.iter().flat_map(|it| named_files(it));
        let found = stamp.complete(location, named.map(str::to_owned).collect());
        let mut sources = BTreeMap::new();
        let mut problems = Vec::new();
        for (shown, path) in found.scripts {
            match read_script(&path) {
                Ok(text) => {
                    sources.insert(shown, text);
                }
                Err(it) => problems.push(it.in_file(shown)),
            }
        }
        if let Some((shown, why)) = found.too_many {
            problems.push(Diagnostic::of_file(shown, why));
        }
        let mut hasher = Sha256::new();
        let mut add = |text: &str| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        match &handlers {
            Ok(it) | Err(it) => add(it),
        }
        for (path, text) in &sources {
            add(path);
            add(text);
        }
        for it in &problems {
            add(&it.message);
        }
        let secrets: BTreeMap<_, _> = stamp
            .named
            .iter()
            .map(|it| read_named(location, it))
            .collect();
        for path in &stamp.named {
            let text = secrets.get(path).and_then(|it| it.as_ref().ok());
            add(text.map_or("", String::as_str));
        }
        let hash = hex::encode(hasher.finalize());
        Self {
            location: location.clone(),
            name: location.name(),
            handlers,
            sources: Sources(sources),
            secrets,
            folders: found.folders,
            problems,
            hash,
            stamp,
        }
    }

    /// The same for whoever may block, and not for ever.
    pub fn read_in_time(location: &Location) -> Result<Self, String> {
        let it = location.clone();
        location.looker.look_now(move || Self::read(&it))
    }

    /// What is known of files that could not be looked at.
    pub(super) fn unread(location: &Location, why: String) -> Self {
        Self {
            location: location.clone(),
            name: location.name(),
            handlers: Err(why),
            sources: Sources::default(),
            secrets: BTreeMap::new(),
            folders: Vec::new(),
            problems: Vec::new(),
            hash: String::new(),
            stamp: Stamp::default(),
        }
    }

    /// The same scripts with another handlers.toml. What that names is read here, where a look that hangs may be left
    /// behind already: at most one more, at a start.
    pub(super) fn with_handlers(mut self, text: String) -> Result<Self, String> {
        let named = named_files(&text).filter(|it| !self.secrets.contains_key(*it));
        let named: Vec<String> = named.map(str::to_owned).collect();
        if !named.is_empty() {
            let location = self.location.clone();
            let read = move || named.iter().map(|it| read_named(&location, it)).collect();
            let more: BTreeMap<_, _> = Looker::default().look_now(read)?;
            self.secrets.extend(more);
        }
        self.handlers = Ok(text);
        Ok(self)
    }

    /// What a file that `${file:…}` names held when all was read.
    pub(super) fn secret(&self, path: &Path) -> Result<String, String> {
        let known = path.to_str().and_then(|it| self.secrets.get(it));
        known
            .cloned()
            .unwrap_or_else(|| self.location.read_secret(path))
    }

    /// Why a script that something names is not among those that were read, if it is there.
    pub(super) fn why_missing(&self, path: &str) -> Option<Diagnostic> {
        let unreadable = self.problems.iter().find(|it| it.file == path);
        if let Some(it) = unreadable {
            return Some(it.clone());
        }
        let is_folder = self.folders.contains(&self.location.root().join(path));
        let why = if is_folder {
            "it is a folder, and no script".to_owned()
        } else if is_too_deep(path) {
            format!(
                "it is more than {DEPTH_MAX} folders deep in scripts/, where nothing is looked for"
            )
        } else {
            return None;
        };
        Some(Diagnostic::of_file(path, why))
    }

    /// Every file that counts, but handlers.toml itself.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let scripts = self.sources.0.keys().map(String::as_str);
        let unreadable = self.problems.iter().map(|it| it.file.as_str());
        let named = self.stamp.named.iter().map(String::as_str);
        scripts
            .chain(unreadable)
            .chain(named)
            .map(|it| self.location.root().join(it))
            .collect()
    }
}

/// The files that `${file:…}` names, however broken the rest is: a change of one is a change of the configuration.
fn named_files(text: &str) -> impl Iterator<Item = &str> {
    text.split("${file:")
        .skip(1)
        .filter_map(|it| it.split_once('}'))
        .map(|(path, _)| path)
}

fn read_named(location: &Location, path: &str) -> (String, Result<String, String>) {
    (path.to_owned(), location.read_secret(Path::new(path)))
}

/// Why a script cannot be used.
pub(super) struct Unusable {
    pub(super) why: String,
    help: Option<&'static str>,
    place: Option<Place>,
}

/// Where a file stops to be text.
struct Place {
    line: usize,
    column: usize,
    source_line: String,
}

impl Place {
    fn of(bytes: &[u8], at: usize) -> Self {
        let start = bytes[..at].iter().rposition(|it| *it == b'\n');
        let start = start.map_or(0, |it| it + 1);
        let end = bytes[at..]
            .iter()
            .position(|it| matches!(it, b'\n' | b'\r'));
        let end = end.map_or(bytes.len(), |it| at + it);
        Self {
            line: bytes[..at].iter().filter(|it| **it == b'\n').count() + 1,
            column: String::from_utf8_lossy(&bytes[start..at]).chars().count() + 1,
            source_line: String::from_utf8_lossy(&bytes[start..end]).into_owned(),
        }
    }
}

impl Unusable {
    fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            help: None,
            place: None,
        }
    }

    fn in_file(self, shown: String) -> Diagnostic {
        let mut it = Diagnostic::of_file(shown, self.why);
        if let Some(place) = self.place {
            (it.line, it.column) = (place.line, place.column);
            it.source_line = place.source_line;
        }
        match self.help {
            Some(help) => it.help(help),
            None => it,
        }
    }
}

fn read_script(path: &Path) -> Result<String, Unusable> {
    match read_bounded(path, SCRIPT_SIZE_BYTES_MAX) {
        // A save that is being written, or a disk that was full: never a script that does nothing.
        Ok(text) if text.trim().is_empty() => Err(Unusable {
            help: Some("write `skip(\"nothing to do\");` if it is to do nothing"),
            ..Unusable::new("the script is empty")
        }),
        Ok(text) => Ok(text),
        Err(it) => Err(Unusable {
            why: format!("it cannot be read: {}", it.why),
            ..it
        }),
    }
}

pub(super) fn read_bounded(path: &Path, size_bytes_max: u64) -> Result<String, Unusable> {
    let unread = |it: std::io::Error| Unusable::new(it.to_string());
    // To open a pipe would wait for whoever writes into it.
    let kind = fs::metadata(path).map_err(unread)?;
    if !kind.is_file() {
        return Err(Unusable::new("it is not a file"));
    }
    // A device may look like a file, and let whoever reads it wait for what it has to say.
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let flags = flags.try_into().unwrap_or_default();
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path);
    let file = opened.map_err(unread)?;
    let mut bytes = Vec::new();
    file.take(size_bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    if bytes.len() as u64 > size_bytes_max {
        return Err(Unusable::new(format!(
            "it has more than {size_bytes_max} bytes, which is the limit"
        )));
    }
    let bytes = bytes
        .strip_prefix(b"\xef\xbb\xbf")
        .map(<[u8]>::to_vec)
        .unwrap_or(bytes);
    String::from_utf8(bytes).map_err(|it| {
        let at = it.utf8_error().valid_up_to();
        let place = Place::of(it.as_bytes(), at);
        let line = place.line;
        Unusable {
            place: Some(place),
            ..Unusable::new(format!(
                "byte {} is not UTF-8, on line {line}; save it as UTF-8",
                at + 1
            ))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_named_from_the_folder_of_handlers_toml() {
        let dir = tempfile::tempdir().unwrap();
        let lib = dir.path().join("scripts/lib");
        fs::create_dir_all(&lib).unwrap();
        fs::write(lib.join("money.rhai"), "fn x() {}").unwrap();
        fs::write(lib.join(".money.rhai.swp"), "junk").unwrap();
        fs::write(dir.path().join("scripts/bad.rhai"), b"\xff").unwrap();
        let files = Files::read(&Location::new(dir.path().join("handlers.toml")));
        assert_eq!(
            files.sources.0.keys().collect::<Vec<_>>(),
            ["scripts/lib/money.rhai"]
        );
        assert!(files.handlers.is_err());
        assert_eq!(files.problems[0].file, "scripts/bad.rhai");
    }

    #[test]
    fn a_script_that_is_not_text_shows_its_line() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("scripts")).unwrap();
        fs::write(
            dir.path().join("scripts/bad.rhai"),
            b"let x = 1;\r\nskip(\"\xe9t\xe9\");\r\n",
        )
        .unwrap();
        let files = Files::read(&Location::new(dir.path().join("handlers.toml")));
        let it = &files.problems[0];
        assert_eq!((it.line, it.column), (2, 7));
        assert_eq!(it.source_line, "skip(\"\u{fffd}t\u{fffd}\");");
        assert_eq!(
            it.message,
            "it cannot be read: byte 19 is not UTF-8, on line 2; save it as UTF-8"
        );
    }

    #[test]
    fn the_hash_changes_with_the_content_and_not_with_the_time() {
        let dir = tempfile::tempdir().unwrap();
        let location = Location::new(dir.path().join("handlers.toml"));
        let secret = dir.path().join("secret");
        fs::write(&secret, "one\n").unwrap();
        fs::write(location.config(), "x = \"${file:secret}\"").unwrap();
        let hash = || Files::read(&location).hash;
        let first = hash();
        fs::write(location.config(), "x = \"${file:secret}\"").unwrap();
        assert_eq!(hash(), first);
        fs::write(&secret, "two\n").unwrap();
        assert_ne!(hash(), first);
    }
}
