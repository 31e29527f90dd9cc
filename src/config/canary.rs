//! `canary = { share = "10%", runs = 50, errors = "5%" }` of a handler.

use super::table::Table;
use super::{CanaryPolicy, Share};
use std::ops::RangeInclusive;

const CANARY: &str = "canary = { share = \"10%\", runs = 50, errors = \"5%\" }";
const RUNS_MAX: u64 = 10_000;
const SHARE_LEAST: Share = Share(1);
const NOTHING: Share = Share(0);

pub(super) fn read(handler: &Table<'_>) -> Option<CanaryPolicy> {
    let table = handler.table("canary", CANARY)?;
    let usual = CanaryPolicy::default();
    Some(table.read(|it| {
        CanaryPolicy {
            share: share(it, "share", usual.share, SHARE_LEAST..=Share::WHOLE),
            runs: u32::try_from(it.number("runs", u64::from(usual.runs), 1..=RUNS_MAX))
                .unwrap_or(usual.runs),
            // All failed: that would be no trial.
            errors: share(it, "errors", usual.errors, NOTHING..=Share(9_999)),
        }
    }))
}

fn share(
    table: &Table<'_>,
    key: &'static str,
    usual: Share,
    bounds: RangeInclusive<Share>,
) -> Share {
    let Some(it) = table.text(key, &format!("\"{usual}\"")) else {
        return usual;
    };
    let found = parse_share(&it.value);
    if let Some(share) = found
        && bounds.contains(&share)
    {
        return share;
    }
    let message = match found {
        Some(_) => format!(
            "`{key}` must be between {} and {}, this is `{}`",
            bounds.start(),
            bounds.end(),
            it.shown()
        ),
        None => format!("`{key}` must be a share, this is `{}`", it.shown()),
    };
    let help = format!("write per cent, such as \"{usual}\" or \"0.5%\"; without it it is {usual}");
    it.error(message, help);
    usual
}

/// `10%`, `0.5%`, `0.01%`.
fn parse_share(text: &str) -> Option<Share> {
    let number = text.strip_suffix('%')?.trim_end();
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |it: &str, digits_max: usize| {
        (1..=digits_max).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit())
    };
    if !is_number(whole, 5) || !is_number(rest, 2) {
        return None;
    }
    let hundredths: u32 = format!("{rest:0<2}").parse().ok()?;
    Some(Share(whole.parse::<u32>().ok()? * 100 + hundredths))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_and_a_per_cent_sign_and_is_shown_as_it_is_written() {
        for (text, share) in [("10%", 1000), ("0.5%", 50), ("0.01%", 1), ("100%", 10_000)] {
            assert_eq!(parse_share(text), Some(Share(share)));
            assert_eq!(Share(share).to_string(), text);
        }
        assert_eq!(parse_share("5 %"), Some(Share(500)));
        for bad in [
            "", "10", "%", "-1%", "1.%", ".5%", "0.001%", "1e2%", "123456%",
        ] {
            assert_eq!(parse_share(bad), None, "{bad}");
        }
    }
}
