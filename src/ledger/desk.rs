//! Answers of the writer thread, handed to a runtime in one piece a commit.
//!
//! Waking a task of another thread costs a system call. So the writer leaves all answers of a commit for a runtime in
//! its inbox and rings once; the runtime's own task then wakes the others, which costs nothing.

use super::{Answer, LedgerError};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

type Completion = (Reply, Answer);

/// What is done with an answer. One that is dropped without any says that the ledger closes.
pub(crate) struct Reply(Option<Box<dyn FnOnce(Answer) + Send>>);

impl Reply {
    pub(super) fn new(take: impl FnOnce(Answer) + Send + 'static) -> Self {
        Self(Some(Box::new(take)))
    }

    fn give(mut self, answer: Answer) {
        if let Some(take) = self.0.take() {
            take(answer);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(take) = self.0.take() {
            take(Err(LedgerError::Closing));
        }
    }
}

/// The place where a runtime's answers arrive. Bounded by the requests that wait for them.
#[derive(Default)]
pub struct Desk {
    inbox: Mutex<Vec<Completion>>,
    bell: Notify,
}

impl Desk {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Hands the answers out, for ever; to be spawned on the desk's runtime.
    pub async fn attend(self: Arc<Self>) {
        loop {
            self.bell.notified().await;
            let completions = std::mem::take(&mut *self.inbox());
            for (reply, answer) in completions {
                reply.give(answer);
            }
        }
    }

    pub(super) fn leave(&self, mut completions: Vec<Completion>) {
        let mut inbox = self.inbox();
        if inbox.is_empty() {
            *inbox = completions;
        } else {
            inbox.append(&mut completions);
        }
        drop(inbox);
        self.bell.notify_one();
    }

    fn inbox(&self) -> std::sync::MutexGuard<'_, Vec<Completion>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn every_reply_is_told_once_also_one_that_is_dropped() {
        let (tell, told) = channel();
        let reply = |tell: std::sync::mpsc::Sender<bool>| {
            Reply::new(move |it| {
                tell.send(matches!(it, Err(LedgerError::Closing))).unwrap();
            })
        };
        reply(tell.clone()).give(Err(LedgerError::DiskFull));
        drop(reply(tell.clone()));
        drop(tell);
        assert_eq!(told.iter().collect::<Vec<_>>(), [false, true]);
    }
}
