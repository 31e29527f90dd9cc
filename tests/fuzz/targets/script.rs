//! A script and an event, under limits: refused with a line, or run to an end that has one; twice the same; nothing left
//! on the thread; nothing reached that was not given.
//!
//! An input is a script, a line `//// event`, and a payload.

use super::given::Given;
use crate::driver::Target;
use bytes::Bytes;
use hookyard::clock::UnixMillis;
use hookyard::config::Limits;
use hookyard::diagnostic::Severity;
use hookyard::memory::live_bytes;
use hookyard::record::{Access, Granted};
use hookyard::script::{
    Attempt, Engine, Failure, FrozenEvent, Grants, Outcome, Pass, Program, Sources, freeze,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const SCRIPT: &str = "scripts/it.rhai";
const LIBRARY: &str = "scripts/lib/money.rhai";
const SEPARATOR: &str = "\n//// event\n";
const EVENT: &str = r#"{"id":"evt_1","type":"invoice.paid","created":1700000000,"account":null,"data":{"object":
    {"id":"in_1","customer":"cus_1","amount_paid":1234,"currency":"eur","huge":99999999999999999999,"text":"a\u0000b",
    "metadata":{"order":"77","":"empty"},"lines":{"data":[{"id":"il_1","amount":300},{"id":"il_2","amount":934}]}}}}"#;
const OPERATIONS_MAX: u64 = 5_000;
const TIME_MAX: Duration = Duration::from_millis(100);
/// What one native call may take beyond the deadline, and compiling.
const GRACE: Duration = Duration::from_secs(3);
/// Tables of the thread that grow once and stay.
const LEFT_BYTES_MAX: isize = 64 * 1024;

pub(crate) const TARGET: Target = Target {
    name: "script",
    words: &[
        "let ",
        "const ",
        "fn ",
        "if ",
        "else ",
        "for ",
        "in ",
        "while ",
        "loop ",
        "do ",
        "until ",
        "break;",
        "continue;",
        "return ",
        "throw ",
        "try ",
        "catch ",
        "switch ",
        "import ",
        "as ",
        "export ",
        "private ",
        "this",
        "true",
        "false",
        "event",
        "event.data.object",
        "event.data.object.id",
        "records(\"invoices\")",
        ".get(",
        ".set(",
        ".update(",
        ".add(",
        ".remove(",
        ".find(",
        ".update_if_newer(",
        "service(\"accounting\")",
        ".post(",
        ".put(",
        ".delete(",
        "log.info(",
        "log.warn(",
        "print(",
        "now()",
        "event_time()",
        "money(100, \"eur\")",
        "parse_json(",
        "to_json(",
        "retry_in(\"10m\", \"later\");",
        "fail(\"no\");",
        "skip(\"no\");",
        "random_id()",
        "#{",
        "}",
        "{",
        "[",
        "]",
        "(",
        ")",
        "|x| ",
        "||",
        "&&",
        "??",
        "?.",
        "..",
        "..=",
        "=>",
        "+=",
        "**",
        "<<",
        "`${",
        "`",
        "\"",
        "'",
        "\\u0041",
        ";",
        "\n",
        ",",
        ".",
        "sort(",
        "map(",
        "filter(",
        "reduce(",
        "split(",
        "replace(",
        "pad(",
        "len()",
        "push(",
        "keys()",
        "0x7fffffffffffffff",
        "1e308",
        "-",
        "%",
        "/*",
        "*/",
        "//",
        "\u{e9}",
        "\u{1f600}",
        "\u{2028}",
        "\n//// event\n",
        "\"id\":",
        "{\"a\":[[[",
    ],
    more: &[
        "tests/golden/hostile/arithmetic",
        "tests/golden/hostile/catching",
        "tests/golden/hostile/closures",
        "tests/golden/hostile/dates",
        "tests/golden/hostile/ends",
        "tests/golden/hostile/maps",
        "tests/golden/hostile/money",
        "tests/golden/hostile/records",
        "tests/golden/hostile/services",
        "tests/golden/hostile/shadowing",
        "tests/golden/hostile/text",
        "scripts",
        "examples/dunning/scripts",
    ],
    size_bytes_max: 4_000,
    time_max: Duration::from_millis(100 + 3_000),
    open: || {
        let engine = Engine::new(&Limits {
            operations_max: OPERATIONS_MAX,
            engine_time_max: TIME_MAX,
            memory_mib: 8,
            calls_max: 8,
            changes_max: 20,
            ..Limits::default()
        });
        let probe = Probe::new(&engine);
        Box::new(move |input| attempt(&engine, &probe, input))
    },
    must_see: &[
        "done",
        "refused",
        "failed",
        "asks",
        "skipped",
        "later",
        "dead",
        "the event is",
    ],
};

