use super::fake::{Fake, Say, ok, text};
use super::{check, get, post, request, service, services};
use crate::call::Method;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let result = post(&services(service(&format!("http://{address}")))).await;
    check(
        &result,
        &format!("not sent: service `books`: no connection to {address}: "),
    );
}

#[tokio::test]
async fn a_name_without_an_address_was_not_sent() {
    let result = post(&services(service("http://no-such-host.invalid/"))).await;
    check(
        &result,
        "not sent: service `books`: no address found for no-such-host.invalid",
    );
}

#[tokio::test]
async fn a_cut_before_the_head_is_an_unknown_outcome() {
    for says in [
        vec![Say::Close],
        vec![text("HTTP/1.1 200"), Say::Close],
        vec![text("HTTP/1.1 200 OK\r\ncontent-"), Say::Close],
    ] {
        let fake = Fake::saying(&says).await;
        let result = post(&services(service(&fake.url()))).await;
        check(
            &result,
            "unknown: service `books`: sent, but the connection was cut before an answer came",
        );
        assert_eq!(fake.requests().len(), 1, "never sent again in silence");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_an_unknown_outcome() {
    for says in ["SSH-2.0-OpenSSH_9.9\r\n\r\n", "HTTP/1.1 9999 No\r\n\r\n"] {
        let fake = Fake::saying(&[text(says)]).await;
        check(
            &post(&services(service(&fake.url()))).await,
            "unknown: service `books`: sent, but the answer is no HTTP that we can read",
        );
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time_is_an_unknown_outcome() {
    let fake = Fake::saying(&[Say::Wait(Duration::from_secs(10))]).await;
    let mut hasty = service(&fake.url());
    hasty.head_timeout = Duration::from_millis(150);
    let start = Instant::now();
    let result = post(&services(hasty)).await;
    check(
        &result,
        "unknown: service `books`: sent, but no answer within 150ms",
    );
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn an_endless_head_is_bounded() {
    let fake = Fake::saying(&[
        text(&format!(
            "HTTP/1.1 200 OK\r\na: {}",
            "v".repeat(1024 * 1024)
        )),
        Say::Wait(Duration::from_secs(10)),
    ])
    .await;
    check(
        &post(&services(service(&fake.url()))).await,
        "unknown: service `books`: sent, but the answer is no HTTP",
    );
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_the_connect_timeout_and_was_not_sent() {
    // Accepts, and never says a word of TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut hasty = service(&format!("https://{address}"));
    hasty.connect_timeout = Duration::from_millis(150);
    let services =
        super::super::Services::trusting(&[hasty], rustls::RootCertStore::empty()).unwrap();
    check(
        &post(&services).await,
        "not sent: service `books`: no connection to 127.0.0.1 within 150ms",
    );
}

#[tokio::test]
async fn every_allowed_address_of_a_name_is_tried() {
    // `localhost` may be ::1 first; only 127.0.0.1 listens.
    let fake = Fake::saying(&[ok("here")]).await;
    let url = format!("http://localhost:{}/", fake.port);
    check(&get(&services(service(&url))).await, "200 here");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let fake = Fake::saying(&[ok("a")]).await;
    let services = services(service(&fake.url()));
    for _ in 0..5 {
        check(&post(&services).await, "200 a");
    }
    assert_eq!((fake.requests().len(), fake.connections()), (5, 1));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_no_outcome() {
    let fake = Fake::saying(&[ok("a"), Say::Close]).await;
    let services = services(service(&fake.url()));
    for _ in 0..20 {
        check(&post(&services).await, "200 a");
        // The closing is on its way, as it is with a server's idle timeout.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fake.requests().len(), 20, "each call was sent once");
}

#[tokio::test]
async fn a_connection_that_closes_under_a_call_never_sends_it_twice() {
    // The first request is answered, the second one read and dropped.
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let fake = Fake::start(move |_| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if number.is_multiple_of(2) {
            vec![ok("a")]
        } else {
            vec![Say::Close]
        }
    })
    .await;
    let services = services(service(&fake.url()));
    for _ in 0..5 {
        check(&post(&services).await, "200 a");
        check(
            &post(&services).await,
            "unknown: service `books`: sent, but the connection was cut",
        );
    }
    assert_eq!(fake.requests().len(), 10);
}

#[tokio::test]
async fn a_stored_call_is_not_sent_to_another_place_after_a_change_of_the_url() {
    let fake = Fake::saying(&[ok("a")]).await;
    let before = services(service(&fake.url()));
    let prepared = before.prepare(&request(Method::Post, "/paid")).unwrap();
    let after = services(service(&format!("http://127.0.0.1:{}/other", fake.port)));
    check(
        &super::send_prepared(&after, &request(Method::Post, "/paid"), &prepared, None).await,
        "refused: service `books`: the service's URL was changed",
    );
    assert_eq!(fake.connections(), 0);
}

#[tokio::test]
async fn a_service_that_is_gone_refuses() {
    let services = super::super::Services::new(&[]).unwrap();
    check(
        &post(&services).await,
        "refused: there is no service `books` in handlers.toml",
    );
}
