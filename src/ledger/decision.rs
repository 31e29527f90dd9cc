//! What an operator decides about a run that cannot go on by itself, and why it cannot.

use crate::call::Answer;
use crate::clock::UnixMillis;

/// The decision that a dead run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Which of its earlier calls a call is, is not certain.
    CallsChanged,
    /// A call was sent, no answer came, and sending it again could do it twice.
    OutcomeUnknown { call: i64 },
}

impl Needs {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CallsChanged => "calls_changed",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
        }
    }

    pub fn call(self) -> Option<i64> {
        match self {
            Self::CallsChanged => None,
            Self::OutcomeUnknown { call } => Some(call),
        }
    }
}

/// What an operator says. Counts for one retry: until the run is done, given up or retried again.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Calls that match none of the earlier ones take the answers of those that are left, in order.
    Reuse,
    /// Calls that match none of the earlier ones are new calls.
    Again,
    /// The call whose outcome is unknown goes out once more, as it was, with its key.
    Resend,
    /// The call whose outcome is unknown took effect; this is its answer.
    Settle { answer: Answer },
}

impl Choice {
    pub fn name(&self) -> ChoiceName {
        match self {
            Self::Reuse => ChoiceName::Reuse,
            Self::Again => ChoiceName::Again,
            Self::Resend => ChoiceName::Resend,
            Self::Settle { .. } => ChoiceName::Settle,
        }
    }
}

/// A choice by its name, as the tables have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChoiceName {
    Reuse,
    Again,
    Resend,
    Settle,
}

impl ChoiceName {
    pub const ALL: [Self; 4] = [Self::Reuse, Self::Again, Self::Resend, Self::Settle];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reuse => "reuse",
            Self::Again => "again",
            Self::Resend => "resend",
            Self::Settle => "settle",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// A choice, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub choice: Choice,
    /// A user of the machine.
    pub by: String,
    pub at: UnixMillis,
}

/// How the calls of a run are matched with those that it made before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    #[default]
    Usual,
    /// By an operator's `reuse`.
    Reuse,
    /// By an operator's `again`: calls up to this number count only for calls that are word for word the same.
    Again { through: i64 },
}
