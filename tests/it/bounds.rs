//! Every bound of the door holds, whatever a sender does.

use crate::support::{Client, Host, HostSetup, PATH, SECRET, event, eventually, now_s, sign};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SCRIPT: &str = "records(\"seen\").set(event.id, #{});";

/// A host with bounds that a test can reach.
fn host(server: &str) -> Host {
    HostSetup::new(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n{server}\n[endpoints.stripe]\npath = \"{PATH}\"\n\
         signing_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n[handlers.only]\nevents = [\"customer.created\"]\n\
         script = \"scripts/only.rhai\"\nrecords = [\"seen\"]\n"
    ))
    .file("scripts/only.rhai", SCRIPT)
    .start()
}

fn connect(host: &Host) -> TcpStream {
    let stream = TcpStream::connect(host.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Everything that comes until the other side closes.
fn rest(mut stream: &TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is a close too.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn signed_head(body: &[u8], length: &str) -> String {
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: test\r\nStripe-Signature: {}\r\n{length}\r\n\r\n",
        sign(SECRET, now_s(), body)
    )
}

#[test]
fn a_head_that_does_not_come_is_answered_408_in_time() {
    let host = host("head_timeout = \"1s\"");
    let mut stream = connect(&host);
    let begin = Instant::now();
    stream
        .write_all(b"POST /webhooks/stripe HTTP/1.1\r\nHost: t")
        .unwrap();
    let said = rest(&stream);
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_head_that_drips_is_ended_in_the_same_time() {
    let host = host("head_timeout = \"1s\"");
    let mut stream = connect(&host);
    let begin = Instant::now();
    let dripping = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut dripping = dripping;
        while dripping.write_all(b"X").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let mut said = [0; 12];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 408");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_connection_that_rests_may_rest_longer_than_a_head_may_take() {
    let host = host("head_timeout = \"1s\"\nkeep_alive = \"3s\"");
    let mut client = host.client();
    assert_eq!(client.get("/healthz").unwrap().status, 200);
    std::thread::sleep(Duration::from_millis(1800));
    assert_eq!(client.get("/healthz").unwrap().status, 200);
    let begin = Instant::now();
    assert!(client.is_closed());
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_body_that_does_not_come_is_answered_408_in_time() {
    let host = host("body_timeout = \"1s\"");
    let stream = connect(&host);
    (&stream)
        .write_all(signed_head(b"{}", "Content-Length: 2").as_bytes())
        .unwrap();
    (&stream).write_all(b"{").unwrap();
    let said = rest(&stream);
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert_eq!(host.get("/healthz").status, 200);
}

#[test]
fn a_body_over_the_limit_is_answered_413_announced_or_not() {
    let host = host("body_size_max = \"64 KiB\"");
    let stream = connect(&host);
    (&stream)
        .write_all(signed_head(b"", "Content-Length: 65537").as_bytes())
        .unwrap();
    assert!(rest(&stream).starts_with("HTTP/1.1 413"));

    let stream = connect(&host);
    (&stream)
        .write_all(signed_head(b"", "Transfer-Encoding: chunked").as_bytes())
        .unwrap();
    let chunk = format!("7d00\r\n{}\r\n", "x".repeat(32_000));
    for _ in 0..3 {
        let _ = (&stream).write_all(chunk.as_bytes());
    }
    assert!(rest(&stream).starts_with("HTTP/1.1 413"));

    // Up to the limit it is taken.
    let body = format!(
        "{{\"id\":\"evt_big\",\"type\":\"a.b\",\"x\":\"{}\"}}",
        "x".repeat(65_490)
    );
    let body = body.as_bytes();
    assert!((65_500..=65_536).contains(&body.len()));
    let answer = host
        .client()
        .post_signed(PATH, &sign(SECRET, now_s(), body), body)
        .unwrap();
    assert_eq!(answer.status, 200);
}

#[test]
fn a_head_over_the_limit_is_refused() {
    let host = host("head_size_max = \"16 KiB\"");
    let stream = connect(&host);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: t\r\nX: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let _ = (&stream).write_all(head.as_bytes());
    assert!(rest(&stream).starts_with("HTTP/1.1 431"));
}

#[test]
fn a_body_shorter_than_it_was_announced_is_never_stored() {
    let host = host("");
    let it = event("customer.created", "cus_1");
    let body = it.body();
    let stream = connect(&host);
    (&stream)
        .write_all(signed_head(&body, &format!("Content-Length: {}", body.len() + 10)).as_bytes())
        .unwrap();
    (&stream).write_all(&body).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let said = rest(&stream);
    assert!(!said.starts_with("HTTP/1.1 200"), "{said}");
    assert_eq!(host.ledger().events(), 0);
}

#[test]
fn a_body_in_chunks_is_stored_whole() {
    let host = host("");
    let body = event("customer.created", "cus_1").body();
    let stream = connect(&host);
    let mut request =
        signed_head(&body, "Transfer-Encoding: chunked\r\nConnection: close").into_bytes();
    for chunk in body.chunks(7) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    (&stream).write_all(&request).unwrap();
    assert!(rest(&stream).starts_with("HTTP/1.1 200"));
    assert_eq!(host.ledger().events(), 1);
}

#[test]
fn pipelined_deliveries_are_answered_one_by_one() {
    let host = host("");
    let mut client = host.client();
    let mut requests = Vec::new();
    for number in 0..5 {
        let body = event("customer.created", &format!("cus_{number}")).body();
        requests
            .extend(signed_head(&body, &format!("Content-Length: {}", body.len())).into_bytes());
        requests.extend(body);
    }
    client.send(&requests).unwrap();
    for _ in 0..5 {
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert_eq!(host.ledger().events(), 5);
}

#[test]
fn a_request_without_a_host_header_is_taken_all_the_same() {
    let host = host("");
    let body = event("customer.created", "cus_1").body();
    let mut client = host.client();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nStripe-Signature: {}\r\nContent-Length: {}\r\n\r\n",
        sign(SECRET, now_s(), &body),
        body.len()
    );
    client.send(&[head.as_bytes(), &body].concat()).unwrap();
    assert_eq!(client.answer().unwrap().status, 200);
}

#[test]
fn what_is_no_http_ends_its_own_connection_only() {
    let host = host("");
    for junk in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n\0\0\0\0",
        b"POST / HTTP/9.9\r\n\r\n",
    ] {
        let stream = connect(&host);
        (&stream).write_all(junk).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        rest(&stream);
    }
    assert_eq!(host.get("/healthz").status, 200);
}

#[test]
fn the_caller_of_a_bad_signature_learns_nothing_and_the_log_says_the_cause() {
    let host = host("");
    let body = event("customer.created", "cus_1").body();
    let now = now_s();
    let post =
        |signature: &str, body: &[u8]| host.client().post_signed(PATH, signature, body).unwrap();
    let answers = [
        post(&sign("whsec_other", now, &body), &body),
        post(&sign(SECRET, now - 400, &body), &body),
        post("junk", &body),
        post(&sign(SECRET, now, b""), b""),
    ];
    let mut client = host.client();
    client
        .send(
            format!("POST {PATH} HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes(),
        )
        .unwrap();
    let without = client.answer().unwrap();
    for it in answers.iter().chain([&without]) {
        assert_eq!((it.status, it.body.clone()), (400, without.body.clone()));
    }
    let log = host.log();
    for cause in [
        "no v1 signature fits",
        "it was signed 40",
        "it has no `t`",
        "its body is empty",
        "no Stripe-Signature header",
    ] {
        assert!(log.contains(cause), "{cause} is not in {log}");
    }
    assert!(!log.contains(SECRET) && !log.contains("cus_1"), "{log}");
    assert_eq!(host.ledger().events(), 0);
}

#[test]
fn wrong_paths_and_methods_are_told_so() {
    let host = host("");
    assert_eq!(host.get("/nowhere").status, 404);
    let answer = host.get(PATH);
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let mut client = host.client();
    client
        .send(b"DELETE /healthz HTTP/1.1\r\nHost: t\r\n\r\n")
        .unwrap();
    let answer = client.answer().unwrap();
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(host.get("/readyz").status, 200);
}

#[test]
fn a_verified_body_that_is_no_event_is_kept_once_and_answered_200() {
    let host = host("");
    for body in [
        &b"not json"[..],
        b"{\"id\":\"evt_1\"}",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
    ] {
        let signature = sign(SECRET, now_s(), body);
        let answer = host.client().post_signed(PATH, &signature, body).unwrap();
        assert_eq!(answer.status, 200);
        let again = host.client().post_signed(PATH, &signature, body).unwrap();
        assert_eq!(
            (again.status, again.text().contains("duplicate")),
            (200, true)
        );
    }
    let ledger = host.ledger();
    assert_eq!(
        ledger.number("SELECT count(*) FROM events WHERE unreadable IS NOT NULL"),
        4
    );
    assert_eq!(ledger.open_runs(), 0);
}

#[test]
fn ten_thousand_idle_connections_keep_no_delivery_waiting_for_long() {
    let host = host("head_timeout = \"2s\"\nconnections_max = 500");
    let raised = rustix::process::Rlimit {
        current: Some(20_000),
        maximum: Some(20_000),
    };
    // Where the system's own bound is lower, there are as many as it gives.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
    let mut idle = Vec::new();
    for _ in 0..10_000 {
        match std::net::TcpStream::connect_timeout(&host.address(), Duration::from_millis(200)) {
            Ok(it) => idle.push(it),
            Err(_) => break,
        }
    }
    assert!(
        idle.len() > 500,
        "only {} idle connections could be made",
        idle.len()
    );
    // Idle ones are hung up on; as long as they fill the queue, a sender tries again as Stripe does.
    eventually(Duration::from_secs(120), || {
        let Ok(mut client) = Client::connect(host.address()) else {
            return false;
        };
        client
            .stream()
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        client
            .post(PATH, &event("customer.created", "cus_1"))
            .is_ok_and(|it| it.status == 200)
    });
}
