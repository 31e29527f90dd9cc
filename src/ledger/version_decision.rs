//! What is decided about the script versions of a handler.

use super::stuck::Stuck;
use crate::clock::UnixMillis;
use crate::run::RunId;
use std::collections::HashMap;
use std::sync::Arc;

/// One step. Several of them go into one order, all or nothing.
#[derive(Clone, Debug)]
pub enum VersionDecision {
    /// The text of a version is kept, so that it can be run and shown later.
    Keep {
        version: Arc<str>,
        script: String,
        /// JSON: path -> text.
        sources: String,
        at: UnixMillis,
    },
    /// The handler has a version, whether or not it is in force.
    Saved {
        handler: Arc<str>,
        version: Arc<str>,
        at: UnixMillis,
    },
    /// It takes the handler's runs from now on.
    InForce {
        handler: Arc<str>,
        version: Arc<str>,
        at: UnixMillis,
    },
    /// It takes them whatever the files say; none: the files count again.
    Pin {
        handler: Arc<str>,
        version: Option<Arc<str>>,
        at: UnixMillis,
    },
    /// It is tried on a share of the runs, in the place of whatever is tried now.
    BeginCanary {
        handler: Arc<str>,
        version: Arc<str>,
        at: UnixMillis,
    },
    /// It is tried no longer; with a reason: it is rolled back.
    EndCanary {
        handler: Arc<str>,
        rolled_back: Option<String>,
        at: UnixMillis,
    },
    /// What became of a run on the version that is tried. Changes nothing when that is another one by now.
    Tried {
        handler: Arc<str>,
        version: Arc<str>,
        run: RunId,
        outcome: CanaryOutcome,
    },
    /// A run got stuck on the version.
    Stuck {
        handler: Arc<str>,
        version: Arc<str>,
        run: RunId,
    },
}

/// What became of a run on a version that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanaryOutcome {
    Done,
    /// Whether that is the version's fault is not known: the version before it has still to do the run.
    Failed,
    /// It failed, and the version before it could do the run.
    Guilty,
    /// It failed, and so did the version before it: the event or a service is ill.
    Excused,
    /// A service failed it; the version before it has still to do the run.
    Ill,
    /// A service failed it, and not the version before it: services come and go, this alone proves nothing.
    Doubtful,
}

impl CanaryOutcome {
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::Failed,
        Self::Guilty,
        Self::Excused,
        Self::Ill,
        Self::Doubtful,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Guilty => "guilty",
            Self::Excused => "excused",
            Self::Ill => "ill",
            Self::Doubtful => "doubtful",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What a run that a canary would take has been through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanaryRun {
    /// The version that is tried has begun with it, or nobody has.
    Its,
    /// It failed there, and is to be run by the version before it.
    FailedThere { at_service: bool },
    /// No longer, or never, the canary's.
    NotIts,
}

/// How a version that is tried does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    pub done: u32,
    /// Runs that the version before it could do.
    pub failed: u32,
    /// Those of them at which a service failed it, not counted in `failed`.
    pub doubtful: u32,
}

/// All that is decided, by handler.
#[derive(Clone, Debug, Default)]
pub struct VersionDecisions {
    pub in_force: HashMap<String, String>,
    pub pins: HashMap<String, String>,
    /// Versions that are tried.
    pub canaries: HashMap<String, String>,
    /// Versions that were rolled back, each with the reason.
    pub rolled_back: HashMap<(String, String), String>,
    /// Runs that got stuck, which hold the handler once they are too many.
    pub stuck: HashMap<String, Stuck>,
}
