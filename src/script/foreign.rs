//! Words, functions and objects that other languages have, and what to write instead.

/// What is wrong with a word or a sign, and what to write instead.
pub(super) fn word(word: &str) -> Option<(&'static str, &'static str)> {
    Some(match word {
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
        "is" => ("there is no `is` here", "write `==`, as in `x == ()`"),
        "then" => ("there is no `then` here", "write `if … { … }`"),
        "unless" => ("there is no `unless` here", "write `if !(…) { … }`"),
        "case" => (
            "there is no `case` here",
            "write `switch x { \"a\" => { … }, \"b\" => { … }, _ => { … } }`",
        ),
        "except" => (
            "there is no `except` here",
            "write `try { … } catch (error) { … }`",
        ),
        "echo" | "puts" | "printf" | "println" => {
            ("there is no `echo` here", "write `log.info(\"…\");`")
        }
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
        "eval" | "Fn" | "curry" => (
            "scripts cannot build other code and run it",
            "a function in place is `|x| x + 1`; one with a name is `fn name(x) { … }`",
        ),
        "class" | "struct" | "interface" | "enum" => (
            "there is no `class` here",
            "what has fields is a map, `#{ name: \"…\" }`; what is done with it is a `fn name(it) { … }`",
        ),
        "del" | "delete" | "unset" => (
            "there is no `del` here",
            "write `map.remove(\"name\")`, or `records(\"…\").remove(id)`",
        ),
        "match" => (
            "there is no `match` here",
            "write `switch x { \"a\" => { … }, _ => { … } }`",
        ),
        "..." => (
            "`...` means nothing here",
            "numbers from 1 up to 3 are `1..=3`, and without the 3 `1..3`",
        ),
        "=>" => (
            "`=>` stands only in `switch`",
            "a function in place is `|x| x + 1`",
        ),
        "<>" => ("`<>` means nothing here", "write `!=`"),
        "as" => (
            "there is no `as` here",
            "write `x.to_string()`, `parse_int(text)` or `parse_float(text)`",
        ),
        "->" => (
            "`->` means nothing here",
            "fields stand behind a dot: `event.id`",
        ),
        ":=" => (
            "`:=` means nothing here",
            "write `let x = …;`, and `x = …;` to change it",
        ),
        "++" => ("there is no `++` here", "write `x += 1`"),
        "--" => ("there is no `--` here", "write `x -= 1`"),
        "?" => (
            "there is no `a ? b : c` here",
            "write `if a { b } else { c }`; it can stand where a value does",
        ),
        "$" => (
            "`$` means nothing here",
            "names stand alone, `name`; between backticks they stand in `${name}`",
        ),
        "#" => (
            "comments begin with `//`",
            "write `// …`; a map is `#{ … }` without a space",
        ),
        _ => return None,
    })
}

/// The same of a function.
pub(super) fn function(name: &str) -> Option<(String, String)> {
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
        "random" | "rand" | "randint" | "uuid" => {
            "nothing is left to chance; an id of its own is `random_id()`, the same in each attempt"
        }
        "log" | "echo" | "println" | "printf" | "puts" => "write `log.info(\"…\")`",
        "error" | "fatal" | "warning" | "err" | "debug" | "trace" => {
            "write `log.warn(\"…\")` or `log.info(\"…\")`; to give up write `fail(\"why\")`"
        }
        "require" | "include" => "files are imported: write `import \"lib/money\" as money;`",
        "not" => "write `!`, as in `!(x == 1)`",
        "env" | "getenv" => {
            "a script sees no environment; secrets stand in handlers.toml, in `headers` of a service"
        }
        "mail" | "send_mail" | "sendMail" | "email" | "send_email" | "sendEmail" => {
            "mail is sent by a service of handlers.toml: `service(\"mail\").post(\"/send\", #{ … })`"
        }
        "match" | "matches" | "test" | "regex" => {
            "write `text.contains(\"…\")`, `text.starts_with(\"…\")` or `text.ends_with(\"…\")`"
        }
        "toFixed" | "number_format" | "toLocaleString" => {
            "an amount as text is `money(amount, currency).decimal`; a number is rounded by `x.round()`"
        }
        "padEnd" | "ljust" => "write `text.pad(10, \" \")`",
        "padStart" | "zfill" | "rjust" | "padLeft" => {
            "write `while text.len() < 10 { text = \"0\" + text; }`"
        }
        "IF" | "If" | "iif" | "IIF" => {
            "write `if a { b } else { c }`; it can stand where a value does"
        }
        "items" | "entries" => "write `for key in map.keys() { let value = map[key]; … }`",
        "Error" | "Exception" => "write `throw \"why\";` or `fail(\"why\");`",
        _ => return None,
    };
    Some((format!("there is no function `{name}`"), instead.to_owned()))
}

