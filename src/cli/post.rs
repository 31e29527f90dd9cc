//! Posting events as Stripe does: signed, over real HTTP.

use crate::call::{Answer, Method, Request};
use crate::clock::UnixMillis;
use crate::config;
use crate::ingress::signature::Key;
use crate::run::RunId;
use crate::services::{Caller, Services};
use anyhow::{anyhow, bail, ensure};
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_SIZE_BYTES_MAX: usize = 64 * 1024;

/// Posts to one URL, as calls of scripts are made: bounded in time and size.
pub(super) struct Poster {
    services: Services,
    path: String,
    url: Url,
}

impl Poster {
    const SERVICE: &str = "endpoint";

    pub(super) fn new(url: &Url) -> anyhow::Result<Self> {
        ensure!(
            matches!(url.scheme(), "http" | "https"),
            "events are posted over HTTP: write --url http://…, not `{url}`"
        );
        let mut base = url.clone();
        base.set_query(None);
        let path = url.query().map(|it| format!("?{it}")).unwrap_or_default();
        let service = config::Service {
            name: Self::SERVICE.into(),
            url: base,
            headers: Vec::new(),
            timeout: TIMEOUT,
            connect_timeout: TIMEOUT,
            head_timeout: TIMEOUT,
            body_timeout: TIMEOUT,
            rate: None,
            connections_max: 1,
            answer_size_bytes_max: ANSWER_SIZE_BYTES_MAX,
            private_network: true,
            idempotency: None,
            breaker: None,
        };
        Ok(Self {
            services: Services::new(&[service])?,
            path,
            url: url.clone(),
        })
    }

    /// Signs and posts an event, once.
    pub(super) async fn post(
        &self,
        body: String,
        key: &Key,
        now: UnixMillis,
    ) -> anyhow::Result<Answer> {
        let timestamp = now.seconds().to_string();
        let signature = hex::encode(key.sign(&timestamp, body.as_bytes()));
        let headers = BTreeMap::from([
            (
                "content-type".to_owned(),
                "application/json; charset=utf-8".to_owned(),
            ),
            (
                "stripe-signature".to_owned(),
                format!("t={timestamp},v1={signature}"),
            ),
        ]);
        let request = Request {
            service: Self::SERVICE.into(),
            method: Method::Post,
            path: self.path.clone(),
            headers,
            body: Some(body),
            accept: Vec::new(),
            once: None,
        };
        let caller = Caller {
            handler: Self::SERVICE.into(),
            run: RunId::default(),
            waiting_max: 1,
        };
        let prefix = format!("service `{}`: ", Self::SERVICE);
        let sent = match self.services.prepare(&request) {
            Ok(prepared) => match self.services.turn(&request, &caller).await? {
                Ok(turn) => self.services.send(turn, &prepared, None).await.outcome,
                Err(not_now) => bail!("cannot post to {}: {}", self.url, not_now.why),
            },
            Err(error) => Err(error),
        };
        sent.map_err(|error| {
            let why = error.message();
            anyhow!(
                "cannot post to {}: {}; does a host run there?",
                self.url,
                why.strip_prefix(&prefix).unwrap_or(why)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::ingress::signature::verify;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    #[tokio::test]
    async fn what_is_posted_is_what_the_ingress_verifies() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks?x=1", listener.local_addr().unwrap());
        let key = Key::new(&Secret::new("whsec_test")).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                match line.trim_end() {
                    "" => break,
                    it => head.push(it.to_owned()),
                }
            }
            let value = |name: &str| {
                let found = head.iter().filter_map(|it| it.split_once(": "));
                let mut found = found.filter(|(it, _)| it.eq_ignore_ascii_case(name));
                found.next().unwrap().1.to_owned()
            };
            let mut body = vec![0; value("content-length").parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .unwrap();
            (head[0].clone(), value("stripe-signature"), body)
        });
        let body = "{\"id\":\"evt_1\"}";
        let poster = Poster::new(&url.parse().unwrap()).unwrap();
        let answer = poster.post(body.into(), &key, NOW).await.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (200, "ok"));
        let (line, signature, received) = server.join().unwrap();
        assert_eq!(line, "POST /hooks?x=1 HTTP/1.1");
        assert_eq!(received, body.as_bytes());
        let number = verify(
            [signature.as_bytes()],
            &received,
            &[key],
            Duration::from_secs(1),
            NOW,
        );
        assert_eq!(number, Ok(1));
    }

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_named() {
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let poster = Poster::new(&format!("http://{free}/hooks").parse().unwrap()).unwrap();
        let key = Key::new(&Secret::new("whsec_test")).unwrap();
        let error = poster
            .post("{}".into(), &key, NOW)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("cannot post to http://{free}/hooks: ")),
            "{error}"
        );
        assert!(!error.contains("service"), "{error}");
    }
}
