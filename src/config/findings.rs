//! What was found wrong in handlers.toml, and where.

use super::mask;
use crate::diagnostic::{Diagnostic, Severity, did_you_mean};
use std::cell::{Cell, RefCell};
use std::ops::Range;

/// Of errors, and of warnings: more would be read by nobody, and a hostile file could ask for millions.
const FINDINGS_MAX: usize = 50;
/// What is quoted in a message.
const QUOTED_CHARS_MAX: usize = 80;
/// Of a text that a near one is looked for.
const NEAR_SIZE_BYTES_MAX: usize = 200;

pub(super) struct Findings<'a> {
    file: &'a str,
    text: &'a str,
    errors: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
    left_out: Cell<usize>,
    /// Where secrets stand in the text.
    secrets: RefCell<Vec<Range<usize>>>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            errors: RefCell::default(),
            warnings: RefCell::default(),
            left_out: Cell::default(),
            secrets: RefCell::default(),
        }
    }

    /// What is wrong at a place, and what to write instead.
    pub(super) fn error(
        &self,
        at: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(&self.errors, || {
            Diagnostic::at_bytes(self.file, self.text, at, message).help(help)
        });
    }

    /// What is odd at a place, but could be meant.
    pub(super) fn warning(
        &self,
        at: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(&self.warnings, || {
            Diagnostic::at_bytes(self.file, self.text, at, message)
                .help(help)
                .warning()
        });
    }

    /// What is wrong with the file as a whole.
    pub(super) fn of_file(&self, message: impl Into<String>, help: impl Into<String>) {
        self.add(&self.errors, || {
            Diagnostic::of_file(self.file, message).help(help)
        });
    }

    /// From here on this part of the text is never shown.
    pub(super) fn hide(&self, secret: Range<usize>) {
        self.secrets.borrow_mut().push(secret);
    }

    /// The file is no TOML: nobody knows which of its values are secrets.
    pub(super) fn hide_values(&self) {
        self.secrets.borrow_mut().extend(mask::values(self.text));
    }

    /// Of a web address only scheme and host are shown from here on: a path or a query may hold a token.
    pub(super) fn hide_behind_host(&self, at: Range<usize>) {
        let written = &self.text[at.clone()];
        let host = written.find("://").map_or(0, |it| it + "://".len());
        if let Some(end) = written[host..].find(['/', '?', '#']) {
            self.hide(at.start + host + end + 1..at.end.saturating_sub(1));
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    /// How many errors there are by now.
    pub(super) fn errors(&self) -> usize {
        self.errors.borrow().len() + self.left_out.get()
    }

    /// Whether a further error would be left out, so that no work need go into its help.
    pub(super) fn is_full(&self) -> bool {
        FINDINGS_MAX <= self.errors.borrow().len()
    }

    /// The nearest of the known names, if it is worth looking for.
    pub(super) fn near<'k>(
        &self,
        written: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Option<&'k str> {
        let is_worth_it = written.len() <= NEAR_SIZE_BYTES_MAX && !self.is_full();
        if is_worth_it {
            did_you_mean(written, known)
        } else {
            None
        }
    }

    fn add(&self, to: &RefCell<Vec<Diagnostic>>, it: impl FnOnce() -> Diagnostic) {
        let mut to = to.borrow_mut();
        if to.len() < FINDINGS_MAX {
            to.push(it());
        } else {
            self.left_out.set(self.left_out.get() + 1);
        }
    }

    /// All of them, in the order of the file.
    pub(super) fn into_shown(self) -> Vec<Diagnostic> {
        let mut found = self.errors.into_inner();
        found.extend(self.warnings.into_inner());
        found.sort_by_key(|it| (it.line, it.column));
        if found.is_empty() {
            return found;
        }
        let shown = mask::masked(self.text, self.secrets.into_inner());
        let lines: Vec<&str> = shown.lines().collect();
        for it in found.iter_mut().filter(|it| 0 < it.line) {
            it.source_line = lines
                .get(it.line - 1)
                .copied()
                .unwrap_or_default()
                .to_owned();
        }
        for it in &mut found {
            it.message = mask::masked_words(&it.message);
            it.help = it.help.as_deref().map(mask::masked_words);
        }
        if let more @ 1.. = self.left_out.get() {
            let mut it = Diagnostic::of_file(self.file, format!("there are {more} findings more"))
                .help("correct those above, then look again");
            if found.iter().all(|it| it.severity == Severity::Warning) {
                it = it.warning();
            }
            found.push(it);
        }
        found
    }
}

/// A part of the file within a message: no line break, and not a page of it.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    shown.retain(|it| !it.is_control());
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
