//! Laws of scripts. `given(…)` is a handler with a script, `.run()` what one attempt of it does.

mod callbacks;
mod compiling;
mod docs;
mod events;
mod grants;
mod imports;
mod limits;
mod messages;
mod mistakes;
mod records;
mod runtime_errors;
mod services;
mod suspension;
mod values;

use super::{
    Attempt, Engine, Failure, Grants, LogLine, Outcome, Pass, Program, Sources, World, WorldError,
    freeze, set_place,
};
use crate::call::{Answer, Request};
use crate::clock::UnixMillis;
use crate::config::Limits;
use crate::diagnostic::Diagnostic;
use crate::record::{Access, Change, Granted, Record, RecordKey};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const SCRIPT: &str = "scripts/it.rhai";
const EVENT: &str = r#"{"id":"evt_1","type":"invoice.paid","created":1700000000,"livemode":false,"account":null,
    "data":{"object":{"id":"in_1","customer":"cus_1","amount_paid":1234,"currency":"eur","paid":true,
    "metadata":{"order":"77","default":"yes"},"lines":{"data":[{"id":"il_1","amount":300},{"id":"il_2","amount":934}]}}}}"#;

static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| Engine::new(&limits()));

fn limits() -> Limits {
    Limits {
        calls_max: 5,
        changes_max: 10,
        engine_time_max: Duration::from_secs(5),
        ..Limits::default()
    }
}

