//! `[retention]`

use super::Retention;
use super::quantity::{DAY, shown_time, time};
use super::table::Table;
use std::time::Duration;

/// Stripe retries for 3 days, and lets people resend for 30: a dedupe key that is gone by then lets an event in twice.
const DEDUPE_LEAST: Duration = Duration::from_secs(35 * 24 * 60 * 60);

pub(super) fn read(table: &Table<'_>) -> Retention {
    let usual = Retention::default();
    let events = table.time("events", usual.events, DAY..=3650 * DAY);
    Retention {
        events,
        dedupe: dedupe(table, usual.dedupe.max(events), events),
    }
}

fn dedupe(table: &Table<'_>, usual: Duration, events: Duration) -> Duration {
    let example = format!("\"{}\"", shown_time(usual));
    let Some(it) = table.text("dedupe", &example) else {
        return usual;
    };
    let Some(dedupe) = time(&it, "dedupe", usual, DEDUPE_LEAST..=7300 * DAY) else {
        return usual;
    };
    if dedupe < events {
        let message = format!(
            "`dedupe` is {}, shorter than `events` with {}",
            it.shown(),
            shown_time(events)
        );
        it.error(
            message,
            format!("write at least {example}, or shorten `events`"),
        );
    }
    dedupe
}
