use super::fake::{Fake, Say, ok};
use super::{check, post, request, send_prepared, service, services};
use crate::call::Method;
use crate::config::Secret;
use crate::services::{CallError, Services};

const SECRET: &str = "Bearer s3cr3t-value";

#[tokio::test]
async fn a_services_header_goes_out_and_is_shown_nowhere() {
    let fake = Fake::saying(&[ok("a")]).await;
    let mut settings = service(&fake.url());
    settings.headers = vec![("authorization".to_owned(), Secret::new(SECRET))];
    let services = services(settings.clone());
    let asked = request(Method::Post, "/paid");
    let prepared = services.prepare(&asked).unwrap();
    let answer = send_prepared(&services, &asked, &prepared, None)
        .await
        .unwrap();
    assert!(fake.requests()[0].contains("\r\nauthorization: Bearer s3cr3t-value\r\n"));

    let cut = Fake::saying(&[Say::Close]).await;
    settings.url = cut.url().parse().unwrap();
    let error = post(&Services::new(&[settings.clone()]).unwrap())
        .await
        .unwrap_err();
    settings
        .headers
        .push(("x-bad".to_owned(), Secret::new("s3cr3t-value\n")));
    let refused = Services::new(&[settings.clone()]).unwrap_err();
    for shown in [
        format!(
            "{services:?} {prepared:?} {answer:?} {error:?} {error} {refused:?} {refused} {settings:?}"
        ),
        serde_json::to_string(&prepared).unwrap(),
        serde_json::to_string(&answer).unwrap(),
    ] {
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}

#[test]
fn a_script_sets_no_header_that_is_the_hosts_or_the_services() {
    let mut settings = service("http://127.0.0.1:1/");
    settings.headers = vec![("authorization".to_owned(), Secret::new(SECRET))];
    let services = services(settings);
    for (name, value, expected) in [
        ("host", "evil.example", "the header `host` cannot be set"),
        ("Host", "evil.example", "the header `host` cannot be set"),
        (
            "content-length",
            "5",
            "the header `content-length` cannot be set",
        ),
        (
            "transfer-encoding",
            "chunked",
            "the header `transfer-encoding` cannot be set",
        ),
        (
            "connection",
            "close",
            "the header `connection` cannot be set",
        ),
        ("upgrade", "h2c", "the header `upgrade` cannot be set"),
        (
            "idempotency-key",
            "mine",
            "the header `idempotency-key` cannot be set",
        ),
        (
            "accept-encoding",
            "gzip",
            "the header `accept-encoding` cannot be set",
        ),
        (
            "authorization",
            "mine",
            "the header `authorization` of this service is set in handlers.toml",
        ),
        (
            "x",
            "a\r\nhost: evil.example",
            "the value of the header `x` holds characters",
        ),
        ("x", "a\0", "the value of the header `x` holds characters"),
        ("x: y", "a", "`x: y` is no name of a header"),
        ("x\r\ny", "a", "`x\\r\\ny` is no name of a header"),
        ("", "a", "`` is no name of a header"),
        (
            "x",
            &"v".repeat(9_000),
            "the headers have 9001 bytes, over the limit of 8192",
        ),
    ] {
        let mut asked = request(Method::Post, "/paid");
        asked.headers.insert(name.to_owned(), value.to_owned());
        let Err(CallError::Refused { message }) = services.prepare(&asked) else {
            panic!("{name} passed")
        };
        assert!(
            message.starts_with(&format!("service `books`: {expected}")),
            "{message}"
        );
    }
}

#[test]
fn a_body_over_the_bound_is_refused() {
    let services = services(service("http://127.0.0.1:1/"));
    let mut asked = request(Method::Post, "/paid");
    asked.body = Some("b".repeat(crate::services::BODY_BYTES_MAX + 1));
    let refused = services.prepare(&asked).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "service `books`: the body has 1048577 bytes, over the limit of 1048576"
    );
}

#[tokio::test]
async fn a_stored_call_is_checked_again_before_it_is_sent() {
    let services = services(service("http://127.0.0.1:1/api"));
    let asked = request(Method::Post, "/paid");
    let good = services.prepare(&asked).unwrap();
    for (url, header) in [
        ("http://127.0.0.1:2/api/paid", "x"),
        ("https://127.0.0.1:1/api/paid", "x"),
        ("http://127.0.0.1:1/other", "x"),
        ("http://127.0.0.1:1/apiary", "x"),
        ("http://127.0.0.1:1/api/../x", "x"),
        ("http://user@127.0.0.1:1/api/paid", "x"),
        ("http://127.0.0.1:1/api/paid#a", "x"),
        ("not a url", "x"),
        ("http://127.0.0.1:1/api/paid", "host"),
    ] {
        let mut stored = good.clone();
        stored.url = url.to_owned();
        stored.headers.push((header.to_owned(), "v".to_owned()));
        check(
            &send_prepared(&services, &asked, &stored, None).await,
            "refused: service `books`: ",
        );
    }
}
