//! handlers.toml and two scripts, as people save them.

use super::random::Random;
use std::fs;
use std::path::Path;

pub(super) const ATTEMPTS_MAX: i64 = 4;
/// After so long an event that is finished is deleted.
pub(super) const EVENTS_KEPT_HOURS: u64 = 48;

/// What an event asks of a script.
pub(super) const MOODS: [&str; 10] = [
    "plain", "call", "calls", "mail", "named", "skip", "fail", "later", "throw", "pry",
];

/// The text of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Fails at events that are in the mood for it.
    Old,
    /// Does not.
    New,
    /// Fails at others, too.
    Bad,
    /// Says something else in its calls.
    Edited,
    /// Changes what the handler may only read.
    Greedy,
    /// Does not compile.
    Torn,
}

const TEXTS: [Text; 6] = [
    Text::Old,
    Text::New,
    Text::Bad,
    Text::Edited,
    Text::Greedy,
    Text::Torn,
];

/// The handler of the second script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Gone,
    Second,
    Third,
}

/// What the files say.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) texts: [Text; 2],
    pub(super) name: Name,
    /// The second handler's runs are ordered by customer, else by object.
    pub(super) by_customer: bool,
    /// New versions are tried first.
    pub(super) canaries: [bool; 2],
    /// The handlers are not given what every script changes.
    pub(super) is_narrow: bool,
    /// handlers.toml cannot be read.
    pub(super) is_torn: bool,
}

impl Files {
    pub(super) fn first(random: &mut Random) -> Self {
        let canaries = [random.one_in(2), random.one_in(2)];
        let text = if random.one_in(8) {
            Text::Torn
        } else {
            Text::Old
        };
        Self {
            texts: [text; 2],
            name: Name::Second,
            by_customer: true,
            canaries,
            is_narrow: false,
            is_torn: false,
        }
    }

    /// One thing is another than before.
    pub(super) fn edit(&mut self, random: &mut Random) {
        if random.one_in(2) && self.has_no_good_version() {
            // Not for long, or nothing would run most of the time.
            return self.grant();
        }
        let at = random.below(2);
        match random.below(16) {
            0..8 => self.texts[at] = *random.of(&TEXTS),
            8..11 => {
                self.name = match (self.name, random.one_in(4)) {
                    (_, true) => Name::Gone,
                    (Name::Second, false) => Name::Third,
                    (Name::Third | Name::Gone, false) => Name::Second,
                }
            }
            11 | 12 => self.by_customer = !self.by_customer,
            13 => self.canaries[at] = !self.canaries[at],
            14 => self.is_narrow = !self.is_narrow,
            _ => self.is_torn = !self.is_torn,
        }
    }

    /// What the calls say is another than before.
    pub(super) fn edit_calls(&mut self, random: &mut Random) {
        let at = random.below(2);
        self.texts[at] = match self.texts[at] {
            Text::Old => Text::Edited,
            Text::New | Text::Bad | Text::Edited | Text::Greedy | Text::Torn => Text::Old,
        };
    }

    fn has_no_good_version(&self) -> bool {
        self.is_narrow || self.is_torn || self.name == Name::Gone
    }

    /// Nothing is wrong with them any more.
    pub(super) fn mend(&mut self) {
        self.texts = [Text::New; 2];
        self.grant();
    }

    fn grant(&mut self) {
        self.is_narrow = false;
        self.is_torn = false;
        if self.name == Name::Gone {
            self.name = Name::Second;
        }
    }

    pub(super) fn save(&self, folder: &Path) {
        fs::create_dir_all(folder.join("scripts")).unwrap();
        let write = |path: &str, text: String| fs::write(folder.join(path), text).unwrap();
        write("handlers.toml", self.handlers());
        write("scripts/first.rhai", script("first", self.texts[0]));
        write("scripts/second.rhai", script("second", self.texts[1]));
    }

