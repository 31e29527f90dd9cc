//! Standard output: one way for all commands. A reader that has seen enough (`| head`) ends a command quietly, and
//! colours reach terminals only.

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{BufWriter, ErrorKind, StdoutLock, Write};

pub(super) struct Out {
    writer: BufWriter<StdoutLock<'static>>,
    has_colours: bool,
}

/// Whoever read our output has closed it: what he wanted, he has.
#[derive(Debug, thiserror::Error)]
#[error("the output was closed")]
pub(super) struct OutputClosed;

impl Out {
    pub(super) fn open() -> Self {
        let has_colours = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
        Self {
            writer: BufWriter::new(std::io::stdout().lock()),
            has_colours,
        }
    }

    /// A line, or several; the styles in it are dropped where they would not be seen.
    pub(super) fn line(&mut self, text: impl std::fmt::Display) -> anyhow::Result<()> {
        let text = text.to_string();
        let written = if self.has_colours {
            writeln!(self.writer, "{text}")
        } else {
            writeln!(self.writer, "{}", anstream::adapter::strip_str(&text))
        };
        tell_closed(written)
    }

    /// A JSON document on one line.
    pub(super) fn json(&mut self, document: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string(document)?;
        tell_closed(writeln!(self.writer, "{text}"))
    }

    /// Bytes as they are, and nothing else.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        tell_closed(self.writer.write_all(bytes))
    }

    /// To be called at the end: what cannot be written must not pass in silence.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        tell_closed(self.writer.flush())
    }
}

fn tell_closed(written: std::io::Result<()>) -> anyhow::Result<()> {
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => OutputClosed.into(),
        _ => anyhow::Error::from(error).context("cannot write to standard output"),
    })
}

/// Text from outside, fit for a terminal: control characters are shown and not obeyed.
pub(super) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for it in text.chars() {
        if (it.is_control() && it != '\n') || steers(it) {
            // Writing to a string cannot fail.
            let _ = write!(clean, "{}", it.escape_default());
        } else {
            clean.push(it);
        }
    }
    clean
}

/// The same for what stands within a line: an id, a name, a path.
pub(super) fn word(text: &str) -> String {
    clean(text).replace('\n', "\\n")
}

/// What is no control character, and breaks a line or turns its direction all the same.
fn steers(it: char) -> bool {
    matches!(it,
        '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first line of a text, for a cell of a table.
pub(super) fn first_line(text: &str) -> String {
    match clean(text.trim()).split_once('\n') {
        Some((first, _)) => format!("{} …", first.trim_end()),
        None => clean(text.trim()),
    }
}

/// As much of its first line as a table has room for.
pub(super) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    let line = first_line(text);
    match line.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{} …", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_command_a_terminal() {
        assert_eq!(clean("a\x1b[2Jb\tc\nd"), "a\\u{1b}[2Jb\\tc\nd");
        assert_eq!(clean("a\u{202e}b\u{2028}c"), "a\\u{202e}b\\u{2028}c");
        assert_eq!(word("evt\n1"), "evt\\n1");
        assert_eq!(clean("Zoë – 12 €"), "Zoë – 12 €");
    }

    #[test]
    fn a_cell_shows_the_first_line_and_that_there_is_more() {
        assert_eq!(first_line("one \ntwo\nthree"), "one …");
        assert_eq!(first_line("one\n"), "one");
        assert_eq!(excerpt(&"ü".repeat(101)), format!("{} …", "ü".repeat(100)));
    }
}
