//! What people write who come from JavaScript, Python or PHP, and what to write instead.

use rhai::Position;

/// What is wrong, and what to write instead, when the place of an error looks like a known slip.
pub(super) fn slip(text: &str, position: Position, word: &str) -> Option<(String, String)> {
    let line_number = position.line()?;
    let line = text.lines().nth(line_number - 1).unwrap_or_default();
    by_word(word).or_else(|| by_line(line, position.position().unwrap_or(1)))
}

fn by_word(word: &str) -> Option<(String, String)> {
    let (what, instead) = match word {
        "===" => ("`===` is JavaScript", "write `==`"),
        "!==" => ("`!==` is JavaScript", "write `!=`"),
        "null" | "undefined" | "nil" | "None" => (
            "there is no `null` here",
            "nothing is written `()`: `if x == () { … }`, or with a default `x ?? \"…\"`",
        ),
        "True" => ("`True` is Python", "write `true`"),
        "False" => ("`False` is Python", "write `false`"),
        "elif" | "elseif" => ("there is no `elif` here", "write `else if … { … }`"),
        "and" => ("there is no `and` here", "write `&&`"),
        "or" => ("there is no `or` here", "write `||`"),
        "not" => (
            "there is no `not` here",
            "write `!`, as in `!(x == 1)`, `!=`, or `!(\"a\" in b)`",
        ),
        "def" | "function" | "func" | "fun" | "async" => {
            ("functions begin with `fn`", "write `fn name(a, b) { … }`")
        }
        "lambda" => ("there is no `lambda` here", "write `|x| x + 1`"),
        "var" => ("there is no `var` here", "write `let`"),
        "new" => (
            "there is no `new` here",
            "maps are `#{ a: 1 }`, lists are `[1, 2]`",
        ),
        "await" => (
            "calls need no `await`",
            "write the call alone: the script goes on when the answer is there",
        ),
        "foreach" => ("there is no `foreach` here", "write `for it in list { … }`"),
        "console" => ("there is no `console` here", "write `log.info(\"…\")`"),
        "require" | "from" | "include" => (
            "files are imported",
            "write `import \"lib/money\" as money;`",
        ),
        "typeof" => ("there is no `typeof` here", "write `type_of(x)`"),
        "pass" => ("there is no `pass` here", "an empty block is `{ }`"),
        "raise" => (
            "there is no `raise` here",
            "write `throw \"why\";` or `fail(\"why\");`",
        ),
        "finally" => (
            "there is no `finally` here",
            "write what comes after behind the `catch` block",
        ),
        "=>" => (
            "`=>` stands only in `switch`",
            "a function in place is `|x| x + 1`",
        ),
        "++" => ("there is no `++` here", "write `x += 1`"),
        "--" => ("there is no `--` here", "write `x -= 1`"),
        "?" => (
            "there is no `a ? b : c` here",
            "write `if a { b } else { c }`; it can stand where a value does",
        ),
        "#" => (
            "comments begin with `//`",
            "write `// …`; a map is `#{ … }` without a space",
        ),
        _ => return None,
    };
    Some((what.to_owned(), instead.to_owned()))
}

