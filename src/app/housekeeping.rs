//! What is past its retention is deleted, in small bites between other commits.

use crate::clock::{Clock, UnixMillis};
use crate::in_force::Current;
use crate::ledger::request::Order;
use crate::ledger::{Ledger, LedgerError, Ordered};
use crate::reload::Reloader;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often the host looks for what is past its retention.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Looks every now and then, until shutdown.
pub(crate) async fn keep_house(
    ledger: Ledger,
    reloader: Arc<Reloader>,
    current: Current,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if let Err(error) = prune(&ledger, &current, &*clock, &shutdown).await {
            warn!("old events could not be deleted: {error}");
        }
        let events_before = before(&*clock, current.load().config.retention.events);
        tokio::select! {
            () = shutdown.cancelled() => return,
            forgotten = reloader.forget_versions(events_before) => match forgotten {
                Ok(0) => {}
                Ok(count) => info!(count, "{count} old script versions were deleted"),
                Err(error) => warn!("old script versions could not be deleted: {error}"),
            }
        }
    }
}

/// Events, with all that belongs to them.
async fn prune(
    ledger: &Ledger,
    current: &Current,
    clock: &dyn Clock,
    shutdown: &CancellationToken,
) -> Result<(), LedgerError> {
    loop {
        let retention = current.load().config.retention.clone();
        let order = Order::Prune {
            events_before: before(clock, retention.events),
            dedupe_before: before(clock, retention.dedupe),
        };
        match ledger.order(order).await? {
            Ordered::Done { affected } if affected > 0 && !shutdown.is_cancelled() => {}
            Ordered::Done { .. } | Ordered::Runs(_) | Ordered::NotFound(_) => return Ok(()),
        }
    }
}

fn before(clock: &dyn Clock, age: Duration) -> UnixMillis {
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    UnixMillis(clock.now().0.saturating_sub(age_ms))
}