fn attempt(engine: &Arc<Engine>, probe: &Probe, input: &[u8]) -> String {
    let measured = || {
        let before = live_bytes();
        let told = script(engine, input);
        let left = live_bytes() - before - isize::try_from(told.capacity()).unwrap();
        (told, left)
    };
    let (mut told, mut left) = measured();
    if LEFT_BYTES_MAX <= left {
        // What is made once for the whole process was made for this input, perhaps; a leak comes again.
        (told, left) = measured();
    }
    assert!(left < LEFT_BYTES_MAX, "{left} bytes are left on the thread");
    probe.check();
    told
}

fn script(engine: &Arc<Engine>, input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let (script, payload) = text.split_once(SEPARATOR).unwrap_or((&text, EVENT));
    let program = match compiled(engine, script) {
        Ok(it) => it,
        Err(why) => return why,
    };
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    let event = match freeze(&payload) {
        Ok(it) => it,
        Err(why) => return why,
    };
    let attempt = Attempt {
        body: payload,
        ..an_attempt()
    };
    let run = || program.run(&attempt, &event, Box::new(Given));
    let (first, second) = (run(), run());
    check(&program, &first);
    check(&program, &second);
    if !is_by_chance(&first.outcome) && !is_by_chance(&second.outcome) {
        assert_eq!(
            format!("{:?}{:?}{:?}", first.outcome, first.reads, first.log),
            format!("{:?}{:?}{:?}", second.outcome, second.reads, second.log),
            "the second pass is another"
        );
    }
    told(&first.outcome)
}

fn compiled(engine: &Arc<Engine>, script: &str) -> Result<Program, String> {
    let library = "fn twice(it) { it * 2 }\nconst RATE = 19;\n";
    let sources = Sources(BTreeMap::from([
        (SCRIPT.to_owned(), script.to_owned()),
        (LIBRARY.to_owned(), library.to_owned()),
    ]));
    let compiled = engine.compile(SCRIPT, &sources, &grants());
    let lines = |file: &str| sources.0.get(file).map_or(0, |it| it.lines().count());
    let found = match &compiled {
        Ok(it) => it.warnings(),
        Err(found) => found.as_slice(),
    };
    for it in found {
        assert!(sources.0.contains_key(&it.file), "{it:?}");
        assert!(it.line <= lines(&it.file) + 1, "{it:?}");
        assert!(!it.message.is_empty() && !it.to_string().is_empty());
    }
    compiled.map_err(|found| {
        let first = found.iter().find(|it| it.severity == Severity::Error);
        format!(
            "refused: {}",
            first.expect("refused without an error").message
        )
    })
}

