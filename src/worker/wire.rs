//! What carries a call to its service.

use super::attempt::Attempt;
use crate::call::Answer;
use crate::services::{CallError, Prepared};

/// The network; a test puts a model of a service in its place, and drives all else as it is.
#[derive(Default)]
pub(super) enum Wire {
    #[default]
    Network,
    #[cfg(test)]
    Model(std::sync::Arc<super::histories::service::Model>),
}

impl Wire {
    pub(super) async fn send(
        &self,
        attempt: &Attempt,
        prepared: &Prepared,
        key: Option<&str>,
    ) -> Result<Answer, CallError> {
        match self {
            Self::Network => attempt.in_force.services.send(prepared, key).await,
            #[cfg(test)]
            Self::Model(it) => it.send(prepared, key).await,
        }
    }
}
