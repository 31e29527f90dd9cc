//! Commas, semicolons, equals signs: which one is missing, or stands where it does not belong.

use super::around::{Around, Said};
use super::brackets::{open_value, surplus, unclosed};
use super::scan::{Kind, Token};
use rhai::{LexError, ParseErrorType};

pub(super) fn said(around: &Around, error: &ParseErrorType) -> Option<Said> {
    type Rule = fn(&Around, &ParseErrorType) -> Option<Said>;
    let rules: [Rule; 14] = [
        open_value,
        equals_sign,
        comma_in_number,
        points_in_number,
        dash_in_name,
        caught,
        list,
        quote_in_text,
        colon,
        several_names,
        surplus,
        unclosed,
        separator,
        value,
    ];
    rules.iter().find_map(|rule| rule(around, error))
}

/// `if x = 1`
fn equals_sign(around: &Around, error: &ParseErrorType) -> Option<Said> {
    if !around.is_at("=") {
        return None;
    }
    let bracket = around.bracket();
    if bracket.is_some_and(|it| it.is("#{")) {
        return Some(
            Said::new("a field and its value stand apart by `:`").help("write `#{ name: value }`"),
        );
    }
    let is_typo = matches!(
        error,
        ParseErrorType::BadInput(LexError::ImproperSymbol(..))
    );
    let is_condition = matches!(around.statement(), "if" | "else" | "while") || is_typo;
    is_condition.then(|| {
        Said::new("`=` gives a name a value, and does not compare").help("to compare write `==`")
    })
}

/// `1,000`, `12,50`
fn comma_in_number(around: &Around, _: &ParseErrorType) -> Option<Said> {
    let (before, after) = (around.before(1)?, around.token(1)?);
    let is_glued = before.end().1 + 2 == after.column;
    let is_number =
        around.is_at(",") && is_glued && before.kind == Kind::Number && after.kind == Kind::Number;
    if !is_number {
        return None;
    }
    let said = Said::new("numbers stand without a `,`");
    let groups = groups(around, ",");
    if groups[1..].iter().all(|it| it.len() == 3) {
        return Some(said.help(format!(
            "write `{}`, or `{}`",
            groups.concat(),
            groups.join("_")
        )));
    }
    let is_listed = around.bracket().is_some_and(|it| !it.is("{"));
    (!is_listed && groups.len() == 2).then(|| {
        said.help(format!(
            "decimals stand behind a point: `{}`",
            groups.join(".")
        ))
    })
}

/// `1.000.000`
fn points_in_number(around: &Around, _: &ParseErrorType) -> Option<Said> {
    let is_number = |it: Option<Token>| it.is_some_and(|it| it.kind == Kind::Number);
    let is_point = |back: usize| around.is_before(back, ".");
    let is_in_number = is_number(around.token(0)) && is_point(1) && is_number(around.before(2));
    if !is_in_number {
        return None;
    }
    let mut back = 2;
    while is_point(back + 1) && is_number(around.before(back + 2)) {
        back += 2;
    }
    let first = around.before(back)?;
    let tokens = &around.scan.tokens[around.at - back..];
    let groups: Vec<String> = numbers(tokens, ".")
        .map(|it| it.replace('.', "_"))
        .collect();
    Some(
        Said::new("a number has one point at most, before its decimals")
            .help(format!("write `{}`", groups.join("_")))
            .at((first.line, first.column)),
    )
}

/// The digits on both sides of a sign, and of those that follow it.
fn groups<'a>(around: &Around<'a>, sign: &str) -> Vec<&'a str> {
    numbers(&around.scan.tokens[around.at - 1..], sign).collect()
}

