//! Parses a file, and says in words what the parser did not understand.

mod around;
mod brackets;
mod inside;
mod marks;
mod names;
mod reader;
mod said;
pub(in crate::script) mod scan;
mod slips;

pub(in crate::script) use names::reserved_name;

use super::engine::Engine;
use super::limits;
use crate::diagnostic::Diagnostic;
use around::{Around, Said};
use rhai::{AST, LexError, ParseError, ParseErrorType, Position, Scope};
use scan::{Kind, Scan};

pub(in crate::script) fn parse(
    engine: &Engine,
    file: &str,
    text: &str,
) -> Result<AST, Box<Diagnostic>> {
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
    if let Some((line, column)) = open_comment(text) {
        let it = at_place(file, text, line, column, "this comment is never closed");
        let help = "write `*/` where it ends; a comment of one line begins with `//`";
        return Err(Box::new(it.length(2).help(help)));
    }
    if let Some((line, column, sign)) = line_end(text) {
        let message = format!(
            "here stands a sign that ends a line in editors, but not here (U+{:04X})",
            u32::from(sign)
        );
        let it = at_place(file, text, line, column, message);
        let help = "a comment would go on behind it: delete it and press Enter, or save the file with line ends of Unix or Windows";
        return Err(Box::new(it.length(1).help(help)));
    }
    // Variables, for compiling only: what they are when the script runs comes from its event.
    let mut scope = Scope::new();
    scope.push("event", ()).push("log", ());
    engine
        .rhai
        .compile_with_scope(&scope, text)
        .map_err(|error| Box::new(explain(engine, file, text, &error)))
}

/// All behind it would be left out, and nobody would notice.
fn open_comment(text: &str) -> Option<(usize, usize)> {
    if !text.contains("/*") {
        return None;
    }
    Scan::of(text).open_comment
}

/// The first sign outside of text at which editors begin a new line and the parser does not.
fn line_end(text: &str) -> Option<(usize, usize, char)> {
    let is_strange = |at: usize, it: char| match it {
        '\r' => !text[at + 1..].starts_with('\n'),
        '\u{85}' | '\u{2028}' | '\u{2029}' => true,
        _ => false,
    };
    let mut strange = text
        .char_indices()
        .filter(|(at, it)| is_strange(*at, *it))
        .peekable();
    strange.peek()?;
    let scan = Scan::of(text);
    let texts = scan.tokens.iter().filter(|it| it.kind == Kind::Text);
    let texts: Vec<_> = texts
        .map(|it| {
            let start = it.text.as_ptr() as usize - text.as_ptr() as usize;
            start..start + it.text.len()
        })
        .collect();
    let is_in_text = |at: usize| {
        let next = texts.partition_point(|it| it.end <= at);
        texts.get(next).is_some_and(|it| it.contains(&at))
    };
    let (at, sign) = strange.find(|(at, _)| !is_in_text(*at))?;
    let line_start = text[..at].rfind('\n').map_or(0, |it| it + 1);
    let line = text[..at].matches('\n').count() + 1;
    Some((line, text[line_start..at].chars().count() + 1, sign))
}

/// A finding at a place that Rhai told.
pub(in crate::script) fn at(
    file: &str,
    text: &str,
    position: Position,
    message: impl Into<String>,
) -> Diagnostic {
    match position.line() {
        Some(line) => {
            let column = position.position().unwrap_or(1).max(1);
            at_place(file, text, line, column, message)
        }
        None => Diagnostic::of_file(file, message),
    }
}

fn at_place(
    file: &str,
    text: &str,
    line: usize,
    column: usize,
    message: impl Into<String>,
) -> Diagnostic {
    Diagnostic::at(file, text, line, column, message)
        .length(slips::word_at(text, line, column).chars().count())
}

fn explain(engine: &Engine, file: &str, text: &str, error: &ParseError) -> Diagnostic {
    let position = error.position();
    let stopped = position
        .line()
        .map(|line| (line, position.position().unwrap_or(1).max(1)));
    let error_type = error.err_type();
    let is_open = matches!(
        error_type,
        ParseErrorType::BadInput(LexError::UnterminatedString)
    );
    let inner = stopped
        .filter(|_| !is_open)
        .and_then(|it| inside::value_in_text(text, it));
    let around = Around::new(engine, inner.as_deref().unwrap_or(text), stopped);
    let Said {
        message,
        help,
        place: own,
    } = slips::slip(&around)
        .or_else(|| names::name(&around, error_type, text))
        .or_else(|| marks::said(&around, error_type))
        .unwrap_or_else(|| said::said(&around, error_type));
    let it = match own {
        Some((line, column)) => at_place(file, text, line, column, message),
        None => at(file, text, place(text, error), message),
    };
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

pub(in crate::script) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |it| it.to_lowercase().chain(chars).collect())
}
