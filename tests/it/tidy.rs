//! The house is in order: imports go down only, and each package has one home.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, lowest first; some have steps. A room may import from rooms on lower floors, and from itself.
const FLOORS: [&[&str]; 12] = [
    &["call", "clock", "diagnostic", "memory"],
    &["event", "record"],
    &["catalog"],
    &["config", "envelope"],
    &["router", "run"],
    &["ledger", "script", "services"],
    &["in_force"],
    &["ingress", "reload", "worker"],
    &["control", "telemetry"],
    &["app"],
    &["cli"],
    &["main", "lib"],
];

/// Packages that only these rooms may name.
const HOMES: [(&str, &[&str]); 12] = [
    ("rhai", &["script"]),
    ("rusqlite", &["ledger"]),
    ("zstd", &["ledger"]),
    ("hyper", &["ingress", "services"]),
    ("hyper_util", &["ingress", "services", "cli"]),
    ("hyper_rustls", &["services"]),
    ("rustls", &["services"]),
    ("notify", &["reload"]),
    ("toml", &["config"]),
    ("clap", &["cli"]),
    ("hmac", &["ingress"]),
    ("signal_hook", &["ledger"]),
];

fn sources() -> BTreeMap<PathBuf, String> {
    fn collect(folder: &Path, into: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|it| it == "rs") {
                into.insert(path.clone(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut all = BTreeMap::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    all
}

/// The room that a file belongs to.
fn room(path: &Path) -> String {
    let inside = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let first = inside
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn floor(room: &str) -> usize {
    FLOORS
        .iter()
        .position(|it| it.contains(&room))
        .unwrap_or_else(|| panic!("room `{room}` has no floor; give it one in tests/it/tidy.rs"))
}

/// The code of a file without its tests, which may reach anywhere.
fn code(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    text.lines()
        .filter(|it| !it.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What tests alone are made of has these names.
const TESTS: [&str; 4] = ["tests", "tests.rs", "histories", "simulation"];

fn is_test(path: &Path) -> bool {
    path.components()
        .any(|it| TESTS.iter().any(|name| it.as_os_str() == *name))
}

#[test]
fn imports_go_down_only() {
    for (path, text) in sources().iter().filter(|(path, _)| !is_test(path)) {
        let here = room(path);
        for (at, _) in code(text).match_indices("crate::") {
            let code = code(text);
            let rest = &code[at + "crate::".len()..];
            let end = rest
                .find(|it: char| !it.is_alphanumeric() && it != '_')
                .unwrap_or(rest.len());
            let there = &rest[..end];
            if there.is_empty() || there == here {
                continue;
            }
            assert!(
                floor(there) < floor(&here),
                "{} imports `{there}`, which is not below `{here}`",
                path.display()
            );
        }
    }
}

#[test]
fn every_package_has_its_home() {
    for (path, text) in sources().iter().filter(|(path, _)| !is_test(path)) {
        let here = room(path);
        for (package, homes) in HOMES {
            let names_it = code(text).lines().any(|line| {
                line.match_indices(&format!("{package}::")).any(|(at, _)| {
                    !line[..at].ends_with(|it: char| it.is_alphanumeric() || it == '_' || it == ':')
                })
            });
            assert!(
                !names_it || homes.contains(&here.as_str()),
                "{} names `{package}`, whose home is {homes:?}",
                path.display()
            );
        }
    }
}

#[test]
fn nothing_is_left_undone() {
    for (path, text) in sources() {
        for word in ["todo!", "unimplemented!", "TODO", "FIXME", "dbg!("] {
            assert!(!text.contains(word), "{} holds `{word}`", path.display());
        }
    }
}

#[test]
fn only_the_ledger_makes_a_receipt() {
    for (path, text) in sources().iter().filter(|(path, _)| room(path) != "ledger") {
        assert!(
            !code(text).contains("Receipt {"),
            "{} makes a receipt",
            path.display()
        );
        assert!(
            !code(text).contains("Receipt::new"),
            "{} makes a receipt",
            path.display()
        );
    }
}

#[test]
fn only_the_allocator_is_unsafe() {
    for (path, text) in sources().iter().filter(|(path, _)| room(path) != "memory") {
        for word in ["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"] {
            assert!(!text.contains(word), "{} holds `{word}`", path.display());
        }
    }
}
