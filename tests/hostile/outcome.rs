//! What became of a script, and whether that is what its first line says.

use super::world;
use hookyard::diagnostic::Severity;
use hookyard::script::{Engine, Failure, Outcome, Sources, freeze};
use std::sync::Arc;

pub(super) struct Found {
    /// `error`, `harmless`, …
    kind: &'static str,
    /// 0: none.
    line: usize,
    text: String,
}

/// Compiles and runs a script.
pub(super) fn of(engine: &Arc<Engine>, sources: &Sources) -> Found {
    let program = match engine.compile(world::SCRIPT, sources, &world::grants()) {
        Ok(it) => it,
        Err(findings) => {
            let first = findings
                .iter()
                .find(|it| it.severity == Severity::Error)
                .unwrap();
            return Found {
                kind: "refused by check",
                line: first.line,
                text: first.message.clone(),
            };
        }
    };
    let event = freeze(&world::EVENT.into()).unwrap();
    let pass = program.run(&world::attempt(), &event, Box::new(world::Memory));
    let (kind, failure, text) = match pass.outcome {
        Outcome::Done { .. } => ("harmless", None, String::new()),
        Outcome::Skipped { reason } => ("skipped", None, reason),
        Outcome::RetryIn { reason, .. } => ("later", None, reason),
        Outcome::Dead(it) => ("dead", Some(it), String::new()),
        Outcome::Failed(it) => ("error", Some(it), String::new()),
        Outcome::Needs(it) => ("asks", None, it.path),
    };
    match failure {
        Some(Failure { line, message, .. }) => Found {
            kind,
            line,
            text: message,
        },
        None => Found {
            kind,
            line: 0,
            text,
        },
    }
}

impl Found {
    /// As it is written into a file.
    pub(super) fn told(&self) -> String {
        let text: String = self
            .text
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(160)
            .collect();
        // Which of the two comes first is a matter of the machine.
        let text = if text.contains("operations and was stopped") || text.contains("worked longer")
        {
            "... and was stopped".to_owned()
        } else {
            text.replace(char::is_control, "...")
        };
        match (self.line, text.is_empty()) {
            (0, true) => self.kind.to_owned(),
            (0, false) => format!("{}: {text}", self.kind),
            (line, _) => format!("{} at line {line}: {text}", self.kind),
        }
    }

    pub(super) fn is(&self, expected: &str) -> bool {
        let Some(rest) = expected.strip_prefix(self.kind) else {
            return false;
        };
        let rest = match rest.strip_prefix(" at line ") {
            Some(it) => {
                let (line, rest) = it.split_once(':').unwrap_or((it, ""));
                if line.parse() != Ok(self.line) {
                    return false;
                }
                rest
            }
            None => rest.strip_prefix(':').unwrap_or(rest),
        };
        let mut left = self.text.as_str();
        rest.split("...")
            .map(str::trim)
            .all(|part| match left.find(part) {
                Some(at) => {
                    left = &left[at + part.len()..];
                    true
                }
                None => false,
            })
    }
}
