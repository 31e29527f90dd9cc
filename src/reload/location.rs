//! Where handlers.toml and the scripts are.

use super::Rehearsal;
use super::files::read_bounded;
use super::looker::Looker;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most bytes of a file that `${file:…}` names.
const SECRET_SIZE_BYTES_MAX: u64 = 64 * 1024;

/// Where the files are.
#[derive(Clone, Debug)]
pub struct Location {
    /// handlers.toml, as it was given.
    config: PathBuf,
    /// The folder that script paths are relative to.
    root: PathBuf,
    rehearsal: Option<Arc<Rehearsal>>,
    /// One for all who look at these files.
    pub(super) looker: Looker,
}

impl Location {
    pub fn new(config: impl Into<PathBuf>) -> Self {
        let config = config.into();
        let root = match config.parent() {
            Some(it) if !it.as_os_str().is_empty() => it.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        Self {
            config,
            root,
            rehearsal: None,
            looker: Looker::default(),
        }
    }

    /// The same files, for a host that must reach nothing outside.
    #[must_use]
    pub fn rehearsed(mut self, rehearsal: Arc<Rehearsal>) -> Self {
        self.rehearsal = Some(rehearsal);
        self
    }

    pub(super) fn rehearsal(&self) -> Option<&Rehearsal> {
        self.rehearsal.as_deref()
    }

    pub fn config(&self) -> &Path {
        &self.config
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn scripts(&self) -> PathBuf {
        self.root.join("scripts")
    }

    /// handlers.toml as messages name it.
    pub fn name(&self) -> String {
        self.config.display().to_string()
    }

    /// The text of a file that holds a secret, or why it cannot be read.
    pub fn read_secret(&self, path: &Path) -> Result<String, String> {
        let whole = self.root.join(path);
        let text = read_bounded(&whole, SECRET_SIZE_BYTES_MAX).map_err(|it| {
            let why = it.why;
            if path.is_absolute() {
                why
            } else {
                format!("{why} (looked for at {})", whole.display())
            }
        })?;
        Ok(text
            .strip_suffix('\n')
            .map_or(text.as_str(), |it| it.strip_suffix('\r').unwrap_or(it))
            .to_owned())
    }
}
