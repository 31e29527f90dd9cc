//! Two handlers, and the versions of their scripts that a reload can bring.

use crate::config::{self, Config, Limits};
use crate::in_force::{Chosen, InForce};
use crate::script::{Engine, Grants, Program, Sources};
use crate::services::Services;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const HANDLERS: [&str; 2] = ["first", "second"];
pub(super) const ATTEMPTS_MAX: i64 = 4;
const COLLECTIONS: [&str; 3] = ["effects", "lists", "totals"];

/// What an event asks of a script.
pub(super) const MOODS: [&str; 8] = [
    "plain", "call", "calls", "mail", "skip", "fail", "later", "throw",
];

/// What the files say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Fails at events that are in the mood for it.
    Old,
    /// Does not.
    New,
    /// The scripts do not compile, and no good version is known.
    Broken,
    /// The second handler is gone from handlers.toml.
    Gone,
}

pub(super) struct Versions {
    whole: Config,
    without_second: Config,
    old: BTreeMap<&'static str, Arc<Program>>,
    new: BTreeMap<&'static str, Arc<Program>>,
}

impl Versions {
    pub(super) fn new() -> Self {
        let engine = Engine::new(&Limits::default());
        let compiled = |version| {
            let programs = HANDLERS.map(|it| (it, program(&engine, it, version)));
            BTreeMap::from(programs)
        };
        Self {
            whole: config(true),
            without_second: config(false),
            old: compiled("old"),
            new: compiled("new"),
        }
    }

    pub(super) fn services(&self) -> Services {
        Services::new(&self.whole.services).unwrap()
    }

    pub(super) fn in_force(&self, version: Version, services: &Services) -> InForce {
        let config = match version {
            Version::Old | Version::New | Version::Broken => &self.whole,
            Version::Gone => &self.without_second,
        };
        let chosen = config.handlers.iter().map(|it| Chosen {
            program: match version {
                Version::Old => Ok(self.old[&*it.name].clone()),
                Version::New | Version::Gone => Ok(self.new[&*it.name].clone()),
                Version::Broken => Err("it does not compile".to_owned()),
            },
            canary: None,
            saved: None,
        });
        InForce::new(config.clone(), services.clone(), chosen.collect())
    }
}

fn config(has_second: bool) -> Config {
    let mut text = String::from(
        "[endpoints.stripe]\npath = \"/\"\nsigning_secrets = [\"whsec_1\"]\n\
         [services.books]\nurl = \"https://books.example.com\"\nidempotency = \"24h\"\n\
         breaker = { failures = 3, first = \"1s\", max = \"15s\" }\n\
         [services.mail]\nurl = \"https://mail.example.com\"\nidempotency = \"none\"\nconnections_max = 1\nrate = \"2/s\"\n",
    );
    let handler = |name: &str, more: &str| {
        format!(
            "[handlers.{name}]\nevents = [\"*\"]\nscript = \"scripts/{name}.rhai\"\n\
             records = [\"effects\", \"lists\", \"totals\"]\nservices = [\"books\", \"mail\"]\n\
             retry = {{ attempts = {ATTEMPTS_MAX}, first = \"5s\", max = \"1m\" }}\n{more}"
        )
    };
    text += &handler("first", "");
    if has_second {
        text += &handler(
            "second",
            "order_by = \"data.object.customer\"\non_dead = \"block\"\n",
        );
    }
    config::parse(&text, "handlers.toml", &|_| Err(String::new())).unwrap()
}

fn program(engine: &Arc<Engine>, handler: &str, version: &str) -> Arc<Program> {
    let lane = match handler {
        "first" => "event.data.object.id",
        _ => "event.data.object.customer",
    };
    let text = format!(
        r#"
let it = event.data.object;
let about = "{handler} " + event.id;
if it.mood == "call" {{ service("books").post("/paid", #{{ about: about, n: 1 }}); }}
if it.mood == "calls" {{
    let got = service("books").get("/rate").body.n;
    service("books").post("/paid", #{{ about: about, n: 1 }});
    service("books").put("/paid", #{{ about: about, n: 2, got: got }});
}}
if it.mood == "mail" {{ service("mail").post("/letters", #{{ about: about, n: 1 }}); }}
if it.mood == "skip" {{ skip("said so"); }}
if it.mood == "fail" {{ fail("said so"); }}
if it.mood == "later" && service("books").get("/ready").body.n % 3 != 0 {{ retry_in("5m", "not yet"); }}
if it.mood == "throw" && "{version}" == "old" {{ throw "a mistake"; }}
records("effects").add(about, "n", 1);
records("totals").add("all", "n", 1);
let lane = "{handler} " + {lane};
let list = records("lists").get(lane);
let seen = if list == () {{ [] }} else {{ list.seen }};
seen.push(event.id);
records("lists").set(lane, #{{ seen: seen }});
"#
    );
    let path = format!("scripts/{handler}.rhai");
    let sources = Sources(BTreeMap::from([(path.clone(), text)]));
    let grants = Grants {
        collections: COLLECTIONS.map(Into::into).to_vec(),
        services: vec!["books".into(), "mail".into()],
    };
    match engine.compile(&path, &sources, &grants) {
        Ok(it) => Arc::new(it),
        Err(found) => panic!("{}", found[0]),
    }
}
