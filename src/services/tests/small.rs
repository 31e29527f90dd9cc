use super::{request, service, services};
use crate::call::Method;
use crate::clock::UnixMillis;
use crate::services::{KeyParts, idempotency_key, once_key, retry_after};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn retry_after_is_seconds_or_a_date_and_at_most_a_day() {
    // Sun, 06 Nov 1994 08:49:37 GMT
    let now = UnixMillis(784_111_777_000);
    let seconds = |it| Some(Duration::from_secs(it));
    for (header, expected) in [
        ("0", seconds(0)),
        ("120", seconds(120)),
        (" 7 ", seconds(7)),
        ("86401", seconds(86_400)),
        ("99999999999999999999999999", seconds(86_400)),
        ("Sun, 06 Nov 1994 08:50:37 GMT", seconds(60)),
        ("Sunday, 06-Nov-94 08:50:37 GMT", seconds(60)),
        ("Sun Nov  6 08:50:37 1994", seconds(60)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", seconds(0)),
        ("Sat, 05 Nov 1994 08:49:37 GMT", seconds(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", seconds(86_400)),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ] {
        assert_eq!(retry_after(header, now), expected, "{header:?}");
    }
}

#[test]
fn an_idempotency_key_is_stable_and_differs_with_every_part() {
    let services = services(service("http://127.0.0.1:1/api"));
    let call = services.prepare(&request(Method::Post, "/paid")).unwrap();
    let other_method = services.prepare(&request(Method::Put, "/paid")).unwrap();
    let other_path = services.prepare(&request(Method::Post, "/paid2")).unwrap();
    let mut other_body = call.clone();
    other_body.body = Some(r#"{"paid":false}"#.to_owned());
    let mut no_body = call.clone();
    no_body.body = None;
    let mut empty_body = call.clone();
    empty_body.body = Some(String::new());
    let mut other_service = call.clone();
    other_service.service = "bank".to_owned();

    let parts = KeyParts {
        scope: "stripe",
        event_id: "evt_1",
        handler: "invoice-paid",
        replay_number: 0,
        call: &call,
        nth: 1,
        generation: 0,
    };
    let all = [
        parts,
        KeyParts {
            scope: "stripe2",
            ..parts
        },
        KeyParts {
            scope: "stripee",
            event_id: "vt_1",
            ..parts
        },
        KeyParts {
            event_id: "evt_2",
            ..parts
        },
        KeyParts {
            handler: "invoice-paid2",
            ..parts
        },
        KeyParts {
            replay_number: 1,
            ..parts
        },
        KeyParts {
            call: &other_method,
            ..parts
        },
        KeyParts {
            call: &other_path,
            ..parts
        },
        KeyParts {
            call: &other_body,
            ..parts
        },
        KeyParts {
            call: &no_body,
            ..parts
        },
        KeyParts {
            call: &empty_body,
            ..parts
        },
        KeyParts {
            call: &other_service,
            ..parts
        },
        KeyParts { nth: 2, ..parts },
        KeyParts {
            generation: 1,
            ..parts
        },
    ];
    let keys: BTreeSet<String> = all.iter().map(idempotency_key).collect();
    assert_eq!(keys.len(), all.len());
    assert!(keys.iter().all(|it| it.len() == 32));
    // Written down: another value here would make waiting calls twice after an upgrade.
    assert_eq!(idempotency_key(&parts), "c4771d761ab708cbaa3aa948fe6a7d5a");
}

#[test]
fn the_key_of_a_call_made_once_is_of_its_name_its_service_and_its_generation_alone() {
    let keys = [
        once_key("books", "paid-in_1", 0),
        once_key("books", "paid-in_1", 1),
        once_key("books", "paid-in_2", 0),
        once_key("mail", "paid-in_1", 0),
        once_key("book", "spaid-in_1", 0),
    ];
    assert_eq!(BTreeSet::from(keys.clone()).len(), keys.len());
    // Another one would make calls that wait be made twice after an upgrade.
    assert_eq!(keys[0], "4fe07d6fcfcc7ce4d3315c659a977272");
}
