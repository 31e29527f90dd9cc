//! Names that mean nothing: variables that are not there, functions without brackets, words of the language.

use super::around::{Around, Said};
use super::scan::{Kind, Token};
use crate::diagnostic::did_you_mean;
use crate::script::engine::Engine;
use crate::script::{foreign, usage};
use rhai::ParseErrorType;
use std::collections::BTreeSet;

/// What is wrong with a name, when the error is one of a name.
pub(super) fn name(around: &Around, error: &ParseErrorType, text: &str) -> Option<Said> {
    if let Some(it) = called_without_brackets(around) {
        return Some(it);
    }
    match error {
        ParseErrorType::VariableUndefined(name) => Some(unknown_variable(around, name, text)),
        ParseErrorType::Reserved(name) => reserved(around, name),
        _ => None,
    }
}

/// `print "hello";`
fn called_without_brackets(around: &Around) -> Option<Said> {
    // The parser stops at the name, or at what stands behind it.
    let here = around.token(0).zip(around.value_behind());
    let earlier = around
        .before(1)
        .zip(around.token(0))
        .filter(|(it, value)| it.line == value.line && value.kind == Kind::Text);
    let (it, value) = here.or(earlier)?;
    let is_function = is_function(around.engine, it.text) && it.kind == Kind::Word;
    // What joins values, or begins a statement of its own.
    let is_infix = matches!(
        value.text,
        "in" | "is"
            | "and"
            | "or"
            | "then"
            | "as"
            | "if"
            | "else"
            | "for"
            | "while"
            | "let"
            | "const"
            | "fn"
            | "return"
            | "throw"
            | "try"
            | "catch"
            | "switch"
            | "import"
    );
    if !is_function || around.is_name() || is_infix || around.statement() == "import" {
        return None;
    }
    let name = it.text;
    let value = if value.text.chars().count() <= 40 {
        value.text
    } else {
        "…"
    };
    Some(
        Said::new(format!(
            "`{name}` is a function: what it is called with stands in brackets"
        ))
        .help(format!("write `{name}({value})`"))
        .at((it.line, it.column)),
    )
}

fn is_function(engine: &Engine, name: &str) -> bool {
    engine.functions.contains_key(name)
}

fn unknown_variable(around: &Around, name: &str, text: &str) -> Said {
    if let Some(it) = other_language(around, name) {
        return it;
    }
    let known = names_in(text);
    let said = Said::new(format!("there is no variable `{name}`"));
    if let Some(it) = of_import(around, name) {
        return it;
    }
    if known.contains(name) && !is_made_here(around, name) {
        return said.help(format!(
            "it is made in another place: a `fn` sees only its parameters (and `event`), so pass it as one; a block's variables end with its `}}`. A `const` at the top is `global::{name}` in a `fn`"
        ));
    }
    if let Some(it) = function_as_variable(around, name) {
        return it;
    }
    let others = known
        .iter()
        .map(String::as_str)
        .filter(|it| !is_made_here(around, it));
    match did_you_mean(name, others.chain(["event", "log"])) {
        Some(near) => said.help(format!("did you mean `{near}`?")),
        None => said.help(format!(
            "make it first: `let {name} = …;`, or write text in quotes: \"{name}\""
        )),
    }
}

/// `money.vat(1)` of `import "lib/money" as money;`
fn of_import(around: &Around, name: &str) -> Option<Said> {
    let is_import = |it: &[Token]| it[0].is("import") && it[2].is("as") && it[3].is(name);
    if !around.is_behind(".") || !around.scan.tokens.windows(4).any(is_import) {
        return None;
    }
    let what = around.token(2).filter(|it| it.kind == Kind::Word)?.text;
    let brackets = if around.token(3).is_some_and(|it| it.is("(")) {
        "(…)"
    } else {
        ""
    };
    Some(
        Said::new(format!(
            "`{name}` is a file that is imported, and not a value"
        ))
        .help(format!("write `{name}::{what}{brackets}`")),
    )
}

/// `let x = x + 1;`, where `x` is made by this very statement.
fn is_made_here(around: &Around, name: &str) -> bool {
    let Some(first) = around.scan.statement_of(around.at) else {
        return false;
    };
    let at = around.scan.at(first.line, first.column);
    let is_made = around.scan.tokens.get(at + 1).is_some_and(|it| it.is(name));
    let earlier = around.scan.tokens[..at]
        .windows(2)
        .any(|it| it[0].is("let") && it[1].is(name));
    matches!(first.text, "let" | "const") && is_made && !earlier
}

