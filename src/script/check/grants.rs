//! `records("…")` and `service("…")`: that the handler was given them, and for changing what is changed.

use super::super::host::{records, services};
use super::super::library::Unit;
use super::Check;
use super::methods::{RECORDS, SERVICE};
use rhai::{ASTNode, BinaryExpr, Expr, FnCallExpr, Position, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// What variables of a file are surely collections of this name. Empty text: of several, or something else as well.
pub(super) type Collections = BTreeMap<String, String>;

impl Check<'_> {
    pub(super) fn service(&mut self, call: &FnCallExpr, position: Position) {
        let Some((name, grants)) = literal(call).zip(self.grants) else {
            return;
        };
        let given = &grants.services;
        if !given.iter().any(|it| **it == *name) {
            let error = services::not_given(name, given);
            self.find(position, error.message, error.help);
        }
    }

    pub(super) fn records(&mut self, call: &FnCallExpr, position: Position) {
        let Some((name, grants)) = literal(call).zip(self.grants) else {
            return;
        };
        if grants.collection(name).is_none() {
            let error = records::not_given(name, grants);
            self.find(position, error.message, error.help);
        }
    }

    /// `records("invoices").set(…)`, `service("mail").get(…)`, or the same of a variable that can be nothing else.
    pub(super) fn used(&mut self, dot: &BinaryExpr) {
        let (call, position) = match &dot.rhs {
            Expr::MethodCall(call, position) => (call, *position),
            Expr::Dot(it, ..) | Expr::Index(it, ..) => match &it.lhs {
                Expr::MethodCall(call, position) => (call, *position),
                _ => return,
            },
            _ => return,
        };
        let name = |function: &str, variables: &Collections| match &dot.lhs {
            Expr::FnCall(call, _) if call.name == function => literal(call).map(str::to_owned),
            Expr::Variable(it, ..) => variables.get(it.1.as_str()).cloned(),
            _ => None,
        };
        if let Some(name) = name("records", &self.collections) {
            self.of_receiver(&RECORDS, call, position);
            self.literals_of_records(call);
            self.change(name, call, position);
        } else if name("service", &self.services).is_some() {
            self.of_receiver(&SERVICE, call, position);
            self.literals_of_service(call);
        }
    }

    fn change(&mut self, name: String, call: &FnCallExpr, position: Position) {
        let Some(granted) = self.grants.and_then(|it| it.collection(&name)) else {
            return;
        };
        if records::CHANGES.contains(&call.name.as_str())
            && let Err(error) = records::may_change(granted, &call.name)
        {
            self.find(position, error.message, error.help);
        }
    }
}

fn literal(call: &FnCallExpr) -> Option<&str> {
    match call.args.first() {
        Some(Expr::StringConstant(name, _)) => Some(name),
        Some(_) | None => None,
    }
}

/// The variables that surely hold what this function gives: `records`, `service`.
pub(super) fn given_by(function: &str, unit: &Unit) -> Collections {
    let mut found = Collections::new();
    let mut others: BTreeSet<String> = BTreeSet::new();
    unit.ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(it, ..))) => {
                let variable = it.0.name.to_string();
                let name = match &it.1 {
                    Expr::FnCall(call, _) if call.name == function => literal(call),
                    _ => None,
                };
                let known = found.insert(variable.clone(), name.unwrap_or_default().to_owned());
                if known.is_some_and(|it| Some(it.as_str()) != name) || name.is_none() {
                    others.insert(variable);
                }
            }
            Some(ASTNode::Stmt(Stmt::Assignment(it))) => {
                if let Expr::Variable(variable, ..) = &it.1.lhs {
                    others.insert(variable.1.to_string());
                }
            }
            Some(ASTNode::Stmt(Stmt::For(it, _))) => {
                others.insert(it.0.name.to_string());
            }
            Some(_) | None => {}
        }
        true
    });
    // A function's values have their names from whoever calls it.
    for it in unit.ast.iter_fn_def() {
        others.extend(it.params.iter().map(ToString::to_string));
    }
    found.retain(|it, _| !others.contains(it));
    found
}
