//! Parses a file, and says in words what the parser did not understand.

use super::engine::Engine;
use super::{limits, slips};
use crate::diagnostic::{Diagnostic, did_you_mean};
use rhai::{AST, LexError, ParseError, ParseErrorType, Position, Scope};
use std::collections::BTreeSet;

pub(super) fn parse(engine: &Engine, file: &str, text: &str) -> Result<AST, Box<Diagnostic>> {
    if limits::SOURCE_SIZE_BYTES_MAX < text.len() {
        let message = format!(
            "it has {} bytes, and a script has at most {}",
            text.len(),
            limits::SOURCE_SIZE_BYTES_MAX
        );
        return Err(Box::new(
            Diagnostic::of_file(file, message).help("move parts of it into files that it imports"),
        ));
    }
    // Variables, for compiling only: what they are when the script runs comes from its event.
    let mut scope = Scope::new();
    scope.push("event", ()).push("log", ());
    engine
        .rhai
        .compile_with_scope(&scope, text)
        .map_err(|error| Box::new(explain(file, text, &error)))
}

/// A finding at a place that Rhai told.
pub(super) fn at(
    file: &str,
    text: &str,
    position: Position,
    message: impl Into<String>,
) -> Diagnostic {
    match position.line() {
        Some(line) => {
            let column = position.position().unwrap_or(1).max(1);
            Diagnostic::at(file, text, line, column, message)
                .length(slips::word_at(text, line, column).chars().count())
        }
        None => Diagnostic::of_file(file, message),
    }
}

fn explain(file: &str, text: &str, error: &ParseError) -> Diagnostic {
    let position = place(text, error);
    let word = position.line().map_or("", |line| {
        slips::word_at(text, line, position.position().unwrap_or(1).max(1))
    });
    let slip = slips::slip(text, position, word);
    let (message, help) = match (slip, said(error.err_type(), text, word)) {
        (Some((message, help)), _) => (message, Some(help)),
        (None, said) => said,
    };
    let it = at(file, text, position, message);
    match help {
        Some(help) => it.help(help),
        None => it,
    }
}

/// What is missing is missing where the code before ends, not where the parser found something else.
fn place(text: &str, error: &ParseError) -> Position {
    let lines: Vec<&str> = text.lines().collect();
    let position = error.position();
    let line = position.line().unwrap_or(lines.len() + 1);
    let column = position.position().unwrap_or(1).max(1);
    let is_semicolon =
        matches!(error.err_type(), ParseErrorType::MissingToken(token, _) if token == ";");
    let is_at_start = lines
        .get(line - 1)
        .is_none_or(|it| head(it, column - 1).trim().is_empty());
    let is_past_code = lines.get(line - 1).is_none_or(|it| is_blank(it));
    if !(is_past_code || is_semicolon && is_at_start) {
        return position;
    }
    let earlier = lines
        .iter()
        .enumerate()
        .take(line - 1)
        .rev()
        .find(|(_, it)| !is_blank(it));
    earlier.map_or(position, |(index, it)| {
        let end = code_of(it).trim_end().chars().count().max(1);
        let bounded = |it: usize| u16::try_from(it).unwrap_or(u16::MAX);
        Position::new(bounded(index + 1), bounded(end))
    })
}

fn head(line: &str, chars: usize) -> &str {
    line.char_indices()
        .nth(chars)
        .map_or(line, |(end, _)| &line[..end])
}

fn code_of(line: &str) -> &str {
    line.find("//")
        .filter(|it| !line[..*it].ends_with(':'))
        .map_or(line, |end| &line[..end])
}

fn is_blank(line: &str) -> bool {
    code_of(line).trim().is_empty()
}

