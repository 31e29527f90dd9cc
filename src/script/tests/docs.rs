//! docs/scripts.md: every example in it works as it stands there, and every mistake is one.

use super::*;

const BOOK: &str = include_str!("../../../docs/scripts.md");
const MONEY: &str = include_str!("../../../scripts/lib/money.rhai");
const ANSWER: &str = r#"{"booking_id":"bk_1"}"#;

/// A block of code: the line it begins at, what it is, its text.
struct Block<'a> {
    line: usize,
    kind: &'a str,
    text: String,
}

fn blocks() -> Vec<Block<'static>> {
    let mut blocks: Vec<Block<'static>> = Vec::new();
    let mut is_inside = false;
    for (at, line) in BOOK.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if is_inside => is_inside = false,
            Some(kind) => {
                is_inside = true;
                blocks.push(Block {
                    line: at + 1,
                    kind,
                    text: String::new(),
                });
            }
            None if is_inside => {
                let block = blocks.last_mut().expect("inside of one");
                block.text += &format!("{line}\n");
            }
            None => {}
        }
    }
    blocks
}

fn given_block(text: &str) -> Given {
    let mut it = given(text).file("scripts/lib/money.rhai", MONEY);
    for _ in 0..5 {
        it = it.answer(200, ANSWER);
    }
    it
}

/// What is wrong with a script, as a person sees it: found before it runs, or when it does.
fn wrong(text: &str) -> Option<String> {
    let it = given_block(text);
    if let Err(findings) = it.compile() {
        return Some(shown(&findings));
    }
    match it.pass().outcome {
        Outcome::Failed(it) => Some(format!(
            "error: {}\n--> {}:{}:{}\n{} | {}\nhelp: {}",
            it.message,
            it.script,
            it.line,
            it.column,
            it.line,
            it.source_line,
            it.help.unwrap_or_default()
        )),
        Outcome::Done { .. } | Outcome::Skipped { .. } | Outcome::RetryIn { .. } => None,
        it @ (Outcome::Dead(_) | Outcome::Needs(_)) => panic!("{it:?} of:\n{text}"),
    }
}

#[test]
fn every_example_of_the_book_works_as_it_stands_there() {
    let mut count = 0;
    for it in blocks().iter().filter(|it| it.kind == "rhai") {
        if let Some(why) = wrong(&it.text) {
            panic!("docs/scripts.md:{}: {why}", it.line);
        }
        let warnings = given_block(&it.text).findings();
        assert!(
            warnings.is_empty(),
            "docs/scripts.md:{}: {}",
            it.line,
            shown(&warnings)
        );
        count += 1;
    }
    assert!(count > 15, "{count} examples were found");
}

#[test]
fn every_mistake_of_the_book_is_told_in_the_words_that_stand_below_it() {
    let all = blocks();
    let mut count = 0;
    for pair in all.windows(2).filter(|it| it[0].kind == "rhai,fails") {
        let [mistake, words] = pair else { continue };
        let told = wrong(&mistake.text)
            .unwrap_or_else(|| panic!("docs/scripts.md:{} does not fail", mistake.line));
        assert_eq!(words.kind, "text", "docs/scripts.md:{}", mistake.line);
        for line in words.text.lines() {
            assert!(
                told.contains(line.trim()),
                "docs/scripts.md:{}: `{line}` is not in:\n{told}",
                words.line
            );
        }
        count += 1;
    }
    assert_eq!(
        count,
        all.iter().filter(|it| it.kind == "rhai,fails").count()
    );
}

#[test]
fn every_slip_is_found_and_what_stands_beside_it_works() {
    let (_, table) = BOOK.split_once("## Common slips").expect("the table");
    let mut count = 0;
    for row in table.lines().filter(|it| it.starts_with("| `")) {
        // `|` in code would end a cell, and is written `\|` in a table.
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [slip, right] = cells.as_slice() else {
            panic!("{row}")
        };
        let code = |cell: &str| {
            let cell = cell.trim();
            let ticks = cell.len() - cell.trim_start_matches('`').len();
            let code = cell[ticks..cell.len() - ticks].trim();
            code.replace("\\|", "|")
        };
        let (slip, right) = (code(slip), code(right));
        let findings = given_block(&slip).findings();
        let is_found = !findings.is_empty() || wrong(&slip).is_some();
        assert!(is_found, "nothing is wrong with {slip}");
        if let Some(why) = wrong(&right) {
            panic!("{right}: {why}");
        }
        count += 1;
    }
    assert!(count > 15, "{count} slips were found");
}

#[test]
fn the_limits_of_the_book_are_those_in_force() {
    use crate::record::{RECORD_NAME_BYTES_MAX, RECORD_SIZE_BYTES_MAX};
    use crate::script::limits;
    let usual = Limits::default();
    let thousands = |it: u64| {
        let digits = it.to_string();
        let head = digits.len() % 3;
        let mut parts: Vec<&str> = Vec::new();
        if head > 0 {
            parts.push(&digits[..head]);
        }
        parts.extend(
            (head..digits.len())
                .step_by(3)
                .map(|at| &digits[at..at + 3]),
        );
        parts.join(",")
    };
    let count = |it: usize| thousands(it as u64);
    let kib = |it: usize| format!("{} KiB", it / 1024);
    let mib = |it: usize| format!("{} MiB", it / 1024 / 1024);
    for (what, most) in [
        ("steps of one attempt", thousands(usual.operations_max)),
        (
            "time in the script, without waiting for services",
            format!("{} s", usual.engine_time_max.as_secs()),
        ),
        (
            "memory that a script holds at once, all its values together",
            format!("{} MiB", usual.memory_mib),
        ),
        ("calls of one attempt", count(usual.calls_max)),
        ("records changed", count(usual.changes_max)),
        ("a script file", kib(limits::SOURCE_SIZE_BYTES_MAX)),
        ("files imported", count(limits::IMPORTS_MAX)),
        ("a text", mib(limits::STRING_SIZE_BYTES_MAX)),
        (
            "values in a list, those of lists inside of it included",
            count(limits::ARRAY_LENGTH_MAX),
        ),
        (
            "fields of a map, those of maps inside of it included",
            count(limits::MAP_LENGTH_MAX),
        ),
        (
            "functions that call functions",
            format!("{} deep", limits::CALL_DEPTH_MAX),
        ),
        ("a record", kib(RECORD_SIZE_BYTES_MAX)),
        (
            "a collection's name, a record's id",
            format!("{RECORD_NAME_BYTES_MAX} bytes"),
        ),
        ("the body of a call", mib(limits::CALL_BODY_SIZE_BYTES_MAX)),
        ("records that `find` gives", count(limits::FIND_LIMIT_MAX)),
        (
            "log lines of one attempt",
            format!(
                "{}, of {} characters each",
                limits::LOG_LINES_MAX,
                count(limits::LOG_LINE_CHARS_MAX)
            ),
        ),
    ] {
        let row = format!("| {what} | {most} |");
        assert!(BOOK.contains(&row), "the book lacks: {row}");
    }
}
