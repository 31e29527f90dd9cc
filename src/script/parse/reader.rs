//! Words and signs out of a text, whatever is wrong with it.

use super::scan::{Kind, Token};

/// All tokens, and where a comment begins that has no end.
pub(super) fn tokens_of(text: &str) -> (Vec<Token<'_>>, Option<(usize, usize)>) {
    let mut it = Reader {
        text,
        at: 0,
        line: 1,
        column: 1,
        open_comment: None,
    };
    let mut tokens = Vec::new();
    while let Some(token) = it.next_token() {
        tokens.push(token);
    }
    (tokens, it.open_comment)
}

const LONG_SIGNS: [&str; 34] = [
    "===", "!==", "**=", "<<=", ">>=", "..=", "...", "=>", "==", "!=", "<=", ">=", "&&", "||",
    "++", "--", "+=", "-=", "*=", "/=", "%=", "**", "<<", ">>", "->", "<-", ":=", "::", "..", "??",
    "?.", "?[", "|>", "<>",
];

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    column: usize,
    open_comment: Option<(usize, usize)>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes on by so many bytes.
    fn skip(&mut self, bytes: usize) -> &'a str {
        let skipped = &self.text[self.at..self.at + bytes];
        for it in skipped.chars() {
            if it == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.at += bytes;
        skipped
    }

    fn next_token(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let first = self.rest().chars().next()?;
        let (line, column) = (self.line, self.column);
        let (kind, length) = token_of(self.rest(), first);
        let text = self.skip(length);
        Some(Token {
            kind,
            text,
            line,
            column,
        })
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            let comment = if rest[blank..].starts_with("//") {
                rest[blank..].find('\n').unwrap_or(rest.len() - blank)
            } else if rest[blank..].starts_with("/*") {
                let length = comment_length(&rest[blank..]);
                self.skip(blank);
                if length.is_none() {
                    self.open_comment = Some((self.line, self.column));
                }
                self.skip(length.unwrap_or(rest.len() - blank));
                continue;
            } else {
                0
            };
            if blank + comment == 0 {
                return;
            }
            self.skip(blank + comment);
        }
    }
}

/// Comments stand inside of comments.
fn comment_length(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    None
}

fn token_of(rest: &str, first: char) -> (Kind, usize) {
    let until = |is_part: fn(char) -> bool| rest.find(|it| !is_part(it)).unwrap_or(rest.len());
    if first.is_ascii_alphabetic() || first == '_' {
        return (
            Kind::Word,
            until(|it| it.is_ascii_alphanumeric() || it == '_'),
        );
    }
    if first.is_ascii_digit() {
        return (
            Kind::Number,
            until(|it| it.is_ascii_alphanumeric() || it == '_'),
        );
    }
    if matches!(first, '"' | '\'' | '`') {
        return (Kind::Text, text_length(rest, first));
    }
    if rest.starts_with("#{") {
        return (Kind::Open, 2);
    }
    if matches!(first, '(' | '[' | '{') {
        return (Kind::Open, 1);
    }
    if matches!(first, ')' | ']' | '}') {
        return (Kind::Close, 1);
    }
    if let Some(sign) = LONG_SIGNS.iter().find(|it| rest.starts_with(**it)) {
        return (Kind::Sign, sign.len());
    }
    if first.is_ascii() && !first.is_ascii_control() {
        return (Kind::Sign, 1);
    }
    (Kind::Strange, first.len_utf8())
}

/// To the closing quote; text in `"` and `'` ends with its line at the latest.
fn text_length(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1);
    let mut braces = 0;
    while let Some((at, it)) = chars.next() {
        if quote == '`' {
            if rest[at..].starts_with("${") || braces > 0 && it == '{' {
                braces += 1;
                if it == '$' {
                    chars.next();
                }
            } else if braces > 0 && it == '}' {
                braces -= 1;
            } else if it == '`' && braces == 0 {
                return at + 1;
            }
        } else if it == '\\' {
            chars.next();
        } else if it == '\n' {
            return at;
        } else if it == quote {
            return at + 1;
        }
    }
    rest.len()
}