fn check(program: &Program, pass: &Pass) {
    assert!(
        pass.engine_time <= TIME_MAX + GRACE,
        "{:?}",
        pass.engine_time
    );
    match &pass.outcome {
        Outcome::Done { changes } => {
            assert!(changes.len() <= 20, "{} changes", changes.len());
            for it in changes {
                assert!(
                    grants()
                        .collections
                        .iter()
                        .any(|granted| granted.access == Access::Write
                            && *granted.name == *it.key.collection)
                );
                let after = it
                    .after
                    .as_deref()
                    .map(serde_json::from_str::<serde_json::Value>);
                assert!(after.is_none_or(|it| it.is_ok_and(|it| it.is_object())));
            }
        }
        Outcome::Skipped { .. } | Outcome::RetryIn { .. } => {}
        Outcome::Dead(it) | Outcome::Failed(it) => check_failure(program, it),
        Outcome::Needs(it) => {
            assert_eq!(it.service, "accounting");
            assert!(it.path.len() <= 8 * 1024);
            assert!(it.body.as_ref().is_none_or(|it| it.len() <= 1024 * 1024));
        }
    }
    for it in &pass.reads {
        assert!(
            grants()
                .collections
                .iter()
                .any(|granted| *granted.name == *it.key.collection)
        );
    }
}

fn check_failure(program: &Program, it: &Failure) {
    assert!(!it.message.contains("(a panic)"), "the host panics: {it:?}");
    assert!(!it.message.is_empty() && it.message.chars().count() <= 2_001);
    let text = program.sources().get(&it.script);
    let text = text.unwrap_or_else(|| panic!("no such file: {it:?}"));
    let line = it.line.checked_sub(1).map(|at| text.lines().nth(at));
    assert!(
        line.is_none_or(|line| line.is_none_or(|line| line == it.source_line)),
        "{it:?}"
    );
    assert!(it.line <= text.lines().count() + 1, "{it:?}");
}

/// Time and memory strike where they strike.
fn is_by_chance(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed(it) | Outcome::Dead(it) => it.message.contains("and was stopped"),
        Outcome::Done { .. }
        | Outcome::Skipped { .. }
        | Outcome::RetryIn { .. }
        | Outcome::Needs(_) => false,
    }
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { changes } => format!("done, {} changes", changes.len().min(3)),
        Outcome::Skipped { .. } => "skipped".into(),
        Outcome::RetryIn { .. } => "later".into(),
        Outcome::Dead(it) => format!("dead: {}", it.message),
        Outcome::Failed(it) => format!("failed: {}", it.message),
        Outcome::Needs(it) => format!("asks: {}", it.method.as_str()),
    }
}

fn grants() -> Grants {
    Grants {
        collections: vec![
            "invoices".into(),
            "totals".into(),
            Granted {
                name: "rates".into(),
                access: Access::Read,
            },
        ],
        services: vec!["accounting".into()],
    }
}

fn an_attempt() -> Attempt {
    Attempt {
        body: Bytes::from_static(EVENT.as_bytes()),
        event_created: UnixMillis(1_700_000_000_000),
        now: UnixMillis(1_700_000_100_500),
        number: 1,
        seed: "run_1".to_owned(),
        grants: Arc::new(grants()),
    }
}

/// A script of which it is known what becomes of it, run after each: whatever the other left would be seen.
struct Probe {
    program: Program,
    event: Arc<FrozenEvent>,
}

impl Probe {
    fn new(engine: &Arc<Engine>) -> Self {
        let text = "import \"lib/money\" as money;\nlet n = 0;\nfor it in event.data.object.lines.data { n += it.amount; }\n\
             records(\"totals\").set(\"probe\", #{ n: money::twice(n) });";
        let program = compiled(engine, text).unwrap();
        let event = freeze(&Bytes::from_static(EVENT.as_bytes())).unwrap();
        let it = Self { program, event };
        it.check();
        it
    }

    fn check(&self) {
        let run = || {
            self.program
                .run(&an_attempt(), &self.event, Box::new(Given))
        };
        let mut pass = run();
        // Another program may have the processor for longer than a script may run.
        for _ in 0..20 {
            if !is_by_chance(&pass.outcome) {
                break;
            }
            pass = run();
        }
        match &pass.outcome {
            Outcome::Done { changes } => {
                assert_eq!(changes[0].after.as_deref(), Some("{\"n\":2468}"));
                assert!(pass.log.is_empty());
            }
            other => panic!("the next script meets what this one left: {other:?}"),
        }
    }
}
