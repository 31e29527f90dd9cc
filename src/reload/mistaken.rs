//! The scripts beside a handlers.toml that has mistakes: what is wrong with them is told too, and nothing made up.

use super::Files;
use super::check::{add, with_causes};
use crate::config::{Mistaken, Script};
use crate::diagnostic::{Diagnostic, Severity};
use crate::script::{Engine, Grants};

/// All that is wrong and odd, handlers.toml first.
pub(super) fn findings(files: &Files, mistaken: Mistaken) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    let engine = Engine::new(&mistaken.limits);
    let mut found = mistaken.findings;
    found.extend(files.problems.iter().cloned());
    for Script { path, given } in mistaken.scripts {
        let is_there = files.sources.0.contains_key(&path);
        // The half of a path is no file; nor must it be one.
        if !mistaken.is_toml && !is_there {
            continue;
        }
        let of_script = match given {
            Some((collections, services)) => {
                let grants = Grants {
                    collections,
                    services,
                };
                match engine.compile(&path, &files.sources, &grants) {
                    Ok(program) => program.warnings().to_vec(),
                    Err(found) => found,
                }
            }
            None => engine.findings(&path, &files.sources),
        };
        add(&mut found, &with_causes(of_script, files));
    }
    found
        .into_iter()
        .partition(|it| it.severity == Severity::Error)
}
