//! `==`, `!=`, `<`, `<=`, `>`, `>=`. Ours, because Rhai's say "no" without a word when a number is compared with text: an
//! `if amount > "100"` would never come true, and nobody would learn why.

use crate::script::equal::{equal, with_list, with_map};
use crate::script::error::{HostError, ScriptResult};
use crate::script::text::type_name;
use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext, Token};
use std::cmp::Ordering;

use super::money::Money;

/// Rhai never asks a registered `==` about plain values: its parser is given operators of another name instead.
/// What people write, what the parser gets, how strongly it binds, as Rhai's own.
const OPERATORS: [(&str, &str, u8); 6] = [
    ("==", "(==)", 90),
    ("!=", "(!=)", 90),
    ("<", "(<)", 110),
    ("<=", "(<=)", 110),
    (">", "(>)", 110),
    (">=", "(>=)", 110),
];

/// The token that the parser is to see.
pub(in crate::script) fn token(it: Token) -> Token {
    let written = match it {
        Token::EqualsTo
        | Token::NotEqualsTo
        | Token::LessThan
        | Token::LessThanEqualsTo
        | Token::GreaterThan
        | Token::GreaterThanEqualsTo => it.literal_syntax(),
        other => return other,
    };
    let ours = OPERATORS.iter().find(|(name, ..)| *name == written);
    ours.map_or(it, |(_, name, _)| Token::Custom(Box::new((*name).into())))
}

/// What people write for an operator that compares.
pub(in crate::script) fn written(name: &str) -> Option<&'static str> {
    let found = OPERATORS.iter().find(|(_, it, _)| *it == name);
    found.map(|(written, ..)| *written)
}

pub(super) fn register(engine: &mut Engine) {
    for (written, name, precedence) in OPERATORS {
        engine
            .register_custom_operator(name, precedence)
            .expect("a name that nothing else has");
        engine.register_fn(
            name,
            move |context: NativeCallContext, a: Dynamic, b: Dynamic| match written {
                "==" => is_same(&context, written, &a, &b),
                "!=" => is_same(&context, written, &a, &b).map(|it| !it),
                "<" => Ok(order(&context, written, &a, &b)?.is_some_and(Ordering::is_lt)),
                "<=" => Ok(order(&context, written, &a, &b)?.is_some_and(Ordering::is_le)),
                ">" => Ok(order(&context, written, &a, &b)?.is_some_and(Ordering::is_gt)),
                _ => Ok(order(&context, written, &a, &b)?.is_some_and(Ordering::is_ge)),
            },
        );
    }
}

/// What can be the same as what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Number,
    Truth,
    Text,
    Money,
    List,
    Map,
    Other,
}

fn kind(it: &Dynamic) -> Kind {
    if it.is_int() || it.is_float() {
        Kind::Number
    } else if it.is_string() || it.is_char() {
        Kind::Text
    } else if it.is_unit() {
        Kind::Nothing
    } else if it.is_bool() {
        Kind::Truth
    } else if it.is::<Money>() {
        Kind::Money
    } else if with_list(it, |_| ()).is_some() {
        Kind::List
    } else if with_map(it, |_| ()).is_some() {
        Kind::Map
    } else {
        Kind::Other
    }
}

fn is_same(
    context: &NativeCallContext,
    operator: &str,
    a: &Dynamic,
    b: &Dynamic,
) -> ScriptResult<bool> {
    match (kind(a), kind(b)) {
        (Kind::Nothing, it) | (it, Kind::Nothing) => Ok(it == Kind::Nothing),
        (Kind::Text, Kind::Text) => Ok(text(a) == text(b)),
        (one, other) if one == other && one != Kind::Other => equal(context, a, b),
        (Kind::Other, Kind::Other) if a.type_id() == b.type_id() => {
            context.call_native_fn(operator, (a.clone(), b.clone()))
        }
        (one, other) => Err(refusal(operator, (a, one), (b, other)).at(context)),
    }
}

/// Nothing where one is not a number (`NaN`): no comparison with it is true.
fn order(
    context: &NativeCallContext,
    operator: &str,
    a: &Dynamic,
    b: &Dynamic,
) -> ScriptResult<Option<Ordering>> {
    match (kind(a), kind(b)) {
        (Kind::Number, Kind::Number) => Ok(match (a.as_int(), b.as_int()) {
            (Ok(a), Ok(b)) => Some(a.cmp(&b)),
            (Ok(_) | Err(_), _) => decimal(a).partial_cmp(&decimal(b)),
        }),
        (Kind::Text, Kind::Text) => Ok(text(a).partial_cmp(&text(b))),
        (Kind::Truth, Kind::Truth) => Ok(a.as_bool().ok().partial_cmp(&b.as_bool().ok())),
        (Kind::Money, Kind::Money) => {
            let ask = |it: &str| context.call_native_fn::<bool>(it, (a.clone(), b.clone()));
            Ok(Some(if ask("<")? {
                Ordering::Less
            } else if ask("==")? {
                Ordering::Equal
            } else {
                Ordering::Greater
            }))
        }
        (one, other) => Err(refusal(operator, (a, one), (b, other)).at(context)),
    }
}

