use super::fake::{Fake, Say, ok};
use super::{check, get, request, send, service, services, turn};
use crate::call::Method;
use crate::config::Rate;
use crate::run::RunId;
use crate::services::Caller;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

#[tokio::test]
async fn no_more_calls_go_at_once_than_connections_max() {
    let fake = Fake::saying(&[Say::Wait(Duration::from_millis(30)), ok("a")]).await;
    let mut narrow = service(&fake.url());
    narrow.connections_max = 3;
    let services = services(narrow);
    let mut calls = JoinSet::new();
    for _ in 0..15 {
        let services = services.clone();
        calls.spawn(async move { get(&services).await });
    }
    while let Some(done) = calls.join_next().await {
        check(&done.unwrap(), "200 a");
    }
    assert_eq!((fake.requests().len(), fake.at_once_max()), (15, 3));
}

#[tokio::test]
async fn calls_go_in_the_order_in_which_they_came() {
    let fake = Fake::saying(&[Say::Wait(Duration::from_millis(5)), ok("a")]).await;
    let mut narrow = service(&fake.url());
    narrow.connections_max = 1;
    narrow.rate = Some(Rate {
        calls_max: 1,
        per: Duration::from_millis(8),
    });
    let services = services(narrow);
    let mut calls = JoinSet::new();
    for number in 0..10 {
        let services = services.clone();
        calls.spawn(
            async move { send(&services, &request(Method::Get, &format!("/{number}"))).await },
        );
        tokio::task::yield_now().await;
    }
    while let Some(done) = calls.join_next().await {
        check(&done.unwrap(), "200 a");
    }
    let order: Vec<String> = fake
        .requests()
        .iter()
        .map(|it| it[9..10].to_owned())
        .collect();
    assert_eq!(order.concat(), "0123456789");
}

#[tokio::test]
async fn no_stretch_of_time_has_more_calls_than_the_rate() {
    let per = Duration::from_millis(200);
    let fake = Fake::saying(&[ok("a")]).await;
    let mut slow = service(&fake.url());
    slow.rate = Some(Rate { calls_max: 4, per });
    let services = services(slow);
    let start = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let services = services.clone();
        calls.spawn(async move {
            check(&get(&services).await, "200 a");
            Instant::now()
        });
    }
    let mut moments: Vec<Instant> = calls.join_all().await;
    moments.sort();
    assert!(
        moments[3] - start < per,
        "what the rate allows goes at once: {moments:?}"
    );
    assert!(moments[9] - start >= per * 2, "{moments:?}");
}

#[tokio::test]
async fn a_handler_with_many_waiting_calls_keeps_no_other_from_its_turn() {
    let fake = Fake::saying(&[Say::Wait(Duration::from_millis(5)), ok("a")]).await;
    let mut narrow = service(&fake.url());
    narrow.connections_max = 1;
    let services = services(narrow);
    let call = |handler: &'static str, number: i64| {
        let services = services.clone();
        async move {
            let request = request(Method::Get, &format!("/{handler}"));
            let prepared = services.prepare(&request).unwrap();
            let turn = turn(&services, &request, handler, number).await;
            let sent = services.send(turn.unwrap().unwrap(), &prepared, None).await;
            check(&sent.outcome, "200 a");
        }
    };
    let mut calls = JoinSet::new();
    for number in 0..200 {
        calls.spawn(call("many", number));
    }
    tokio::task::yield_now().await;
    call("few", 1000).await;
    let before = fake.requests().len();
    assert!(before <= 5, "{before} calls went before it");
    calls.abort_all();
}

/// Begins it, and leaves it where it waits.
async fn is_pending(it: &mut (impl Future + Unpin)) -> bool {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *it).poll(context).is_pending())).await
}

/// As when the host stops: each of them in the place of the one before it would be thousands of calls deep.
#[tokio::test]
async fn thousands_that_wait_no_longer_are_passed_over_at_once() {
    const WAITING: usize = 20_000;
    let fake = Fake::saying(&[ok("a")]).await;
    let mut narrow = service(&fake.url());
    narrow.connections_max = 1;
    let services = services(narrow);
    let caller = |handler: &str| Caller {
        handler: handler.into(),
        run: RunId(1),
        waiting_max: WAITING,
    };
    let get = request(Method::Get, "/x");
    let first = services.turn(&get, &caller("h")).await.unwrap().unwrap();
    let mut waiting: Vec<_> = (0..WAITING)
        .map(|_| {
            let (services, caller, get) = (services.clone(), caller("h"), get.clone());
            Box::pin(async move { services.turn(&get, &caller).await.is_ok() })
        })
        .collect();
    for it in &mut waiting {
        assert!(is_pending(it).await);
    }
    drop(waiting);
    drop(first);
    assert!(services.turn(&get, &caller("h")).await.unwrap().is_ok());
}

#[tokio::test]
async fn when_too_many_wait_the_next_is_put_off_and_nothing_is_sent() {
    let fake = Fake::saying(&[Say::Wait(Duration::from_secs(30)), ok("a")]).await;
    let mut narrow = service(&fake.url());
    narrow.connections_max = 1;
    let services = services(narrow);
    let caller = |handler: &str| Caller {
        handler: handler.into(),
        run: RunId(1),
        waiting_max: 3,
    };
    let get = request(Method::Get, "/x");
    let _turn = services.turn(&get, &caller("h")).await.unwrap().unwrap();
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let (services, caller, get) = (services.clone(), caller("h"), get.clone());
        waiting.spawn(async move { services.turn(&get, &caller).await.is_ok() });
    }
    tokio::task::yield_now().await;
    let put_off = services.turn(&get, &caller("h")).await.unwrap();
    assert_eq!(
        put_off.unwrap_err().why,
        "3 calls of this handler wait for their turn at service `books` already"
    );
    let other = caller("other");
    let other = services.turn(&get, &other);
    let other = tokio::time::timeout(Duration::from_millis(50), other).await;
    assert!(
        other.is_err(),
        "another handler's call has its place in the line"
    );
    assert_eq!(fake.requests().len(), 0);
}

#[tokio::test]
async fn a_call_given_up_frees_its_connection() {
    let fake = Fake::saying(&[Say::Wait(Duration::from_secs(30)), ok("a")]).await;
    let mut narrow = service(&fake.url());
    narrow.connections_max = 1;
    let services = services(narrow);
    for _ in 0..3 {
        let given_up = tokio::time::timeout(Duration::from_millis(60), get(&services)).await;
        assert!(given_up.is_err());
    }
    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn an_unchanged_service_keeps_its_rate_and_connections_over_a_reload() {
    let fake = Fake::saying(&[ok("a")]).await;
    let mut settings = service(&fake.url());
    settings.rate = Some(Rate {
        calls_max: 1,
        per: Duration::from_millis(500),
    });
    let before = services(settings.clone());
    let start = Instant::now();
    check(&get(&before).await, "200 a");
    let after = before.renew(&[settings.clone()]).unwrap();
    check(&get(&after).await, "200 a");
    assert!(start.elapsed() >= Duration::from_millis(500));
    assert_eq!(fake.connections(), 1);

    settings.timeout = Duration::from_secs(1);
    let start = Instant::now();
    check(&get(&after.renew(&[settings]).unwrap()).await, "200 a");
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "a changed one begins anew"
    );
}
