//! Times are Unix seconds, as Stripe counts them; days are those of UTC.

use crate::script::error::{HostError, ScriptResult};
use crate::script::state::with_run;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use rhai::{Engine, ImmutableString, NativeCallContext};

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("now", |context: NativeCallContext| {
            with_run(&context, |run| Ok(run.attempt.now.seconds()))
        })
        .register_fn("event_time", |context: NativeCallContext| {
            with_run(&context, |run| Ok(run.attempt.event_created.seconds()))
        })
        .register_fn(
            "date",
            |context: NativeCallContext, seconds: i64| -> ScriptResult<ImmutableString> {
                Ok(day_of(&context, seconds)?.to_string().into())
            },
        )
        .register_fn(
            "datetime",
            |context: NativeCallContext, seconds: i64| -> ScriptResult<ImmutableString> {
                Ok(moment(&context, seconds)?.to_string().into())
            },
        )
        .register_fn("parse_date", parse_date)
        .register_fn(
            "add_days",
            |context: NativeCallContext, seconds: i64, days: i64| {
                days.checked_mul(SECONDS_A_DAY)
                    .and_then(|it| seconds.checked_add(it))
                    .ok_or_else(|| {
                        HostError::new(format!(
                            "{days} days from there is no time that can be counted"
                        ))
                        .at(&context)
                    })
            },
        )
        .register_fn(
            "days_between",
            |context: NativeCallContext, a: i64, b: i64| -> ScriptResult<i64> {
                Ok(day_of(&context, a)?
                    .duration_until(day_of(&context, b)?)
                    .as_secs()
                    / SECONDS_A_DAY)
            },
        );
}

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

fn day_of(context: &NativeCallContext, seconds: i64) -> ScriptResult<Date> {
    Ok(Offset::UTC.to_datetime(moment(context, seconds)?).date())
}

fn moment(context: &NativeCallContext, seconds: i64) -> ScriptResult<Timestamp> {
    Timestamp::from_second(seconds).map_err(|_| {
        HostError::new(format!("{seconds} is no time in seconds"))
            .help("times are whole seconds since 1970, as in `event.created`; divide milliseconds by 1000")
            .at(context)
    })
}

/// `2026-11-24` is its first second in UTC; `2026-11-24T10:00:00+01:00` is what it says.
fn parse_date(context: NativeCallContext, text: ImmutableString) -> ScriptResult<i64> {
    seconds_of(&text).map_err(|it| it.at(&context))
}

pub(in crate::script) fn seconds_of(text: &str) -> Result<i64, HostError> {
    if let Ok(it) = text.parse::<Timestamp>() {
        return Ok(it.as_second());
    }
    let is_date = text.len() == "2026-11-24".len();
    let date = text.parse::<Date>().ok().filter(|_| is_date);
    date.and_then(|it| Offset::UTC.to_timestamp(it.at(0, 0, 0, 0)).ok())
        .map(Timestamp::as_second)
        .ok_or_else(|| {
            HostError::new(format!("`{text}` is no date"))
                .help("write \"2026-11-24\", or with a time and its zone \"2026-11-24T10:00:00Z\"")
        })
}
