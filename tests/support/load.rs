//! Senders that post as Stripe does: the same event again until it is answered 2xx.

use super::event::Event;
use super::host::PATH;
use super::http::{Answer, Client};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two tries of one event. Stripe waits longer; a test has no time.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Senders at work; they stop when this is dropped.
pub struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

/// One try to post an event.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub event_id: String,
    pub begun: Instant,
    /// `None` when the connection ended before an answer came.
    pub status: Option<u16>,
    pub retry_after: Option<String>,
}

struct Shared {
    address: Mutex<Option<SocketAddr>>,
    stops: AtomicBool,
    deliveries: Mutex<Vec<Delivery>>,
}

impl Load {
    /// `make` is asked for each event with the numbers of its sender and of the event there. Nothing is sent before
    /// `aim_at`.
    pub fn start(
        senders: usize,
        pause: Duration,
        make: impl Fn(usize, usize) -> Event + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            address: Mutex::new(None),
            stops: AtomicBool::new(false),
            deliveries: Mutex::default(),
        });
        let make = Arc::new(make);
        let senders = (0..senders)
            .map(|sender| {
                let (shared, make) = (shared.clone(), make.clone());
                thread::spawn(move || {
                    let mut client = None;
                    for n in 0.. {
                        let event = make(sender, n);
                        if !shared.deliver(&mut client, &event) {
                            return;
                        }
                        thread::sleep(pause);
                    }
                })
            })
            .collect();
        Self { shared, senders }
    }

    /// Where new connections go. Old ones are used until they end.
    pub fn aim_at(&self, address: SocketAddr) {
        *lock(&self.shared.address) = Some(address);
    }

    /// Every try so far.
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.shared.deliveries).clone()
    }

    /// The events that were answered 2xx so far.
    pub fn acknowledged(&self) -> Vec<String> {
        let deliveries = lock(&self.shared.deliveries);
        let answered = deliveries.iter().filter(|it| it.is_acknowledged());
        answered.map(|it| it.event_id.clone()).collect()
    }

    /// How many tries fit.
    pub fn count(&self, fits: impl Fn(&Delivery) -> bool) -> usize {
        lock(&self.shared.deliveries)
            .iter()
            .filter(|it| fits(it))
            .count()
    }

    /// Stops after the tries that are going on. An event that is not answered by then stays so.
    pub fn stop(&mut self) {
        self.shared.stops.store(true, Ordering::Relaxed);
        for it in self.senders.drain(..) {
            it.join().expect("a sender does not panic");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stops.store(true, Ordering::Relaxed);
    }
}

impl Delivery {
    pub fn is_acknowledged(&self) -> bool {
        self.status.is_some_and(|it| (200..300).contains(&it))
    }
}

impl Shared {
    /// Posts until it is answered 2xx; false when that will not be.
    fn deliver(&self, client: &mut Option<Client>, event: &Event) -> bool {
        while !self.stops.load(Ordering::Relaxed) {
            if client.is_none() {
                let address = *lock(&self.address);
                *client = address.and_then(|it| Client::connect(it).ok());
            }
            if let Some(connected) = client {
                let begun = Instant::now();
                let answer = connected.post(PATH, event).ok();
                if answer.as_ref().is_none_or(closes) {
                    *client = None;
                }
                let delivery = Delivery {
                    event_id: event.id.clone(),
                    begun,
                    status: answer.as_ref().map(|it| it.status),
                    retry_after: answer
                        .as_ref()
                        .and_then(|it| it.header("retry-after").map(str::to_owned)),
                };
                let is_acknowledged = delivery.is_acknowledged();
                lock(&self.deliveries).push(delivery);
                if is_acknowledged {
                    return true;
                }
            }
            thread::sleep(TRY_AGAIN_AFTER);
        }
        false
    }
}

fn closes(answer: &Answer) -> bool {
    answer.header("connection") == Some("close")
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().expect("no holder of this lock panics")
}