    fn handlers(&self) -> String {
        let mut text = format!(
            "[endpoints.stripe]\npath = \"/\"\nsigning_secrets = [\"whsec_1\"]\n\
             [retention]\nevents = \"{EVENTS_KEPT_HOURS}h\"\ndedupe = \"35d\"\n\
             [services.books]\nurl = \"https://books.example.com\"\nidempotency = \"24h\"\n\
             breaker = {{ failures = 3, first = \"1s\", max = \"15s\" }}\n\
             [services.mail]\nurl = \"https://mail.example.com\"\nidempotency = \"none\"\nconnections_max = 1\n\
             rate = \"2/s\"\n"
        );
        text += &self.handler("first", 0, "");
        let order = if self.by_customer {
            "order_by = \"data.object.customer\"\non_dead = \"block\"\n"
        } else {
            "on_dead = \"block\"\n"
        };
        match self.name {
            Name::Gone => {}
            Name::Second => text += &self.handler("second", 1, order),
            Name::Third => text += &self.handler("third", 1, order),
        }
        if self.is_torn {
            text += "[handlers.";
        }
        text
    }

    fn handler(&self, name: &str, at: usize, more: &str) -> String {
        let script = ["first", "second"][at];
        let canary = if self.canaries[at] {
            "canary = { share = \"60%\", runs = 3, errors = \"30%\" }\n"
        } else {
            ""
        };
        let totals = if self.is_narrow { "read" } else { "write" };
        format!(
            "[handlers.{name}]\nevents = [\"*\"]\nscript = \"scripts/{script}.rhai\"\n\
             records = {{ effects = \"write\", lists = \"write\", totals = \"{totals}\", settings = \"read\" }}\n\
             services = [\"books\", \"mail\"]\n\
             retry = {{ attempts = {ATTEMPTS_MAX}, first = \"5s\", max = \"1m\" }}\n{canary}{more}"
        )
    }
}

/// Which script a handler's runs run.
pub(super) fn script_of(handler: &str) -> &'static str {
    match handler {
        "first" => "first",
        _ => "second",
    }
}

fn script(name: &str, text: Text) -> String {
    let version = format!("{text:?}");
    let fails = match text {
        Text::Old => "it.mood == \"throw\" || it.mood == \"calls\"",
        Text::Bad => "it.mood == \"throw\" || it.mood == \"plain\" || it.mood == \"calls\"",
        Text::New | Text::Edited | Text::Greedy | Text::Torn => "false",
    };
    let note = match text {
        Text::Edited => ", note: \"edited\"",
        Text::Old | Text::New | Text::Bad | Text::Greedy | Text::Torn => "",
    };
    let more = match text {
        // Seen only when it runs.
        Text::Old | Text::Bad => {
            "if it.mood == \"pry\" { records(\"sett\" + \"ings\").set(\"rate\", #{ n: 0 }); }"
        }
        Text::Greedy => "records(\"settings\").set(\"rate\", #{ n: 0 });",
        Text::Torn => "let x = ;",
        Text::New | Text::Edited => "",
    };
    format!(
        r#"// {version}
let it = event.data.object;
let about = "{name} " + event.id;
let rate = records("settings").get("rate");
if it.mood == "call" {{ service("books").post("/paid", #{{ about: about, n: 1{note} }}); }}
if it.mood == "calls" {{
    let got = service("books").get("/rate").body.n;
    service("books").post("/paid", #{{ about: about, n: 1{note} }});
    service("books").post("/paid", #{{ about: about, n: 2, got: got{note} }});
}}
if it.mood == "mail" {{ service("mail").post("/letters", #{{ about: about, n: 1{note} }}); }}
if it.mood == "named" {{
    service("books").post("/named", #{{ about: "named " + it.id, n: 1{note} }}, #{{ once: "named-" + it.id }});
}}
if it.mood == "skip" {{ skip("said so"); }}
if it.mood == "fail" {{ fail("said so"); }}
if it.mood == "later" && service("books").get("/ready").body.n % 3 != 0 {{ retry_in("5m", "not yet"); }}
if {fails} {{ throw "a mistake"; }}
{more}
records("effects").add(about, "n", 1);
records("totals").add("all", "n", 1);
let list = records("lists").get("{name}");
let seen = if list == () {{ [] }} else {{ list.seen }};
seen.push(event.id);
records("lists").set("{name}", #{{ seen: seen, rate: if rate == () {{ 0 }} else {{ rate.n }} }});
"#
    )
}