/// Scripts nest values deep, and those are freed by recursion.
fn on_script_thread<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(256 * 1024 * 1024)
            .spawn_scoped(scope, act);
        thread
            .expect("a thread")
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A handler, its event and the world around it.
struct Given {
    engine: Arc<Engine>,
    script: String,
    files: BTreeMap<String, String>,
    event: String,
    records: Vec<(&'static str, &'static str, &'static str)>,
    answers: Vec<(u16, &'static str)>,
}

fn given(script: &str) -> Given {
    Given {
        engine: Arc::clone(&ENGINE),
        script: script.to_owned(),
        files: BTreeMap::new(),
        event: EVENT.to_owned(),
        records: Vec::new(),
        answers: Vec::new(),
    }
}

impl Given {
    fn event(mut self, event: &str) -> Self {
        self.event = event.to_owned();
        self
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    fn limits(mut self, limits: Limits) -> Self {
        self.engine = Engine::new(&limits);
        self
    }

    /// A record in the ledger, at version 3.
    fn record(mut self, collection: &'static str, id: &'static str, body: &'static str) -> Self {
        self.records.push((collection, id, body));
        self
    }

    /// The answer to the next call.
    fn answer(mut self, status: u16, text: &'static str) -> Self {
        self.answers.push((status, text));
        self
    }

    fn compile(&self) -> Result<Program, Vec<Diagnostic>> {
        let mut sources = Sources(self.files.clone());
        sources.0.insert(SCRIPT.to_owned(), self.script.clone());
        self.engine.compile(SCRIPT, &sources, &grants())
    }

    fn program(&self) -> Program {
        self.compile()
            .unwrap_or_else(|findings| panic!("{}", shown(&findings)))
    }

    /// On another thread, which has a copy of its own, the same comes of it.
    fn pass(&self) -> Pass {
        let program = self.program();
        let pass = on_script_thread(|| run(&program, &self.event, self.world()));
        if pass.engine_time < Duration::from_millis(50) {
            let again = on_script_thread(|| {
                set_place(1);
                run(&program, &self.event, self.world())
            });
            let what = |it: &Pass| format!("{:?} {:?} {}", it.outcome, it.log, it.operations);
            assert_eq!(what(&pass), what(&again));
        }
        pass
    }

    fn world(&self) -> Box<MemoryWorld> {
        let records = self.records.iter().map(|(collection, id, body)| Record {
            key: RecordKey {
                collection: (*collection).to_owned(),
                id: (*id).to_owned(),
            },
            version: 3,
            body: Some((*body).to_owned()),
            updated_at: UnixMillis(0),
            newest_event_at: None,
        });
        let answers = self.answers.iter().map(|(status, text)| Answer {
            status: *status,
            headers: BTreeMap::from([("retry-after".to_owned(), "30".to_owned())]),
            text: (*text).to_owned(),
            body_missing: None,
            has_bad_utf8: false,
        });
        Box::new(MemoryWorld {
            records: records.map(|it| (it.key.clone(), it)).collect(),
            answers: answers.map(Arc::new).collect(),
            calls: 0,
        })
    }

    fn changes(&self) -> Vec<Change> {
        match self.pass().outcome {
            Outcome::Done { changes } => changes,
            other => panic!("not done but {other:?}"),
        }
    }

    /// What became of the records: `invoices/in_1 {"a":1}`.
    fn changed(&self) -> Vec<String> {
        let shown = |it: Change| {
            format!(
                "{}/{} {}",
                it.key.collection,
                it.key.id,
                it.after.unwrap_or_else(|| "removed".to_owned())
            )
        };
        self.changes().into_iter().map(shown).collect()
    }

    fn failure(&self) -> Failure {
        match self.pass().outcome {
            Outcome::Failed(failure) => failure,
            other => panic!("not failed but {other:?}"),
        }
    }

    fn log(&self) -> Vec<String> {
        let pass = self.pass();
        assert!(
            matches!(pass.outcome, Outcome::Done { .. }),
            "{:?}",
            pass.outcome
        );
        pass.log
            .into_iter()
            .map(|LogLine { text, .. }| text)
            .collect()
    }

    fn findings(&self) -> Vec<Diagnostic> {
        match self.compile() {
            Ok(program) => program.warnings().to_vec(),
            Err(findings) => findings,
        }
    }
}

fn run(program: &Program, event: &str, world: Box<dyn World>) -> Pass {
    program.run(
        &attempt(event),
        &freeze(&Bytes::copy_from_slice(event.as_bytes())).expect("an event"),
        world,
    )
}

fn attempt(event: &str) -> Attempt {
    Attempt {
        body: bytes::Bytes::copy_from_slice(event.as_bytes()),
        event_created: UnixMillis(1_700_000_000_000),
        now: UnixMillis(1_700_000_100_500),
        number: 1,
        seed: "run_1".to_owned(),
        grants: Arc::new(grants()),
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

fn shown(findings: &[Diagnostic]) -> String {
    findings
        .iter()
        .map(Diagnostic::to_string)
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// A script that asserts about values: it is done when all of them are true.
fn holds(script: &str) {
    let pass = given(script).pass();
    assert!(
        matches!(pass.outcome, Outcome::Done { .. }),
        "{:?}",
        pass.outcome
    );
    let wrong: Vec<_> = pass.log.iter().filter(|it| it.text != "true").collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Compiles with one finding, whose message and help have these words.
fn complains(script: &str, line: usize, message: &str, help: &str) {
    let findings = given(script).findings();
    let [it] = findings.as_slice() else {
        panic!("{} findings:\n{}", findings.len(), shown(&findings))
    };
    assert!(it.message.contains(message), "{it}");
    assert!(
        it.help.as_deref().unwrap_or_default().contains(help),
        "{it}"
    );
    assert_eq!((it.file.as_str(), it.line), (SCRIPT, line), "{it}");
}

/// Fails with this, at this line.
fn fails(script: &str, line: usize, message: &str, help: &str) {
    let it = given(script).failure();
    assert!(it.message.contains(message), "{it:#?}");
    assert!(
        it.help.as_deref().unwrap_or_default().contains(help),
        "{it:#?}"
    );
    assert_eq!((it.script.as_str(), it.line), (SCRIPT, line), "{it:#?}");
    assert_eq!(Some(it.source_line.as_str()), script.lines().nth(line - 1));
}

struct MemoryWorld {
    records: BTreeMap<RecordKey, Record>,
    answers: Vec<Arc<Answer>>,
    calls: usize,
}

impl World for MemoryWorld {
    fn record(&mut self, collection: &str, id: &str) -> Result<Option<Record>, WorldError> {
        if id == "unreadable" {
            return Err(WorldError {
                message: "the ledger cannot be read".to_owned(),
                is_passing: true,
            });
        }
        assert!(id != "panic", "a panic inside the host");
        let key = RecordKey {
            collection: collection.to_owned(),
            id: id.to_owned(),
        };
        Ok(self.records.get(&key).cloned())
    }

    fn find(
        &mut self,
        collection: &str,
        fields: &[(String, String)],
        limit: usize,
    ) -> Result<Vec<Record>, WorldError> {
        let is_match = |body: &str| {
            let json = |it: &str| serde_json::from_str::<serde_json::Value>(it).expect("JSON");
            let body = json(body);
            fields
                .iter()
                .all(|(name, value)| body.get(name) == Some(&json(value)))
        };
        let found = self
            .records
            .values()
            .filter(|it| it.key.collection == collection);
        Ok(found
            .filter(|it| it.body.as_deref().is_some_and(is_match))
            .take(limit)
            .cloned()
            .collect())
    }

    fn answer(&mut self, _: &Request) -> Result<Option<Arc<Answer>>, WorldError> {
        self.calls += 1;
        Ok(self.answers.get(self.calls - 1).cloned())
    }
}
