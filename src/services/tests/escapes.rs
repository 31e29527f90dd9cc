//! Ways out of a service's base URL, and into networks that are not its own.

use super::{check, get, request, service, services};
use crate::call::Method;
use crate::services::guard::Guard;
use crate::services::target::{is_within, join};
use crate::services::{CallError, Services};
use proptest::prelude::*;
use std::time::Duration;
use url::Url;

/// Scripts that mean no harm must get through.
#[test]
fn a_path_is_joined_to_the_base_url() {
    for (base, path, expected) in [
        (
            "https://a.example/api",
            "/invoices/in_1/paid",
            "https://a.example/api/invoices/in_1/paid",
        ),
        (
            "https://a.example/api",
            "/invoices?limit=3&q=a b",
            "https://a.example/api/invoices?limit=3&q=a%20b",
        ),
        ("https://a.example/api", "", "https://a.example/api"),
        (
            "https://a.example/api",
            "?dry=1",
            "https://a.example/api?dry=1",
        ),
        ("https://a.example/api", "/", "https://a.example/api/"),
        ("https://a.example/api", "/a/", "https://a.example/api/a/"),
        ("https://a.example", "/a", "https://a.example/a"),
        ("https://a.example", "", "https://a.example/"),
        (
            "https://a.example:8443/v1",
            "/a:b/c;d=e,f",
            "https://a.example:8443/v1/a:b/c;d=e,f",
        ),
        (
            "https://a.example/api",
            "/files/report..pdf",
            "https://a.example/api/files/report..pdf",
        ),
        (
            "https://a.example/api",
            "/.well-known/x",
            "https://a.example/api/.well-known/x",
        ),
        (
            "https://a.example/api",
            "/a%20b",
            "https://a.example/api/a%20b",
        ),
        (
            "https://a.example/api",
            "/100%25",
            "https://a.example/api/100%25",
        ),
        (
            "https://a.example/api",
            "/Zürich",
            "https://a.example/api/Z%C3%BCrich",
        ),
        (
            "https://a.example/api",
            "/a%40b.example",
            "https://a.example/api/a%40b.example",
        ),
        (
            "https://a.example/api",
            "?next=https://b.example/../x",
            "https://a.example/api?next=https://b.example/../x",
        ),
        (
            "https://a.example/api",
            "?mail=a@b.example&line=%0A",
            "https://a.example/api?mail=a@b.example&line=%0A",
        ),
    ] {
        let prepared = services(service(base))
            .prepare(&request(Method::Get, path))
            .unwrap();
        assert_eq!(prepared.url, expected);
    }
}

#[test]
fn no_path_leaves_the_base_url() {
    let services = services(service("https://a.example/api"));
    for path in PATHS {
        let Err(CallError::Refused { message }) = services.prepare(&request(Method::Get, path))
        else {
            panic!(
                "{path:?} passed as {:?}",
                services.prepare(&request(Method::Get, path))
            );
        };
        assert!(message.starts_with("service `books`: "), "{message}");
        assert!(message.contains("path"), "says what is wrong: {message}");
        assert!(
            !message.contains(char::is_control),
            "can be printed: {message:?}"
        );
    }
}

#[test]
fn a_long_path_is_refused() {
    let services = services(service("https://a.example/api"));
    let refused = services
        .prepare(&request(Method::Get, &format!("/{}", "a".repeat(4096))))
        .unwrap_err();
    assert_eq!(
        refused.message(),
        "service `books`: the path has 4097 bytes, over the limit of 4096"
    );
}

#[test]
fn a_refusal_says_what_to_write_instead() {
    let services = services(service("https://a.example/api"));
    for (path, expected) in [
        (
            "invoices",
            "the path must begin with `/`; write `/invoices`",
        ),
        (
            "https://a.example/api/x",
            "the path is a whole URL; write only what comes after the service's URL",
        ),
        (
            "/invoices//paid",
            "a part of the path is empty (`//`): is an id missing there?",
        ),
        (
            "/a#b",
            "the path holds `#`, which is never sent; write `%23`",
        ),
        ("/a@b", "the path holds `@`; write `%40`"),
        (
            "/50%",
            "`%` in the path is no percent-encoding; a `%` itself is written `%25`",
        ),
        (
            "/a?q=50%",
            "`%` in the path is no percent-encoding; a `%` itself is written `%25`",
        ),
        (
            "/a/../b",
            "`..` in the path leads elsewhere; write the path itself",
        ),
    ] {
        let refused = services.prepare(&request(Method::Get, path)).unwrap_err();
        assert!(
            refused
                .message()
                .starts_with(&format!("service `books`: {expected}")),
            "{refused}"
        );
    }
}

