//! What can be told of a file before it runs: services and records that were not given, functions that are not there,
//! names that would hide `event`.

mod calls;
mod cases;
mod grants;
mod idle;
mod imported;
mod literals;
mod methods;
mod names;
mod once;

use super::engine::{Engine, is_reserved_name};
use super::library::Unit;
use super::{Grants, parse};
use crate::diagnostic::Diagnostic;
use grants::Collections;
use names::Names;
use rhai::{ASTFlags, ASTNode, BinaryExpr, Expr, FnCallExpr, Position, Stmt};

/// Without `grants` nothing is said of what a script was given.
pub(super) fn check(
    engine: &Engine,
    unit: &Unit,
    units: &[Unit],
    is_script: bool,
    grants: Option<&Grants>,
) -> Vec<Diagnostic> {
    let names = Names::of(unit, units);
    let mut check = Check {
        engine,
        unit,
        units,
        grants,
        names,
        collections: grants::given_by("records", unit),
        services: grants::given_by("service", unit),
        known: Vec::new(),
        findings: Vec::new(),
    };
    if !is_script {
        check.library();
    }
    check.functions();
    if is_script {
        check.hidden();
        check.comparisons();
    }
    check.cases();
    unit.ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(it)) => check.statement(it),
            Some(ASTNode::Expr(it)) => check.expression(it),
            Some(_) | None => {}
        }
        true
    });
    check.findings
}

struct Check<'a> {
    engine: &'a Engine,
    unit: &'a Unit,
    units: &'a [Unit],
    grants: Option<&'a Grants>,
    names: Names,
    collections: Collections,
    services: Collections,
    /// Places of methods of which more is known than their names.
    known: Vec<Position>,
    findings: Vec<Diagnostic>,
}

