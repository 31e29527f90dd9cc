//! What can be asked of a running host, and its answers.

use crate::ledger::decision::Choice;
use crate::reload::Report;
use crate::services::ServiceStatus;

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Look at the files now.
    Reload,
    /// What is wrong with the host, if anything.
    Status,
    /// How the services are.
    Services,
    /// Dead or waiting runs begin again; a choice is for a dead one that waits for a person's word.
    RetryRun {
        run: i64,
        choice: Option<Choice>,
        /// Who chose.
        by: String,
    },
    DropRun {
        run: i64,
    },
    /// Run a stored event again, through one handler or all that want it; calls that were answered stay answered unless
    /// they are to be made again.
    Replay {
        event: String,
        handler: Option<String>,
        call_again: bool,
    },
    /// Have a handler run a version that it had, whatever its file says; without a version: its file counts again.
    Rollback {
        handler: String,
        version: Option<String>,
    },
    /// Make open runs of a handler that is gone runs of another one.
    MoveRuns {
        from: String,
        to: String,
    },
    /// Write records by hand; one without a body is removed.
    SetRecords {
        records: Vec<RecordByHand>,
    },
}

/// A record as a person gives it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RecordByHand {
    pub collection: String,
    pub id: String,
    /// JSON text of an object; none removes.
    pub body: Option<String>,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Done {
        affected: usize,
    },
    /// Runs that were made.
    Runs(Vec<i64>),
    /// Runs that belong to another handler now, and those that stay because their event has a run of that one already.
    Moved {
        moved: usize,
        stay: usize,
    },
    Reloaded(Report),
    Status {
        problems: Vec<String>,
        address: String,
    },
    Services(Vec<ServiceStatus>),
    Refused(String),
}