/// What the parser found, in words; and what to write instead.
fn said(error: &ParseErrorType, text: &str, word: &str) -> (String, Option<String>) {
    match error {
        ParseErrorType::UnexpectedEOF => (
            "the script ends in the middle of something".to_owned(),
            Some("a `}`, `)` or `]` is missing somewhere before".to_owned()),
        ),
        ParseErrorType::BadInput(LexError::UnterminatedString) => (
            "this text has no end".to_owned(),
            Some("text stands in \"double quotes\" and ends on its line".to_owned()),
        ),
        ParseErrorType::BadInput(LexError::MalformedEscapeSequence(it)) => (
            format!("`{it}` means nothing in text"),
            Some("to have a backslash in text write it twice: `\\\\`".to_owned()),
        ),
        ParseErrorType::MissingToken(token, _) if token == ";" => (
            "a `;` is missing".to_owned(),
            Some("each statement ends with `;`".to_owned()),
        ),
        ParseErrorType::MissingToken(token, _) => (
            format!("here a `{token}` is missing"),
            (!word.is_empty()).then(|| format!("there is `{word}` in its place")),
        ),
        ParseErrorType::VariableUndefined(name) => unknown_variable(name, text),
        ParseErrorType::ModuleUndefined(name) => (
            format!("nothing is imported as `{name}`"),
            Some(format!(
                "write `import \"lib/{name}\" as {name};` at the top, for scripts/lib/{name}.rhai"
            )),
        ),
        ParseErrorType::ForbiddenVariable(name) => reserved_name(name),
        ParseErrorType::Reserved(name) => (
            format!("`{name}` is a word of the language, kept for later"),
            Some(format!(
                "choose another name; as a field write `[\"{name}\"]`, as in `metadata[\"{name}\"]`"
            )),
        ),
        ParseErrorType::AssignmentToConstant(name) => (
            format!("`{name}` cannot be changed: it is a `const`"),
            Some(format!("write `let {name} = …` where it is made")),
        ),
        ParseErrorType::DuplicatedProperty(name) => {
            (format!("the field `{name}` stands twice in this map"), None)
        }
        ParseErrorType::FnDuplicatedDefinition(name, count) => (
            format!("there are two functions `{name}` with {count} parameters"),
            None,
        ),
        ParseErrorType::MismatchedType(wanted, got) => (
            format!(
                "here belongs {}, and this is {}",
                wanted.replace("boolean", "true-or-false"),
                got
            ),
            wanted
                .contains("boolean")
                .then(|| "compare it with something: `x > 0`, `x == \"…\"`, `x != ()`".to_owned()),
        ),
        ParseErrorType::WrongFnDefinition => (
            "a function cannot stand inside of another one, or of a block".to_owned(),
            Some("move it out, to the left margin".to_owned()),
        ),
        ParseErrorType::LoopBreak => ("`break` and `continue` belong into a loop".to_owned(), None),
        ParseErrorType::ExprTooDeep => (
            "this is nested too deep".to_owned(),
            Some("give parts of it names with `let`".to_owned()),
        ),
        other => (lower_first(&other.to_string().replace('\'', "`")), None),
    }
}

fn unknown_variable(name: &str, text: &str) -> (String, Option<String>) {
    let known = names_in(text);
    let message = format!("there is no variable `{name}`");
    if known.contains(name) {
        let help = format!(
            "it is made in another place: a `fn` sees only its parameters (and `event`), so pass it as one; a block's variables end with its `}}`. A `const` at the top is `global::{name}` in a `fn`"
        );
        return (message, Some(help));
    }
    let near = did_you_mean(
        name,
        known.iter().map(String::as_str).chain(["event", "log"]),
    );
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("make it first: `let {name} = …;`, or write text in quotes: \"{name}\""),
    };
    (message, Some(help))
}

pub(super) fn reserved_name(name: &str) -> (String, Option<String>) {
    (
        format!(
            "`{name}` already has a meaning everywhere and cannot be the name of something else"
        ),
        Some("choose another name, such as `it`".to_owned()),
    )
}

/// Names that the text gives to variables.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text
        .split(|it: char| !it.is_alphanumeric() && it != '_')
        .filter(|it| !it.is_empty());
    let mut names = BTreeSet::new();
    let mut before = "";
    for word in words {
        if matches!(before, "let" | "const" | "for" | "as") {
            names.insert(word.to_owned());
        }
        before = word;
    }
    names
}

pub(super) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |it| it.to_lowercase().chain(chars).collect())
}
