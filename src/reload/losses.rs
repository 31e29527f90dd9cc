//! A handlers.toml under which a handler that runs could run no more changes nothing.

use super::Report;
use crate::config::Config;
use crate::in_force::Chosen;

/// Why a handlers.toml cannot come into force: of a handler that has a version now, none would fit it. All goes on as it
/// was, the handler with what it was given.
pub(super) fn refuses_loss(
    file: &str,
    after: &Config,
    chosen: &[Chosen],
    runs_now: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let mut handlers = after.handlers.iter().zip(chosen);
    handlers.find_map(|(handler, chosen)| {
        let why = chosen.program.as_ref().err()?;
        runs_now(&handler.name).then(|| {
            format!(
                "{file} is not in force: handler `{}` runs now, and as this file has it no version of it can ({why}). All goes on as it was until that is mended",
                handler.name
            )
        })
    })
}

impl Report {
    /// Takes over what was found while the versions were chosen.
    pub(super) fn extend(&mut self, chosen: Report) {
        self.changes.extend(chosen.changes);
        self.problems.extend(chosen.problems);
        self.decided.extend(chosen.decided);
    }
}
