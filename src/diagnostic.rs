//! A mistake in a file that people write: what, where, and what to write instead.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// One finding. `line` and `column` count from 1 (columns in characters); 0 means "the file as a whole".
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// As its author knows it: `handlers.toml`, `scripts/invoice_paid.rhai`.
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// How many characters are meant, at least 1.
    pub length: usize,
    /// The text of that line.
    pub source_line: String,
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error about a file as a whole.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line: 0,
            column: 0,
            length: 1,
            source_line: String::new(),
            message: message.into(),
            help: None,
        }
    }

    /// An error at a place; takes the line out of the file's text.
    pub fn at(
        file: impl Into<String>,
        text: &str,
        line: usize,
        column: usize,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line,
            column,
            length: 1,
            source_line: text
                .lines()
                .nth(line.saturating_sub(1))
                .unwrap_or_default()
                .to_owned(),
            message: message.into(),
            help: None,
        }
    }

    /// An error at a byte range of the file's text.
    pub fn at_bytes(
        file: impl Into<String>,
        text: &str,
        bytes: std::ops::Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        let start = floor_char(text, bytes.start);
        let end = floor_char(text, bytes.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |it| it + 1);
        let line = text[..start].matches('\n').count() + 1;
        let mut it = Self::at(file, text, line, 0, message);
        // A line break of two characters is no place within its line.
        let line_end = line_start + it.source_line.len();
        it.column = text[line_start..start.min(line_end)].chars().count() + 1;
        let meant = text[start..end].lines().next().unwrap_or_default();
        it.length = meant.chars().count().max(1);
        it
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    #[must_use]
    pub fn length(mut self, length: usize) -> Self {
        self.length = length.max(1);
        self
    }
}

fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Diagnostic {
    /// As rustc draws it, without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{kind}: {}", self.message)?;
        if self.line == 0 {
            write!(f, " --> {}", self.file)?;
        } else {
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            // A line of thousands of characters would bury the message.
            let (shown, column) = window(&self.source_line, self.column.max(1));
            let marks = "^".repeat(
                self.length
                    .min(shown.chars().count().saturating_sub(column - 1))
                    .max(1),
            );
            writeln!(f, "{gutter}--> {}:{}:{}", self.file, self.line, self.column)?;
            writeln!(f, "{gutter} |")?;
            writeln!(f, "{number} | {shown}")?;
            write!(f, "{gutter} | {}{marks}", " ".repeat(column - 1))?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}

const LINE_SHOWN_CHARS_MAX: usize = 160;

/// The part of a line around a column, and the column in it. A tab takes one place, so that the mark stands right, and
/// so does what would move a terminal's cursor.
fn window(line: &str, column: usize) -> (String, usize) {
    let chars: Vec<char> = line
        .chars()
        .map(|it| {
            let moves = it.is_control() || matches!(it, '\u{2028}' | '\u{2029}');
            if moves { ' ' } else { it }
        })
        .collect();
    if chars.len() <= LINE_SHOWN_CHARS_MAX {
        return (chars.into_iter().collect(), column);
    }
    let start = column
        .saturating_sub(LINE_SHOWN_CHARS_MAX / 2)
        .min(chars.len());
    let end = (start + LINE_SHOWN_CHARS_MAX).min(chars.len());
    (chars[start..end].iter().collect(), (column - start).max(1))
}

/// The nearest of `known` to what was written, when it is near enough to be what was meant.
pub fn did_you_mean<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Two other letters in a word of four make another word, and one in a word of two.
    let near_enough = match written.chars().count() {
        0..=2 => 0,
        3..=4 => 1,
        it => 2.max(it / 3),
    };
    known
        .into_iter()
        .map(|it| {
            (
                strsim::damerau_levenshtein(&written.to_lowercase(), &it.to_lowercase()),
                it,
            )
        })
        .filter(|(distance, _)| *distance <= near_enough)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_file_line_column_the_line_and_what_to_write() {
        let it = Diagnostic::at_bytes(
            "handlers.toml",
            "a = 1\nbcd = 2\n",
            6..9,
            "unknown key `bcd`",
        )
        .help("write `abc`");
        assert_eq!(
            it.to_string(),
            "error: unknown key `bcd`\n --> handlers.toml:2:1\n  |\n2 | bcd = 2\n  | ^^^\n  = help: write `abc`"
        );
    }

    #[test]
    fn a_column_is_within_its_line_whatever_ends_it() {
        for (text, at) in [("\"\r\n", 2..2), ("\"\n", 2..2), ("\"", 1..1), ("\"", 9..9)] {
            let it = Diagnostic::at_bytes("handlers.toml", text, at, "no end");
            assert!(it.column <= it.source_line.chars().count() + 1, "{it:?}");
        }
    }

    #[test]
    fn a_suggestion_is_made_only_for_what_is_near() {
        assert_eq!(
            did_you_mean("retyr", ["retry", "events", "script"]),
            Some("retry")
        );
        assert_eq!(
            did_you_mean("invoice.payed", ["invoice.paid", "invoice.voided"]),
            Some("invoice.paid")
        );
        assert_eq!(did_you_mean("zzz", ["retry", "events"]), None);
    }
}