impl Check<'_> {
    fn finding(&self, position: Position, message: impl Into<String>) -> Diagnostic {
        parse::at(&self.unit.path, &self.unit.text, position, message)
    }

    fn find(&mut self, position: Position, message: impl Into<String>, help: Option<String>) {
        let finding = self.finding(position, message);
        self.findings.push(match help {
            Some(help) => finding.help(help),
            None => finding,
        });
    }

    /// A file that is imported runs once, when it is compiled: no event is there then.
    fn library(&mut self) {
        let active = self.unit.ast.statements().iter().find(|it| match it {
            Stmt::Noop(_) | Stmt::Import(..) | Stmt::Export(..) => false,
            Stmt::Var(it, flags, _) => {
                !flags.contains(ASTFlags::CONSTANT) || it.1.get_literal_value(None).is_none()
            }
            _ => true,
        });
        if let Some(it) = active {
            let message = "a file that others import holds only functions, `const` with plain values, and imports";
            let help = "put it into a `fn`, and call that from the script".to_owned();
            self.find(it.position(), message, Some(help));
        }
    }

    fn functions(&mut self) {
        for it in self.unit.ast.iter_fn_def() {
            let position = it.body.start_position();
            let captured = self.names.captured(&it.name);
            for parameter in it.params.iter().skip(captured) {
                self.reserved(position, parameter);
            }
            let (name, count) = (it.name.as_str(), it.params.len());
            if self.names.has_method_call(name, count) && self.is_native(name, count + 1) {
                let finding = self
                    .finding(
                        position,
                        format!("this `{name}` takes the place of the built-in `.{name}(…)`"),
                    )
                    .help(
                        "give the function another name, or else `x.{name}(…)` calls it"
                            .replace("{name}", name),
                    )
                    .warning();
                self.findings.push(finding);
            }
        }
    }

    /// `fn skip(x)`: whoever reads `skip(…)` further down takes it for the host's.
    fn hidden(&mut self) {
        for it in self.unit.ast.iter_fn_def() {
            let (name, count) = (it.name.as_str(), it.params.len());
            if calls::is_name(name) && self.is_native(name, count) {
                let message = format!("this `{name}` takes the place of the built-in `{name}(…)`");
                let position = it.body.start_position();
                let finding = self.finding(position, message);
                let help = "give the function another name";
                self.findings.push(finding.help(help).warning());
            }
        }
    }

    fn is_native(&self, name: &str, count: usize) -> bool {
        self.engine
            .functions
            .get(name)
            .is_some_and(|it| it.contains(&count))
    }

    fn reserved(&mut self, position: Position, name: &str) {
        if is_reserved_name(name) {
            let (message, help) = parse::reserved_name(name);
            self.find(position, message, help);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        self.comparisons_within(statement);
        match statement {
            Stmt::For(it, _) => {
                self.reserved(it.0.pos, &it.0.name);
                if let Some(counter) = &it.1 {
                    self.reserved(counter.pos, &counter.name);
                }
            }
            Stmt::Var(it, ..) => self.reserved(it.0.pos, &it.0.name),
            Stmt::TryCatch(it, _) => {
                if let Expr::Variable(variable, _, position) = &it.expr {
                    self.reserved(*position, &variable.1);
                }
            }
            Stmt::Import(it, position) => self.reserved(*position, &it.1.name),
            Stmt::FnCall(it, position) => self.call(it, *position),
            Stmt::Return(Some(value), flags, position) if !flags.contains(ASTFlags::BREAK) => {
                self.returned(value, *position);
            }
            // The rest names nothing and calls nothing by itself.
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::FnCall(it, position) => self.call(it, *position),
            Expr::MethodCall(it, position) => self.method(it, *position),
            Expr::Dot(it, ..) => {
                self.receiver(it);
                self.used(it);
                self.of_event(it);
            }
            Expr::Variable(it, _, position) if !it.2.is_empty() => {
                self.constant(&it.1, &it.2, *position);
            }
            Expr::FloatConstant(_, position) => self.number(*position),
            Expr::StringConstant(text, position) if text.contains("${") => {
                let finding = self
                    .finding(*position, "`${…}` in double quotes stays as it is")
                    .help("put the text between backticks: `text with ${values}`")
                    .warning();
                self.findings.push(finding);
            }
            _ => {}
        }
    }

    /// A `return` without its `;` takes the next line as what it gives back.
    fn returned(&mut self, value: &Expr, position: Position) {
        let (from, to) = (position.line(), value.start_position().line());
        if from.is_none() || to.is_none() || from == to {
            return;
        }
        let finding = self
            .finding(
                position,
                "this `return` gives back what stands on the next line",
            )
            .help("write `return;` to end here; else put the value on the same line")
            .warning();
        self.findings.push(finding);
    }

    /// A whole number that does not fit becomes one with decimals, in silence, and loses its last digits.
    fn number(&mut self, position: Position) {
        let (Some(line), Some(column)) = (position.line(), position.position()) else {
            return;
        };
        let line = self.unit.text.lines().nth(line - 1).unwrap_or_default();
        let from = line.chars().skip(column - 1);
        let written: String = from
            .take_while(|it| it.is_ascii_alphanumeric() || matches!(it, '.' | '_'))
            .collect();
        if written.chars().all(|it| it.is_ascii_digit() || it == '_') {
            self.find(
                position,
                format!("the number {written} is too large"),
                Some(format!(
                    "whole numbers go up to {}; write an id as text: \"{written}\"",
                    i64::MAX
                )),
            );
        }
    }

    /// `list.map(|it| list.len())`: the list is in use while its function runs, and Rhai refuses that without a place.
    fn receiver(&mut self, dot: &BinaryExpr) {
        let Expr::Variable(variable, _, position) = &dot.lhs else {
            return;
        };
        let call: &FnCallExpr = match &dot.rhs {
            Expr::MethodCall(it, _) => it,
            Expr::Dot(it, ..) | Expr::Index(it, ..) => match &it.lhs {
                Expr::MethodCall(it, _) => it,
                _ => return,
            },
            _ => return,
        };
        let name = variable.1.as_str();
        if call.args.iter().any(|it| names::captures(it, name)) {
            let method = &call.name;
            let help =
                format!("make a copy before: `let all = copy({name});`, and use that inside");
            self.find(
                *position,
                format!("the function in `{name}.{method}(…)` cannot use `{name}` itself"),
                Some(help),
            );
        }
    }
}
