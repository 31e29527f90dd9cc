//! What an attempt did with each call that can change something, as its report tells it.

use super::decision::ChoiceName;
use super::request::CallState;
use crate::call::{Method, Request};
use crate::run::RunId;
use serde::{Deserialize, Serialize};

/// The most calls that an attempt's report tells of: as many as `limits.calls_max` may be.
pub const CALLS_NOTED_MAX: usize = 1000;
/// The most characters of a path that are kept.
const PATH_NOTED_CHARS_MAX: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallNote {
    /// Which call of the journal; none when it left no trace there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    pub service: String,
    pub method: Method,
    pub path: String,
    /// Its name, if it is made once over all runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
    pub did: Did,
    /// The run whose call has given the answer, or from which the call was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What had become of the call when the attempt went on; none when nothing was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub became: Option<CallState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The script says something else now than what was written down, which counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub differs: bool,
    /// The operator's choice without which this would not have been done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<ChoiceName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// Made for the first time.
    New,
    /// Not sent: the journal has its answer.
    FromJournal,
    /// The stored bytes went out again with the stored key.
    SentAgain,
    /// Not sent: another run has made the call of this name, and this is its answer.
    FromOtherRun,
    /// Not sent: whether it arrived before is unknown.
    OutcomeUnknown,
    /// Not sent: which earlier call it is, is not certain.
    CallsChanged,
}

impl CallNote {
    /// With nothing but what was asked.
    pub fn of(request: &Request, did: Did) -> Self {
        Self {
            number: None,
            service: request.service.clone(),
            method: request.method,
            path: request.path.chars().take(PATH_NOTED_CHARS_MAX).collect(),
            once: request.once.clone(),
            did,
            run: None,
            became: None,
            status: None,
            differs: false,
            decided: None,
        }
    }
}
