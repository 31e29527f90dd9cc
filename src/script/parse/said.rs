//! What the parser did not understand, in words, when nothing around it tells more.

use super::around::{Around, Said};
use super::names::reserved_name;
use rhai::{LexError, ParseErrorType};

/// What the parser found, when nothing around it tells more.
pub(super) fn said(around: &Around, error: &ParseErrorType) -> Said {
    match error {
        ParseErrorType::UnexpectedEOF => Said::new("the script ends in the middle of something")
            .help("a `}`, `)` or `]` is missing somewhere before"),
        ParseErrorType::BadInput(LexError::UnterminatedString) => Said::new("this text has no end")
            .help(
                "text in \"double quotes\" ends on its line; \
             text between `backticks` ends with a backtick",
            ),
        ParseErrorType::BadInput(LexError::MalformedEscapeSequence(it)) => {
            Said::new(format!("`{it}` means nothing in text"))
                .help("to have a backslash in text write it twice: `\\\\`")
        }
        ParseErrorType::MissingToken(token, _) if token == ";" => {
            Said::new("a `;` is missing").help("each statement ends with `;`")
        }
        ParseErrorType::MissingToken(token, _) => {
            let said = Said::new(format!("here a `{token}` is missing"));
            match around.token(0) {
                Some(it) => said.help(format!("there is `{}` in its place", it.text)),
                None => said,
            }
        }
        ParseErrorType::ModuleUndefined(name) => {
            Said::new(format!("nothing is imported as `{name}`")).help(format!(
                "write `import \"lib/{name}\" as {name};` at the top, \
             for scripts/lib/{name}.rhai"
            ))
        }
        ParseErrorType::ForbiddenVariable(name) => {
            let (message, help) = reserved_name(name);
            Said {
                message,
                help,
                place: None,
            }
        }
        ParseErrorType::AssignmentToConstant(name) => {
            Said::new(format!("`{name}` cannot be changed: it is a `const`"))
                .help(format!("write `let {name} = …` where it is made"))
        }
        ParseErrorType::AssignmentToInvalidLHS(_) => not_assignable(around),
        ParseErrorType::DuplicatedProperty(name) => {
            Said::new(format!("the field `{name}` stands twice in this map"))
                .help("keep one of them")
        }
        ParseErrorType::FnDuplicatedDefinition(name, count) => Said::new(format!(
            "there are two functions `{name}` with {count} parameters"
        ))
        .help("give one of them another name"),
        ParseErrorType::MismatchedType(wanted, got) => mismatch(around, wanted, got),
        ParseErrorType::FnMissingName => Said::new("here the name of the function is missing")
            .help("write `fn name(a, b) { … }`; a function in place is `|a, b| …`"),
        ParseErrorType::PropertyExpected if around.bracket().is_some_and(|it| it.is("#{")) => {
            Said::new("here belongs the name of a field").help("write `#{ name: value }`")
        }
        ParseErrorType::PropertyExpected => {
            Said::new("behind a dot stands the name of a field or a function")
                .help("to make one text of two write `+`")
        }
        ParseErrorType::ExprExpected(_) if around.is_in_switch() => case(around),
        ParseErrorType::UnknownOperator(it) => Said::new(format!("`{it}` means nothing here")),
        ParseErrorType::ExprExpected(what) if what.contains("boolean") => {
            Said::new("here belongs what is asked: something true or false")
        }
        ParseErrorType::ExprExpected(_) => Said::new("here a value is missing"),
        ParseErrorType::WrongFnDefinition => {
            Said::new("a function cannot stand in another one, or in a block")
                .help("move it out, to the left margin")
        }
        ParseErrorType::LoopBreak => Said::new("`break` and `continue` belong into a loop"),
        ParseErrorType::ExprTooDeep => {
            Said::new("this is nested too deep").help("give parts of it names with `let`")
        }
        other => match around.token(0) {
            Some(it) if other.to_string().starts_with("Unexpected") => {
                Said::new(format!("`{}` is not understood here", it.text))
            }
            Some(_) | None => Said::new(super::lower_first(&other.to_string().replace('\'', "`"))),
        },
    }
}

/// `switch x { default => 1 }`
fn case(around: &Around) -> Said {
    match around.token(0) {
        Some(it) if matches!(it.text, "default" | "else" | "otherwise") => {
            Said::new(format!("there is no `{}` in a `switch`", it.text))
                .help("all the rest is `_ => { … }`, as the last case")
        }
        Some(_) | None => {
            Said::new("a case of a `switch` is a text or a number, as it stands there")
                .help("to ask for something else write `if … { … } else if … { … }`")
        }
    }
}

/// `records("a").get("b").c = 1`
fn not_assignable(around: &Around) -> Said {
    let line = around
        .token(0)
        .or_else(|| around.before(1))
        .map_or(0, |it| it.line);
    let of_line: Vec<_> = around
        .scan
        .tokens
        .iter()
        .filter(|it| it.line == line)
        .collect();
    let field = of_line.windows(3).find(|it| it[0].is(".") && it[2].is("="));
    let field = field.map_or("name", |it| it[1].text);
    let said = Said::new("what a function gives back is a copy: changing it would change nothing");
    if of_line.iter().any(|it| it.is("get")) && !of_line.iter().any(|it| it.is("event")) {
        return said.help(format!(
            "to change a record write `records(\"…\").update(id, #{{ {field}: … }})`"
        ));
    }
    said.help(format!(
        "give it a name first: `let mine = …; mine.{field} = …;`"
    ))
}

fn mismatch(around: &Around, wanted: &str, got: &str) -> Said {
    let got = match got {
        it if it.contains("string") => "text",
        it if it.contains("floating") => "a number with decimals",
        it if it.contains("number") => "a number",
        it if it.contains("array") => "a list",
        it if it.contains("map") => "a map",
        it => it,
    };
    if wanted.contains("iterable") {
        return Said::new(format!(
            "`for` goes through lists, ranges and the characters of text, and this is {got}"
        ))
        .help("write `for it in list { … }` or `for i in 0..10 { … }`");
    }
    if !wanted.contains("boolean") {
        return Said::new(format!("here belongs {wanted}, and this is {got}"));
    }
    let said = Said::new(format!("here belongs true or false, and this is {got}"));
    let operator = around
        .before(1)
        .filter(|it| matches!(it.text, "||" | "&&"))
        .map(|it| it.text);
    let value = around.token(0).map_or("…", |it| it.text);
    let is_compared = compared_before(around);
    match (operator, is_compared) {
        (Some(operator), true) => said.help(format!(
            "each side of `{operator}` compares: `x == \"a\" {operator} x == {value}`"
        )),
        (Some("||"), false) => said.help(format!(
            "a default for what is missing is `??`: `x ?? {value}`"
        )),
        (Some(_) | None, _) => {
            said.help("compare it with something: `x > 0`, `x == \"…\"`, `x != ()`")
        }
    }
}

fn compared_before(around: &Around) -> bool {
    let start = around
        .scan
        .statement_of(around.at)
        .map_or(0, |it| around.scan.at(it.line, it.column));
    around.scan.tokens[start.min(around.at)..around.at]
        .iter()
        .any(|it| matches!(it.text, "==" | "!=" | "<" | ">" | "<=" | ">="))
}
