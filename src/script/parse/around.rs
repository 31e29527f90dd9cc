//! What stands around the place where the parser stopped.

use super::scan::{Kind, Scan, Token};
use crate::script::engine::Engine;

/// What is wrong, and what to write instead.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Where, when that is not where the parser stopped.
    pub(super) place: Option<(usize, usize)>,
}

impl Said {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            place: None,
        }
    }

    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub(super) fn at(mut self, place: (usize, usize)) -> Self {
        self.place = Some(place);
        self
    }
}

pub(super) struct Around<'a> {
    pub(super) engine: &'a Engine,
    pub(super) scan: Scan<'a>,
    /// The token at which the parser stopped; the number of all tokens past the last one.
    pub(super) at: usize,
}

impl<'a> Around<'a> {
    /// `place` is the parser's; nothing at the end of the script.
    pub(super) fn new(engine: &'a Engine, text: &'a str, place: Option<(usize, usize)>) -> Self {
        let scan = Scan::of(text);
        let at = place.map_or(scan.tokens.len(), |(line, column)| scan.at(line, column));
        Self { engine, scan, at }
    }

    /// So many tokens on.
    pub(super) fn token(&self, on: usize) -> Option<Token<'a>> {
        self.scan.tokens.get(self.at + on).copied()
    }

    /// So many tokens back, from 1.
    pub(super) fn before(&self, back: usize) -> Option<Token<'a>> {
        let at = self.at.checked_sub(back)?;
        self.scan.tokens.get(at).copied()
    }

    pub(super) fn is_at(&self, text: &str) -> bool {
        self.token(0).is_some_and(|it| it.is(text))
    }

    pub(super) fn is_before(&self, back: usize, text: &str) -> bool {
        self.before(back).is_some_and(|it| it.is(text))
    }

    /// Whether this stands next.
    pub(super) fn is_behind(&self, text: &str) -> bool {
        self.token(1).is_some_and(|it| it.is(text))
    }

    /// The word that the statement begins with.
    pub(super) fn statement(&self) -> &'a str {
        self.scan.statement_of(self.at).map_or("", |it| it.text)
    }

    /// The innermost bracket that is open here.
    pub(super) fn bracket(&self) -> Option<Token<'a>> {
        self.scan.open_before(self.at).pop()
    }

    /// Whether the innermost bracket holds the cases of a `switch`.
    pub(super) fn is_in_switch(&self) -> bool {
        let Some(open) = self.bracket().filter(|it| it.is("{")) else {
            return false;
        };
        let at = self.scan.at(open.line, open.column);
        let is_of_switch = |it: &&Token| it.line == open.line && it.is("switch");
        self.scan.tokens[..at]
            .iter()
            .rev()
            .any(|it| is_of_switch(&it))
    }

    /// Whether a word is the name of something, and not used as what it is: `let new`, `x.new`, `#{ new: 1 }`.
    pub(super) fn is_name(&self) -> bool {
        let is_made = self
            .before(1)
            .is_some_and(|it| matches!(it.text, "let" | "const" | "fn" | "."));
        let is_field = self.bracket().is_some_and(|it| it.is("#{"))
            && self.token(1).is_some_and(|it| it.is(":"));
        is_made || is_field
    }

    /// What follows on the same line as a value, so that it looks like what a function is called with.
    pub(super) fn value_behind(&self) -> Option<Token<'a>> {
        let line = self.token(0)?.line;
        self.token(1).filter(|it| {
            it.line == line && matches!(it.kind, Kind::Text | Kind::Number | Kind::Word)
        })
    }
}
