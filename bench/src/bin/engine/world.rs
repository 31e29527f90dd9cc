//! Records that are at hand, and a service that has not answered yet.

use hookyard::call::{Answer, Request};
use hookyard::clock::UnixMillis;
use hookyard::record::{Record, RecordKey};
use hookyard::script::{Attempt, Grants, World, WorldError};
use std::sync::Arc;

pub(crate) const SCRIPT: &str = "scripts/measured.rhai";

/// As a customer's record is after some months.
pub(crate) const RECORD: &str = r#"{"country":"NL","email":"someone.with.a.name@example.com","last_invoice":"in_1Pgc6tFxyz0123456789abcd","name":"Jansen en Zonen Metaalbewerking","note":"pays by transfer, sends the order number late, wants one invoice a month","payments":17,"since":1690000000,"status":"active","tier":"gold"}"#;

pub(crate) fn grants() -> Grants {
    Grants {
        collections: vec!["invoices".into(), "customers".into()],
        services: vec!["accounting".into()],
    }
}

pub(crate) fn attempt() -> Attempt {
    Attempt {
        body: bytes::Bytes::new(),
        event_created: UnixMillis(1_700_000_000_000),
        now: UnixMillis(1_700_000_100_500),
        number: 1,
        seed: "run_1".to_owned(),
        grants: Arc::new(grants()),
    }
}

pub(crate) struct Memory;

impl World for Memory {
    fn record(&mut self, collection: &str, id: &str) -> Result<Option<Record>, WorldError> {
        Ok(Some(Record {
            key: RecordKey {
                collection: collection.to_owned(),
                id: id.to_owned(),
            },
            version: 1,
            body: Some(RECORD.to_owned()),
            updated_at: UnixMillis(0),
            newest_event_at: None,
        }))
    }

    fn find(
        &mut self,
        _: &str,
        _: &[(String, String)],
        _: usize,
    ) -> Result<Vec<Record>, WorldError> {
        Ok(Vec::new())
    }

    fn answer(&mut self, _: &Request) -> Result<Option<Arc<Answer>>, WorldError> {
        Ok(None)
    }
}