fn decimal(it: &Dynamic) -> Option<f64> {
    it.as_float()
        .ok()
        .or_else(|| it.as_int().ok().map(|it| it as f64))
}

fn text(it: &Dynamic) -> Option<ImmutableString> {
    let character = || it.as_char().ok().map(|it| it.to_string().into());
    it.clone().into_immutable_string().ok().or_else(character)
}

/// Why something can be in no list like this one: all that it holds is of another kind. To look for it would say "no"
/// each time, and nobody would learn why.
pub(super) fn never_in(items: &[Dynamic], value: &Dynamic) -> Option<HostError> {
    let wanted = kind(value);
    let can_be_it = |it: &Dynamic| {
        let kind = kind(it);
        kind == wanted || kind == Kind::Nothing
    };
    if wanted == Kind::Nothing || items.iter().any(can_be_it) {
        return None;
    }
    let other = items.first()?;
    let error = HostError::new(format!(
        "cannot look for {} in a list of {}: it is never there",
        type_name(value),
        type_name(other)
    ));
    let help = match (wanted, kind(other)) {
        (Kind::Number, Kind::Text) => {
            "write the numbers of the list without quotes, \
             or make text of the number: `` `${number}` in list ``"
        }
        (Kind::Text, Kind::Number) => {
            "make a number of the text: `parse_int(text) in list`, \
             or write the numbers of the list in quotes"
        }
        (Kind::Truth, Kind::Text) | (Kind::Text, Kind::Truth) => {
            "`true` and `false` are no text, and stand without quotes"
        }
        (Kind::Map, _) => "look for one of its fields: `x.id in list`",
        (_, Kind::Map) => "compare a field of each: `list.some(|it| it.id == x)`",
        (_, Kind::List) => "look in each of its lists: `list.some(|it| x in it)`",
        (
            Kind::Nothing
            | Kind::Number
            | Kind::Truth
            | Kind::Text
            | Kind::Money
            | Kind::List
            | Kind::Other,
            _,
        ) => return Some(error),
    };
    Some(error.help(help))
}

fn refusal(operator: &str, a: (&Dynamic, Kind), b: (&Dynamic, Kind)) -> HostError {
    let error = HostError::new(format!(
        "`{operator}` cannot compare {} with {}",
        type_name(a.0),
        type_name(b.0)
    ));
    match advice(operator, a, b) {
        Some(advice) => error.help(advice),
        None => error,
    }
}

fn advice(
    operator: &str,
    (a, one): (&Dynamic, Kind),
    (b, other): (&Dynamic, Kind),
) -> Option<String> {
    let is_of = |wanted: Kind| one == wanted || other == wanted;
    let written = || text(if one == Kind::Text { a } else { b }).filter(|_| is_of(Kind::Text));
    if is_of(Kind::Nothing) {
        return Some(
            "one of them is missing: give a default, `x ?? 0`, \
             or ask first, `if x != () { … }`"
                .to_owned(),
        );
    }
    if is_of(Kind::Number) && is_of(Kind::Text) {
        let bare = written().filter(|it| it.trim().parse::<f64>().is_ok() && it.len() < 30);
        return Some(match bare {
            Some(it) => format!(
                "write the number without quotes: `{operator} {}`; \
                 or make a number of a text: `parse_int(text)`",
                it.trim()
            ),
            None => "make a number of the text: `parse_int(text)`, \
                     or text of the number: `` `${number}` ``"
                .to_owned(),
        });
    }
    if is_of(Kind::Truth) && is_of(Kind::Text) {
        let bare = written().filter(|it| matches!(it.as_str(), "true" | "false"));
        return Some(match bare {
            Some(it) => format!("write it without quotes: `{operator} {it}`"),
            None => "`true` and `false` are no text, and stand without quotes".to_owned(),
        });
    }
    if is_of(Kind::Money) && is_of(Kind::Number) {
        return Some(
            "compare its amount, `paid.amount`, \
             or two amounts of money: `money(1200, \"eur\")`"
                .to_owned(),
        );
    }
    if is_of(Kind::Map) && is_of(Kind::Text) {
        return Some("compare one of its fields: `x.id`".to_owned());
    }
    if is_of(Kind::List) {
        return Some(
            "to look for something in a list write `x in list`, \
             for how many there are `list.len()`"
                .to_owned(),
        );
    }
    let is_error = |it: &Dynamic| it.is::<HostError>();
    (is_error(a) || is_error(b)).then(|| "the text of an error is in `.message`".to_owned())
}
