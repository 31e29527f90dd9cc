//! `[services.NAME]`

use super::endpoint::Section;
use super::findings;
use super::quantity::{DAY, KIB, MIB, MINUTE, SECOND, time};
use super::table::{Named, Table};
use super::value::Text;
use super::{Breaker, Secret, Service};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use toml::de::DeValue;
use url::{ParseError, Url};

const SERVICES_MAX: usize = 256;
const HEADERS_MAX: usize = 32;
const HEADER_SIZE_BYTES_MAX: usize = 8 * KIB;
const URL_SIZE_BYTES_MAX: usize = 2 * KIB;
const FULL_URL: &str = "write the whole address: \"https://accounting.example.com/api\"";
const TIMEOUT_LEAST: Duration = Duration::from_millis(100);

/// Set by the host for each call; a second one would contradict it.
const OWN_HEADERS: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

pub(super) fn read_all(root: &Table<'_>) -> Section<Service> {
    let mut read = Vec::new();
    let mut names = Vec::new();
    for Named { name, table } in root.tables("services", SERVICES_MAX) {
        let name: Arc<str> = name.into();
        names.push(Arc::clone(&name));
        read.extend(table.read(|it| read_one(it, name)));
    }
    Section { read, names }
}

fn read_one(table: &Table<'_>, name: Arc<str>) -> Option<Service> {
    const URL: &str = "\"https://accounting.example.com/api\"";
    let written = table.take("private_network");
    let private_network = written.map_or(Some(false), |it| it.flag());
    let url = table.must_have("url", URL).and_then(|it| {
        it.hide_web_address();
        it.text(URL)
    });
    let url = url.and_then(|it| url_of(&it, private_network.unwrap_or(true)));
    let timeout = table.time("timeout", 10 * SECOND, TIMEOUT_LEAST..=10 * MINUTE);
    // It is a part of the whole time, so that a short whole time needs no second line.
    let connect_timeout = table.time(
        "connect_timeout",
        timeout.min(5 * SECOND),
        TIMEOUT_LEAST..=timeout,
    );
    Some(Service {
        name,
        headers: headers(table),
        timeout,
        connect_timeout,
        head_timeout: table.time("head_timeout", timeout, TIMEOUT_LEAST..=timeout),
        body_timeout: table.time("body_timeout", timeout, TIMEOUT_LEAST..=timeout),
        rate: table.rate("rate"),
        connections_max: table.count("connections_max", 16, 1..=10_000),
        answer_size_bytes_max: table.size("answer_size_max", MIB, KIB..=16 * MIB),
        private_network: private_network.unwrap_or(false),
        idempotency: idempotency(table),
        breaker: breaker(table),
        url: url?,
    })
}

