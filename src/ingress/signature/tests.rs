use super::*;

const SECRET: &str = "whsec_test_secret";
const OLD_SECRET: &str = "whsec_old_secret";
const BODY: &[u8] = br#"{"id":"evt_test_webhook","object":"event"}"#;
const SIGNED_AT: i64 = 1_700_000_000;
/// Golden vectors, made with another program.
const GOOD: &str = "d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990";
const GOOD_OLD: &str = "e016b64cc4263f90e0336f3975e8d4ac9cc185935edc3ebdd405db64ad0bb1c5";

fn verify_at(headers: &[&str], body: &[u8], secrets: &[&str], now_s: i64) -> Result<u16, Reject> {
    let keys: Vec<Key> = secrets
        .iter()
        .map(|it| Key::new(&Secret::new(*it)).unwrap())
        .collect();
    let headers = headers.iter().map(|it| it.as_bytes());
    verify(
        headers,
        body,
        &keys,
        Duration::from_secs(300),
        UnixMillis(now_s * 1000),
    )
}

#[track_caller]
fn check(header: &str, expected: Result<u16, Reject>) {
    assert_eq!(
        verify_at(&[header], BODY, &[SECRET], SIGNED_AT),
        expected,
        "{header}"
    );
}

fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    hex::encode(
        Key::new(&Secret::new(secret))
            .unwrap()
            .sign(timestamp, body),
    )
}

fn no_match() -> Result<u16, Reject> {
    Err(Reject::NoMatch { secrets: 1 })
}

#[test]
fn the_golden_vectors_hold() {
    let sign = |body: &[u8]| sign(SECRET, "1700000000", body);
    assert_eq!(sign(BODY), GOOD);
    assert_eq!(
        sign(&[b"\xef\xbb\xbf", BODY].concat()),
        "ebd532ddc4f6cc250e64cf91689e6e94a5d4f051ad0a78f8eefb2841419ec0c9"
    );
    assert_eq!(
        sign(b"{\"x\":\"\xff\"}"),
        "f802ec2f86f1dc21c6047c17e667082c2d5189f3eddacb8b19b72b2432f4a890"
    );
}

#[test]
fn a_good_signature_is_taken_with_whatever_stands_around_it() {
    for header in [
        format!("t=1700000000,v1={GOOD}"),
        format!("v1={GOOD},t=1700000000"),
        format!(
            "t=1700000000,v1={GOOD},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
        ),
        format!("t=1700000000, v1={GOOD}"),
        format!("t=1700000000,\tv1={GOOD}"),
        format!("t=+1700000000,v1={GOOD}"),
        format!("t=1700000000,t=1700000000,v1={GOOD}"),
        format!("t=1700000000,v1={GOOD_OLD}, t=1700000000,v1={GOOD}"),
        format!(",t=1700000000,,v1={GOOD},"),
        format!("t=1700000000,v1={GOOD},unknown,other=a=b"),
        format!("t=1700000000,v1={}", GOOD.to_uppercase()),
        format!("t=1700000000,v1=zz,v1=,v1={GOOD}"),
    ] {
        check(&header, Ok(1));
    }
}

#[test]
fn a_bad_signature_is_refused() {
    check(&format!("t=1700000000,v1={GOOD_OLD}"), no_match());
    check(&format!("t=1700000001,v1={GOOD}"), no_match());
    check(
        &format!("t=1700000000,v0={GOOD}"),
        Err(Reject::Malformed("it has no v1 signature")),
    );
    check(&format!("t=1700000000,v1={}", &GOOD[..62]), no_match());
    check(&format!("t=1700000000,v1={GOOD}00"), no_match());
    check(&format!("v1={GOOD} ,t=1700000000"), no_match());
    check("t=1700000000,v1=", no_match());
    assert_eq!(
        verify_at(
            &[&format!("t=1700000000,v1={GOOD}")],
            b"{}",
            &[SECRET],
            SIGNED_AT
        ),
        no_match()
    );
}

#[test]
fn only_one_plain_timestamp_is_taken() {
    for t in [
        "",
        " ",
        "1e9",
        "0x10",
        "-1",
        "++1",
        "1700000000.0",
        "1_700_000_000",
        "1234567890123",
        "١",
    ] {
        let header = format!("t={t},v1={}", sign(SECRET, t, BODY));
        check(
            &header,
            Err(Reject::Malformed("`t` is no number of 1 to 12 digits")),
        );
    }
    check(
        &format!("t=1700000000,t=1700000001,v1={GOOD}"),
        Err(Reject::Malformed("it has two different `t`")),
    );
    check(
        &format!("v1={GOOD}"),
        Err(Reject::Malformed("it has no `t`")),
    );
    check("", Err(Reject::Malformed("it has no `t`")));
    check(
        &format!(" t=1700000000,v1={GOOD}"),
        Err(Reject::Malformed("it has no `t`")),
    );
}

