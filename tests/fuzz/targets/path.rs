//! A call's path, joined with its service's URL: what is accepted stays below it, by another reading of the URL.
//!
//! An input is the number of a service, the path, and a header, a line each.

use crate::driver::Target;
use hookyard::call::{Method, Request};
use hookyard::config;
use hookyard::services::Services;
use std::collections::BTreeMap;
use std::time::Duration;

const BASES: [&str; 6] = [
    "https://books.example.com/api",
    "https://books.example.com",
    "https://books.example.com:8443/a/b",
    "http://127.0.0.1:9000/v1",
    "http://[::1]/v1/x",
    "https://b%C3%BCcher.example/%20/%C3%A9",
];
const PATH_BYTES_MAX: usize = 4_096;
const SIZE_BYTES_MAX: usize = 5_000;

pub(crate) const TARGET: Target = Target {
    name: "path",
    words: &[
        "/",
        "//",
        "..",
        "/..",
        "/../",
        "/./",
        "%2e",
        "%2E%2e",
        "%2f",
        "%5c",
        "%252e",
        "%25",
        "%",
        "%00",
        "%0d%0a",
        "\\",
        "@",
        "://",
        "https://evil.example",
        "//evil.example",
        "?",
        "#",
        "&",
        ";",
        "..;/",
        "a",
        "invoices",
        "{id}",
        "\u{ff0e}",
        "\u{2024}",
        "\u{2026}",
        "\u{ff0f}",
        "\u{2215}",
        "\u{e9}",
        "%c3%a9",
        "%c0%ae",
        "\u{2028}",
        "\n",
        "\r\n",
        "host: evil.example",
        "authorization: x",
        "x-note: y",
        "idempotency-key: 1",
        " ",
        "\t",
        ":80",
        "%ef%bc%8f",
    ],
    more: &[],
    size_bytes_max: SIZE_BYTES_MAX,
    time_max: Duration::from_millis(200),
    open: || {
        let services = services();
        Box::new(move |input| attempt(&services, input))
    },
    must_see: &["accepted", "refused"],
};

fn services() -> Services {
    let mut text = String::from(
        "[endpoints.e]\npath = \"/e\"\nsigning_secrets = [\"whsec_1\"]\n\
         [handlers.h]\nevents = [\"invoice.paid\"]\nscript = \"scripts/h.rhai\"\n",
    );
    for (number, base) in BASES.iter().enumerate() {
        text += &format!("[services.s{number}]\nurl = \"{base}\"\nprivate_network = true\n");
    }
    let no_variable = |_: config::Variable<'_>| Err("not set".to_owned());
    let it = config::parse(&text, "handlers.toml", &no_variable).unwrap();
    Services::new(&it.services).unwrap()
}

fn attempt(services: &Services, input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(3, '\n');
    let number: usize = lines.next().and_then(|it| it.parse().ok()).unwrap_or(0);
    let path = lines.next().unwrap_or_default();
    let header = lines.next().and_then(|it| it.split_once(": "));
    let base = BASES[number % BASES.len()];
    let request = Request {
        service: format!("s{}", number % BASES.len()),
        method: Method::Post,
        path: path.to_owned(),
        headers: header
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: None,
        accept: Vec::new(),
        once: None,
    };
    let prepared = match services.prepare(&request) {
        Ok(it) => it,
        Err(why) => {
            assert!(!is_plain(path) || header.is_some(), "refused: {why}");
            // Between quotation marks stands the input.
            let end = why.message().rsplit('`').next();
            return format!("refused{}", end.unwrap_or_default());
        }
    };
    check_url(base, &prepared.url);
    let said: BTreeMap<_, _> = prepared.headers.into_iter().collect();
    assert_eq!(said, request.headers);
    for (name, value) in &said {
        check_header(name, value);
    }
    "accepted".into()
}

/// Looks at the URL as text, and as hyper reads it.
fn check_url(base: &str, url: &str) {
    let base: http::Uri = url::Url::parse(base).unwrap().as_str().parse().unwrap();
    let sent: http::Uri = url.parse().unwrap();
    assert_eq!(sent.scheme(), base.scheme(), "{url}");
    assert_eq!(sent.authority(), base.authority(), "{url}");
    let base_path = base.path().trim_end_matches('/');
    let below = sent.path().strip_prefix(base_path);
    let below = below.unwrap_or_else(|| panic!("{url} is not below {base}"));
    assert!(below.is_empty() || below.starts_with('/'), "{url}");
    assert!(!url.contains(['#', '\\', '\r', '\n', '\0', ' ']), "{url}");
    assert!(!below.contains("//"), "{url}");
    let mut text = below.to_owned();
    for _ in 0..10 {
        for it in text.split(['/', '\\']) {
            // Some servers cut parameters off.
            let name = it.split(';').next();
            assert!(!matches!(name, Some("." | "..")), "{url} goes up");
        }
        text = decoded(&text);
        let slashes = |it: &str| it.matches(['/', '\\']).count();
        assert_eq!(slashes(&text), slashes(below), "{url} hides a slash");
    }
}

/// `%41` becomes `A`; what is no such thing stays.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match pair.and_then(|it| hex::decode(it).ok()) {
            Some(byte) => {
                found.extend(byte);
                at += 3;
            }
            None => {
                found.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&found).into_owned()
}

fn check_header(name: &str, value: &str) {
    let name = name.to_lowercase();
    for it in [
        "host",
        "idempotency-key",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
    ] {
        assert_ne!(name, it, "a header that is the host's");
    }
    for it in [name.as_str(), value] {
        assert!(
            !it.contains(['\r', '\n', '\0']),
            "a header with a line break"
        );
    }
}

/// A path that nobody could object to.
fn is_plain(path: &str) -> bool {
    path.len() <= PATH_BYTES_MAX
        && path.strip_prefix('/').is_some_and(|it| {
            it.split('/').all(|it| {
                !it.is_empty()
                    && it
                        .bytes()
                        .all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it))
            })
        })
}
