//! What carries a call to its service, when its turn has come.

use super::attempt::Attempt;
use super::put_off;
use crate::call::Request;
use crate::services::{CallError, Caller, NotNow, Prepared, Sent, Turn};
use std::time::Duration;

/// The network; a test puts a model of services in its place, and drives all else as it is.
#[derive(Default)]
pub(super) enum Wire {
    #[default]
    Network,
    #[cfg(test)]
    Model(std::sync::Arc<super::histories::service::Model>),
}

/// Why a call has no turn.
pub(super) enum NoTurn {
    /// Its service is ill or has no room.
    NotNow(NotNow),
    /// The host stops.
    Stopping,
    /// It can never be sent.
    Failed(CallError),
}

/// How long a run that has a turn alone waits for its service before the others go on.
const ALONE_AT_SERVICE_MAX: Duration = Duration::from_millis(20);

/// Waits for a call's turn at its service. Calls of one handler that wait hold an eighth of the runs in flight at most;
/// half of these places are kept for runs that were put off, which are the older.
pub(super) async fn turn(attempt: &Attempt, request: &Request) -> Result<Turn, NoTurn> {
    let (run, shared) = (&attempt.run, &attempt.shared);
    let limits = &attempt.in_force.config.limits;
    let awake_max = put_off::awake_max(limits.runs_in_flight_max);
    let is_awake = shared.put_off().is_awake(run.claim.id);
    let caller = Caller {
        handler: run.handler.clone(),
        run: run.claim.id,
        waiting_max: awake_max * if is_awake { 2 } else { 1 },
    };
    if let Some(turn) = attempt.take_turn(&request.service) {
        return Ok(turn);
    }
    let turn = shared.wire.turn(attempt, request, &caller);
    tokio::pin!(turn);
    let turn = loop {
        let is_too_long = tokio::time::sleep(ALONE_AT_SERVICE_MAX);
        tokio::select! {
            biased;
            turn = &mut turn => break turn,
            () = is_too_long, if attempt.is_alone() => attempt.end_turn_alone(),
            () = shared.stopping.cancelled() => return Err(NoTurn::Stopping),
        }
    };
    turn.map_err(NoTurn::Failed)?.map_err(NoTurn::NotNow)
}

impl Wire {
    async fn turn(
        &self,
        attempt: &Attempt,
        request: &Request,
        caller: &Caller,
    ) -> Result<Result<Turn, NotNow>, CallError> {
        match self {
            Self::Network => {}
            #[cfg(test)]
            Self::Model(it) => {
                if let Some(not_now) = it.puts_off(&request.service) {
                    return Ok(Err(not_now));
                }
            }
        }
        attempt.in_force.services.turn(request, caller).await
    }

    /// Sends a call whose turn it is.
    pub(super) async fn send(
        &self,
        attempt: &Attempt,
        turn: Turn,
        prepared: &Prepared,
        key: Option<&str>,
    ) -> Sent {
        match self {
            Self::Network => attempt.in_force.services.send(turn, prepared, key).await,
            #[cfg(test)]
            Self::Model(it) => {
                let sent = it.send(prepared, key).await;
                drop(turn);
                sent
            }
        }
    }
}
