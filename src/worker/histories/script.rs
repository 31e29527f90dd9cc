//! Scripts and histories, made at random.

use super::service::Fault;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Get,
    Post {
        to: To,
        body: Body,
    },
    /// An answer that is no success is caught, and the script goes on.
    TryPost {
        to: To,
        body: Body,
    },
    /// One call for each record of a list.
    Loop {
        to: To,
    },
    /// A call with a name; its failure is caught, or not.
    Once {
        service: &'static str,
        name: &'static str,
        body: Body,
        is_tried: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct To {
    pub service: &'static str,
    pub path: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Said(&'static str),
    /// When the attempt began.
    Now,
    /// What the last GET answered.
    Got,
}

/// One step of a history.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// An attempt; its sendings meet these, and the process ends after so many of its steps, if at all.
    Attempt {
        faults: Vec<Fault>,
        ends_after: Option<u8>,
    },
    Insert {
        at: usize,
        line: Line,
    },
    Change {
        at: usize,
        line: Line,
    },
    Remove {
        at: usize,
    },
    /// The list grows, at its front or its end.
    Grow {
        name: &'static str,
    },
    WaitHours(u8),
    /// Retried by an operator, with the first or the second choice that fits.
    Decide {
        is_second: bool,
    },
}

#[derive(Clone, Debug)]
pub(super) struct History {
    pub script: Vec<Line>,
    pub list: Vec<&'static str>,
    pub steps: Vec<Step>,
    /// Which of the choices an operator makes at the end.
    pub is_second: bool,
}

/// The script's text. The names of its calls are those of this group of runs.
pub(super) fn text(script: &[Line], group: &str) -> String {
    let post =
        |to: &To, body: &str| format!("service(\"{}\").post(\"{}\", {body});", to.service, to.path);
    let mut text = String::from("let got = 0;\n");
    for line in script {
        text += &match line {
            Line::Get => "got = service(\"books\").get(\"/world\").body.n;".to_owned(),
            Line::Post { to, body } => post(to, &body.text()),
            Line::TryPost { to, body } => {
                format!("try {{ {} }} catch {{ }}", post(to, &body.text()))
            }
            Line::Loop { to } => format!(
                "for it in records(\"lines\").find(#{{ event: event.id }}) {{ {} }}",
                post(to, "#{ what: it.what }")
            ),
            Line::Once {
                service,
                name,
                body,
                is_tried,
            } => {
                let call = format!(
                    "service(\"{service}\").post(\"/once\", #{{ name: \"{name}\", says: {} }}, #{{ once: \"{group}-{name}\" }});",
                    body.text()
                );
                match is_tried {
                    true => format!("try {{ {call} }} catch {{ }}"),
                    false => call,
                }
            }
        };
        text.push('\n');
    }
    text + "records(\"counts\").add(event.id, \"n\", 1);\n"
}

/// How often the script asks for each call whose body is known beforehand.
pub(super) fn asked(script: &[Line], list: &[&str]) -> BTreeMap<String, u32> {
    let mut asked = BTreeMap::new();
    let mut ask = |to: &To, what: &str| {
        let content = format!(
            "{} {} {{\"what\":\"{what}\"}}",
            to.service,
            to.path.trim_start_matches('/')
        );
        *asked.entry(content).or_default() += 1;
    };
    for line in script {
        match line {
            Line::Post {
                to,
                body: Body::Said(what),
            }
            | Line::TryPost {
                to,
                body: Body::Said(what),
            } => {
                ask(to, what);
            }
            Line::Loop { to } => list.iter().for_each(|it| ask(to, it)),
            Line::Get | Line::Post { .. } | Line::TryPost { .. } | Line::Once { .. } => {}
        }
    }
    asked
}

impl Body {
    fn text(self) -> String {
        match self {
            Self::Said(what) => format!("#{{ what: \"{what}\" }}"),
            Self::Now => "#{ at: now() }".into(),
            Self::Got => "#{ got: got }".into(),
        }
    }
}

fn a_line() -> impl Strategy<Value = Line> {
    let to = (
        prop_oneof![3 => Just("books"), 1 => Just("mail")],
        prop_oneof![4 => Just("/x"), 1 => Just("/y")],
    )
        .prop_map(|(service, path)| To { service, path });
    let body = prop_oneof![
        4 => prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(Body::Said),
        1 => Just(Body::Now),
        1 => Just(Body::Got),
    ];
    prop_oneof![
        2 => Just(Line::Get),
        6 => (to.clone(), body.clone()).prop_map(|(to, body)| Line::Post { to, body }),
        2 => (to.clone(), body).prop_map(|(to, body)| Line::TryPost { to, body }),
        2 => to.prop_map(|to| Line::Loop { to }),
    ]
}

pub(super) fn a_name() -> impl Strategy<Value = &'static str> {
    // Two of them are also said in scripts.
    prop_oneof![Just("a"), Just("c"), Just("m"), Just("q"), Just("z")]
}

pub(super) fn a_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        5 => Just(Fault::None),
        1 => prop_oneof![
            Just(Fault::NotSent), Just(Fault::LostBefore), Just(Fault::LostAfter), Just(Fault::Busy),
            Just(Fault::BusyAfter), Just(Fault::Conflict), Just(Fault::Refused), Just(Fault::Cut),
            Just(Fault::CrashBefore), Just(Fault::CrashAfter), Just(Fault::NoTurn), Just(Fault::Ill),
            Just(Fault::IllBusy), Just(Fault::IllLostAfter),
        ],
        2 => prop_oneof![
            Just(Fault::LostAfter), Just(Fault::Busy), Just(Fault::Refused), Just(Fault::CrashAfter),
        ],
    ]
}

fn a_step() -> impl Strategy<Value = Step> {
    let attempt = || {
        (
            prop::collection::vec(a_fault(), 0..6),
            prop::option::weighted(0.3, 1u8..14),
        )
            .prop_map(|(faults, ends_after)| Step::Attempt { faults, ends_after })
    };
    prop_oneof![
        6 => attempt(),
        1 => (0usize..5, a_line()).prop_map(|(at, line)| Step::Insert { at, line }),
        1 => (0usize..5, a_line()).prop_map(|(at, line)| Step::Change { at, line }),
        1 => (0usize..5).prop_map(|at| Step::Remove { at }),
        1 => a_name().prop_map(|name| Step::Grow { name }),
        1 => prop_oneof![Just(1u8), Just(30u8)].prop_map(Step::WaitHours),
        1 => any::<bool>().prop_map(|is_second| Step::Decide { is_second }),
    ]
}

pub(super) fn a_history() -> impl Strategy<Value = History> {
    (
        prop::collection::vec(a_line(), 1..5),
        prop::collection::btree_set(a_name(), 0..3),
        prop::collection::vec(a_step(), 1..9),
        any::<bool>(),
    )
        .prop_map(|(script, list, steps, is_second)| History {
            script,
            list: list.into_iter().collect(),
            steps,
            is_second,
        })
}
