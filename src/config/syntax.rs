//! What is told of a file that is no TOML: each mistake once. The parser goes on after one, and stumbles over its rest.

use super::findings::{Findings, quoted};
use std::ops::Range;

const NO_TOML: &str = "this is not TOML";

/// Tells those of the parser's mistakes that are mistakes of the author's.
pub(super) fn tell(text: &str, mistakes: &[toml::de::Error], findings: &Findings<'_>) {
    let file = File::of(text);
    let mut found: Vec<Mistake<'_>> = mistakes.iter().map(|it| Mistake::of(it, &file)).collect();
    found.sort_by_key(|it| it.at.start);
    let is_in_list = found.iter().any(|it| it.message.contains("array"));
    let mut last: Option<&Mistake<'_>> = None;
    for it in &found {
        let is_follow_up = last.is_some_and(|last| it.follows_from(last, &file, is_in_list));
        if !is_follow_up && !findings.is_full() {
            let (message, help) = it.told(&file);
            findings.error(it.at.clone(), message, help);
            last = Some(it);
        }
    }
}

struct File<'a> {
    text: &'a str,
    lines: Vec<&'a str>,
    /// Where each line begins.
    starts: Vec<usize>,
    /// The lines that begin tables, counted from 0.
    headers: Vec<usize>,
}

struct Mistake<'a> {
    at: Range<usize>,
    line: usize,
    message: &'a str,
}

impl<'a> File<'a> {
    fn of(text: &'a str) -> Self {
        let lines: Vec<&str> = text.split('\n').collect();
        let starts = lines.iter().scan(0, |next, it| {
            let start = *next;
            *next += it.len() + 1;
            Some(start)
        });
        let headers = lines.iter().enumerate().filter(|(_, it)| is_header(it));
        Self {
            text,
            starts: starts.collect(),
            headers: headers.map(|(at, _)| at).collect(),
            lines,
        }
    }

    fn line_at(&self, byte: usize) -> usize {
        self.starts.partition_point(|it| *it <= byte).max(1) - 1
    }

    /// The header of the table that a line stands in, if it is in one.
    fn header_above(&self, line: usize) -> Option<usize> {
        let up_to_it = self.headers.partition_point(|it| *it <= line);
        up_to_it.checked_sub(1).map(|it| self.headers[it])
    }
}

impl<'a> Mistake<'a> {
    fn of(it: &'a toml::de::Error, file: &File<'_>) -> Self {
        let end = file.text.len();
        let at = it.span().unwrap_or(end..end);
        Self {
            line: file.line_at(at.start),
            at,
            message: it.message(),
        }
    }

    /// After a mistake the parser is at home again where a table begins, unless it takes the table for a part of a list.
    fn follows_from(&self, earlier: &Self, file: &File<'_>, is_in_list: bool) -> bool {
        let is_in_same_table = file.header_above(self.line) == file.header_above(earlier.line);
        let is_double_table = earlier.is_double() && file.headers.contains(&earlier.line);
        match (earlier.is_double(), self.is_double()) {
            // Each key of a table that stands there twice may do so, too.
            (true, _) if is_double_table => is_in_same_table,
            (true, true) => false,
            (true, false) => self.at.start == earlier.at.start,
            (false, _) => is_in_list || is_in_same_table,
        }
    }

    fn is_double(&self) -> bool {
        self.message == "duplicate key"
    }

    fn told(&self, file: &File<'_>) -> (String, String) {
        if self.is_double() {
            return self.told_double(file);
        }
        if let Some(it) = self.told_by_sign(file) {
            return it;
        }
        let is_at_line_end = matches!(
            file.text.as_bytes().get(self.at.start),
            None | Some(b'\n' | b'\r')
        );
        let unended = |quotes: &str| self.message.starts_with(quotes) && is_at_line_end;
        let (message, help) = if unended("invalid basic string") {
            (
                "this text has no end on its line",
                "text stands on one line between two double quotes, \"like this\"; a line break in it is written `\\n`",
            )
        } else if unended("invalid literal string") {
            (
                "this text has no end on its line",
                "text stands on one line between two quotes: \"like this\"",
            )
        } else if self.message.contains("array") && file.headers.contains(&self.line) {
            ("the list before this table has no end", help(self.message))
        } else {
            return (
                format!("{NO_TOML}: {}", self.message),
                help(self.message).to_owned(),
            );
        };
        (message.to_owned(), help.to_owned())
    }

    /// What word processors make of quotes, and `key: value` of other formats.
    fn told_by_sign(&self, file: &File<'_>) -> Option<(String, String)> {
        let sign = file.text.get(self.at.start..)?.chars().next()?;
        if "“”„‟«»‘’‚‹›″".contains(sign) {
            return Some((
                format!("`{sign}` is a quotation mark of a word processor"),
                "type it anew: text stands in straight \"double quotes\"".to_owned(),
            ));
        }
        let line = file.lines[self.line];
        let key = line[..self.at.start.checked_sub(file.starts[self.line])?].trim();
        let is_key = !key.is_empty()
            && key
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it));
        (sign == ':' && is_key).then(|| {
            (
                "a key and its value stand apart by `=`".to_owned(),
                format!("write `{} = …`", quoted(key)),
            )
        })
    }

    fn told_double(&self, file: &File<'_>) -> (String, String) {
        let line = file.lines[self.line];
        let header = file.header_above(self.line);
        let (what, first) = if header == Some(self.line) {
            let name = line.trim().split_inclusive(']').next().unwrap_or_default();
            let is_same = |it: &&usize| file.lines[**it].trim().starts_with(name);
            let first = file.headers.iter().find(is_same).copied();
            (format!("the table `{}`", quoted(name)), first)
        } else {
            let name = file.text.get(self.at.clone()).unwrap_or_default();
            let is_same = |it: &usize| {
                let rest = file.lines[*it].trim_start().strip_prefix(name);
                rest.is_some_and(|it| it.trim_start().starts_with(['=', '.']))
            };
            // Within a line the first one is not far.
            let mut lines = header.unwrap_or(0)..self.line;
            let first = is_same(&self.line).then(|| lines.find(is_same)).flatten();
            (format!("`{}`", quoted(name)), first)
        };
        let before = first.filter(|it| *it < self.line);
        let before = before.map_or(String::new(), |it| {
            format!(": the first is on line {}", it + 1)
        });
        (
            format!("{what} stands here a second time{before}"),
            "remove or rename one of the two".to_owned(),
        )
    }
}

fn help(message: &str) -> &'static str {
    match message {
        it if it.contains("array") => {
            "a list stands between `[` and `]`, with a comma after each item: [\"a\", \"b\"]"
        }
        it if it.contains("string") || it.contains("quote") => {
            "text stands between two double quotes: \"like this\""
        }
        _ => "a line is `key = value` or `[table.name]`; text stands between two double quotes",
    }
}

fn is_header(line: &str) -> bool {
    line.trim_start().starts_with('[')
}
