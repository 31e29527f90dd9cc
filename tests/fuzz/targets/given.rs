//! What a script of the fuzz target is given.

use hookyard::call::{Answer, Request};
use hookyard::clock::UnixMillis;
use hookyard::record::{Record, RecordKey};
use hookyard::script::{World, WorldError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One record, and answers to all calls but those that nobody has answered yet.
pub(super) struct Given;

impl World for Given {
    fn record(&mut self, collection: &str, id: &str) -> Result<Option<Record>, WorldError> {
        Ok((id == "in_1").then(|| record(collection, id)))
    }

    fn find(
        &mut self,
        collection: &str,
        _: &[(String, String)],
        limit: usize,
    ) -> Result<Vec<Record>, WorldError> {
        let ids = (0..limit.min(5)).map(|it| format!("in_{it}"));
        Ok(ids.map(|it| record(collection, &it)).collect())
    }

    fn answer(&mut self, request: &Request) -> Result<Option<Arc<Answer>>, WorldError> {
        let status = match request.path.len() % 4 {
            0 => return Ok(None),
            1 => 404,
            _ => 200,
        };
        Ok(Some(Arc::new(Answer {
            status,
            headers: BTreeMap::new(),
            text: r#"{"ok":true,"list":[1,2,{"a":null}]}"#.to_owned(),
            body_missing: None,
            has_bad_utf8: false,
        })))
    }
}

fn record(collection: &str, id: &str) -> Record {
    Record {
        key: RecordKey {
            collection: collection.to_owned(),
            id: id.to_owned(),
        },
        version: 3,
        body: Some(r#"{"status":"open","total":9223372036854775807,"tags":["a","b"]}"#.to_owned()),
        updated_at: UnixMillis(0),
        newest_event_at: None,
    }
}
