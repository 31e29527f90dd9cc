use super::fake::{Fake, Say, bytes, ok, text};
use super::{check, get, post, request, send, service, services};
use crate::call::Method;
use crate::services::client::ANSWER_HEAD_BYTES_MAX;
use std::time::Duration;

#[tokio::test]
async fn an_answer_comes_with_status_headers_and_text() {
    let fake = Fake::saying(&[text(
        "HTTP/1.1 201 Created\r\nX-Id: a\r\nX-Id: b\r\nSet-Cookie: session=1\r\nContent-Length: 2\r\n\r\n{}",
    )])
    .await;
    let answer = post(&services(service(&fake.url()))).await.unwrap();
    assert_eq!(
        (answer.status, answer.text.as_str(), &answer.body_missing),
        (201, "{}", &None)
    );
    assert_eq!(answer.headers["x-id"], "a, b");
    assert!(
        !answer.headers.contains_key("set-cookie"),
        "a session is a secret"
    );
}

#[tokio::test]
async fn only_bytes_that_are_no_utf8_count_as_such() {
    for (body, text, is_bad) in [
        (&b"Zo\xeb"[..], "Zo\u{fffd}", true),
        ("Zo\u{fffd}".as_bytes(), "Zo\u{fffd}", false),
        ("Zo\u{eb}".as_bytes(), "Zo\u{eb}", false),
    ] {
        let fake = Fake::saying(&[bytes(body)]).await;
        let answer = post(&services(service(&fake.url()))).await.unwrap();
        assert_eq!((answer.text.as_str(), answer.has_bad_utf8), (text, is_bad));
    }
}

