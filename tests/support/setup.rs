//! What a host is started with: handlers.toml, scripts, environment.

use super::event::SECRET;
use super::host::PATH;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is in the folder and the environment of a host to be.
#[derive(Clone, Debug, Default)]
pub struct HostSetup {
    files: Vec<(String, String)>,
    environment: Vec<(OsString, OsString)>,
}

impl HostSetup {
    /// `config` is handlers.toml; without a `[server]` it listens on a free port.
    pub fn new(config: &str) -> Self {
        Self::default()
            .file("handlers.toml", &on_a_free_port(config))
            .env("STRIPE_WEBHOOK_SECRET", SECRET)
    }

    /// One endpoint at `PATH`, and one handler for these events that runs this script.
    pub fn one_handler(events: &str, collections: &str, script: &str) -> Self {
        Self::new(&format!(
            "[endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
             [handlers.only]\nevents = {events}\nscript = \"scripts/only.rhai\"\nrecords = {collections}\n"
        ))
        .file("scripts/only.rhai", script)
    }

    /// A file in the folder of handlers.toml: `scripts/a.rhai`.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Another text wherever this one stands in its files.
    #[must_use]
    pub fn changed(mut self, old: &str, new: &str) -> Self {
        for (_, text) in &mut self.files {
            *text = text.replace(old, new);
        }
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The program, in this folder and environment.
    pub(super) fn program(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
        command
            .current_dir(folder)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(super) fn write_files(&self, folder: &Path) {
        for (path, text) in &self.files {
            write(&folder.join(path), text);
        }
    }
}

fn on_a_free_port(config: &str) -> String {
    if config.contains("[server]") {
        config.to_owned()
    } else {
        format!("[server]\nlisten = \"127.0.0.1:0\"\n\n{config}")
    }
}

pub(super) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file is in a folder"))
        .expect("the folder can be made");
    fs::write(path, text).expect("the file can be written");
}
