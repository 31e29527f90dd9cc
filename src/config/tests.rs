//! The file as a whole: what is read, what is refused, and how that is said.

use super::*;
use proptest::prelude::*;

const SAMPLE: &str = include_str!("../../handlers.toml");

/// A world with some variables; the rest is not set.
fn world(it: Variable<'_>) -> Result<String, String> {
    match it {
        Variable::Env("STRIPE_WEBHOOK_SECRET") => Ok("whsec_from_env".to_owned()),
        Variable::Env("ACCOUNTING_TOKEN") => Ok("token_from_env".to_owned()),
        Variable::Env("API_KEY") => Ok("sk_test_1".to_owned()),
        Variable::Env("QUOTED") => Ok("\"whsec_quoted\"".to_owned()),
        Variable::Env("EMPTY") => Ok(String::new()),
        Variable::Env("BREAK") => Ok("a\nb".to_owned()),
        Variable::Env(_) => Err("is not set".to_owned()),
        Variable::File(path) if path.ends_with("secret") => Ok("whsec_from_file\n".to_owned()),
        Variable::File(_) => Err("no such file".to_owned()),
    }
}

/// The smallest file that works, with more tables.
fn file_with(more: &str) -> String {
    format!(
        "[endpoints.stripe]\npath = \"/webhooks/stripe\"\nsigning_secrets = [\"whsec_1\"]\n\
         [handlers.h]\nevents = [\"invoice.paid\"]\nscript = \"scripts/h.rhai\"\n{more}\n"
    )
}

/// With more lines for its handler.
fn handler_with(lines: &str) -> String {
    file_with(lines)
}

/// With more lines for its endpoint.
fn endpoint_with(lines: &str) -> String {
    file_where("[handlers.h]", &format!("{lines}\n[handlers.h]"))
}

/// With a service that has these lines too.
fn service_with(lines: &str) -> String {
    file_with(&format!(
        "[services.s]\nurl = \"https://example.com\"\n{lines}"
    ))
}

/// With one part in place of another.
fn file_where(part: &str, by: &str) -> String {
    file_with("").replace(part, by)
}

#[track_caller]
fn read(text: &str) -> Config {
    parse(text, "handlers.toml", &world).unwrap_or_else(|it| panic!("{}", shown(&it.findings)))
}

/// All findings of a text, as they are drawn.
#[track_caller]
fn drawn(text: &str, expected: &str) {
    let found = parse(text, "handlers.toml", &world)
        .expect_err(text)
        .findings;
    assert_eq!(shown(&found), expected.trim_start());
}

/// The one finding of a text: where it is (line and column), what it says, and what it says to write instead.
#[track_caller]
fn refused(text: &str, at: &str, message: &str, help: &str) {
    let found = parse(text, "handlers.toml", &world)
        .expect_err(text)
        .findings;
    let [it] = found.as_slice() else {
        panic!("{}", shown(&found))
    };
    let place = if it.line == 0 {
        "file".to_owned()
    } else {
        format!("{}:{}", it.line, it.column)
    };
    assert_eq!(
        (place.as_str(), it.message.as_str(), it.help.as_deref()),
        (at, message, Some(help))
    );
}

fn shown(found: &[Diagnostic]) -> String {
    found
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n\n")
}

mod accepted;
mod bounds;
mod refused;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_brings_the_parser_down(text in "\\PC{0,200}") {
        let _ = parse(&text, "handlers.toml", &world);
    }

    #[test]
    fn no_mixture_of_toml_brings_the_parser_down(
        parts in prop::collection::vec(prop::sample::select(TOML_PARTS), 0..40),
    ) {
        let _ = parse(&parts.concat(), "handlers.toml", &world);
    }

    #[test]
    fn no_change_of_the_sample_brings_the_parser_down(
        at in any::<prop::sample::Index>(),
        length in 0_usize..60,
        put in prop_oneof!["\\PC{0,10}", prop::sample::select(TOML_PARTS).prop_map(str::to_owned)],
    ) {
        let chars: Vec<char> = SAMPLE.chars().collect();
        let at = at.index(chars.len());
        let rest = chars.iter().skip(at + length);
        let text: String = chars[..at].iter().copied().chain(put.chars()).chain(rest.copied()).collect();
        if let Err(Mistaken { findings: found, .. }) = parse(&text, "handlers.toml", &world) {
            prop_assert!(!found.is_empty());
            // Each can be drawn.
            prop_assert!(!shown(&found).is_empty());
        }
    }
}

const TOML_PARTS: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    " ",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "é",
    "server",
    "limits",
    "endpoints",
    "services",
    "handlers",
    "x",
    "path",
    "events",
    "retry",
    "\"/a\"",
    "1",
    "-1",
    "0x10",
    "1.5",
    "true",
    "1979-05-27",
    "\"${A}\"",
    "\"${\"",
    "[handlers.x]\n",
    "[[handlers]]\n",
    "[endpoints.x]\n",
    "events = [\"invoice.paid\"]\n",
];

fn smallest() -> String {
    format!(
        "this is the smallest file that works:\n\n{}",
        parse::SMALLEST_FILE
    )
}
