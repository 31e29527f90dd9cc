//! The laws of calls, over real sockets.

mod answers;
mod escapes;
mod fake;
mod outcomes;
mod secrets;
mod small;
mod tls;
mod turns;

use super::{CallError, Prepared, Services};
use crate::call::{Answer, Method, Request};
use crate::config;
use std::collections::BTreeMap;
use std::time::Duration;

/// A service with bounds that suit a test.
fn service(url: &str) -> config::Service {
    config::Service {
        name: "books".into(),
        url: url.parse().unwrap(),
        headers: Vec::new(),
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(2),
        rate: None,
        connections_max: 8,
        answer_size_bytes_max: 64 * 1024,
        private_network: true,
        idempotency: None,
    }
}

fn request(method: Method, path: &str) -> Request {
    Request {
        service: "books".to_owned(),
        method,
        path: path.to_owned(),
        headers: BTreeMap::new(),
        body: method
            .changes_something()
            .then(|| r#"{"paid":true}"#.to_owned()),
        accept: Vec::new(),
    }
}

fn services(service: config::Service) -> Services {
    Services::new(&[service]).unwrap()
}

async fn post(services: &Services) -> Result<Answer, CallError> {
    send(services, &request(Method::Post, "/paid")).await
}

async fn get(services: &Services) -> Result<Answer, CallError> {
    send(services, &request(Method::Get, "/paid")).await
}

async fn send(services: &Services, request: &Request) -> Result<Answer, CallError> {
    let prepared: Prepared = services.prepare(request)?;
    services.send(&prepared, Some("key-1")).await
}

#[track_caller]
fn check(result: &Result<Answer, CallError>, expected: &str) {
    let seen = match result {
        Ok(answer) => match &answer.body_missing {
            None => format!("{} {}", answer.status, answer.text),
            Some(why) => format!("{} body missing: {why}", answer.status),
        },
        Err(CallError::Refused { message }) => format!("refused: {message}"),
        Err(CallError::NotSent { message }) => format!("not sent: {message}"),
        Err(CallError::OutcomeUnknown { message }) => format!("unknown: {message}"),
    };
    assert!(
        seen.starts_with(expected),
        "\nexpected {expected}\nseen     {seen}"
    );
}
