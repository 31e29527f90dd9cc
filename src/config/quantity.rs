//! Times, sizes and rates as people write them: `"10s"`, `"1 MiB"`, `"20/s"`. All are text with a unit: a bare number
//! would leave open what it counts.

use super::Rate;
use super::table::Table;
use super::value::Text;
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) const KIB: usize = 1024;
pub(super) const MIB: usize = 1024 * KIB;

const RATE_CALLS_MAX: u32 = 1_000_000;

impl Table<'_> {
    /// A time between two bounds; `usual` if it is not there.
    pub(super) fn time(
        &self,
        key: &'static str,
        usual: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let meant = self.bare_number(key).map(|it| format!("{it}s"));
        let is_meant = |it: &String| parse_time(it).is_some_and(|it| bounds.contains(&it));
        let example = meant.filter(is_meant).unwrap_or_else(|| shown_time(usual));
        let example = format!("\"{example}\"");
        self.text(key, &example)
            .and_then(|it| time(&it, key, usual, bounds))
            .unwrap_or(usual)
    }

    /// A size between two bounds, in bytes; `usual` if it is not there.
    pub(super) fn size(
        &self,
        key: &'static str,
        usual: usize,
        bounds: RangeInclusive<usize>,
    ) -> usize {
        let meant = self.bare_number(key).map(|it| format!("{it} B"));
        let is_meant = |it: &String| parse_size(it).is_some_and(|it| bounds.contains(&it));
        let example = meant.filter(is_meant).unwrap_or_else(|| shown_size(usual));
        let example = format!("\"{example}\"");
        self.text(key, &example)
            .and_then(|it| size(&it, key, usual, bounds))
            .unwrap_or(usual)
    }

    /// A rate; without one there is no bound.
    pub(super) fn rate(&self, key: &'static str) -> Option<Rate> {
        let meant = self.bare_number(key).map(|it| format!("{it}/s"));
        let meant = meant.filter(|it| parse_rate(it).is_some());
        let example = format!("\"{}\"", meant.as_deref().unwrap_or("20/s"));
        let it = self.text(key, &example)?;
        let rate = parse_rate(&it.value);
        if rate.is_none() {
            let message = format!(
                "`{key}` must be a rate of 1 to {RATE_CALLS_MAX} calls, this is `{}`",
                it.shown()
            );
            it.error(
                message,
                "write how many in which time: \"20/s\", \"100/m\" or \"1000/h\"",
            );
        }
        rate
    }
}

pub(super) fn time(
    it: &Text<'_>,
    key: &str,
    usual: Duration,
    bounds: RangeInclusive<Duration>,
) -> Option<Duration> {
    let time = parse_time(&it.value);
    if time.is_some_and(|time| bounds.contains(&time)) {
        return time;
    }
    let message = match time {
        Some(_) => format!(
            "`{key}` must be between {} and {}, this is `{}`",
            shown_time(*bounds.start()),
            shown_time(*bounds.end()),
            it.shown()
        ),
        None => format!("`{key}` must be a time, this is `{}`", it.shown()),
    };
    let help = format!(
        "write a number and a unit (ms, s, m, h, d), such as \"{0}\"; without this line it is {0}",
        shown_time(usual)
    );
    it.error(message, help);
    None
}

fn size(it: &Text<'_>, key: &str, usual: usize, bounds: RangeInclusive<usize>) -> Option<usize> {
    let size = parse_size(&it.value);
    if size.is_some_and(|size| bounds.contains(&size)) {
        return size;
    }
    let message = match size {
        Some(_) => format!(
            "`{key}` must be between {} and {}, this is `{}`",
            shown_size(*bounds.start()),
            shown_size(*bounds.end()),
            it.shown()
        ),
        None => format!("`{key}` must be a size, this is `{}`", it.shown()),
    };
    let help = format!(
        "write a number and a unit (B, KiB, MiB), such as \"{0}\"; without this line it is {0}",
        shown_size(usual)
    );
    it.error(message, help);
    None
}

