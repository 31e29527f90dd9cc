//! `hookyard init`: a sample handlers.toml with its scripts, to begin from.

use super::Places;
use super::out::Out;
use super::table::{DIM, GREEN};
use anyhow::Context;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

/// The sample: where each file goes, from the folder of handlers.toml.
const SCRIPTS: [(&str, &str); 3] = [
    (
        "scripts/subscription.rhai",
        include_str!("../../scripts/subscription.rhai"),
    ),
    (
        "scripts/invoice_paid.rhai",
        include_str!("../../scripts/invoice_paid.rhai"),
    ),
    (
        "scripts/lib/money.rhai",
        include_str!("../../scripts/lib/money.rhai"),
    ),
];
const HANDLERS: &str = include_str!("../../handlers.toml");

/// Writes what is not there. A file that is there stays as it is.
pub(super) fn run(places: &Places) -> anyhow::Result<ExitCode> {
    let location = places.location();
    let root = location.root();
    let mut out = Out::open();
    let scripts = SCRIPTS.iter().map(|(path, text)| (root.join(path), *text));
    for (path, text) in scripts.chain([(places.config.clone(), HANDLERS)]) {
        let is_written =
            write_new(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let what = if is_written {
            format!("{GREEN}written{GREEN:#}")
        } else {
            format!("{DIM}there already, left as it is{DIM:#}")
        };
        let path = path.strip_prefix(".").unwrap_or(&path);
        out.line(format_args!("{}  {what}", path.display()))?;
    }
    out.line(
        "\n`hookyard dev` shows what they do, with sample events and without calling anybody",
    )?;
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Whether it was written; never over another file.
fn write_new(path: &Path, text: &str) -> std::io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut it) => it.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