/// What is better written without a function that is there.
pub(super) fn otherwise(name: &str) -> Option<&'static str> {
    Some(match name {
        "range" => "write `0..10`, as in `for i in 0..10 { … }`",
        _ => return None,
    })
}

/// What to write instead of an operator that money has not.
pub(super) fn of_money(operator: &str, other: &str) -> Option<&'static str> {
    Some(match (operator, other) {
        ("+" | "-", "whole number" | "number with decimals") => {
            "both have to be money: `m + money(100, m.currency)`"
        }
        ("/", _) => {
            "count in the smallest unit: `money(m.amount / 3, m.currency)`, and say what becomes of the rest, `m.amount % 3`"
        }
        ("*", "number with decimals") => {
            "count in the smallest unit, and round: 19 % are `money((m.amount * 19 + 50) / 100, m.currency)`"
        }
        _ => return None,
    })
}

/// What to write instead of a method that a collection of records lacks.
pub(super) fn of_records(name: &str) -> Option<&'static str> {
    Some(match name {
        "delete" | "del" | "destroy" | "erase" | "drop" | "unset" | "delete_one" | "deleteOne"
        | "remove_one" | "pop" | "clear" => "write `records(\"…\").remove(id)`",
        "insert" | "create" | "upsert" | "save" | "put" | "store" | "write" | "replace"
        | "push" | "append" | "post" | "insert_one" | "insertOne" | "new" => {
            "write `set(id, #{ … })` for the whole record, or `update(id, #{ … })` for some of its fields"
        }
        "patch" | "merge" | "mixin" | "modify" | "set_field" | "update_one" | "updateOne"
        | "fill_with" => "write `update(id, #{ … })`",
        "fetch" | "load" | "read" | "lookup" | "find_by_id" | "findById" | "get_by_id" => {
            "write `get(id)`, which gives `()` when there is none"
        }
        "exists" | "has" | "contains" | "includes" => "write `records(\"…\").get(id) != ()`",
        "all" | "list" | "select" | "where" | "query" | "filter" | "search" | "find_one"
        | "findOne" | "first" | "find_all" | "findAll" | "keys" | "values" | "map" => {
            "write `find(#{ status: \"paid\" })`, which gives a list; `#{ }` finds all"
        }
        "len" | "count" | "length" | "size" => "write `find(#{ … }).len()`",
        "increment" | "incr" | "inc" | "increase" => "write `add(id, \"count\", 1)`",
        _ => return None,
    })
}

/// The same of a service.
pub(super) fn of_service(name: &str) -> Option<&'static str> {
    Some(match name {
        "send" | "request" | "fetch" | "create" | "insert" | "set" | "save" | "add" | "push" => {
            "write `post(\"/path\", #{ … })`"
        }
        "remove" | "del" | "destroy" => "write `delete(\"/path\")`",
        "update" | "upsert" | "replace" => "write `put(\"/path\", #{ … })` or `patch(…)`",
        "find" | "list" | "all" | "search" | "query" | "read" => {
            "write `get(\"/path\", #{ query: #{ … } })`"
        }
        _ => return None,
    })
}

/// What to write instead of a second value of `get`.
pub(super) const DEFAULT: &str = "a default stands behind: `x.get(\"a\") ?? \"b\"`";

/// What to write instead of an object that other languages have: `JSON`, `Math`.
pub(super) fn object(name: &str) -> Option<&'static str> {
    Some(match name {
        "JSON" | "json" => "write `to_json(value)` or `parse_json(text)`",
        "Math" | "math" => {
            "write `x.floor()`, `x.ceiling()`, `x.round()`, `x.abs()`, `min(a, b)`, `max(a, b)`"
        }
        "Object" => "write `map.keys()`, `map.values()`, or `copy(map)`",
        "Array" => "a list is `[1, 2]`",
        "String" => "write `x.to_string()`, or put it into text: `` `${x}` ``",
        "Number" => "write `parse_int(text)`",
        "Date" | "datetime" => "write `now()` (seconds), `date(now())`, `datetime(now())`",
        "console" | "logger" | "logging" | "Console" | "System" => "write `log.info(\"…\")`",
        "stripe" | "Stripe" => {
            "what happened is in `event`; calls go to a service of handlers.toml: `service(\"name\").get(\"/path\")`"
        }
        "axios" | "requests" | "http" | "fetch" => {
            "calls go to a service of handlers.toml: `service(\"name\").post(\"/path\", #{ … })`"
        }
        "process" | "os" | "env" => "a script sees no environment; secrets stand in handlers.toml",
        "global" => "a `const` of this file is `global::NAME` in a `fn`",
        "this" | "self" => "functions are given what they need: `fn name(x) { … }`",
        "data" | "payload" | "body" | "request" | "req" | "webhook" => {
            "what happened is in `event`: `event.data.object`"
        }
        _ => return None,
    })
}