/// `JSON.stringify(x)`, `(x) => x`, `function(x) { … }`, `import { x } from …`
fn other_language(around: &Around, name: &str) -> Option<Said> {
    if around.statement() == "import" || around.is_before(2, "import") {
        return Some(
            Said::new("files are imported by their path")
                .help("write `import \"lib/money\" as money;`, and `money::name(…)`"),
        );
    }
    if around.is_before(1, "(") && around.is_before(2, "function") {
        return Some(
            Said::new("a function in place is written otherwise")
                .help(format!("write `|{name}| …`, or `|{name}| {{ …; }}`")),
        );
    }
    if around.bracket().is_some_and(|it| it.is("(")) || around.is_before(1, "(") {
        let rest = &around.scan.tokens[around.at..];
        let close = rest
            .iter()
            .position(|it| !(it.kind == Kind::Word || it.is(",")))?;
        if rest[close].is(")") && rest.get(close + 1).is_some_and(|it| it.is("=>")) {
            let names: Vec<_> = rest[..close]
                .iter()
                .filter(|it| it.kind == Kind::Word)
                .map(|it| it.text)
                .collect();
            let names = names.join(", ");
            return Some(
                Said::new("a function in place is written otherwise")
                    .help(format!("write `|{names}| …`")),
            );
        }
    }
    let next = around.token(1)?;
    if next.is("=>") && matches!(around.statement(), "if" | "while") {
        return Some(Said::new("`=>` compares nothing").help("greater or the same is `>=`"));
    }
    if next.is(":") && around.is_before(1, "[") {
        return Some(Said::new("a map begins with `#{`").help("write `#{ name: value }`"));
    }
    if next.is("=>") {
        return Some(
            Said::new("`=>` stands only in `switch`").help("a function in place is `|x| x + 1`"),
        );
    }
    let is_glued = around
        .token(0)
        .is_some_and(|it| it.end().1 + 1 == next.column && it.line == next.line);
    if matches!(name, "f" | "r" | "b") && next.kind == Kind::Text && is_glued {
        return Some(
            Said::new("text with values stands between backticks")
                .help("write `` `text with ${value}` ``"),
        );
    }
    let instead = foreign::object(name)?;
    Some(Said::new(format!("there is no `{name}` here")).help(instead))
}

/// `log.info(now)`, `records.customers`
fn function_as_variable(around: &Around, name: &str) -> Option<Said> {
    let counts = around.engine.functions.get(name)?;
    let said = Said::new(format!(
        "`{name}` is a function, and is called with brackets"
    ));
    let field = around
        .token(2)
        .filter(|it| around.token(1).is_some_and(|dot| dot.is(".")) && it.kind == Kind::Word);
    Some(match field {
        Some(field) if matches!(name, "records" | "service") => {
            said.help(format!("write `{name}(\"{}\")`", field.text))
        }
        Some(_) | None if counts.contains(&0) => said.help(format!("write `{name}()`")),
        Some(_) | None => match usage::example(name) {
            Some(example) => said.help(format!("write for example `{example}`")),
            None => said.help(format!("write `{name}(…)`")),
        },
    })
}

fn reserved(around: &Around, name: &str) -> Option<Said> {
    let is_of_log = around.is_before(1, ".") && around.is_before(2, "log");
    if is_of_log && let Some((message, help)) = foreign::function(name) {
        return Some(Said::new(message).help(help));
    }
    let is_method = around.is_before(1, ".") && around.is_behind("(");
    if is_method && let Some((message, help)) = foreign::function(name) {
        return Some(Said::new(message).help(help));
    }
    let said = Said::new(format!(
        "`{name}` is a word of the language, kept for later"
    ));
    let is_field = around.bracket().is_some_and(|it| it.is("#{"))
        && around.token(1).is_some_and(|it| it.is(":"));
    Some(if around.is_before(1, ".") {
        said.help(format!(
            "as a field write `[\"{name}\"]` instead of `.{name}`"
        ))
    } else if is_field {
        said.help(format!("as a field write it in quotes: `\"{name}\": …`"))
    } else {
        said.help("choose another name")
    })
}

/// Names that the text gives to variables.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text
        .split(|it: char| !it.is_alphanumeric() && it != '_')
        .filter(|it| !it.is_empty());
    let mut names = BTreeSet::new();
    let mut before = "";
    for word in words {
        if matches!(before, "let" | "const" | "for" | "as") {
            names.insert(word.to_owned());
        }
        before = word;
    }
    names
}

pub(in crate::script) fn reserved_name(name: &str) -> (String, Option<String>) {
    (
        format!(
            "`{name}` already has a meaning everywhere and cannot be the name of something else"
        ),
        Some("choose another name, such as `it`".to_owned()),
    )
}