fn numbers<'a>(tokens: &[Token<'a>], sign: &str) -> impl Iterator<Item = &'a str> {
    let is_number = |it: &&[Token<'a>]| it[0].kind == Kind::Number;
    let pairs: Vec<&[Token<'a>]> = tokens.chunks(2).take_while(is_number).collect();
    let ends = pairs
        .iter()
        .position(|it| !it.get(1).is_some_and(|it| it.is(sign)));
    let count = ends.map_or(pairs.len(), |it| it + 1);
    let found: Vec<&'a str> = pairs[..count].iter().map(|it| it[0].text).collect();
    found.into_iter()
}

/// `let my-var = 1;`, `#{ my-key: 1 }`
fn dash_in_name(around: &Around, _: &ParseErrorType) -> Option<Said> {
    let first = around.before(1).filter(|it| it.kind == Kind::Word)?;
    if !around.is_at("-") {
        return None;
    }
    let is_made = around
        .before(2)
        .is_some_and(|it| matches!(it.text, "let" | "const" | "fn"));
    let is_field = around.bracket().is_some_and(|it| it.is("#{"))
        && around
            .before(2)
            .is_some_and(|it| matches!(it.text, "#{" | ","));
    let rest = around.scan.tokens[around.at..]
        .chunks(2)
        .take_while(|it| it[0].is("-") && it.get(1).is_some_and(|it| it.kind == Kind::Word));
    let mut parts = vec![first.text];
    parts.extend(rest.map(|it| it[1].text));
    let said = Said::new("names have no `-`").at((first.line, first.column));
    match (is_made, is_field) {
        (true, _) => Some(said.help(format!("write `{}`", parts.join("_")))),
        (false, true) => {
            Some(said.help(format!("write it in quotes: `\"{}\": …`", parts.join("-"))))
        }
        (false, false) => None,
    }
}

/// `catch e { }`
fn caught(around: &Around, _: &ParseErrorType) -> Option<Said> {
    let name = around.token(0).filter(|it| it.kind == Kind::Word)?.text;
    around.is_before(1, "catch").then(|| {
        Said::new("what `catch` gives a name to stands in brackets")
            .help(format!("write `catch ({name}) {{ … }}`"))
    })
}

/// `(1, 2)`, `{1, 2}`
fn list(around: &Around, _: &ParseErrorType) -> Option<Said> {
    let bracket = around.bracket().filter(|_| around.is_at(","))?;
    let at = around.scan.at(bracket.line, bracket.column);
    let before = around.scan.tokens.get(at.checked_sub(1)?)?;
    let is_value = matches!(before.text, "=" | "in" | "return" | "(" | "," | ":");
    let mut behind = around.scan.tokens[around.at..]
        .iter()
        .skip_while(|it| !it.is(")"));
    if behind.nth(1).is_some_and(|it| it.is("=>")) {
        return Some(
            Said::new("a function in place is written otherwise").help("write `|a, b| …`"),
        );
    }
    (is_value && matches!(bracket.text, "(" | "{"))
        .then(|| Said::new("a list stands in `[` and `]`").help("write `[1, 2]`"))
}

/// `"say "hello""`
fn quote_in_text(around: &Around, error: &ParseErrorType) -> Option<Said> {
    let (last, it) = (around.before(1)?, around.token(0)?);
    let is_missing = matches!(error, ParseErrorType::MissingToken(..));
    let is_glued = last.end() == (it.line, it.column.saturating_sub(1));
    let is_quoted = last.kind == Kind::Text && last.text.starts_with('"');
    (is_missing && is_quoted && is_glued && it.begins_value()).then(|| {
        Said::new("the text ends here already")
            .help("inside of text a quotation mark is `\\\"`; or put the text between `backticks`")
            .at(last.end())
    })
}

/// `let x: string`, `"a": …` in a switch
fn colon(around: &Around, _: &ParseErrorType) -> Option<Said> {
    if !around.is_at(":") {
        return None;
    }
    let (name, let_) = (around.before(1)?, around.before(2));
    if let_.is_some_and(|it| it.is("let") || it.is("const")) {
        let name = name.text;
        return Some(
            Said::new("names have no types here").help(format!("write `let {name} = …;`")),
        );
    }
    around.is_in_switch().then(|| {
        Said::new("here a `=>` is missing").help(format!("write `{} => {{ … }},`", name.text))
    })
}

/// `let { a, b } = …`
fn several_names(around: &Around, error: &ParseErrorType) -> Option<Said> {
    if !matches!(error, ParseErrorType::VariableExpected) {
        return None;
    }
    let it = around
        .scan
        .tokens
        .iter()
        .skip(around.at.saturating_sub(1))
        .find(|it| !it.is("let"))?;
    let name = around
        .scan
        .tokens
        .iter()
        .skip(around.at + 1)
        .find(|it| it.kind == Kind::Word);
    let name = name.map_or("email", |it| it.text);
    Some(match it.kind {
        Kind::Open => {
            let part = if it.is("[") {
                "[0]".to_owned()
            } else {
                format!(".{name}")
            };
            Said::new("`let` makes one name at a time")
                .help(format!("write `let {name} = x{part};`, one line for each"))
        }
        Kind::Word | Kind::Number | Kind::Text | Kind::Sign | Kind::Close | Kind::Strange => {
            Said::new("here a name is missing").help("write `let name = …;`")
        }
    })
}

/// What stands between items, fields and statements.
fn separator(around: &Around, error: &ParseErrorType) -> Option<Said> {
    let ParseErrorType::MissingToken(token, _) = error else {
        return None;
    };
    let last = around.before(1)?;
    let bracket = around.bracket();
    if bracket.is_some_and(|it| it.is("#{")) && around.is_at(";") {
        return Some(
            Said::new("between fields stands `,`, not `;`").help("write `#{ a: 1, b: 2 }`"),
        );
    }
    if token == "," && last.ends_value() {
        let it = around
            .token(0)
            .filter(|it| it.begins_value() || it.kind == Kind::Open)?;
        let are_texts = last.kind == Kind::Text || it.kind == Kind::Text;
        let is_call = bracket.is_some_and(|it| it.is("(")) && are_texts;
        let said = Said::new("here a `,` is missing").at(last.end());
        return Some(match bracket {
            _ if is_call => {
                said.help("between values stands `,`; to make one text of two write `+`")
            }
            Some(open) if open.is("#{") => said.help("between fields stands `,`"),
            Some(_) if around.is_in_switch() => said.help("between cases stands `,`"),
            Some(_) if around.statement() == "fn" => said.help("between parameters stands `,`"),
            Some(_) | None => said.help("between values stands `,`"),
        });
    }
    let is_name = around
        .before(2)
        .is_some_and(|it| it.is("let") || it.is("const"));
    let is_here = |it: Token| it.begins_value() && it.line == last.line;
    if token == ";" && is_name && around.token(0).is_some_and(is_here) {
        let (name, value) = (last.text, around.token(0)?.text);
        return Some(
            Said::new("here a `=` is missing").help(format!("write `let {name} = {value}`")),
        );
    }
    if token == "{" {
        let help = match around.statement() {
            "else" => "blocks stand in braces: `else { … }`".to_owned(),
            it @ ("if" | "while" | "for" | "switch" | "fn") => {
                format!("blocks stand in braces: `{it} … {{ … }}`")
            }
            _ => "blocks stand in braces: `{ … }`".to_owned(),
        };
        return Some(Said::new("here a `{` is missing").help(help));
    }
    if token == "catch" {
        return Some(
            Said::new("here a `catch` is missing").help("write `try { … } catch (error) { … }`"),
        );
    }
    None
}

/// `1 + ;`
fn value(around: &Around, error: &ParseErrorType) -> Option<Said> {
    let is_unexpected = matches!(
        error,
        ParseErrorType::BadInput(LexError::UnexpectedInput(_))
    );
    let last = around.before(1)?;
    let ends = around
        .token(0)
        .is_none_or(|it| matches!(it.text, ";" | ")" | "]" | "}" | ","));
    let wants = last.kind == Kind::Sign && !matches!(last.text, ";" | ".");
    (is_unexpected && ends && wants).then(|| {
        Said::new(format!("behind this `{}` a value is missing", last.text))
            .at((last.line, last.column))
    })
}
