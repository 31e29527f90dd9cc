//! The laws of calls, over real sockets.

mod answers;
mod escapes;
mod fake;
mod ill;
mod outcomes;
mod secrets;
mod small;
mod tls;
mod turns;

use super::{CallError, Caller, NotNow, Prepared, Services, Turn};
use crate::call::{Answer, Method, Request};
use crate::config;
use crate::run::RunId;
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
        head_timeout: Duration::from_secs(5),
        body_timeout: Duration::from_secs(5),
        rate: None,
        connections_max: 8,
        answer_size_bytes_max: 64 * 1024,
        private_network: true,
        idempotency: None,
        breaker: None,
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
        once: None,
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
    send_prepared(services, request, &prepared, Some("key-1")).await
}

async fn send_prepared(
    services: &Services,
    request: &Request,
    prepared: &Prepared,
    key: Option<&str>,
) -> Result<Answer, CallError> {
    match turn(services, request, "h", 1).await? {
        Ok(turn) => services.send(turn, prepared, key).await.outcome,
        Err(not_now) => Err(CallError::NotSent {
            message: format!("not now: {}", not_now.why),
        }),
    }
}

async fn turn(
    services: &Services,
    request: &Request,
    handler: &str,
    run: i64,
) -> Result<Result<Turn, NotNow>, CallError> {
    let caller = Caller {
        handler: handler.into(),
        run: RunId(run),
        waiting_max: 1000,
    };
    services.turn(request, &caller).await
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
