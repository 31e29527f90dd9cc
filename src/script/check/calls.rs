//! Calls of functions and methods: that they are there, take so many values, and reach only what was given.

use super::super::{foreign, limits, usage};
use super::Check;
use crate::diagnostic::did_you_mean;
use rhai::{FnCallExpr, Position};
use std::collections::BTreeSet;

impl Check<'_> {
    pub(super) fn call(&mut self, call: &FnCallExpr, position: Position) {
        if call.is_operator_call() || is_of_rhai(&call.name) {
            return;
        }
        self.arguments(call, position);
        if call.is_qualified() {
            self.imported(call, position);
            return;
        }
        self.literals(call);
        match call.name.as_str() {
            "records" => self.records(call, position),
            "service" => self.service(call, position),
            _ => {}
        }
        let (name, count) = (call.name.as_str(), call.args.len());
        if !self.is_own(name, count) && !self.is_native(name, count) {
            let (message, help) = self.unknown(name, count, 0);
            self.find(position, message, help);
        }
    }

    /// `x.name(…)`: what `x` is shows only when the script runs, so only names that nothing has are wrong.
    pub(super) fn method(&mut self, call: &FnCallExpr, position: Position) {
        self.arguments(call, position);
        self.once(call);
        self.body_of_options(call);
        let (name, count) = (call.name.as_str(), call.args.len());
        let is_known = self.known.contains(&position);
        if is_of_rhai(name) || self.names.fields.contains(name) || is_known {
            return;
        }
        if self.is_own(name, count) || self.is_native(name, count + 1) {
            return;
        }
        if self.is_own(name, count + 1) {
            let help = format!("write `{name}(x{})`", if count == 0 { "" } else { ", …" });
            self.find(
                position,
                format!("`{name}` is a function, and is called without a dot"),
                Some(help),
            );
            return;
        }
        let (message, help) = self.unknown(name, count, 1);
        self.find(position, message, help);
    }

    pub(super) fn is_own(&self, name: &str, count: usize) -> bool {
        self.names
            .functions
            .get(name)
            .is_some_and(|it| it.contains(&count))
    }

    /// `receivers` is 1 for what stands before the dot of a method, which counts as a value.
    fn unknown(&self, name: &str, count: usize, receivers: usize) -> (String, Option<String>) {
        if self.names.variables.contains(name) && receivers == 0 {
            return (
                format!("`{name}` is a variable, not a function"),
                Some(format!(
                    "a function in a variable is called by `{name}.call(…)`"
                )),
            );
        }
        let foreign = foreign::function(name).map(|(what, instead)| (what, Some(instead)));
        // `get` is a function of other languages, and a method of ours.
        if receivers == 0
            && let Some(it) = foreign
        {
            return it;
        }
        let own = self
            .names
            .functions
            .get(name)
            .into_iter()
            .flatten()
            .copied();
        let native = self.engine.functions.get(name).into_iter().flatten();
        let native = native.filter_map(|it| it.checked_sub(receivers));
        let counts: BTreeSet<usize> = own.chain(native).collect();
        if !counts.is_empty() {
            let help = usage::example(name).map(|it| format!("write for example `{it}`"));
            let help = help.or_else(|| foreign::otherwise(name).map(str::to_owned));
            return (wrong_count(name, &counts, count), help);
        }
        if let Some(it) = foreign {
            return it;
        }
        let known = self
            .names
            .functions
            .keys()
            .chain(self.engine.functions.keys())
            .map(String::as_str);
        let help = did_you_mean(name, known.filter(|it| is_name(it)))
            .map(|near| format!("did you mean `{near}`?"));
        (format!("there is no function `{name}`"), help)
    }

    fn arguments(&mut self, call: &FnCallExpr, position: Position) {
        if limits::ARGUMENTS_MAX < call.args.len() {
            self.find(
                position,
                format!("a function takes at most {} values", limits::ARGUMENTS_MAX),
                None,
            );
        }
    }
}

pub(super) fn wrong_count(name: &str, counts: &BTreeSet<usize>, count: usize) -> String {
    let values = |it: usize| {
        if it == 1 {
            "1 value".to_owned()
        } else {
            format!("{it} values")
        }
    };
    let takes = counts
        .iter()
        .map(|it| values(*it))
        .collect::<Vec<_>>()
        .join(" or ");
    format!("`{name}` takes {takes}, and here it gets {count}")
}

/// A name that people write; Rhai has others for operators, properties and closures.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|it: char| it.is_ascii_alphabetic()) && !name.contains('$')
}

/// Names that the engine itself treats as functions.
fn is_of_rhai(name: &str) -> bool {
    matches!(name, "call" | "type_of" | "curry")
}
