//! Times as people write and read them. All are UTC: logs, Stripe's dashboard and colleagues elsewhere agree on it.

use crate::clock::{Clock, SystemClock, UnixMillis};
use std::time::Duration;

pub(super) fn now() -> UnixMillis {
    SystemClock.now()
}

/// `--since`: how long ago (`2h`, `1d 12h`), or a moment (`2026-01-31`, `2026-01-31T12:00:00Z`).
pub(super) fn since(text: &str) -> Result<UnixMillis, String> {
    since_from(text, now())
}

fn since_from(text: &str, now: UnixMillis) -> Result<UnixMillis, String> {
    let text = text.trim();
    if let Ok(age) = humantime::parse_duration(text) {
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        return Ok(UnixMillis(now.0.saturating_sub(age_ms)));
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(UnixMillis(moment.as_millisecond()));
    }
    let midnight = text
        .parse::<jiff::civil::Date>()
        .ok()
        .map(|it| it.at(0, 0, 0, 0));
    match midnight.and_then(|it| jiff::tz::TimeZone::UTC.to_timestamp(it).ok()) {
        Some(it) => Ok(UnixMillis(it.as_millisecond())),
        None => Err(
            "write how long ago, such as `2h` or `3d`, or a moment, such as `2026-01-31T12:00:00Z`"
                .into(),
        ),
    }
}

/// A moment, to the second.
pub(super) fn moment(at: UnixMillis) -> String {
    match jiff::Timestamp::from_second(at.seconds()) {
        Ok(it) => it.to_string(),
        Err(_) => at.to_string(),
    }
}

/// A moment, and how long ago that is.
pub(super) fn when(at: UnixMillis, now: UnixMillis) -> String {
    format!("{} ({})", moment(at), ago(at, now))
}

/// `3m ago`, `in 3m`.
pub(super) fn ago(at: UnixMillis, now: UnixMillis) -> String {
    let seconds = now.seconds() - at.seconds();
    let rough = rough(Duration::from_secs(seconds.unsigned_abs()));
    match seconds {
        0 => "now".into(),
        1.. => format!("{rough} ago"),
        _ => format!("in {rough}"),
    }
}

fn rough(it: Duration) -> String {
    let seconds = it.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long something took: `0.4 ms`, `35 ms`, `1.25 s`.
pub(super) fn took(it: Duration) -> String {
    let ms = it.as_secs_f64() * 1e3;
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.2} s", ms / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    #[test]
    fn since_takes_a_time_ago_or_a_moment() {
        let seconds_ago = |text| since_from(text, NOW).map(|it| (NOW.0 - it.0) / 1000);
        assert_eq!(seconds_ago("90m"), Ok(5_400));
        assert_eq!(seconds_ago("1d 12h"), Ok(129_600));
        assert_eq!(seconds_ago("2023-11-14T22:13:10Z"), Ok(10));
        assert_eq!(seconds_ago("2023-11-14T23:13:10+01:00"), Ok(10));
        assert_eq!(seconds_ago("2023-11-14"), Ok(80_000));
        assert!(seconds_ago("yesterday").unwrap_err().contains("`2h`"));
    }

    #[test]
    fn times_are_told_to_the_second_and_roughly() {
        assert_eq!(
            when(UnixMillis(NOW.0 - 185_999), NOW),
            "2023-11-14T22:10:14Z (3m ago)"
        );
        assert_eq!(ago(NOW, NOW), "now");
        assert_eq!(ago(UnixMillis(NOW.0 + 7_200_000), NOW), "in 2h");
        assert_eq!(ago(UnixMillis(NOW.0 - 172_800_000), NOW), "2d ago");
    }

    #[test]
    fn durations_have_a_fitting_unit() {
        assert_eq!(took(Duration::from_micros(420)), "0.4 ms");
        assert_eq!(took(Duration::from_millis(35)), "35 ms");
        assert_eq!(took(Duration::from_millis(1_250)), "1.25 s");
    }
}
