//! What becomes of a call with a name, which is made once over all runs: who makes it, and who waits. Pure.

use crate::clock::UnixMillis;
use crate::ledger::once::{OnceCall, OnceIntent, Standing};
use crate::ledger::request::{CallState, JournalEntry};
use crate::run::RunId;
use std::time::Duration;

/// For so long others wait for a run that has no answer, or for as long as the service keeps keys, if that is longer: then
/// the run may not send it again either. It may have come to wait for one of them, by an edit.
const WAITED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Between two looks at a call that another run is making.
const LOOK_AFTER_MIN: Duration = Duration::from_secs(1);
const LOOK_AFTER_MAX: Duration = Duration::from_secs(5 * 60);

/// What is to be done about a call with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nobody's, or refused: it is made, and this run's from now on.
    New { generation: i64 },
    /// As this run's own journal says: its entry is sent again.
    Own { generation: i64 },
    /// Another run's, which makes it no more: its bytes go out with its key, if they may.
    TakeOver,
    /// Another run may be making it right now, or somebody is to say what became of it: there, not here, too.
    Wait { owner: RunId, for_word: bool },
    /// It has been answered meanwhile.
    LookAgain,
}

/// Decides on what was seen: the entry that the call is in the run's own journal, if it is to be sent again, and the row
/// of its name.
pub(super) fn way(
    run: RunId,
    name: &str,
    own: Option<&JournalEntry>,
    row: Option<&Standing>,
    is_waited_for: bool,
) -> Way {
    let Some(row) = row else {
        return match own {
            None => Way::New { generation: 0 },
            Some(_) => Way::Own { generation: 0 },
        };
    };
    let generation = row.generation;
    let has_name = own.is_some_and(|it| it.once.as_deref() == Some(name));
    match row.state {
        CallState::Settled => Way::LookAgain,
        // An entry of before the script said `once` is still to be sent again; one that was refused elsewhere is not.
        CallState::Refused | CallState::Unsent => match own {
            Some(_) if !has_name || row.owner == run => Way::Own { generation },
            Some(_) | None => Way::New {
                generation: generation + 1,
            },
        },
        CallState::Intended | CallState::Unsettled if row.owner == run => {
            match own.is_some_and(|it| it.number == row.number) {
                true => Way::Own { generation },
                // Its entry has another name since an edit.
                false => Way::TakeOver,
            }
        }
        CallState::Intended if row.waits_for_word || row.is_under_way && is_waited_for => {
            Way::Wait {
                owner: row.owner,
                for_word: row.waits_for_word,
            }
        }
        CallState::Intended | CallState::Unsettled => Way::TakeOver,
    }
}

/// Whether a call that was written down then, at a service that keeps keys for so long, is worth waiting for.
pub(super) fn is_waited_for(
    intended_at: UnixMillis,
    keys_kept: Option<Duration>,
    now: UnixMillis,
) -> bool {
    now < intended_at.after(keys_kept.unwrap_or_default().max(WAITED_FOR))
}

/// When to look again at a call that has been under way since then.
pub(super) fn look_again_at(under_way_since: UnixMillis, now: UnixMillis) -> UnixMillis {
    let lasted_ms = u64::try_from(now.0 - under_way_since.0).unwrap_or(0);
    let half = Duration::from_millis(lasted_ms / 2);
    now.after(half.clamp(LOOK_AFTER_MIN, LOOK_AFTER_MAX))
}

/// Why a run waits that waits for another's call.
pub(super) fn why_waiting(owner: RunId, name: &str, for_word: bool) -> String {
    match for_word {
        false => format!("waits for run {owner}, which is making the call `{name}`"),
        true => format!(
            "waits for run {owner}, which is dead until somebody says what became of the call `{name}`"
        ),
    }
}

impl OnceCall {
    /// An intent that stands on the call as it was seen.
    pub(super) fn intent(row: Option<&Self>, generation: i64, at: UnixMillis) -> OnceIntent {
        OnceIntent {
            expected: row.map(|it| it.standing),
            generation,
            at,
        }
    }
}
#[cfg(test)]
mod tests;
