//! Services that are ill, over real sockets: nothing is sent to them, one call looks, the others follow.

use super::fake::{Fake, Say, ok, text};
use super::{check, get, post, request, service, services, turn};
use crate::call::Method;
use crate::clock::UnixMillis;
use crate::config::Breaker;
use crate::services::{CallError, Health, Room, Sent, Services};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const FIRST: Duration = Duration::from_millis(200);

fn watched(url: &str) -> Services {
    let mut it = service(url);
    it.breaker = Some(Breaker {
        failures_max: 3,
        first: FIRST,
        max: FIRST * 2,
    });
    services(it)
}

/// One call of a run.
async fn call(services: &Services, run: i64) -> Sent {
    let request = request(Method::Post, "/paid");
    let prepared = services.prepare(&request).unwrap();
    match turn(services, &request, "h", run).await.unwrap() {
        Ok(turn) => services.send(turn, &prepared, None).await,
        Err(not_now) => Sent {
            outcome: Err(CallError::NotSent {
                message: not_now.why.clone(),
            }),
            not_now: Some(not_now),
        },
    }
}

/// Answers 500 while the switch is at 0, then 200.
async fn switched() -> (Fake, Arc<AtomicUsize>) {
    let switch = Arc::new(AtomicUsize::new(0));
    let it = switch.clone();
    let fake = Fake::start(move |_| match it.load(Ordering::SeqCst) {
        0 => vec![text("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")],
        _ => vec![ok("well")],
    })
    .await;
    (fake, switch)
}

#[tokio::test]
async fn an_ill_service_is_sent_nothing_and_says_why_and_to_whoever_asks_when_it_is_asked_again() {
    let (fake, _) = switched().await;
    let services = watched(&fake.url());
    for run in 1..=2 {
        assert_eq!(call(&services, run).await.not_now, None);
    }
    let third = call(&services, 3).await.not_now.unwrap();
    assert_eq!(
        third.why, "service `books` is ill: it answered 500",
        "it is kept with the run, where no time runs on"
    );
    assert_eq!(
        services.ill(),
        ["service `books` is ill: it answered 500; next look in 1s"]
    );
    assert_eq!(services.room("books"), Room::None);
    for run in 4..50 {
        assert_eq!(call(&services, run).await.not_now.unwrap(), third);
    }
    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn once_a_look_succeeds_the_others_follow() {
    let (fake, switch) = switched().await;
    let services = watched(&fake.url());
    for run in 1..=3 {
        call(&services, run).await;
    }
    tokio::time::sleep(FIRST).await;
    assert_eq!(services.room("books"), Room::OneLook);
    assert!(call(&services, 4).await.not_now.is_some(), "still ill");
    switch.store(1, Ordering::SeqCst);
    tokio::time::sleep(FIRST).await;
    assert_eq!(services.room("books"), Room::None, "twice as long");
    tokio::time::sleep(FIRST).await;
    check(&call(&services, 5).await.outcome, "200 well");
    assert!(matches!(services.room("books"), Room::Calls(_)));
    check(&post(&services).await, "200 well");
}

/// Answers 500 three times, and then so.
async fn ill_then(answer: &'static str) -> Fake {
    let count = Arc::new(AtomicUsize::new(0));
    Fake::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0..3 => vec![text("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")],
        _ => vec![text(answer)],
    })
    .await
}

#[tokio::test]
async fn a_look_that_is_told_to_wait_lets_nobody_follow_and_spends_no_attempt() {
    for (answer, why) in [
        (
            "HTTP/1.1 429 Slow\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n",
            "it answered 429 and asks for a wait of 1m",
        ),
        (
            "HTTP/1.1 503 No\r\nretry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\ncontent-length: 0\r\n\r\n",
            "it answered 503 and asks for a wait of 1day",
        ),
    ] {
        let fake = ill_then(answer).await;
        let services = watched(&fake.url());
        for run in 1..=3 {
            call(&services, run).await;
        }
        tokio::time::sleep(FIRST).await;
        let look = call(&services, 4).await.not_now.unwrap();
        assert!(look.why.contains(why), "{}", look.why);
        // Longer than `max`, and not as long as the service asks for.
        for _ in 0..6 {
            tokio::time::sleep(FIRST / 2).await;
            assert_eq!(services.room("books"), Room::None);
            assert!(call(&services, 5).await.not_now.is_some());
        }
        assert_eq!(fake.requests().len(), 4);
    }
}

#[tokio::test]
async fn a_429_to_a_call_that_was_under_way_when_its_service_fell_ill_spends_no_attempt() {
    let count = Arc::new(AtomicUsize::new(0));
    let fake = Fake::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => vec![
            Say::Wait(Duration::from_millis(300)),
            text("HTTP/1.1 429 Slow\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n"),
        ],
        _ => vec![text("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")],
    })
    .await;
    let services = watched(&fake.url());
    let early = tokio::spawn({
        let services = services.clone();
        async move { call(&services, 0).await.not_now }
    });
    while fake.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for run in 1..=3 {
        call(&services, run).await;
    }
    assert!(early.await.unwrap().is_some());
    tokio::time::sleep(FIRST).await;
    assert_eq!(services.room("books"), Room::None, "not for a minute");
}

#[tokio::test]
async fn calls_that_wait_for_their_turn_when_their_service_falls_ill_are_put_off_unsent() {
    let fake = Fake::saying(&[
        Say::Wait(Duration::from_millis(30)),
        text("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"),
    ])
    .await;
    let mut narrow = service(&fake.url());
    narrow.connections_max = 1;
    narrow.breaker = Some(Breaker::default());
    let services = services(narrow);
    let mut calls = JoinSet::new();
    for run in 0..40 {
        let services = services.clone();
        calls.spawn(async move { call(&services, run).await.not_now.is_some() });
    }
    let put_off = calls.join_all().await.into_iter().filter(|it| *it).count();
    assert_eq!((fake.requests().len(), put_off), (5, 36));
}