#[tokio::test]
async fn the_request_goes_out_as_prepared_with_what_is_ours() {
    let fake = Fake::saying(&[ok("")]).await;
    let mut asked = request(Method::Post, "/paid?dry=1&mail=a@b.example");
    asked
        .headers
        .insert("content-type".to_owned(), "application/json".to_owned());
    send(&services(service(&fake.url())), &asked).await.unwrap();
    let seen = fake.requests().remove(0);
    assert!(
        seen.starts_with("POST /api/paid?dry=1&mail=a@b.example HTTP/1.1\r\n"),
        "{seen}"
    );
    assert!(seen.ends_with("\r\n\r\n{\"paid\":true}"), "{seen}");
    for header in [
        "content-type: application/json",
        "content-length: 13",
        "accept-encoding: identity",
        "idempotency-key: key-1",
        concat!("user-agent: hookyard/", env!("CARGO_PKG_VERSION")),
        &format!("host: 127.0.0.1:{}", fake.port),
    ] {
        assert_eq!(
            seen.matches(&format!("\r\n{header}\r\n")).count(),
            1,
            "{header} in {seen}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let other = Fake::saying(&[ok("secret")]).await;
    for status in [301, 302, 303, 307, 308] {
        let url = other.url();
        let fake = Fake::saying(&[text(&format!(
            "HTTP/1.1 {status} Elsewhere\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n"
        ))])
        .await;
        let answer = get(&services(service(&fake.url()))).await.unwrap();
        assert_eq!((answer.status, &answer.headers["location"]), (status, &url));
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_body_over_the_bound_is_missing_and_the_call_is_settled() {
    let mut bounded = service("http://unused/");
    bounded.answer_size_bytes_max = 10;
    for (body, expected) in [
        ("content-length: 10\r\n\r\n0123456789", "200 0123456789"),
        (
            "content-length: 11\r\n\r\n0123456789a",
            "200 body missing: it is larger than the limit of 10 bytes",
        ),
        (
            "content-length: 99999999999999\r\n\r\n0",
            "200 body missing: it is larger than the limit",
        ),
        (
            "transfer-encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n",
            "200 body missing: it is larger than the limit",
        ),
    ] {
        let fake = Fake::saying(&[text(&format!("HTTP/1.1 200 OK\r\n{body}"))]).await;
        bounded.url = fake.url().parse().unwrap();
        check(&post(&services(bounded.clone())).await, expected);
    }
}

#[tokio::test]
async fn a_chunked_answer_is_put_together() {
    let fake = Fake::saying(&[
        text("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        Say::Wait(Duration::from_millis(30)),
        text("2\r\nde\r\n0\r\nx-trailer: 1\r\n\r\n"),
    ])
    .await;
    check(&get(&services(service(&fake.url()))).await, "200 abcde");
}

#[tokio::test]
async fn an_answer_without_a_length_ends_with_its_connection() {
    let fake = Fake::saying(&[text("HTTP/1.1 200 OK\r\n\r\nall of it"), Say::Close]).await;
    check(&get(&services(service(&fake.url()))).await, "200 all of it");
}

#[tokio::test]
async fn a_body_that_is_cut_or_late_or_broken_is_missing_and_the_call_is_settled() {
    let mut hasty = service("http://unused/");
    hasty.body_timeout = Duration::from_millis(500);
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n012";
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n012\r\n";
    let late = Say::Wait(Duration::from_secs(5));
    for (says, expected) in [
        (
            vec![text(head), Say::Close],
            "200 body missing: the connection was cut before its end",
        ),
        (
            vec![text(chunks), Say::Close],
            "200 body missing: the connection was cut before its end",
        ),
        (
            vec![text(chunks), text("no chunk\r\n")],
            "200 body missing: its answer breaks the rules of HTTP: Invalid chunk size line",
        ),
        (
            vec![text(head), late],
            "200 body missing: it did not end within 500ms",
        ),
    ] {
        let fake = Fake::saying(&says).await;
        hasty.url = fake.url().parse().unwrap();
        let answer = post(&services(hasty.clone())).await;
        check(&answer, expected);
        assert_eq!(answer.unwrap().text, "012", "what came is kept for people");
    }
}

#[tokio::test]
async fn an_answer_that_we_refuse_is_not_told_as_one_that_was_cut() {
    let broken = "its answer breaks the rules of HTTP: ";
    let beyond = "its answer breaks the rules of HTTP or the bounds that we set to them: ";
    let trailers: String = (0..500).map(|it| format!("x-{it}: 1\r\n")).collect();
    for (rest, why) in [
        ("zz\r\n".to_owned(), broken),
        ("3\r\nabcdef\r\n".to_owned(), broken),
        ("0\r\nno trailer\r\n\r\n".to_owned(), broken),
        ("fffffffffffffffff\r\n".to_owned(), beyond),
        (format!("3;{}\r\nabc\r\n", "x".repeat(20_000)), beyond),
        (format!("0\r\n{trailers}\r\n"), beyond),
    ] {
        let fake = Fake::saying(&[text(&format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{rest}"
        ))])
        .await;
        let answer = get(&services(service(&fake.url()))).await;
        check(&answer, &format!("200 body missing: {why}"));
    }
}

#[tokio::test]
async fn a_compressed_answer_is_missing_and_never_given_out_as_text() {
    for encoding in ["gzip", "br", "identity, gzip", "GZIP"] {
        let fake = Fake::saying(&[text(&format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: 3\r\n\r\n\x1f\x0b\x08"
        ))])
        .await;
        let answer = get(&services(service(&fake.url()))).await;
        check(&answer, "200 body missing: it came compressed (");
        assert_eq!(answer.unwrap().text, "");
    }
    for encoding in ["identity", "identity, identity", "Identity,, identity"] {
        let fake = Fake::saying(&[text(&format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: 2\r\n\r\nok"
        ))])
        .await;
        check(&get(&services(service(&fake.url()))).await, "200 ok");
    }
}

#[tokio::test]
async fn no_transfer_encoding_is_taken_but_one_that_is_undone() {
    for (encoding, shown) in [
        ("gzip, chunked", "gzip"),
        ("gzip\r\ntransfer-encoding: chunked", "gzip"),
        ("GZIP", "gzip"),
        ("x-none, identity, chunked", "x-none"),
        ("chunked, identity", "chunked"),
        ("chunked,", "chunked"),
        ("chunked, chunked", "chunked"),
    ] {
        let fake = Fake::saying(&[
            text(&format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: {encoding}\r\n\r\n2\r\n\x1f\x0b\r\n0\r\n\r\n"
            )),
            Say::Close,
        ])
        .await;
        let answer = get(&services(service(&fake.url()))).await;
        let why = format!("200 body missing: it came with the transfer encoding {shown}, ");
        check(&answer, &why);
        assert_eq!(answer.unwrap().text, "");
    }
    for (encoding, body) in [
        ("identity, Chunked", "2\r\nok\r\n0\r\n\r\n"),
        ("identity", "ok"),
    ] {
        let fake = Fake::saying(&[
            text(&format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: {encoding}\r\n\r\n{body}"
            )),
            Say::Close,
        ])
        .await;
        check(&get(&services(service(&fake.url()))).await, "200 ok");
    }
}

