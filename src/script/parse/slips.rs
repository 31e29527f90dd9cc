//! What people write who come from JavaScript, Python or PHP, and what to write instead.

use super::around::{Around, Said};
use super::scan::Kind;
use crate::script::foreign;

/// What is wrong when the place of an error looks like a known slip.
pub(super) fn slip(around: &Around) -> Option<Said> {
    if let Some(it) = strange_sign(around) {
        return Some(it);
    }
    let word = around.token(0).map_or("", |it| it.text);
    if !around.is_name()
        && let Some((what, instead)) = foreign::word(word)
    {
        return Some(special_word(around, word).unwrap_or(Said::new(what).help(instead)));
    }
    by_place(around)
}

/// Where a word means one thing here and another there.
fn special_word(around: &Around, word: &str) -> Option<Said> {
    let first_of_line = |it: usize| around.before(1).is_none_or(|before| before.line != it);
    let it = around.token(0)?;
    match word {
        "--" if first_of_line(it.line) => {
            Some(Said::new("comments begin with `//`").help("write `// …`"))
        }
        "new" if around.is_before(1, "throw") => {
            let why = (1..4)
                .filter_map(|it| around.token(it))
                .find(|it| it.kind == Kind::Text);
            let why = why.map_or("\"why\"", |it| it.text);
            Some(Said::new("there is no `new` here").help(format!("write `throw {why};`")))
        }
        "..." if around.bracket().is_some_and(|it| it.is("#{")) => Some(
            Said::new("`...` means nothing here")
                .help("to put one map into another write `a + #{ … }`"),
        ),
        "..." if around.bracket().is_some_and(|it| it.is("[")) => Some(
            Said::new("`...` means nothing here")
                .help("to put one list behind another write `a + b`"),
        ),
        "new" if around.token(1).is_some_and(|it| it.is("Date")) => Some(
            Said::new("there is no `new Date()` here")
                .help("write `now()`, or as text `date(now())`: \"2026-11-24\""),
        ),
        "=>" if around.is_in_switch() => None,
        "=>" if around.bracket().is_some_and(|it| it.is("#{")) => Some(
            Said::new("a field and its value stand apart by `:`").help("write `#{ name: value }`"),
        ),
        "=>" if around.statement() == "fn" => Some(
            Said::new("the body of a function stands in braces")
                .help("write `fn name(x) { x + 1 }`"),
        ),
        _ => None,
    }
}

/// Quotation marks, dashes and blanks as mail programs and word processors make them.
fn strange_sign(around: &Around) -> Option<Said> {
    let it = around.token(0).filter(|it| it.kind == Kind::Strange)?;
    let sign = it.text.chars().next()?;
    let code = u32::from(sign);
    Some(match sign {
        '“' | '”' | '„' | '‟' | '«' | '»' | '‘' | '’' | '‚' | '‹' | '›' | '″' => {
            Said::new(format!("`{sign}` is a quotation mark of a word processor"))
                .help("type it anew: text stands in straight \"double quotes\"")
        }
        '–' | '—' | '−' | '‐' => {
            Said::new(format!("`{sign}` is no minus sign")).help("type it anew: `-`")
        }
        '…' => Said::new("`…` only stands for something that is left out")
            .help("write what belongs here"),
        _ if meant(sign).is_some() => {
            let meant = meant(sign).unwrap_or_default();
            Said::new(format!("`{sign}` is no `{meant}`")).help(format!("type it anew: `{meant}`"))
        }
        _ if sign.is_alphabetic() => Said::new(format!("`{sign}` cannot stand in a name"))
            .help("names have the letters a to z, digits and `_`; in text all letters may stand"),
        _ if sign.is_control() || sign.is_whitespace() || is_invisible(sign) => Said::new(format!(
            "here stands a sign that nobody sees (U+{code:04X})"
        ))
        .help("delete what looks empty around this place, and type it anew"),
        _ => Said::new(format!("`{sign}` means nothing here"))
            .help("it can only stand in text, in quotes"),
    })
}