fn parse_time(text: &str) -> Option<Duration> {
    // Longer numbers mean nothing here, and could overflow when humantime adds them up.
    const DIGITS_MAX: usize = 9;
    let longest = text
        .split(|it: char| !it.is_ascii_digit())
        .map(str::len)
        .max()
        .unwrap_or(0);
    if DIGITS_MAX < longest || 64 < text.len() {
        return None;
    }
    humantime::parse_duration(text).ok()
}

fn parse_size(text: &str) -> Option<usize> {
    let digits = text.len()
        - text
            .trim_start_matches(|it: char| it.is_ascii_digit())
            .len();
    let (number, unit) = text.split_at(digits);
    let unit_bytes = match unit.trim_start() {
        "B" => 1,
        "KiB" => KIB,
        "MiB" => MIB,
        "GiB" => 1024 * MIB,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(unit_bytes)
}

fn parse_rate(text: &str) -> Option<Rate> {
    let (number, unit) = text.split_once('/')?;
    let per = match unit.trim() {
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    };
    let number = number.trim();
    let calls_max = number
        .parse()
        .ok()
        .filter(|it| (1..=RATE_CALLS_MAX).contains(it))?;
    number
        .bytes()
        .all(|it| it.is_ascii_digit())
        .then_some(Rate { calls_max, per })
}

/// In the largest unit that leaves no rest: humantime's own way makes 35 days a month and some.
pub(super) fn shown_time(it: Duration) -> String {
    let ms = it.as_millis();
    for (unit, unit_ms) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ] {
        if ms.is_multiple_of(unit_ms) {
            return format!("{}{unit}", ms / unit_ms);
        }
    }
    format!("{ms}ms")
}

fn shown_size(bytes: usize) -> String {
    for (unit, unit_bytes) in [("GiB", 1024 * MIB), ("MiB", MIB), ("KiB", KIB)] {
        if bytes.is_multiple_of(unit_bytes) {
            return format!("{} {unit}", bytes / unit_bytes);
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        assert_eq!(parse_time("10s"), Some(10 * SECOND));
        assert_eq!(parse_time("1h 30m"), Some(90 * MINUTE));
        assert_eq!(parse_time("90d"), Some(90 * DAY));
        for bad in [
            "",
            "10",
            "s",
            "-1s",
            "1 fortnight",
            "18446744073709551615s1000ms",
            "9999999999s",
        ] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        assert_eq!(parse_size("1 MiB"), Some(MIB));
        assert_eq!(parse_size("16KiB"), Some(16 * KIB));
        assert_eq!(parse_size("900 B"), Some(900));
        for bad in [
            "",
            "1",
            "MiB",
            "1 MB",
            "-1 B",
            "1.5 MiB",
            "99999999999999999999 B",
            "9999999999999 GiB",
        ] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        assert_eq!(
            parse_rate("20/s"),
            Some(Rate {
                calls_max: 20,
                per: SECOND
            })
        );
        assert_eq!(
            parse_rate("100 / m"),
            Some(Rate {
                calls_max: 100,
                per: MINUTE
            })
        );
        assert_eq!(
            parse_rate("1000000/h"),
            Some(Rate {
                calls_max: 1_000_000,
                per: HOUR
            })
        );
        for bad in ["", "20", "0/s", "+5/s", "1000001/h", "20/d", "/s", "20/"] {
            assert_eq!(parse_rate(bad), None, "{bad}");
        }
    }

    #[test]
    fn quantities_are_shown_as_they_are_written() {
        for it in ["35d", "36h", "90m", "10s", "1500ms"] {
            assert_eq!(shown_time(parse_time(it).unwrap()), it);
        }
        for it in ["1 MiB", "1536 KiB", "900 B", "2 GiB"] {
            assert_eq!(shown_size(parse_size(it).unwrap()), it);
        }
    }
}