fn by_line(line: &str, column: usize) -> Option<(String, String)> {
    let at: String = line.chars().skip(column.saturating_sub(1)).collect();
    let before: String = line.chars().take(column.saturating_sub(1)).collect();
    let trimmed = line.trim_start();
    let first_word = trimmed
        .split(|it: char| !it.is_alphanumeric() && it != '_')
        .next()
        .unwrap_or_default();
    let is_whole_line = matches!(first_word, "def" | "function" | "elif" | "var" | "foreach");
    if is_whole_line {
        return by_word(first_word);
    }
    if at.starts_with('\'') || before.matches('\'').count() % 2 == 1 {
        return Some((
            "text stands in double quotes".to_owned(),
            "write \"text\", or `text with ${values}` between backticks; single quotes hold one character".to_owned(),
        ));
    }
    if trimmed.starts_with('#') && !trimmed.starts_with("#{") {
        return by_word("#");
    }
    if let Some(word) = ["and", "or", "not"]
        .into_iter()
        .find(|word| has_word(&before, word) && has_word(line, word))
    {
        let last = before.split_whitespace().next_back();
        if last == Some(word) {
            return by_word(word);
        }
    }
    let is_block_head = matches!(first_word, "if" | "for" | "while" | "else" | "fn");
    if is_block_head && at.trim_start().starts_with(':') {
        return Some((
            "blocks stand in braces".to_owned(),
            format!("write `{first_word} … {{ … }}` without the `:`"),
        ));
    }
    if before.trim_end().ends_with('{') || at.starts_with('{') || at.starts_with(':') {
        let is_value = ["= {", "({", ", {", ": {", "return {"]
            .iter()
            .any(|it| line.contains(it));
        if is_value {
            return Some((
                "a map begins with `#{`".to_owned(),
                "write `#{ name: value }`".to_owned(),
            ));
        }
    }
    if is_block_head && first_word == "for" && before.contains('(') {
        return Some((
            "loops go through lists and ranges".to_owned(),
            "write `for it in list { … }` or `for i in 0..10 { … }`".to_owned(),
        ));
    }
    let after_word = at
        .trim_start_matches(|it: char| it.is_alphanumeric() || it == '_')
        .trim_start();
    if after_word.starts_with("=>") {
        return by_word("=>");
    }
    None
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|it: char| !it.is_alphanumeric() && it != '_')
        .any(|it| it == word)
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

/// Functions that other languages have.
pub(super) fn slip_of_function(name: &str) -> Option<(String, String)> {
    let instead = match name {
        "toString" | "str" | "String" => "write `x.to_string()`, or put it into text: `` `${x}` ``",
        "parseInt" | "int" | "Number" => "write `parse_int(text)`",
        "parseFloat" | "float" => "write `parse_float(text)`",
        "toUpperCase" | "upper" => "write `text.to_upper()`",
        "toLowerCase" | "lower" => "write `text.to_lower()`",
        "startsWith" | "startswith" => "write `text.starts_with(\"…\")`",
        "endsWith" | "endswith" => "write `text.ends_with(\"…\")`",
        "includes" | "has" | "hasOwnProperty" => {
            "write `\"name\" in map`, or `list.contains(value)`"
        }
        "indexOf" => "write `index_of`",
        "forEach" => "write `for it in list { … }`, or `list.for_each(|it| …)`",
        "length" | "size" | "count" => "write `x.len()`",
        "strip" => "write `text.trim()`",
        "substring" | "substr" | "slice" => {
            "write `text.sub_string(start, length)`, or `list.extract(start, length)`"
        }
        "every" => "write `list.all(|it| …)`",
        "any" => "write `list.some(|it| …)`",
        "concat" => "write `a + b`",
        "format" => "put values into text between backticks: `` `${x} of ${y}` ``",
        "stringify" | "dumps" => "write `to_json(value)`",
        "loads" => "write `parse_json(text)`",
        "fetch" | "get" | "post" | "request" | "axios" => {
            "calls go to a service of handlers.toml: `service(\"name\").post(\"/path\", #{ … })`"
        }
        "sleep" | "setTimeout" | "wait" => {
            "a script never waits; to try again later write `retry_in(\"10m\", \"why\")`"
        }
        "exit" | "quit" | "die" => "write `return;`, or `skip(\"why\")`",
        "eval" | "exec" | "system" => "scripts cannot run other code",
        "Date" | "today" | "time" => "write `now()` (seconds), `date(now())`, `datetime(now())`",
        "random" | "uuid" => "write `random_id()`",
        _ => return None,
    };
    Some((format!("there is no function `{name}`"), instead.to_owned()))
}
