//! Brackets that are missing, or close nothing.

use super::around::{Around, Said};
use super::scan::{Kind, Scan, Token};
use rhai::{LexError, ParseErrorType};

/// `` `Hello ${event.id` ``
pub(super) fn open_value(around: &Around, error: &ParseErrorType) -> Option<Said> {
    let is_of_text = matches!(
        error,
        ParseErrorType::BadInput(LexError::UnterminatedString)
    );
    let template = (0..=around.at.min(around.scan.tokens.len().checked_sub(1)?))
        .rev()
        .map(|it| around.scan.tokens[it])
        .find(|it| it.text.starts_with('`'))?;
    let from = template.text.rfind("${").filter(|_| is_of_text)?;
    let value = &template.text[from + 2..];
    let end = value.find(['`', '\n'])?;
    if value[..end].contains('}') {
        return None;
    }
    let value = value[..end].trim();
    let column = template.text[..from]
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count();
    let line = template.text[..from].matches('\n').count();
    let place = (
        template.line + line,
        if line == 0 {
            template.column + column
        } else {
            column + 1
        },
    );
    Some(
        Said::new("here a `}` is missing: the `${` has no end")
            .help(format!("write `${{{value}}}`"))
            .at(place),
    )
}

/// A closing bracket that closes nothing.
pub(super) fn surplus(around: &Around, _: &ParseErrorType) -> Option<Said> {
    let it = around.token(0).filter(|it| it.kind == Kind::Close)?;
    let open = around.scan.open_before(around.at);
    if open.iter().any(|open| open.closing() == it.text) {
        let last = open.last().filter(|last| last.closing() != it.text)?;
        return Some(missing(last).help(format!(
            "there is `{}` in its place; {}",
            it.text,
            opened(last)
        )));
    }
    let message = format!("this `{}` closes nothing", it.text);
    let help = match open.last() {
        Some(last) if last.text != "{" => {
            format!("{}, and ends with `{}`", opened(last), last.closing())
        }
        Some(_) | None => "delete it, or look for one before it that stands too early".to_owned(),
    };
    Some(Said::new(message).help(help))
}

/// A bracket that is never closed.
pub(super) fn unclosed(around: &Around, error: &ParseErrorType) -> Option<Said> {
    let is_at_end = around.token(0).is_none();
    let is_block = matches!(error, ParseErrorType::WrongFnDefinition) || is_at_end;
    let last = around.before(1)?;
    let bracket = around.bracket()?;
    if is_block && bracket.is("{") {
        let open = around.scan.never_closed()?;
        return Some(
            Said::new(format!("this `{}` is never closed", open.text))
                .help(format!("write a `{}` where it ends", open.closing()))
                .at((open.line, open.column)),
        );
    }
    if around.is_at("{") && around.is_before(2, "|") {
        let name = last.text;
        return Some(Said::new("here a `|` is missing").help(format!("write `|{name}| {{ … }}`")));
    }
    // It wants something else than an end.
    let is_end_wanted = match error {
        ParseErrorType::MissingToken(token, _) => {
            matches!(token.as_str(), ")" | "]" | "}" | "," | ";")
        }
        _ => true,
    };
    if !is_end_wanted {
        return None;
    }
    let is_statement = |it: &Token| {
        matches!(
            it.text,
            ";" | "let" | "if" | "for" | "while" | "return" | "fn" | "const" | "{"
        )
    };
    let ends = around
        .token(0)
        .is_none_or(|it| is_statement(&it) || begins_call(around, &it, &last));
    if !ends || bracket.is("{") || bracket.is("#{") && has_more_fields(around) {
        return None;
    }
    let help = match around.token(0) {
        Some(it) if it.line == last.end().0 => {
            format!("there is `{}` in its place; {}", it.text, opened(&bracket))
        }
        Some(_) | None => opened(&bracket),
    };
    let it = missing(&bracket).help(help);
    Some(
        if around.token(0).is_none_or(|it| it.line != last.end().0) {
            it.at(last.end())
        } else {
            it
        },
    )
}

/// On a line of its own, something that is done: `log.info(…)`, `x = …`.
fn begins_call(around: &Around, it: &Token, last: &Token) -> bool {
    it.kind == Kind::Word
        && it.line != last.end().0
        && !last.is(",")
        && around.bracket().is_some_and(|it| it.is("("))
        && around
            .token(1)
            .is_some_and(|it| matches!(it.text, "(" | "." | "="))
}

/// `;` where a `,` belongs.
fn has_more_fields(around: &Around) -> bool {
    let is_name = around
        .token(1)
        .is_some_and(|it| it.kind == Kind::Word || it.kind == Kind::Text);
    around.is_at(";") && is_name && around.token(2).is_some_and(|it| it.is(":"))
}

fn missing(bracket: &Token) -> Said {
    Said::new(format!("here a `{}` is missing", bracket.closing()))
}

fn opened(bracket: &Token) -> String {
    format!(
        "the `{}` at {}:{} is open",
        bracket.text, bracket.line, bracket.column
    )
}

impl<'a> Scan<'a> {
    /// The block that is never closed, by brackets alone and by how far lines are moved in.
    pub(super) fn never_closed(&self) -> Option<Token<'a>> {
        let mut open: Vec<(Token, usize)> = Vec::new();
        let mut line = (0, 0);
        for it in &self.tokens {
            let is_first = it.line != line.0;
            if is_first {
                line = (it.line, it.column);
            }
            if it.kind == Kind::Open {
                open.push((*it, line.1));
            }
            if it.kind == Kind::Close
                && open
                    .last()
                    .is_some_and(|(last, _)| last.closing() == it.text)
            {
                let (last, indent) = open.pop()?;
                let rest = open.iter().any(|(it, _)| it.closing() == last.closing());
                if is_first && it.column < indent && rest && self.is_short_of(last.closing()) {
                    return Some(last);
                }
            }
        }
        open.last().map(|(it, _)| *it)
    }

    fn is_short_of(&self, closing: &str) -> bool {
        let is_opening = |it: &&Token| it.kind == Kind::Open && it.closing() == closing;
        let opened = self.tokens.iter().filter(is_opening).count();
        self.tokens.iter().filter(|it| it.is(closing)).count() < opened
    }
}
