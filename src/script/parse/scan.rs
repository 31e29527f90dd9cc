//! A script as a row of words and signs. It reads what the parser refuses, too: what is wrong with a script is told by
//! what stands around the place, and which bracket is open there.

use super::reader::tokens_of;

/// All that stands in a script, but comments.
pub(in crate::script) struct Scan<'a> {
    pub(in crate::script) tokens: Vec<Token<'a>>,
    /// Where a `/*` begins that has no end.
    pub(in crate::script) open_comment: Option<(usize, usize)>,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::script) struct Token<'a> {
    pub(in crate::script) kind: Kind,
    pub(in crate::script) text: &'a str,
    /// From 1, in characters.
    pub(in crate::script) line: usize,
    pub(in crate::script) column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) enum Kind {
    Word,
    Number,
    /// With its quotes, of whatever kind; all of it, values inside included.
    Text,
    Sign,
    /// `(`, `[`, `{`, `#{`
    Open,
    Close,
    /// What no script holds outside of text.
    Strange,
}

impl<'a> Token<'a> {
    pub(in crate::script) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    /// The place of its last character.
    pub(in crate::script) fn end(&self) -> (usize, usize) {
        let last = self.text.rsplit('\n').next().unwrap_or_default();
        let chars = last.chars().count();
        match self.text.matches('\n').count() {
            0 => (self.line, self.column + chars.saturating_sub(1)),
            lines => (self.line + lines, chars.max(1)),
        }
    }

    /// Whether a value can begin with it.
    pub(in crate::script) fn begins_value(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Number | Kind::Text)
    }

    /// Whether a value can end with it.
    pub(in crate::script) fn ends_value(&self) -> bool {
        self.begins_value() || self.kind == Kind::Close
    }

    /// What closes this bracket.
    pub(in crate::script) fn closing(&self) -> &'static str {
        match self.text {
            "(" => ")",
            "[" => "]",
            _ => "}",
        }
    }
}

impl<'a> Scan<'a> {
    pub(in crate::script) fn of(text: &'a str) -> Self {
        let (tokens, open_comment) = tokens_of(text);
        Self {
            tokens,
            open_comment,
        }
    }

    /// The token that stands at a place, or else the first behind it.
    pub(in crate::script) fn at(&self, line: usize, column: usize) -> usize {
        self.tokens.partition_point(|it| it.end() < (line, column))
    }

    /// The brackets that are open before a token, the innermost last.
    pub(in crate::script) fn open_before(&self, at: usize) -> Vec<Token<'a>> {
        let mut open: Vec<Token> = Vec::new();
        for it in &self.tokens[..at.min(self.tokens.len())] {
            match it.kind {
                Kind::Open => open.push(*it),
                Kind::Close if open.last().is_some_and(|last| last.closing() == it.text) => {
                    open.pop();
                }
                Kind::Close
                | Kind::Word
                | Kind::Number
                | Kind::Text
                | Kind::Sign
                | Kind::Strange => {}
            }
        }
        open
    }

    /// The first token of the statement that a token belongs to.
    pub(in crate::script) fn statement_of(&self, at: usize) -> Option<&Token<'a>> {
        let before = &self.tokens[..at.min(self.tokens.len())];
        let end = before
            .iter()
            .rposition(|it| matches!(it.text, ";" | "{" | "}"));
        self.tokens.get(end.map_or(0, |it| it + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, tokens: &[&str]) {
        let found: Vec<&str> = Scan::of(text).tokens.iter().map(|it| it.text).collect();
        assert_eq!(found, tokens);
    }

    #[test]
    fn a_script_is_read_whatever_is_wrong_with_it() {
        check("let x=5;// no", &["let", "x", "=", "5", ";"]);
        check("a /* b /* c */ d */ e /* f", &["a", "e"]);
        check("\"a;\\\"b\" 'c", &["\"a;\\\"b\"", "'c"]);
        check("`a ${#{ b: \"}\" }} c` d", &["`a ${#{ b: \"}\" }} c`", "d"]);
        check(
            "#{a:[1]} === \u{201c}",
            &["#{", "a", ":", "[", "1", "]", "}", "===", "\u{201c}"],
        );
    }

    #[test]
    fn the_bracket_that_is_open_is_known() {
        let open = |text: &str| {
            let scan = Scan::of(text);
            scan.never_closed().map(|it| (it.line, it.column))
        };
        assert_eq!(open("if a { b();\nc();"), Some((1, 6)));
        assert_eq!(
            open("fn f() {\n    if a {\n        b();\n}\nfn g() { }"),
            Some((2, 10))
        );
        assert_eq!(open("if a { b(); }"), None);
    }
}
