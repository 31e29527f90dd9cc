//! Two handlers whose effects can be counted, and the proof that each event had each of them once.
//!
//! One adds to records that others add to as well and appends the event to a list; the other calls a service twice and
//! then writes a record. The service is a bad one: it answers each request with another number, and at times not at all.

use crate::support::{
    Event, FakeService, Host, HostSetup, Load, PATH, Reaction, event, eventually, tell,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const OBJECTS: usize = 6;
const EVENTS_PER_LIST: usize = 40;
const BIG_BYTES: usize = 900_000;
const DRAIN_MAX: Duration = Duration::from_secs(90);

const COUNT: &str = r#"let it = event.data.object;
records("counts").add(it.id, "n", 1);
records("counts").add("all", "n", 1);
let lists = records("seen");
let name = `${it.id}-${it.page}`;
let list = lists.get(name);
let ids = if list == () { [] } else { list.ids };
ids.push(event.id);
lists.set(name, #{ ids: ids });
"#;

const BOOK: &str = r#"let books = service("books");
let a = books.post(`/a/${event.id}`, #{ event: event.id });
let b = books.post(`/b/${event.id}`, #{ event: event.id, after: a.body.number });
records("booked").set(event.id, #{ a: a.body.number, b: b.body.number });
"#;

/// A host with both handlers, listening on an address of its own: a sender that looks for it while it is down must not
/// find the host of another test.
pub(crate) fn host(ip: &str, service: &FakeService) -> HostSetup {
    service.react({
        let mut number = 0;
        move |_| {
            number += 1;
            match number % 40 {
                11 => Reaction::answer(500, "not now"),
                23 => Reaction::default().cut_after(0),
                _ => Reaction::answer(200, &json!({ "number": number }).to_string())
                    .after(Duration::from_millis(number % 4 * 3)),
            }
        }
    });
    HostSetup::new(&format!(
        "[server]\nlisten = \"{ip}:0\"\nbody_size_max = \"4 MiB\"\n\n\
         [endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n\
         [services.books]\nurl = \"{}\"\nprivate_network = true\n\n\
         [handlers.count]\nevents = [\"customer.updated\"]\nscript = \"scripts/count.rhai\"\nrecords = [\"counts\", \"seen\"]\n\n\
         [handlers.book]\nevents = [\"invoice.paid\"]\nscript = \"scripts/book.rhai\"\nrecords = [\"booked\"]\n\
         services = [\"books\"]\nretry = {{ attempts = 100, first = \"100ms\", max = \"1s\" }}\n",
        service.url()
    ))
    .file("scripts/count.rhai", COUNT)
    .file("scripts/book.rhai", BOOK)
}

/// The events of a sender: some for each handler, of a few objects. For `Load`.
pub(crate) fn some(_sender: usize, n: usize) -> Event {
    let object = n % OBJECTS;
    if n % 4 == 3 {
        event("invoice.paid", &format!("in_{object}"))
    } else {
        event("customer.updated", &format!("cus_{object}")).with("page", n / EVENTS_PER_LIST)
    }
}

/// An event that no handler wants, of many pages: hardly any compressor helps against it.
pub(crate) fn big() -> Event {
    let it = event("charge.succeeded", "ch_1");
    let mut hasher = DefaultHasher::new();
    it.id.hash(&mut hasher);
    let mut dice = Dice(hasher.finish() | 1);
    let text: String = (0..BIG_BYTES)
        .map(|_| char::from(b'0' + dice.below(64) as u8))
        .collect();
    it.with("text", text)
}

/// How many of these are not among those.
pub(crate) fn missing(acknowledged: &[String], stored: &[String]) -> usize {
    let stored: BTreeSet<&String> = stored.iter().collect();
    acknowledged
        .iter()
        .filter(|it| !stored.contains(it))
        .count()
}

/// The time of a host's end: no later than what the next one does, no earlier than what this one has done.
pub(crate) fn end(service: &FakeService) -> SystemTime {
    eventually(DRAIN_MAX, || service.is_quiet());
    SystemTime::now()
}

/// Waits until nothing is open, and proves all of it. `ends` are the times at which the host was ended. Returns the
/// figures.
#[track_caller]
pub(crate) fn prove(
    host: &Host,
    load: &Load,
    service: &FakeService,
    ends: &[SystemTime],
) -> String {
    let ledger = host.ledger();
    let mut last = -1;
    let mut since = SystemTime::now();
    // Not the whole must come in time, but something all the time.
    eventually(DRAIN_MAX, || {
        let open = ledger.open_runs();
        if open != last {
            (last, since) = (open, SystemTime::now());
        }
        let dead = ledger.texts("SELECT id || ' ' || handler || ': ' || coalesce(why, '') FROM runs_open WHERE state IN ('dead', 'held')");
        assert_eq!(dead, Vec::<String>::new(), "dead or held runs");
        assert!(
            since.elapsed().is_ok_and(|it| it < Duration::from_secs(20)),
            "{open} open runs stand still: {:?}",
            ledger.texts("SELECT id || ' ' || handler || ' ' || state || ' ' || coalesce(due_at, '') || ' ' || coalesce(why, '') FROM runs_open LIMIT 5")
        );
        open == 0
    });
    assert_eq!(ledger.integrity(), "ok");

    let stored: BTreeSet<String> = ledger.texts("SELECT id FROM events").into_iter().collect();
    assert_eq!(i64::try_from(stored.len()).unwrap(), ledger.events());
    let acknowledged: BTreeSet<String> = load.acknowledged().into_iter().collect();
    let lost: Vec<&String> = acknowledged.difference(&stored).collect();
    assert_eq!(lost, Vec::<&String>::new(), "acknowledged and lost");

    // Every run is done, one of each event that a handler wants.
    let wanted = ledger
        .number("SELECT count(*) FROM events WHERE type IN ('customer.updated', 'invoice.paid')");
    assert_eq!(
        ledger.number("SELECT count(*) FROM runs_done WHERE state = 'done'"),
        wanted
    );
    assert_eq!(ledger.done_runs(), wanted);
    prove_counts(host);
    let (once, again) = prove_calls(host, service, ends);
    format!(
        "{} acknowledged of {} stored, {} tries refused, {} unanswered, lost {}; {wanted} runs done, effects exactly once; \
         {once} calls made once, {again} sent again before they were settled",
        acknowledged.len(),
        stored.len(),
        load.count(|it| it.status == Some(503)),
        load.count(|it| it.status.is_none()),
        lost.len(),
    )
}

/// Each event is once in the list of its object, in the order of acceptance; and the sums are right.
#[track_caller]
fn prove_counts(host: &Host) {
    let ledger = host.ledger();
    let rows = ledger.texts(
        "SELECT object_id || ' ' || id FROM events WHERE type = 'customer.updated' ORDER BY seq",
    );
    let mut expected: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in &rows {
        let (object, id) = row.split_once(' ').unwrap();
        expected.entry(object).or_default().push(id);
    }
    for (object, ids) in &expected {
        // What one list holds is a part of the whole in its order; all lists together are the whole.
        let names = ledger.texts(&format!(
            "SELECT id FROM records WHERE collection = 'seen' AND id LIKE '{object}-%'"
        ));
        let mut seen = Vec::new();
        let place: HashMap<&str, usize> = ids.iter().enumerate().map(|(n, it)| (*it, n)).collect();
        for name in names {
            let list = ledger.record("seen", &name).unwrap();
            let places: Vec<usize> = list["ids"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| place[it.as_str().unwrap()])
                .collect();
            assert!(places.is_sorted(), "{name} is out of order: {places:?}");
            seen.extend(places);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..ids.len()).collect::<Vec<_>>(), "{object}");
        assert_eq!(
            ledger.record("counts", object),
            Some(json!({ "n": ids.len() }))
        );
    }
    assert_eq!(
        ledger.record("counts", "all"),
        Some(json!({ "n": rows.len() }))
    );
    assert_eq!(
        ledger.number("SELECT count(*) FROM record_changes WHERE collection = 'seen'"),
        i64::try_from(rows.len()).unwrap()
    );
}

/// Each call is settled, and nothing of it was sent after that; what was answered well was sent again only when the host
/// had ended before it could write the answer down. Returns how many calls were made once, and how many more often.
#[track_caller]
fn prove_calls(host: &Host, service: &FakeService, ends: &[SystemTime]) -> (usize, usize) {
    let ledger = host.ledger();
    let events = ledger.texts("SELECT id FROM events WHERE type = 'invoice.paid'");
    for id in &events {
        assert!(ledger.record("booked", id).is_some(), "{id} is not booked");
    }
    let count = i64::try_from(events.len()).unwrap();
    assert_eq!(
        ledger.number("SELECT count(*) FROM record_changes WHERE collection = 'booked'"),
        count
    );
    let settled = ledger.texts(
        "SELECT idempotency_key || ' ' || answered_at || ' ' || json_extract(answer, '$.status')
         FROM journal WHERE state = 'settled'",
    );
    assert_eq!(
        ledger.number("SELECT count(*) FROM journal"),
        count * 2,
        "every run made two calls"
    );
    assert_eq!(i64::try_from(settled.len()).unwrap(), count * 2);
    let mut by_key: HashMap<String, Vec<_>> = HashMap::new();
    for it in service.asked() {
        let key = it.headers["idempotency-key"].clone();
        by_key.entry(key).or_default().push(it);
    }
    let (mut once, mut again) = (0, 0);
    for row in &settled {
        let mut parts = row.split(' ');
        let key = parts.next().unwrap();
        let answered_at_ms: u128 = parts.next().unwrap().parse().unwrap();
        let asked = by_key
            .remove(key)
            .unwrap_or_else(|| panic!("{key} was never received"));
        for pair in asked.windows(2) {
            assert_eq!(pair[0].body, pair[1].body, "one key, two bodies");
            if pair[0].status == 200 {
                assert!(
                    ends.iter().any(|it| pair[0].at <= *it && *it <= pair[1].at),
                    "{key} was answered and sent again, and the host had not ended between"
                );
            }
        }
        let last = asked.last().unwrap();
        assert_eq!(last.status, 200);
        let last_at_ms = last.at.duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!(
            last_at_ms <= answered_at_ms,
            "{key} was received after it was settled"
        );
        if asked.len() == 1 {
            once += 1;
        } else {
            again += 1;
        }
    }
    assert!(
        by_key.is_empty(),
        "{} calls were made that are not in the journal",
        by_key.len()
    );
    (once, again)
}

/// Numbers that look random; the seed is told, so that a round can be had again.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn of(test: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = std::env::var("HOOKYARD_TEST_SEED")
            .ok()
            .and_then(|it| it.parse().ok())
            .unwrap_or_else(|| u64::try_from(now.as_micros()).unwrap());
        tell(&format!("{test}: seed {seed}"));
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}
