//! A call that is made once over all runs, as the ledger has it.

use super::request::CallState;
use crate::call::Answer;
use crate::clock::UnixMillis;
use crate::run::RunId;

/// The one call of a name at its service. Whole in itself: the journal of the run that made it may be gone.
#[derive(Clone, Debug, PartialEq)]
pub struct OnceCall {
    pub standing: Standing,
    /// As the script wrote it.
    pub path: Option<String>,
    /// The request as it goes out: JSON.
    pub request: String,
    /// Hash of what makes two calls the same.
    pub content: String,
    pub idempotency_key: String,
    /// When it was first written down.
    pub intended_at: UnixMillis,
    /// Of a settled one.
    pub answer: Option<Answer>,
}

/// Whose call it is and how it stands: what is decided about it is decided on this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The run whose call it is.
    pub owner: RunId,
    /// Which call of the owner's journal.
    pub number: i64,
    pub state: CallState,
    /// Rises when a refused call is made anew.
    pub generation: i64,
    /// It has no answer, and its owner is ready or waiting: it may be on its way right now. Not so if the owner waits in
    /// its lane until the run that asks is out of the way: they would wait for each other.
    pub is_under_way: bool,
    /// It has no answer, and its owner is dead until somebody says what became of it.
    pub waits_for_word: bool,
}

/// What an intent does to the row of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnceIntent {
    /// How the call stood when this was decided; none: there was none.
    pub expected: Option<Standing>,
    pub generation: i64,
    pub at: UnixMillis,
}

/// Which call of a name an answer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnceKey {
    pub service: String,
    pub name: String,
    pub idempotency_key: String,
}