const PATHS: &[&str] = &[
    // Dots, plain and encoded, once and more often.
    "/..",
    "/.",
    "/../",
    "/./x",
    "/../admin",
    "/x/..",
    "/x/../../admin",
    "/x/./y",
    "/...",
    "/%2e",
    "/%2e%2e",
    "/%2E%2E/admin",
    "/.%2e/admin",
    "/%2e./admin",
    "/x/%2e%2e/%2e%2e/admin",
    "/%252e%252e/admin",
    "/%25252e%25252e/admin",
    "/%25%252f%252e%252e%252fadmin",
    "/100%25%252f..%252fadmin",
    "/%2525252525252e%2525252525252e/admin",
    "/..;/admin",
    "/..;a=b/admin",
    "/%2e%2e;/admin",
    "/..%3b/admin",
    "/.. /admin",
    "/ ../admin",
    "/..%20/admin",
    "/..%00/admin",
    "/..%09/admin",
    // Slashes, and what others take for slashes.
    "//",
    "//evil.example",
    "//evil.example/admin",
    "///evil.example",
    "/x//y",
    "/x//",
    "/%2f",
    "/%2fevil.example",
    "/%2F%2Fevil.example",
    "/%252fevil.example",
    "/x%2f..%2fadmin",
    "/..%2fadmin",
    "/..%252fadmin",
    "/..%5cadmin",
    "/..%255cadmin",
    "/%5c%5cevil.example",
    "\\",
    "\\\\evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "/x\\..\\admin",
    "/..\\admin",
    "/x?a=\\",
    // Look-alikes and broken UTF-8.
    "/．．/admin",
    "/\u{2024}\u{2024}/admin",
    "/\u{2025}/admin",
    "/\u{fe52}\u{fe52}/admin",
    "/..／admin",
    "/..＼admin",
    "/..\u{2215}admin",
    "/..\u{2044}admin",
    "/%ef%bc%8e%ef%bc%8e/admin",
    "/..%ef%bc%8fadmin",
    "/%c0%ae%c0%ae/admin",
    "/%c0%2e",
    "/..%c0%afadmin",
    "/%e0%80%ae",
    "/%25c0%25ae%25c0%25ae/admin",
    "/%ff",
    // Whole URLs and other schemes.
    "http://evil.example",
    "https://evil.example/x",
    "HTTP://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:\\\\evil.example",
    "ftp://evil.example",
    "file:///etc/passwd",
    "gopher://evil.example/_x",
    "javascript:alert(1)",
    "data:text/plain,x",
    "evil.example",
    "evil.example/x",
    " /x",
    " https://evil.example",
    "\thttps://evil.example",
    ":80/x",
    ":443",
    ".evil.example",
    "..",
    ".",
    "../admin",
    "x/../../admin",
    // User names and ports that would move the host.
    "@evil.example",
    "@evil.example/x",
    ":x@evil.example",
    "/@evil.example",
    "/x@evil.example",
    ".evil.example@x",
    // Line breaks and control characters.
    "/x\r\nhost: evil.example",
    "/x HTTP/1.1\r\nhost: evil.example\r\n\r\n",
    "/x\n",
    "/x\r",
    "\r\n/x",
    "/x\0",
    "/x\t/y",
    "/.\t./admin",
    "/.\n./admin",
    "/x\u{7f}",
    "/x\u{85}",
    "/x\u{2028}y",
    "/x\u{2029}y",
    "/x%00",
    "/x%0d%0ahost:%20evil.example",
    "/x%0a",
    "/x%250a",
    "/x%7f",
    "/x%c2%85",
    "/x?a=\r\nb",
    "/x?a=\n",
    "/x?a=\0",
    // Fragments and broken encodings.
    "#",
    "/#",
    "/x#y",
    "#@evil.example/",
    "/x?a=b#c",
    "/%",
    "/%2",
    "/%zz",
    "/%u002e%u002e/admin",
    "/x?a=%",
    "/x?a=%zz",
    "/x?a=%ff",
];