#[tokio::test]
async fn no_connection_makes_a_service_ill_whoever_calls_and_a_429_with_a_time_does_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let services = watched(&format!("http://{address}"));
    for _ in 0..3 {
        call(&services, 1).await;
    }
    assert_eq!(services.room("books"), Room::None);

    let busy = "HTTP/1.1 429 Slow\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
    let fake = Fake::saying(&[text(busy)]).await;
    let services = watched(&fake.url());
    for run in 0..10 {
        assert_eq!(call(&services, run).await.not_now, None);
    }
}

#[tokio::test]
async fn a_429_that_does_not_say_for_how_long_makes_a_service_ill() {
    for header in [
        "x-nothing: 1",
        "retry-after: soon",
        "retry-after: -5",
        "retry-after: 1.5",
        "retry-after:",
        "retry-after: 1\r\nretry-after: 1",
    ] {
        let busy = format!("HTTP/1.1 429 Slow\r\n{header}\r\ncontent-length: 0\r\n\r\n");
        let fake = Fake::saying(&[text(&busy)]).await;
        let services = watched(&fake.url());
        for run in 0..3 {
            call(&services, run).await;
        }
        assert_eq!(services.room("books"), Room::None, "{header}");
    }
}

#[tokio::test]
async fn a_refused_call_or_a_status_that_the_script_accepts_says_nothing_against_a_service() {
    let fake = Fake::saying(&[text("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n")]).await;
    let services = watched(&fake.url());
    for run in 0..10 {
        check(&call(&services, run).await.outcome, "404 ");
    }
    assert!(matches!(services.room("books"), Room::Calls(_)));

    let (fake, _) = switched().await;
    let services = watched(&fake.url());
    for run in 0..10 {
        let mut request = request(Method::Get, "/x");
        request.accept = vec![500];
        let prepared = services.prepare(&request).unwrap();
        let turn = turn(&services, &request, "h", run).await.unwrap().unwrap();
        services.send(turn, &prepared, None).await;
    }
    assert!(matches!(services.room("books"), Room::Calls(_)));
}

#[tokio::test]
async fn a_look_that_is_given_up_keeps_nobody_from_looking() {
    let (fake, switch) = switched().await;
    let services = watched(&fake.url());
    for run in 1..=3 {
        call(&services, run).await;
    }
    tokio::time::sleep(FIRST).await;
    let get = request(Method::Get, "/x");
    let look = turn(&services, &get, "h", 4).await.unwrap().unwrap();
    assert_eq!(services.room("books"), Room::None);
    drop(look);
    switch.store(1, Ordering::SeqCst);
    check(&call(&services, 5).await.outcome, "200 well");
}

#[tokio::test]
async fn what_is_told_of_a_service_is_its_state_and_no_secret() {
    let (fake, _) = switched().await;
    let mut it = service(&fake.url());
    it.headers = vec![(
        "authorization".to_owned(),
        crate::config::Secret::new("Bearer s3cr3t"),
    )];
    it.breaker = Some(Breaker {
        failures_max: 2,
        first: FIRST,
        max: FIRST,
    });
    let services = services(it);
    let now = UnixMillis(1_700_000_000_000);
    assert_eq!(services.status(now)[0].state, Health::Closed);
    call(&services, 1).await;
    call(&services, 2).await;
    let status = services.status(now).remove(0);
    assert_eq!(
        (status.state, status.host.as_str(), status.why.as_deref()),
        (Health::Open, "127.0.0.1", Some("it answered 500"))
    );
    assert!(status.since.is_some_and(|it| it <= now));
    assert!(status.next_look_at.is_some_and(|it| it > now));
    assert_eq!(
        status.last_error.as_ref().unwrap().message,
        "it answered 500"
    );
    assert!(!serde_json::to_string(&status).unwrap().contains("s3cr3t"));
    assert_eq!(services.ill().len(), 1);
}

/// A byte now and then keeps neither head nor body alive beyond its time.
#[tokio::test]
async fn an_answer_that_drips_ends_with_its_time() {
    let drip = |first: &str, more: &str| {
        let mut says = vec![text(first)];
        for _ in 0..100 {
            says.extend([Say::Wait(Duration::from_millis(40)), text(more)]);
        }
        says
    };
    for (says, expected) in [
        (
            drip("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
            "unknown: service `books`: sent, but no answer within 300ms",
        ),
        (
            drip("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n", "z"),
            "200 body missing: it did not end within 400ms",
        ),
    ] {
        let fake = Fake::saying(&says).await;
        let mut hasty = service(&fake.url());
        hasty.head_timeout = Duration::from_millis(300);
        hasty.body_timeout = Duration::from_millis(400);
        let start = Instant::now();
        check(&get(&services(hasty)).await, expected);
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn the_whole_calls_time_bounds_its_parts() {
    let says = [
        Say::Wait(Duration::from_millis(200)),
        text("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n0"),
        Say::Wait(Duration::from_secs(9)),
    ];
    let fake = Fake::saying(&says).await;
    let mut hasty = service(&fake.url());
    hasty.timeout = Duration::from_millis(450);
    hasty.head_timeout = Duration::from_millis(400);
    hasty.body_timeout = Duration::from_millis(400);
    check(
        &get(&services(hasty)).await,
        "200 body missing: it did not end within the 450ms of the whole call",
    );
}
