//! The world of hostile scripts: an event with odd values, records, a service that answers with too much.

use hookyard::call::{Answer, Request};
use hookyard::clock::UnixMillis;
use hookyard::record::{Record, RecordKey};
use hookyard::script::{Attempt, Grants, World, WorldError};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const SCRIPT: &str = "scripts/it.rhai";

pub(super) const EVENT: &str = r#"{"id":"evt_1","type":"invoice.paid","created":1700000000,"livemode":false,
    "account":null,"data":{"object":{"id":"in_1","customer":"cus_1","amount_paid":1234,"currency":"eur","paid":true,
    "huge":99999999999999999999,"tiny":1e-400,"least":-9223372036854775808,"text":"line\u0000one\u2028\ud83d\ude00",
    "metadata":{"order":"77","__proto__":"x","constructor":"y","":"empty","a b":"space","../x":"up","event":"no"},
    "lines":{"data":[{"id":"il_1","amount":300},{"id":"il_2","amount":934}]}}}}"#;

pub(super) fn grants() -> Grants {
    Grants {
        collections: vec!["invoices".into(), "totals".into()],
        services: vec!["accounting".into()],
    }
}

pub(super) fn attempt() -> Attempt {
    Attempt {
        body: bytes::Bytes::from_static(EVENT.as_bytes()),
        event_created: UnixMillis(1_700_000_000_000),
        now: UnixMillis(1_700_000_100_500),
        number: 1,
        seed: "run_1".to_owned(),
        grants: Arc::new(grants()),
    }
}

pub(super) struct Memory;

impl World for Memory {
    fn record(&mut self, collection: &str, id: &str) -> Result<Option<Record>, WorldError> {
        Ok((id == "in_1").then(|| {
            record(
                collection,
                id,
                r#"{"status":"paid","total":9223372036854775807}"#,
            )
        }))
    }

    fn find(
        &mut self,
        collection: &str,
        _: &[(String, String)],
        limit: usize,
    ) -> Result<Vec<Record>, WorldError> {
        let body = format!(r#"{{"status":"paid","note":"{}"}}"#, "x".repeat(4000));
        Ok((0..limit.min(1000))
            .map(|it| record(collection, &format!("in_{it:04}"), &body))
            .collect())
    }

    fn answer(&mut self, request: &Request) -> Result<Option<Arc<Answer>>, WorldError> {
        let text = match request.path.as_str() {
            "/maps" => format!("[{}]", vec![r#"{"a":{}}"#; 100_000].join(",")),
            "/lists" => format!("[{}]", vec!["[[]]"; 200_000].join(",")),
            "/deep" => format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
            "/text" => "x".repeat(1024 * 1024),
            "/none" => String::new(),
            _ => r#"{"ok":true}"#.to_owned(),
        };
        let status = if request.path == "/error" { 500 } else { 200 };
        Ok(Some(Arc::new(Answer {
            status,
            headers: BTreeMap::from([("retry-after".to_owned(), "1e99".to_owned())]),
            text,
            body_missing: None,
            has_bad_utf8: false,
        })))
    }
}

fn record(collection: &str, id: &str, body: &str) -> Record {
    Record {
        key: RecordKey {
            collection: collection.to_owned(),
            id: id.to_owned(),
        },
        version: 3,
        body: Some(body.to_owned()),
        updated_at: UnixMillis(0),
        newest_event_at: None,
    }
}