#[test]
fn there_are_enough_attempts() {
    assert!(PATHS.len() >= 100, "{}", PATHS.len());
    let addresses = PRIVATE.len() + NEVER.len();
    assert!(addresses >= 70, "{addresses}");
}

proptest! {
    #[test]
    fn whatever_is_joined_stays_within_its_base(path in "(/|[.]|%|2e|2f|25|5c|@|;|:|//|a|é|\\\\|[?]|#|\\PC){0,12}") {
        let base = Url::parse("https://a.example:8443/api/v1").unwrap();
        if let Ok(url) = join(&base, &path) {
            prop_assert_eq!(url.origin(), base.origin());
            prop_assert!(url.path() == "/api/v1" || url.path().starts_with("/api/v1/"), "{}", url);
            prop_assert!(is_within(&base, &Url::parse(url.as_str()).unwrap()));
        }
    }
}

/// What `private_network = true` opens, and what nothing opens.
#[test]
fn an_address_is_public_or_private_or_never_called() {
    for (expected, addresses) in [("public", PUBLIC), ("private", PRIVATE), ("never", NEVER)] {
        for address in addresses {
            let address = address.parse().unwrap();
            let may_be_called = |private_network| Guard { private_network }.check(address).is_ok();
            let seen = match (may_be_called(false), may_be_called(true)) {
                (true, true) => "public",
                (false, true) => "private",
                (false, false) => "never",
                (true, false) => panic!("a permission that takes away"),
            };
            assert_eq!(seen, expected, "{address}");
        }
    }
}

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
];

const PRIVATE: &[&str] = &[
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:c0a8:1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::192.168.1.1",
];

const NEVER: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::2",
    "::127.0.0.1",
    "::169.254.169.254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:0.0.0.0",
    "::ffff:224.0.0.1",
    "::ffff:100.100.100.200",
    "::ffff:0:127.0.0.1",
    "::ffff:0:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::0.0.0.0",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1::1.1.1.1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2002:101:101::",
    "3fff::1",
    "2606:4700::5efe:127.0.0.1",
    "2606:4700::200:5efe:169.254.169.254",
    "4000::1",
    "5f00::1",
    "fd00:42::42",
    "fd00:c1::a9fe:a9fe",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "febf::1",
    "ff02::1",
    "ff0e::1",
];

#[test]
fn a_url_with_an_address_that_must_not_be_called_is_no_service() {
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0xa9fea9fe/",
        "http://[fd00:ec2::254]/",
        "http://１２７.０.０.１/",
        "http://0/",
    ] {
        let mut it = service(url);
        it.private_network = false;
        let refused = Services::new(&[it]).unwrap_err().to_string();
        assert!(refused.starts_with("service `books`: "), "{url}: {refused}");
    }
    let refused = Services::new(&[service("http://169.254.169.254/")])
        .unwrap_err()
        .to_string();
    assert!(
        refused.ends_with("and such addresses are never called"),
        "{refused}"
    );
}

#[test]
fn a_time_that_is_no_bound_is_no_service() {
    for timeout in [Duration::ZERO, Duration::MAX] {
        let mut it = service("https://a.example/");
        it.connect_timeout = timeout;
        let refused = Services::new(&[it]).unwrap_err().to_string();
        assert_eq!(
            refused,
            "service `books`: its connect_timeout must be more than nothing and at most 31 days"
        );
    }
}

#[test]
fn a_url_that_is_no_base_is_no_service() {
    for url in [
        "ftp://a.example/",
        "file:///x",
        "http://user@a.example/",
        "http://:pw@a.example/",
        "http://a.example/?x",
        "http://a.example/#x",
    ] {
        assert!(Services::new(&[service(url)]).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for name in ["localhost", "LOCALHOST", "localhost."] {
        let mut it = service(&format!("http://{name}:{port}/"));
        it.private_network = false;
        let result = get(&services(it)).await;
        if name == "localhost." && matches!(result, Err(CallError::NotSent { .. })) {
            // Not every resolver knows it.
            continue;
        }
        check(&result, "refused: service `books`: localhost");
        assert!(
            result
                .unwrap_err()
                .message()
                .ends_with("write `private_network = true` for it in handlers.toml")
        );
    }
}
