use super::fake::{Fake, Say, ok};
use super::{check, get, request, send, service, services};
use crate::call::Method;
use crate::config::Rate;
use crate::services::rate::Gate;
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
    let gate = Gate::new(
        100,
        Some(Rate { calls_max: 4, per }),
        Duration::from_secs(60),
    );
    let start = Instant::now();
    let mut moments = Vec::new();
    for _ in 0..10 {
        let _turn = gate.enter().await.unwrap();
        moments.push(start.elapsed());
    }
    assert!(
        moments[3] < per,
        "what the rate allows goes at once: {moments:?}"
    );
    for pair in moments.windows(5) {
        // The gate's moment lies a hair before ours.
        assert!(
            pair[4] - pair[0] > per - Duration::from_millis(10),
            "{moments:?}"
        );
    }
}

#[tokio::test]
async fn a_turn_that_does_not_come_was_not_sent() {
    let short = Duration::from_millis(50);
    let gate = Gate::new(1, None, short);
    let turn = gate.enter().await.unwrap();
    assert_eq!(
        gate.enter().await.unwrap_err(),
        "waited 50ms for one of its connections to become free"
    );
    drop(turn);
    gate.enter().await.unwrap();

    let rate = Rate {
        calls_max: 1,
        per: Duration::from_secs(3600),
    };
    let gate = Gate::new(1, Some(rate), short);
    gate.enter().await.unwrap();
    assert_eq!(
        gate.enter().await.unwrap_err(),
        "waited 50ms for its rate to allow a call"
    );
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

#[tokio::test]
async fn a_high_rate_is_kept_in_bounded_memory() {
    let gate = Gate::new(
        1,
        Some(Rate {
            calls_max: 4_000_000_000,
            per: Duration::from_secs(1),
        }),
        Duration::MAX / 4,
    );
    for _ in 0..20_000 {
        gate.enter().await.unwrap();
    }
}
