//! `switch x { "5" => … }` when `x` is a number: no case is ever taken, and nothing can tell when it runs. So it is told
//! here, as far as it can be seen: cases of two kinds, and a field of the event that is never what the cases are.

use super::Check;
use crate::catalog::{self, SampleSeed};
use crate::diagnostic::Diagnostic;
use crate::script::parse::scan::{self, Scan, Token};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Of a file, that are looked at: each look goes through the file.
const SWITCHES_MAX: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Truth,
}

impl Check<'_> {
    pub(super) fn cases(&mut self) {
        let scan = Scan::of(&self.unit.text);
        let tokens = &scan.tokens;
        let switches = (0..tokens.len()).filter(|it| tokens[*it].is("switch"));
        for at in switches.take(SWITCHES_MAX) {
            let behind = &tokens[at + 1..];
            let Some(open) = behind.iter().position(|it| it.is("{")) else {
                continue;
            };
            let labels = labels(&behind[open..]);
            let Some((first, kind)) = labels.first() else {
                continue;
            };
            if let Some((label, other)) = labels.iter().find(|(_, it)| it != kind) {
                let message = format!(
                    "the cases of this `switch` are {} and {}, and a value is only one of them",
                    kind.plural(),
                    other.plural()
                );
                let help = "text stands in quotes, numbers and `true` or `false` without";
                self.odd(label, message, help);
                continue;
            }
            let subject = written(&behind[..open], tokens);
            if let Some(is) = kind_of(&subject).filter(|it| it != kind) {
                let message = format!(
                    "`{subject}` is {}, and this case is {}: it is never taken",
                    is.words(),
                    kind.words()
                );
                self.odd(first, message, is.help());
            }
        }
    }

    fn odd(&mut self, at: &Token<'_>, message: String, help: &str) {
        let finding = Diagnostic::at(
            self.unit.path.as_str(),
            &self.unit.text,
            at.line,
            at.column,
            message,
        );
        let length = at.text.chars().count();
        self.findings
            .push(finding.length(length).help(help).warning());
    }
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Truth => "true or false",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "numbers",
            Self::Truth => "`true` or `false`",
        }
    }

    /// What to write for a case of this kind.
    fn help(self) -> &'static str {
        match self {
            Self::Text => "write the cases in quotes",
            Self::Number => "write the cases without quotes",
            Self::Truth => "write `true` and `false`, without quotes; or use `if`",
        }
    }
}

/// From the `{` of a `switch`: what stands before `=>` and around `|`, outside of inner blocks.
fn labels<'a, 'b>(tokens: &'b [Token<'a>]) -> Vec<(&'b Token<'a>, Kind)> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (at, it) in tokens.iter().enumerate() {
        let kind = match it.kind {
            scan::Kind::Open => {
                depth += 1;
                continue;
            }
            scan::Kind::Close => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
                continue;
            }
            scan::Kind::Text => Kind::Text,
            scan::Kind::Number => Kind::Number,
            scan::Kind::Word if matches!(it.text, "true" | "false") => Kind::Truth,
            scan::Kind::Word | scan::Kind::Sign | scan::Kind::Strange => continue,
        };
        let next = tokens.get(at + 1).map_or("", |it| it.text);
        let before = at.checked_sub(1).map_or("", |it| tokens[it].text);
        let is_label = match before {
            "{" | "," | "}" | "|" | "-" | ".." | "..=" => matches!(next, "=>" | "|" | "if"),
            _ => false,
        };
        if depth == 1 && is_label {
            found.push((it, kind));
        }
    }
    found
}

/// What a `switch` is about, with `let x = event.…;` put in for `x`, if that is all that `x` ever is.
fn written(subject: &[Token<'_>], tokens: &[Token<'_>]) -> String {
    let text = |it: &[Token<'_>]| it.iter().map(|it| it.text).collect::<String>();
    let Some((name, rest)) = subject.split_first() else {
        return String::new();
    };
    let mut given = tokens.windows(2).enumerate();
    let mut given = given.by_ref().filter(|(_, it)| {
        it[0].text == name.text && matches!(it[1].text, "=" | "+=" | "-=" | "*=" | "/=")
    });
    let value = match (given.next(), given.next()) {
        (Some((at, _)), None) if at > 0 && tokens[at - 1].is("let") => {
            let value = &tokens[at + 2..];
            let end = value.iter().position(|it| it.is(";"));
            &value[..end.unwrap_or(value.len())]
        }
        (Some(_) | None, _) => return text(subject),
    };
    // A parameter or a loop's variable may have the same name.
    let count = tokens.windows(2).filter(|it| {
        it[1].text == name.text && matches!(it[0].text, "let" | "for" | "|" | "(" | ",")
    });
    let is_of_event = value.first().is_some_and(|it| it.is("event"));
    if is_of_event && count.count() == 1 {
        format!("{}{}", text(value), text(rest))
    } else {
        text(subject)
    }
}

fn kind_of(subject: &str) -> Option<Kind> {
    if subject.ends_with(".len()") {
        return Some(Kind::Number);
    }
    FIELDS.get(subject.strip_prefix("event.")?).copied()
}

/// The fields that are of one kind in every event that has them; `data.object.amount`.
static FIELDS: LazyLock<HashMap<String, Kind>> = LazyLock::new(|| {
    let seed = SampleSeed {
        number: 1,
        created_s: 1_700_000_000,
        livemode: false,
    };
    let mut found: HashMap<String, Option<Kind>> = HashMap::new();
    for it in catalog::kinds() {
        let sample = catalog::sample(it.name, &seed);
        let sample = sample.and_then(|it| serde_json::from_str::<Map<String, Value>>(&it).ok());
        if let Some(fields) = sample {
            note(&fields, "", &mut found);
        }
    }
    let sure = found.into_iter();
    sure.filter_map(|(path, kind)| Some((path, kind?)))
        .collect()
});

fn note(fields: &Map<String, Value>, under: &str, found: &mut HashMap<String, Option<Kind>>) {
    for (name, value) in fields {
        let path = format!("{under}{name}");
        let kind = match value {
            // Nothing yet, in this one.
            Value::Null => continue,
            Value::String(_) => Some(Kind::Text),
            Value::Number(_) => Some(Kind::Number),
            Value::Bool(_) => Some(Kind::Truth),
            Value::Array(_) => None,
            Value::Object(inner) => {
                note(inner, &format!("{path}."), found);
                None
            }
        };
        let known = found.entry(path).or_insert(kind);
        if *known != kind {
            *known = None;
        }
    }
}
