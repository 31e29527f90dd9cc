//! The inputs that mutations begin with: files, and what was found on the way that became something new.

use crate::random::Random;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// More than the kinds of outcomes that any target has.
const FOUND_MAX: usize = 3_000;

pub(crate) struct Corpus {
    inputs: Vec<Vec<u8>>,
    files: usize,
    /// What has become of inputs so far, by [`kind`].
    outcomes: BTreeSet<String>,
}

impl Corpus {
    /// The files of these folders, in the order of their names.
    pub(crate) fn read(folders: &[PathBuf], size_bytes_max: usize) -> Self {
        let mut paths = Vec::new();
        for it in folders {
            collect(it, &mut paths);
        }
        paths.sort();
        let read = |path: &PathBuf| {
            fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
        };
        let mut inputs: Vec<_> = paths.iter().map(read).collect();
        inputs.retain(|it| it.len() <= size_bytes_max);
        assert!(!inputs.is_empty(), "nothing to begin with in {folders:?}");
        Self {
            files: inputs.len(),
            inputs,
            outcomes: BTreeSet::new(),
        }
    }

    pub(crate) fn files(&self) -> usize {
        self.files
    }

    pub(crate) fn file(&self, at: usize) -> &[u8] {
        &self.inputs[at]
    }

    /// What is new is begun with more often: there is more of the kind behind it.
    pub(crate) fn one(&self, random: &mut Random) -> &[u8] {
        if random.one_in(2) {
            return random.of::<Vec<u8>>(&self.inputs);
        }
        let newest = self.inputs.len().saturating_sub(50);
        random.of::<Vec<u8>>(&self.inputs[newest..])
    }

    /// Keeps an input of which something became that became of none before it.
    pub(crate) fn note(&mut self, input: &[u8], outcome: &str) {
        let is_new = self.outcomes.len() < FOUND_MAX && self.outcomes.insert(kind(outcome));
        if is_new {
            self.inputs.push(input.to_vec());
        }
    }

    pub(crate) fn outcomes(&self) -> usize {
        self.outcomes.len()
    }

    pub(crate) fn has(&self, outcome: &str) -> bool {
        self.outcomes.iter().any(|it| it.starts_with(outcome))
    }
}

/// The beginning of an outcome, without what is particular to its input: what stands in quotation marks, and numbers.
fn kind(outcome: &str) -> String {
    const CHARS_MAX: usize = 60;
    let outside = outcome.split('`').step_by(2).flat_map(str::chars);
    outside
        .filter(|it| it.is_ascii_alphabetic() || " :,".contains(*it))
        .take(CHARS_MAX)
        .collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else {
            into.push(path);
        }
    }
}
