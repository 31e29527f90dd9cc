//! A handler whose script is broken stays on the last version of it that was good.

use super::Report;
use super::check::compile;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::script::{Engine, Program, Sources};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Gives handlers whose script is broken the last version of it that was good, if there is one.
pub(super) fn fall_back(
    config: &Config,
    programs: Vec<Result<Arc<Program>, Vec<Diagnostic>>>,
    last_good: impl Fn(&str) -> Option<BTreeMap<String, String>>,
    report: &mut Report,
) -> Vec<Result<Arc<Program>, String>> {
    let engine = Engine::new(&config.limits);
    config
        .handlers
        .iter()
        .zip(programs)
        .map(|(handler, program)| {
            let Err(found) = program else {
                return program.map_err(|_| String::new());
            };
            let old = last_good(&handler.name)
                .and_then(|it| compile(&engine, handler, &Sources(it)).ok());
            match old {
                Some(it) => {
                    report.changes.push(format!(
                        "handler `{}` stays on version {} of {}, the last good one",
                        handler.name,
                        short(it.version()),
                        handler.script
                    ));
                    Ok(it)
                }
                None => {
                    let first = found
                        .first()
                        .map(|it| it.message.clone())
                        .unwrap_or_default();
                    report.changes.push(format!(
                        "handler `{}` has no good version of {}: its runs are held",
                        handler.name, handler.script
                    ));
                    Err(format!("{} has errors: {first}", handler.script))
                }
            }
        })
        .collect()
}

/// As much of a version's hash as tells it from others.
pub fn short(version: &str) -> &str {
    version.get(..12).unwrap_or(version)
}
