//! Event types that a script asks for and never gets: `if event.type == "invoice.payed"` is never true, without a word.

use super::Program;
use super::parse::scan::{Kind, Scan, Token};
use crate::catalog;
use crate::config::Pattern;
use crate::diagnostic::{Diagnostic, did_you_mean};

impl Program {
    /// Warnings, given the events that all handlers with this script get together. Only the script itself is looked
    /// at: what it imports serves others too.
    pub fn unheard_of(&self, events: &[&Pattern]) -> Vec<Diagnostic> {
        let Some(text) = self.sources().get(self.script()) else {
            return Vec::new();
        };
        let scan = Scan::of(text);
        let found = named(&scan.tokens).into_iter();
        found
            .filter_map(|it| {
                let kind = it.text.trim_matches(['"', '`']);
                let (message, help) = unheard(kind, events)?;
                let finding = Diagnostic::at(self.script(), text, it.line, it.column, message);
                let length = it.text.chars().count();
                Some(finding.length(length).help(help).warning())
            })
            .collect()
    }
}

fn unheard(kind: &str, events: &[&Pattern]) -> Option<(String, String)> {
    let is_named = |it: &&Pattern| matches!(it, Pattern::Exact(it) if it == kind);
    let takes = |it: &&Pattern| match it {
        Pattern::Exact(it) => it == kind,
        Pattern::Prefix(start) => kind.starts_with(start.as_str()),
        Pattern::All => true,
    };
    let is_known = catalog::is_known(kind);
    if events.iter().any(is_named) || is_known && events.iter().any(takes) {
        return None;
    }
    let own = events.iter().filter_map(|it| match it {
        Pattern::Exact(it) => Some(it.as_str()),
        Pattern::Prefix(_) | Pattern::All => None,
    });
    let near = did_you_mean(kind, own);
    if !is_known {
        let near = near.or_else(|| catalog::nearest(kind));
        let help = near.map_or_else(
            || "all types: https://docs.stripe.com/api/events/types".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return Some((
            format!("there is no event type `{kind}`: this is never true"),
            help,
        ));
    }
    let add = format!("add \"{kind}\" to `events = […]` of the handler in handlers.toml");
    let help = match near {
        Some(near) => format!("did you mean `{near}`? Else {add}"),
        None => add,
    };
    Some((
        format!("the handler of this script gets no `{kind}`: this is never true"),
        help,
    ))
}

/// Texts that are compared with `event.type`: by `==` and `!=`, `in […]`, and as the cases of a `switch`.
fn named<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut found = Vec::new();
    for (at, it) in tokens.iter().enumerate() {
        let is_type = it.is("event")
            && tokens.get(at + 1).is_some_and(|it| it.is("."))
            && tokens.get(at + 2).is_some_and(|it| it.is("type"));
        if !is_type {
            continue;
        }
        let before = |back: usize| at.checked_sub(back).map_or("", |it| tokens[it].text);
        let behind = &tokens[at + 3..];
        match (behind.first().map_or("", |it| it.text), before(1)) {
            ("==" | "!=", _) => found.extend(behind.get(1)),
            ("in", _) => found.extend(behind.iter().skip(2).take_while(|it| !it.is("]"))),
            ("{", "switch") => found.extend(cases(behind)),
            (_, "==" | "!=") => found.push(tokens[at - 2]),
            _ => {}
        }
    }
    found.retain(|it| it.kind == Kind::Text && !it.text.contains("${"));
    found
}

/// From the `{` of a `switch`: what stands before `=>` and around `|`, outside of inner blocks.
fn cases<'a, 'b>(tokens: &'b [Token<'a>]) -> impl Iterator<Item = &'b Token<'a>> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (at, it) in tokens.iter().enumerate() {
        match it.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Text if depth == 1 => {
                let next = tokens.get(at + 1).map_or("", |it| it.text);
                let before = at.checked_sub(1).map_or("", |it| tokens[it].text);
                // A case begins the block or follows what another one does; `=> "text"` is no case.
                if matches!(next, "=>" | "|" | "if") && before != "=>" {
                    found.push(it);
                }
            }
            Kind::Text | Kind::Word | Kind::Number | Kind::Sign | Kind::Strange => {}
        }
        if depth == 0 {
            break;
        }
    }
    found.into_iter()
}