#[tokio::test]
async fn headers_are_kept_up_to_a_bound() {
    let large = "v".repeat(9_000);
    let fake = Fake::saying(&[text(&format!(
        "HTTP/1.1 200 OK\r\na: 1\r\nb: {large}\r\nc: {large}\r\ncontent-length: 0\r\n\r\n"
    ))])
    .await;
    let answer = get(&services(service(&fake.url()))).await.unwrap();
    let size_bytes: usize = answer
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(
        size_bytes <= crate::services::answer::ANSWER_HEADERS_BYTES_MAX,
        "{size_bytes}"
    );
    assert_eq!(answer.headers["a"], "1");
}

#[tokio::test]
async fn a_header_that_is_not_kept_hides_none_that_comes_after_it() {
    for (first, kept) in [
        (format!("set-cookie: {}", "v".repeat(16_384)), true),
        (format!("x-large: {}", "v".repeat(16_384)), true),
        (
            format!("x-large: 1\r\nx-large: {}", "v".repeat(16_384)),
            true,
        ),
        // This one is kept, and leaves no room but for what comes first of all.
        (format!("x-large: {}", "v".repeat(16_340)), false),
    ] {
        let fake = Fake::saying(&[text(&format!(
            "HTTP/1.1 429 Slow\r\n{first}\r\nx-after: {}\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n",
            "a".repeat(30)
        ))])
        .await;
        let answer = get(&services(service(&fake.url()))).await.unwrap();
        assert_eq!(answer.headers["retry-after"], "30");
        assert_eq!(answer.headers.contains_key("x-after"), kept);
        assert_eq!(answer.headers.contains_key("x-large"), !kept);
    }
}

/// The bytes of a head that is `size_bytes` long, in pieces.
fn head_of(size_bytes: usize, piece_size_bytes: usize) -> Vec<Say> {
    let (before, after) = ("HTTP/1.1 200 OK\r\na: ", "\r\ncontent-length: 2\r\n\r\n");
    let value = "v".repeat(size_bytes - before.len() - after.len());
    let head = format!("{before}{value}{after}");
    let mut says = Vec::new();
    for piece in head.as_bytes().chunks(piece_size_bytes) {
        says.extend([
            Say::Bytes(piece.to_vec()),
            Say::Wait(Duration::from_millis(2)),
        ]);
    }
    says.push(text("ok"));
    says
}

#[tokio::test]
async fn the_bound_of_a_head_is_the_same_however_it_comes() {
    for piece_size_bytes in [1_000, 16_000, 200_000] {
        for (size_bytes, expected) in [
            (ANSWER_HEAD_BYTES_MAX, "200 ok"),
            (
                ANSWER_HEAD_BYTES_MAX + 1,
                "unknown: service `books`: sent, but the answer is no HTTP that we can read (its head is over 64 KiB",
            ),
            (
                100_000,
                "unknown: service `books`: sent, but the answer is no HTTP that we can read (its head is over 64 KiB",
            ),
        ] {
            let fake = Fake::saying(&head_of(size_bytes, piece_size_bytes)).await;
            check(&get(&services(service(&fake.url()))).await, expected);
        }
    }
}

#[tokio::test]
async fn a_head_and_an_empty_answer_have_no_body() {
    let fake = Fake::saying(&[text("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")]).await;
    check(
        &send(&services(service(&fake.url())), &request(Method::Head, "/")).await,
        "200 ",
    );
    let fake = Fake::saying(&[text("HTTP/1.1 204 No Content\r\n\r\n")]).await;
    check(&post(&services(service(&fake.url()))).await, "204 ");
}
