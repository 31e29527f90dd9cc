//! Disk faults for a process that a test starts; `tests/faults/shim.c` says what each of them does.

use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{fs, io};

/// Environment that puts faults under a process. They can be combined.
#[derive(Clone, Debug)]
pub struct Faults {
    environment: Vec<(OsString, OsString)>,
}

impl Faults {
    pub fn none() -> Self {
        Self {
            environment: vec![("LD_PRELOAD".into(), library().into())],
        }
    }

    /// fsync and fdatasync of files whose path ends so fail with EIO from the `call`-th on, counted from 1.
    #[must_use]
    pub fn sync_fails_from(self, path_suffix: &str, call: u64) -> Self {
        self.set("FAULT_SYNC_SUFFIX", path_suffix)
            .set("FAULT_SYNC_FROM", call.to_string())
    }

    /// The next fsync of such a file fails with EIO each time `trigger` is created; it is removed by that.
    #[must_use]
    pub fn sync_fails_when(self, path_suffix: &str, trigger: &Path) -> Self {
        self.set("FAULT_SYNC_SUFFIX", path_suffix)
            .set("FAULT_SYNC_TRIGGER", trigger)
    }

    /// While `trigger` exists no write below `folder` finds room.
    #[must_use]
    pub fn full_while(self, folder: &Path, trigger: &Path) -> Self {
        self.set("FAULT_FULL_DIR", real(folder))
            .set("FAULT_FULL_TRIGGER", trigger)
    }

    /// With `full_while`: blocks that a file has already can still be written, as on a real full disk.
    #[must_use]
    pub fn full_for_growth_only(self) -> Self {
        self.set("FAULT_FULL_GROWTH", "1")
    }

    /// `twin` gets what a power cut would leave of `folder`, if the process is killed with SIGKILL. It starts as a copy.
    #[must_use]
    pub fn power(self, folder: &Path, twin: &Path, unsynced_percent: u8, seed: u32) -> Self {
        fs::create_dir_all(folder).expect("the folder can be made");
        copy_folder(folder, twin).expect("the folder can be copied");
        self.set("FAULT_POWER_FROM", real(folder))
            .set("FAULT_POWER_TO", real(twin))
            .set("FAULT_POWER_PERCENT", unsynced_percent.to_string())
            .set("FAULT_POWER_SEED", seed.to_string())
    }

    /// The process aborts after a write that puts `number` (8 bytes, little-endian) at `offset` of such a file; without
    /// an offset, after one that begins with it.
    #[must_use]
    pub fn abort_on_write(self, path_suffix: &str, number: u64, offset: Option<u64>) -> Self {
        let it = self
            .set("FAULT_ABORT_SUFFIX", path_suffix)
            .set("FAULT_ABORT_NUMBER", number.to_string());
        match offset {
            Some(offset) => it.set("FAULT_ABORT_OFFSET", offset.to_string()),
            None => it,
        }
    }

    /// While `trigger` exists whoever reads such a file waits.
    #[must_use]
    pub fn hang_while(self, path_suffix: &str, trigger: &Path) -> Self {
        self.set("FAULT_HANG_SUFFIX", path_suffix)
            .set("FAULT_HANG_TRIGGER", trigger)
    }

    /// For `Command::envs`.
    pub fn environment(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.environment
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    fn set(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.into(), value.as_ref().to_owned()));
        self
    }
}

/// Copies what is in `from` to `to`, which is made; files that are there are overwritten.
pub fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()))?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        // A socket of a host that was killed is no content.
    }
    Ok(())
}

fn real(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).expect("the folder can be made");
    folder.canonicalize().expect("the folder is there")
}

/// The shim, compiled once for each content of its sources.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
        let mut hasher = DefaultHasher::new();
        for name in ["shim.c", "power.h"] {
            fs::read(sources.join(name))
                .expect("the shim's sources are in the repository")
                .hash(&mut hasher);
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join(format!("shim-{:016x}.so", hasher.finish()));
        if !library.exists() {
            // Two test programs may do this at once; the rename makes either one's result whole.
            let partial = folder.join(format!("shim-{}.partial", std::process::id()));
            let mut compiler = Command::new("cc");
            compiler.args([
                "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread", "-o",
            ]);
            let status = compiler
                .arg(&partial)
                .arg(sources.join("shim.c"))
                .status()
                .expect("a C compiler is there");
            assert!(status.success(), "the shim does not compile");
            fs::rename(&partial, &library).expect("a file can be renamed in its folder");
        }
        library
    })
}
