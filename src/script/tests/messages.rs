//! tests/golden/messages: what people write, and what they are told of it, word for word.
//!
//! ```text
//! let x = 1
//! let y = 2;
//! ---
//! error 1:9: a `;` is missing
//! help: each statement ends with `;`
//! ===
//! ```
//!
//! What is found before the script runs; if nothing is, what becomes of it. `MESSAGES=rewrite` writes the answers anew,
//! to be read before they are kept.

use super::*;
use crate::diagnostic::Severity;
use std::path::{Path, PathBuf};

const BETWEEN_CASES: &str = "===\n";
const BEFORE_ANSWER: &str = "---\n";

#[test]
fn people_are_told_what_is_wrong_and_what_to_write_instead() {
    let is_rewritten = std::env::var("MESSAGES").is_ok_and(|it| it == "rewrite");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/messages");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of messages")
        .map(|it| it.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let written = std::fs::read_to_string(&file).expect("a file of messages");
        let told: Vec<String> = written.split(BETWEEN_CASES).map(told).collect();
        let told = told.join(BETWEEN_CASES);
        if is_rewritten {
            std::fs::write(&file, told).expect("written anew");
        } else {
            let name = file.display();
            let differs = written.lines().zip(told.lines()).position(|(a, b)| a != b);
            let line = differs.unwrap_or_else(|| written.lines().count());
            let now = told.lines().nth(line).unwrap_or_default();
            assert_eq!(written, told, "{name}:{}: now it is\n{now}", line + 1);
        }
    }
}

#[test]
fn every_example_that_a_message_shows_works() {
    let made =
        "let id = \"in_2\"; let invoice = event.data.object; let text = \"[1, 2]\"; let value = 5;
        let list = [#{ id: \"a\", amount: 1 }];";
    for (function, example) in crate::script::usage::EXAMPLES {
        let it = given(&format!("{made}\n{example};")).answer(200, "{}");
        assert!(example.contains(function), "{example}");
        let outcome = it.pass().outcome;
        assert!(
            !matches!(outcome, Outcome::Failed(_)),
            "{example}: {outcome:?}"
        );
    }
}

/// A case with its answer as it is now.
fn told(case: &str) -> String {
    let (script, _) = case.split_once(BEFORE_ANSWER).unwrap_or((case, ""));
    // The last line's end belongs to the file of cases: a script may end in the middle of something.
    let it = given(script.strip_suffix('\n').unwrap_or(script)).answer(200, "{\"id\":\"a\"}");
    let mut found: Vec<String> = it.findings().iter().map(finding).collect();
    if it.compile().is_ok() {
        found.extend(ending(it.pass().outcome));
    }
    if found.is_empty() {
        found.push("nothing".to_owned());
    }
    format!("{script}{BEFORE_ANSWER}{}\n", found.join("\n"))
}

fn finding(it: &Diagnostic) -> String {
    let kind = match it.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    format!(
        "{kind} {}:{}: {}{}",
        it.line,
        it.column,
        it.message,
        help(it.help.as_ref())
    )
}

fn help(it: Option<&String>) -> String {
    it.map_or_else(String::new, |it| format!("\nhelp: {it}"))
}

fn ending(outcome: Outcome) -> Option<String> {
    let failure = |how: &str, it: Failure| {
        let help = help(it.help.as_ref());
        Some(format!(
            "{how} {}:{}: {}{help}",
            it.line, it.column, it.message
        ))
    };
    match outcome {
        Outcome::Done { .. } => None,
        Outcome::Skipped { reason } => Some(format!("skipped: {reason}")),
        Outcome::RetryIn { reason, .. } => Some(format!("later: {reason}")),
        Outcome::Dead(it) => failure("dead", it),
        Outcome::Failed(it) => failure("fails", it),
        Outcome::Needs(_) => Some("calls a service".to_owned()),
    }
}
