//! `money(amount, currency)`: amounts in the smallest unit, as Stripe counts them. Never a float.

use crate::script::error::{HostError, ScriptResult};
use rhai::{Dynamic, Engine, ImmutableString, Map, NativeCallContext};
use std::fmt;

/// So much of a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::script) struct Money {
    amount: i64,
    /// Three lower-case letters.
    currency: ImmutableString,
}

/// From docs.stripe.com/currencies. ISK and UGX are sent as Stripe says there: ISK with two decimals, UGX with none.
const NO_DECIMALS: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
    "xaf", "xof", "xpf",
];
const THREE_DECIMALS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

impl Money {
    fn decimals(&self) -> usize {
        let currency = self.currency.as_str();
        if NO_DECIMALS.contains(&currency) {
            0
        } else if THREE_DECIMALS.contains(&currency) {
            3
        } else {
            2
        }
    }

    /// `12.34`
    fn decimal(&self) -> String {
        let decimals = self.decimals();
        let sign = if self.amount < 0 { "-" } else { "" };
        let digits = format!(
            "{:0>width$}",
            self.amount.unsigned_abs(),
            width = decimals + 1
        );
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        if decimals == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }

    pub(in crate::script) fn to_map(&self) -> Map {
        Map::from([
            ("amount".into(), self.amount.into()),
            ("currency".into(), Dynamic::from(self.currency.clone())),
        ])
    }

    fn with(&self, amount: Option<i64>, context: &NativeCallContext) -> ScriptResult<Self> {
        let amount = amount.ok_or_else(|| {
            HostError::new("this amount of money is too large to count").at(context)
        })?;
        Ok(Self {
            amount,
            currency: self.currency.clone(),
        })
    }

    fn amount_beside(&self, other: &Self, context: &NativeCallContext) -> ScriptResult<i64> {
        if self.currency == other.currency {
            return Ok(other.amount);
        }
        Err(HostError::new(format!(
            "{self} and {other} are different currencies: they cannot be added or compared"
        ))
        .at(context))
    }
}

impl fmt::Display for Money {
    /// `12.34 EUR`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.decimal(),
            self.currency.to_ascii_uppercase()
        )
    }
}

fn money(
    context: NativeCallContext,
    amount: Dynamic,
    currency: ImmutableString,
) -> ScriptResult<Money> {
    Ok(Money {
        amount: amount_of(&amount).map_err(|it| it.at(&context))?,
        currency: currency_of(&currency).map_err(|it| it.at(&context))?,
    })
}

pub(in crate::script) fn amount_of(amount: &Dynamic) -> Result<i64, HostError> {
    amount.as_int().map_err(|_| {
        HostError::new(
            "an amount of money is a whole number of the smallest unit, such as 1234 cents",
        )
        .help("use the number as Stripe sends it: `money(invoice.amount_paid, invoice.currency)`")
    })
}

pub(in crate::script) fn currency_of(written: &str) -> Result<ImmutableString, HostError> {
    if written.len() == 3 && written.bytes().all(|it| it.is_ascii_alphabetic()) {
        return Ok(written.to_ascii_lowercase().into());
    }
    Err(HostError::new(format!("`{written}` is no currency"))
        .help("a currency has three letters: `money(invoice.amount_paid, invoice.currency)`"))
}

type Two<'a> = (NativeCallContext<'a>, Money, Money);

fn compare((context, a, b): Two, holds: fn(&i64, &i64) -> bool) -> ScriptResult<bool> {
    let other = a.amount_beside(&b, &context)?;
    Ok(holds(&a.amount, &other))
}

fn combine((context, a, b): Two, with: fn(i64, i64) -> Option<i64>) -> ScriptResult<Money> {
    let other = a.amount_beside(&b, &context)?;
    a.with(with(a.amount, other), &context)
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Money>("money")
        .register_fn("money", money)
        .register_get("amount", |it: &mut Money| it.amount)
        .register_get("currency", |it: &mut Money| it.currency.clone())
        .register_get("decimal", |it: &mut Money| it.decimal());
    engine
        .register_fn("+", |c: NativeCallContext, a: Money, b: Money| {
            combine((c, a, b), i64::checked_add)
        })
        .register_fn("-", |c: NativeCallContext, a: Money, b: Money| {
            combine((c, a, b), i64::checked_sub)
        })
        .register_fn("-", |c: NativeCallContext, a: Money| {
            a.with(a.amount.checked_neg(), &c)
        })
        .register_fn("*", |c: NativeCallContext, a: Money, by: i64| {
            a.with(a.amount.checked_mul(by), &c)
        })
        .register_fn("*", |c: NativeCallContext, by: i64, a: Money| {
            a.with(a.amount.checked_mul(by), &c)
        })
        .register_fn("==", |a: Money, b: Money| a == b)
        .register_fn("!=", |a: Money, b: Money| a != b)
        .register_fn("<", |c: NativeCallContext, a: Money, b: Money| {
            compare((c, a, b), i64::lt)
        })
        .register_fn("<=", |c: NativeCallContext, a: Money, b: Money| {
            compare((c, a, b), i64::le)
        })
        .register_fn(">", |c: NativeCallContext, a: Money, b: Money| {
            compare((c, a, b), i64::gt)
        })
        .register_fn(">=", |c: NativeCallContext, a: Money, b: Money| {
            compare((c, a, b), i64::ge)
        });
}
