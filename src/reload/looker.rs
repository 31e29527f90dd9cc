//! Looks at files in a thread of its own: a disk may not answer, and what lies in a script's place may be a device that
//! waits for ever.

use crate::clock::{Clock, SystemClock, UnixMillis};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Nobody waits longer for a look.
const WAIT_MAX: Duration = Duration::from_secs(10);
const BY_ITSELF: &str = "the look at the files ended by itself";

/// One look at a time. One that hangs is left behind, and there is no other until it ends: threads that hang must not
/// become many. No look is waited for at the end of the process either.
#[derive(Clone, Debug)]
pub(super) struct Looker {
    turn: Arc<Semaphore>,
    /// When the look began that hangs.
    since: Arc<Mutex<Option<UnixMillis>>>,
    wait_max: Duration,
}

impl Default for Looker {
    fn default() -> Self {
        Self::new(WAIT_MAX)
    }
}

impl Looker {
    fn new(wait_max: Duration) -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            since: Arc::default(),
            wait_max,
        }
    }

    /// What a look finds, or why there is none.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        if let Some(why) = self.hangs() {
            return Err(why);
        }
        let began = SystemClock.now();
        let looked = async {
            let turn = self.turn.clone().acquire_owned().await;
            let turn = turn.map_err(|it| it.to_string())?;
            let (tell, told) = oneshot::channel();
            self.begin(turn, look, move |it| {
                let _ = tell.send(it);
            })?;
            told.await.map_err(|_| BY_ITSELF.to_owned())
        };
        match tokio::time::timeout(self.wait_max, looked).await {
            Ok(it) => it,
            Err(_) => Err(self.leave_behind(began)),
        }
    }

    /// The same for whoever may block.
    pub(super) fn look_now<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        if let Some(why) = self.hangs() {
            return Err(why);
        }
        let began = SystemClock.now();
        let turn = self.turn.clone().try_acquire_owned();
        let turn = turn.map_err(|_| "the files are being looked at already".to_owned())?;
        let (tell, told) = mpsc::sync_channel(1);
        self.begin(turn, look, move |it| {
            let _ = tell.send(it);
        })?;
        told.recv_timeout(self.wait_max).map_err(|it| match it {
            mpsc::RecvTimeoutError::Timeout => self.leave_behind(began),
            mpsc::RecvTimeoutError::Disconnected => BY_ITSELF.to_owned(),
        })
    }

    /// Why nothing can be looked at now.
    pub(super) fn hangs(&self) -> Option<String> {
        let since = (*self.lock())?;
        (self.turn.available_permits() == 0).then(|| hangs_since(since))
    }

    fn begin<T>(
        &self,
        turn: OwnedSemaphorePermit,
        look: impl FnOnce() -> T + Send + 'static,
        tell: impl FnOnce(T) + Send + 'static,
    ) -> Result<(), String> {
        *self.lock() = None;
        let since = self.since.clone();
        let look = move || {
            let found = look();
            // First: whoever hears of it may begin the next.
            *since.lock().unwrap_or_else(PoisonError::into_inner) = None;
            drop(turn);
            tell(found);
        };
        let thread = std::thread::Builder::new().name("files".into());
        let begun = thread.spawn(look).map(drop);
        begun.map_err(|it| format!("no thread can look at the files: {it}"))
    }

    fn leave_behind(&self, began: UnixMillis) -> String {
        let since = *self.lock().get_or_insert(began);
        hangs_since(since)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<UnixMillis>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hangs_since(since: UnixMillis) -> String {
    format!(
        "the files cannot be looked at since {since}: the system does not answer. Is one of them a device, or on a disk that is gone? No save comes into force until that is mended"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_look_that_hangs_is_left_behind_and_no_other_begins_before_it_ends() {
        let looker = Looker::new(Duration::from_millis(20));
        let (end, ends) = mpsc::channel::<()>();
        let hangs = move || ends.recv().is_ok();
        let why = looker.look(hangs).await.unwrap_err();
        assert!(why.contains("cannot be looked at since"), "{why}");
        assert_eq!(looker.hangs().as_deref(), Some(&*why));
        assert_eq!(looker.look(|| 1).await.as_ref(), Err(&why));
        assert_eq!(looker.look_now(|| 1).as_ref(), Err(&why));
        end.send(()).unwrap();
        while looker.hangs().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(looker.look(|| 1).await, Ok(1));
        assert_eq!(looker.look_now(|| 1), Ok(1));
    }

    #[tokio::test]
    async fn a_look_that_panics_is_over() {
        let looker = Looker::new(Duration::from_secs(10));
        let panics = || assert!(std::env::args().count() == 0, "in a test");
        assert_eq!(looker.look(panics).await, Err(BY_ITSELF.to_owned()));
        assert_eq!(looker.look(|| 1).await, Ok(1));
    }
}