fn url_of(it: &Text<'_>, private_network: bool) -> Option<Url> {
    let refused = |message: &str, help: &str| {
        it.error(message, help);
        None
    };
    if URL_SIZE_BYTES_MAX < it.value.len() {
        return refused(
            &format!(
                "`url` has {} bytes, at most {URL_SIZE_BYTES_MAX} are allowed",
                it.value.len()
            ),
            "write a shorter one",
        );
    }
    let mut url = match Url::parse(&it.value) {
        Ok(url) => url,
        Err(ParseError::RelativeUrlWithoutBase) => {
            return refused("`url` does not begin with `https://`", FULL_URL);
        }
        Err(why) => return refused(&format!("`url` is not a web address: {why}"), FULL_URL),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return refused(
            "a service is reached by https:// or http://",
            "write \"https://…\"",
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused(
            "`url` holds a user or a password",
            "write it into `headers`: `headers = { authorization = \"Bearer ${TOKEN}\" }`",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refused(
            "`url` must end before `?` and `#`: scripts add the rest of the path",
            "leave that part out",
        );
    }
    if url.scheme() == "http" && !private_network {
        return refused(
            "http:// sends everything in the clear, secrets too",
            "write \"https://…\", or `private_network = true` if it is on this machine or in a network of your own",
        );
    }
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&base);
    Some(url)
}

fn headers(table: &Table<'_>) -> Vec<(String, Secret)> {
    let Some(value) = table.take("headers") else {
        return Vec::new();
    };
    value.hide();
    let Some(headers) = Table::of(value, "`headers`".to_owned()) else {
        value.is_no(
            "a table",
            "{ authorization = \"Bearer ${ACCOUNTING_TOKEN}\" }",
        );
        return Vec::new();
    };
    let entries = headers.into_free_keys();
    if HEADERS_MAX < entries.len() {
        let message = format!(
            "there are {} headers, at most {HEADERS_MAX} are allowed",
            entries.len()
        );
        value.findings.error(value.at(), message, "remove some");
        return Vec::new();
    }
    let mut read: Vec<(String, Secret)> = Vec::with_capacity(entries.len());
    for (name, at, value) in entries {
        let Some(text) = value.text("\"Bearer ${ACCOUNTING_TOKEN}\"") else {
            continue;
        };
        let Some(name) = header_name(name, at, &read, &text) else {
            continue;
        };
        if let Some(value) = header_value(&name, &text) {
            read.push((name, value));
        }
    }
    read
}

fn header_name(
    written: &str,
    at: Range<usize>,
    earlier: &[(String, Secret)],
    text: &Text<'_>,
) -> Option<String> {
    let refused = |message: String, help: &str| {
        text.findings.error(at, message, help);
        None
    };
    let Ok(name) = http::HeaderName::from_bytes(written.as_bytes()) else {
        return refused(
            format!(
                "`{}` cannot be the name of a header",
                findings::quoted(written)
            ),
            "write letters, digits and `-`",
        );
    };
    let name = name.as_str();
    if OWN_HEADERS.contains(&name) {
        return refused(
            format!("the header `{name}` is set by hookyard itself"),
            "remove it",
        );
    }
    if earlier.iter().any(|(other, _)| other == name) {
        return refused(
            format!("the header `{name}` stands here twice"),
            "remove one of them; upper and lower case are the same",
        );
    }
    Some(name.to_owned())
}

fn header_value(name: &str, it: &Text<'_>) -> Option<Secret> {
    if HEADER_SIZE_BYTES_MAX < it.value.len() {
        it.error(
            format!(
                "the header `{name}` has {} bytes, at most {HEADER_SIZE_BYTES_MAX} are allowed",
                it.value.len()
            ),
            "write a shorter one",
        );
        return None;
    }
    if http::HeaderValue::from_str(&it.value).is_err() {
        it.error(
            format!("the header `{name}` holds a character that no header can hold"),
            "look for a line break or another control character in it",
        );
        return None;
    }
    Some(Secret::new(it.value.clone()))
}

fn idempotency(table: &Table<'_>) -> Option<Duration> {
    const KEY: &str = "idempotency";
    let usual = DAY;
    match table.text(KEY, "\"24h\"") {
        None => Some(usual),
        Some(it) if it.value == "none" => None,
        Some(it) if matches!(it.value.as_str(), "off" | "no" | "never" | "") => {
            it.error(
                format!("`{KEY}` cannot be `{}`", it.shown()),
                "write \"none\" for a service that ignores idempotency keys, or how long it remembers them, such as \"24h\"",
            );
            Some(usual)
        }
        Some(it) => Some(time(&it, KEY, usual, MINUTE..=365 * DAY).unwrap_or(usual)),
    }
}

fn breaker(table: &Table<'_>) -> Option<Breaker> {
    const EXAMPLE: &str = "{ failures = 5, first = \"1s\", max = \"15s\" }";
    let usual = Breaker::default();
    let Some(value) = table.take("breaker") else {
        return Some(usual);
    };
    if let DeValue::String(_) = value.inner.get_ref() {
        let it = value.text(EXAMPLE)?;
        if it.value == "off" {
            return None;
        }
        it.error(
            format!(
                "`breaker` must be \"off\" or a table, this is `{}`",
                it.shown()
            ),
            format!(
                "write `breaker = {EXAMPLE}`, or \"off\" to send calls however many have failed"
            ),
        );
        return Some(usual);
    }
    let Some(policy) = Table::of(value, "`breaker`".to_owned()) else {
        value.is_no("\"off\" or a table", EXAMPLE);
        return Some(usual);
    };
    policy.read(|it| {
        let first = it.time("first", usual.first, TIMEOUT_LEAST..=10 * MINUTE);
        Some(Breaker {
            failures_max: it.count("failures", usual.failures_max, 2..=1000),
            first,
            max: it.time("max", usual.max.max(first), first..=10 * MINUTE),
        })
    })
}