#[test]
fn the_timestamp_is_signed_as_it_is_written() {
    let header = format!("t=01700000000,v1={}", sign(SECRET, "01700000000", BODY));
    check(&header, Ok(1));
    check(&format!("t=01700000000,v1={GOOD}"), no_match());
}

#[test]
fn any_secret_may_match_any_signature() {
    for header in [
        format!("t=1700000000,v1={GOOD},v1={GOOD_OLD}"),
        format!("t=1700000000,v1={GOOD_OLD},v1={GOOD}"),
    ] {
        let with = |secrets: &[&str]| verify_at(&[&header], BODY, secrets, SIGNED_AT);
        assert_eq!(with(&[SECRET]), Ok(1));
        assert_eq!(with(&[OLD_SECRET]), Ok(1));
        assert_eq!(with(&["whsec_other", OLD_SECRET]), Ok(2));
        assert_eq!(with(&["whsec_other"]), no_match());
    }
}

#[test]
fn a_delivery_may_be_as_old_as_the_tolerance_and_as_new() {
    let header = format!("t=1700000000,v1={GOOD}");
    let at = |now| verify_at(&[&header], BODY, &[SECRET], now);
    assert_eq!(at(SIGNED_AT + 300), Ok(1));
    assert_eq!(
        at(SIGNED_AT + 301),
        Err(Reject::TooOld {
            by_seconds: 301,
            tolerance_seconds: 300
        })
    );
    assert_eq!(at(SIGNED_AT - 300), Ok(1));
    assert_eq!(
        at(SIGNED_AT - 301),
        Err(Reject::TooNew {
            by_seconds: 301,
            tolerance_seconds: 300
        })
    );
}

#[test]
fn a_wrong_secret_is_told_before_a_wrong_time() {
    let header = format!("t=1700000000,v1={GOOD_OLD}");
    assert_eq!(
        verify_at(&[&header], BODY, &[SECRET], SIGNED_AT + 10_000),
        no_match()
    );
}

#[test]
fn one_header_of_bounded_size_is_taken() {
    let good = format!("t=1700000000,v1={GOOD}");
    let with = |headers: &[&str]| verify_at(headers, BODY, &[SECRET], SIGNED_AT);
    assert_eq!(with(&[]), Err(Reject::NoHeader));
    assert_eq!(with(&[&good, &good]), Err(Reject::SeveralHeaders(2)));
    let long = format!("{good}{}", ",".repeat(5000));
    assert_eq!(
        with(&[&long]),
        Err(Reject::HeaderTooLong {
            size_bytes: long.len()
        })
    );
    let many = format!("t=1700000000{},v1={GOOD}", ",v1=00".repeat(16));
    assert_eq!(
        with(&[&many]),
        Err(Reject::Malformed("it has more than 16 v1 signatures"))
    );
}

#[test]
fn an_empty_body_is_told_apart() {
    let header = format!("t=1700000000,v1={}", sign(SECRET, "1700000000", b""));
    assert_eq!(
        verify_at(&[&header], b"", &[SECRET], SIGNED_AT),
        Err(Reject::EmptyBody)
    );
}

proptest::proptest! {
    #[test]
    fn what_is_signed_verifies_and_what_is_changed_does_not(body: Vec<u8>, secret in "[ -~]{1,40}", at in 0usize..64) {
        proptest::prop_assume!(!body.is_empty());
        let signature = sign(&secret, "1700000000", &body);
        let header = format!("t=1700000000,v1={signature}");
        proptest::prop_assert_eq!(verify_at(&[&header], &body, &[&secret], SIGNED_AT), Ok(1));
        let mut changed = body.clone();
        let at = at % changed.len();
        changed[at] ^= 1;
        proptest::prop_assert_eq!(verify_at(&[&header], &changed, &[&secret], SIGNED_AT), no_match());
    }

    #[test]
    fn no_header_brings_the_verifier_down(header: Vec<u8>) {
        let keys = [Key::new(&Secret::new(SECRET)).unwrap()];
        let found = verify([&header[..]], BODY, &keys, Duration::from_secs(300), UnixMillis(0));
        proptest::prop_assert!(found.is_err());
    }
}