/// What a sign of mathematics, or of full width, stands for.
fn meant(sign: char) -> Option<String> {
    let text = match sign {
        '≤' => "<=",
        '≥' => ">=",
        '≠' => "!=",
        '×' | '·' => "*",
        '÷' => "/",
        '\u{ff01}'..='\u{ff5e}' if !sign.is_alphanumeric() => {
            return char::from_u32(u32::from(sign) - 0xfee0).map(String::from);
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn is_invisible(it: char) -> bool {
    matches!(it, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

fn by_place(around: &Around) -> Option<Said> {
    let slip =
        |word: &str| foreign::word(word).map(|(what, instead)| Said::new(what).help(instead));
    let first = around.statement();
    let is_whole_line = matches!(
        first,
        "def" | "function" | "elif" | "var" | "foreach" | "unless"
    );
    if is_whole_line {
        return slip(first);
    }
    let is_quoted = |it: Option<super::scan::Token>| {
        it.is_some_and(|it| it.kind == Kind::Text && it.text.starts_with('\''))
    };
    if is_quoted(around.token(0)) || is_quoted(around.before(1)) {
        return Some(Said::new("text stands in double quotes").help(
            "write \"text\", or `text with ${values}` between backticks; single quotes hold one character",
        ));
    }
    let line = around.token(0).or_else(|| around.before(1))?.line;
    let mut of_line = around.scan.tokens.iter().filter(|it| it.line == line);
    if of_line.next().is_some_and(|it| it.is("#")) {
        return slip("#");
    }
    if let Some(word) = around
        .before(1)
        .filter(|it| matches!(it.text, "and" | "or" | "not"))
    {
        return slip(word.text);
    }
    let is_block_head = matches!(first, "if" | "for" | "while" | "else" | "fn");
    if is_block_head && around.is_at(":") {
        return Some(
            Said::new("blocks stand in braces")
                .help(format!("write `{first} … {{ … }}` without the `:`")),
        );
    }
    if first != "fn" && is_map_without_its_mark(around) {
        return Some(Said::new("a map begins with `#{`").help("write `#{ name: value }`"));
    }
    let is_counted = around.is_at("=") || around.bracket().is_some_and(|it| it.is("("));
    if first == "for" && is_counted {
        return Some(
            Said::new("loops go through lists and ranges")
                .help("write `for it in list { … }` or `for i in 0..10 { … }`"),
        );
    }
    if first == "for" && around.is_at(",") {
        return Some(Said::new("`for` has one name before `in`").help(
            "for a map write `for key in map.keys() { let value = map[key]; … }`, \
                 for a list with numbers `for (value, number) in list { … }`",
        ));
    }
    None
}

/// `= { a: 1 }`, `f({ a: 1 })`
fn is_map_without_its_mark(around: &Around) -> bool {
    let open = if around.is_at("{") {
        around.token(0)
    } else {
        around.bracket()
    };
    let Some(open) = open.filter(|it| it.is("{")) else {
        return false;
    };
    let at = around.scan.at(open.line, open.column);
    let before = at.checked_sub(1).map(|it| around.scan.tokens[it]);
    let is_value =
        before.is_some_and(|it| matches!(it.text, "=" | "(" | "," | ":" | "return" | "["));
    is_value && (around.is_at("{") || around.is_at(":") || around.is_before(1, "{"))
}

/// The word or the run of signs at a place (both from 1); empty past the end of the line.
pub(super) fn word_at(text: &str, line: usize, column: usize) -> &str {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let Some((start, first)) = line.char_indices().nth(column.saturating_sub(1)) else {
        return "";
    };
    let rest = &line[start..];
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    let is_sign = |it: char| "=!<>+-?&|*#".contains(it);
    let end = if is_word(first) {
        rest.find(|it| !is_word(it))
    } else if is_sign(first) {
        rest.find(|it| !is_sign(it))
    } else {
        rest.char_indices().nth(1).map(|(end, _)| end)
    };
    &rest[..end.unwrap_or(rest.len())]
}
