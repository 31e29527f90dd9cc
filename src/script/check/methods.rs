//! What a collection of records and a service can do: another method would be missed only when the script runs.

use super::super::{foreign, usage};
use super::Check;
use super::calls::wrong_count;
use rhai::{BinaryExpr, Expr, FnCallExpr, Position};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// What can be called on a value of a kind, with how many values.
pub(super) struct Kind {
    opened_by: &'static str,
    what: &'static str,
    methods: &'static [(&'static str, RangeInclusive<usize>)],
    instead: fn(&str) -> Option<&'static str>,
}

pub(super) const RECORDS: Kind = Kind {
    opened_by: "records(",
    what: "records have",
    methods: &[
        ("get", 1..=1),
        ("set", 2..=2),
        ("update", 2..=2),
        ("update_if_newer", 3..=3),
        ("add", 3..=3),
        ("remove", 1..=1),
        ("find", 1..=2),
    ],
    instead: foreign::of_records,
};

pub(super) const SERVICE: Kind = Kind {
    opened_by: "service(",
    what: "a service has",
    methods: &[
        ("get", 1..=3),
        ("head", 1..=3),
        ("post", 1..=3),
        ("put", 1..=3),
        ("patch", 1..=3),
        ("delete", 1..=3),
    ],
    instead: foreign::of_service,
};

/// What every value can do.
const OF_ALL: [&str; 7] = [
    "call",
    "copy",
    "debug",
    "print",
    "to_debug",
    "to_string",
    "type_of",
];

impl Check<'_> {
    pub(super) fn of_receiver(&mut self, kind: &Kind, call: &FnCallExpr, position: Position) {
        let (name, count) = (call.name.as_str(), call.args.len());
        if OF_ALL.contains(&name) || self.is_own(name, count) {
            return;
        }
        let method = kind.methods.iter().find(|(it, _)| *it == name);
        if let Some((_, counts)) = method {
            if !counts.contains(&count) {
                let counts: BTreeSet<usize> = counts.clone().collect();
                let example = usage::example(name).filter(|it| it.starts_with(kind.opened_by));
                let help = example.map(|it| format!("write for example `{it}`"));
                self.replace(position, wrong_count(name, &counts, count), help);
            }
            return;
        }
        if !self.engine.functions.contains_key(name) && (kind.instead)(name).is_none() {
            // Nothing has such a method, which is told of all others too.
            return;
        }
        let names = || kind.methods.iter().map(|(it, _)| *it);
        let help = match (kind.instead)(name) {
            Some(instead) => instead.to_owned(),
            None => format!("there is {}", names().collect::<Vec<_>>().join(", ")),
        };
        self.replace(position, format!("{} no `{name}`", kind.what), Some(help));
    }

    /// `event.data.object.get("a", "b")`, `event.get("data.object.id")`
    pub(super) fn of_event(&mut self, dot: &BinaryExpr) {
        let is_event = matches!(&dot.lhs, Expr::Variable(it, ..) if it.1 == "event");
        let mut last = &dot.rhs;
        let mut has_metadata = false;
        while let Expr::Dot(it, ..) = last {
            has_metadata |= matches!(&it.lhs, Expr::Property(name, _) if name.2 == "metadata");
            last = &it.rhs;
        }
        let Expr::MethodCall(call, position) = last else {
            return;
        };
        if !is_event || call.name != "get" || self.is_own("get", call.args.len()) {
            return;
        }
        match call.args.as_slice() {
            [_, _] => self.find(
                *position,
                "`get` of the event takes 1 value, and here it gets 2",
                Some(foreign::DEFAULT.to_owned()),
            ),
            [Expr::StringConstant(path, _)] if path.contains('.') && !has_metadata => {
                let finding = self
                    .finding(
                        *position,
                        "`get` takes the name of one field, and this is a path: there is no such field",
                    )
                    .help(format!("write `event.{path}`, or with `?.` what may be missing"))
                    .warning();
                self.findings.push(finding);
            }
            _ => {}
        }
    }

    /// A finding in place of what will be said of the same place without knowing what stands before the dot.
    fn replace(&mut self, position: Position, message: String, help: Option<String>) {
        self.known.push(position);
        self.find(position, message, help);
    }
}
