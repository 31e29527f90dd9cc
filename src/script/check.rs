//! What can be told of a file before it runs: services and records that were not given, functions that are not there,
//! names that would hide `event`.

use super::engine::{Engine, is_reserved_name};
use super::host::not_granted;
use super::library::Unit;
use super::{Grants, limits, parse};
use crate::diagnostic::{Diagnostic, did_you_mean};
use rhai::{ASTFlags, ASTNode, Expr, FnCallExpr, Position, Stmt};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(
    engine: &Engine,
    unit: &Unit,
    units: &[Unit],
    is_script: bool,
    grants: &Grants,
) -> Vec<Diagnostic> {
    let mut check = Check {
        engine,
        unit,
        units,
        grants,
        names: Names::of(unit),
        findings: Vec::new(),
    };
    if !is_script {
        check.library();
    }
    check.parameters();
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
    grants: &'a Grants,
    names: Names,
    findings: Vec<Diagnostic>,
}

/// What a file gives names to.
#[derive(Default)]
struct Names {
    /// Its functions, with the numbers of their parameters.
    functions: BTreeMap<String, BTreeSet<usize>>,
    /// Its variables; a function in one is called by `call`.
    variables: BTreeSet<String>,
    /// Fields of maps: one may hold a function, and then looks like a method.
    fields: BTreeSet<String>,
    /// How many of a closure's parameters Rhai added, for what the closure uses from around it.
    captured: BTreeMap<String, usize>,
}

impl Names {
    fn of(unit: &Unit) -> Self {
        let mut names = Self {
            functions: functions_of(unit),
            ..Self::default()
        };
        unit.ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Var(it, ..))) => {
                    names.variables.insert(it.0.name.to_string());
                }
                Some(ASTNode::Expr(Expr::Map(it, _))) => {
                    names
                        .fields
                        .extend(it.0.iter().map(|(name, _)| name.name.to_string()));
                }
                Some(ASTNode::Expr(Expr::Property(it, _))) => {
                    names.fields.insert(it.2.to_string());
                }
                Some(ASTNode::Expr(Expr::FnCall(it, _))) if it.name == "curry" => names.capture(it),
                Some(_) | None => {}
            }
            true
        });
        names
    }

    fn capture(&mut self, call: &FnCallExpr) {
        if let Some(Expr::DynamicConstant(function, _)) = call.args.first()
            && let Some(function) = function.read_lock::<rhai::FnPtr>()
        {
            self.captured
                .insert(function.fn_name().to_owned(), call.args.len() - 1);
        }
    }
}

fn functions_of(unit: &Unit) -> BTreeMap<String, BTreeSet<usize>> {
    let mut functions = BTreeMap::<String, BTreeSet<usize>>::new();
    for it in unit.ast.iter_functions() {
        functions
            .entry(it.name.to_owned())
            .or_default()
            .insert(it.params.len());
    }
    functions
}

impl Check<'_> {
    fn find(&mut self, position: Position, message: impl Into<String>, help: Option<String>) {
        let finding = parse::at(&self.unit.path, &self.unit.text, position, message);
        self.findings.push(match help {
            Some(help) => finding.help(help),
            None => finding,
        });
    }

    /// A file that is imported runs once, when it is compiled: no event is there then.
    fn library(&mut self) {
        for it in self.unit.ast.statements().to_vec() {
            let is_passive = match &it {
                Stmt::Noop(_) | Stmt::Import(..) | Stmt::Export(..) => true,
                Stmt::Var(it, flags, _) => {
                    flags.contains(ASTFlags::CONSTANT) && it.1.get_literal_value(None).is_some()
                }
                _ => false,
            };
            if !is_passive {
                let help = "put it into a `fn`, and call that from the script".to_owned();
                let message = "a file that others import holds only functions, `const` with plain values, and imports";
                self.find(it.position(), message, Some(help));
                return;
            }
        }
    }

    fn parameters(&mut self) {
        let mut wrong = Vec::new();
        for it in self.unit.ast.iter_fn_def() {
            let captured = self
                .names
                .captured
                .get(it.name.as_str())
                .copied()
                .unwrap_or(0);
            for name in it
                .params
                .iter()
                .skip(captured)
                .filter(|it| is_reserved_name(it))
            {
                wrong.push((it.body.start_position(), name.to_string()));
            }
        }
        for (position, name) in wrong {
            self.reserved(position, &name);
        }
    }

    fn reserved(&mut self, position: Position, name: &str) {
        if is_reserved_name(name) {
            let (message, help) = parse::reserved_name(name);
            self.find(position, message, help);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
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
            // The rest names nothing and calls nothing by itself.
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::FnCall(it, position) => self.call(it, *position),
            Expr::MethodCall(it, position) => self.method(it, *position),
            Expr::Variable(it, _, position) if !it.2.is_empty() => {
                self.constant(&it.1, &it.2, *position)
            }
            Expr::StringConstant(text, position) if text.contains("${") => {
                let finding = parse::at(
                    &self.unit.path,
                    &self.unit.text,
                    *position,
                    "`${…}` in double quotes stays as it is",
                );
                self.findings.push(
                    finding
                        .help("put the text between backticks: `text with ${values}`")
                        .warning(),
                );
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position) {
        if call.is_operator_call() || rhai_does(&call.name) {
            return;
        }
        self.arguments(call, position);
        if call.is_qualified() {
            self.imported(call, position);
            return;
        }
        let count = call.args.len();
        match call.name.as_str() {
            "records" => self.grant(call, position, Kind::Records),
            "service" => self.grant(call, position, Kind::Service),
            _ => {}
        }
        let own = self.names.functions.get(call.name.as_str());
        let native = self.engine.functions.get(call.name.as_str());
        if [own, native]
            .into_iter()
            .flatten()
            .any(|it| it.contains(&count))
        {
            return;
        }
        let (message, help) = self.unknown_function(&call.name, count, 0);
        self.find(position, message, help);
    }

    /// `x.name(…)`: what `x` is shows only when the script runs, so only names that nothing has are wrong.
    fn method(&mut self, call: &FnCallExpr, position: Position) {
        self.arguments(call, position);
        let name = call.name.as_str();
        let count = call.args.len();
        if rhai_does(name) || self.names.fields.contains(name) {
            return;
        }
        let own = self
            .names
            .functions
            .get(name)
            .is_some_and(|it| it.contains(&count) || it.contains(&(count + 1)));
        let native = self
            .engine
            .functions
            .get(name)
            .is_some_and(|it| it.contains(&(count + 1)));
        if !own && !native {
            let (message, help) = self.unknown_function(name, count, 1);
            self.find(position, message, help);
        }
    }

    fn unknown_function(
        &self,
        name: &str,
        count: usize,
        receivers: usize,
    ) -> (String, Option<String>) {
        let takes = [
            self.names.functions.get(name),
            self.engine.functions.get(name),
        ];
        let counts: BTreeSet<usize> = takes
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|it| it.checked_sub(receivers))
            .collect();
        if !counts.is_empty() {
            let counts = counts
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join(" or ");
            return (
                format!("`{name}` takes {counts} values, and here it gets {count}"),
                None,
            );
        }
        if self.names.variables.contains(name) && receivers == 0 {
            return (
                format!("`{name}` is a variable, not a function"),
                Some(format!(
                    "a function in a variable is called by `{name}.call(…)`"
                )),
            );
        }
        if let Some((what, instead)) = super::slips::slip_of_function(name) {
            return (what, Some(instead));
        }
        let known = self
            .names
            .functions
            .keys()
            .chain(self.engine.functions.keys());
        let known = known
            .map(String::as_str)
            .filter(|it| it.starts_with(|it: char| it.is_ascii_alphabetic()) && !it.contains('$'));
        let help = did_you_mean(name, known).map(|near| format!("did you mean `{near}`?"));
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

    fn grant(&mut self, call: &FnCallExpr, position: Position, kind: Kind) {
        let Some(Expr::StringConstant(name, _)) = call.args.first() else {
            return;
        };
        let given = match kind {
            Kind::Records => &self.grants.collections,
            Kind::Service => &self.grants.services,
        };
        if given.iter().any(|it| **it == **name) {
            return;
        }
        let given = given.iter().map(|it| &**it);
        let error = match kind {
            Kind::Records => not_granted("records", name, given),
            Kind::Service => not_granted("services", name, given),
        };
        self.find(position, error.message, error.help);
    }

    fn import(&self, alias: &str) -> Option<&Unit> {
        let import = self.unit.imports.iter().find(|it| it.alias == alias)?;
        self.units.iter().find(|it| it.path == import.path)
    }

    fn imported(&mut self, call: &FnCallExpr, position: Position) {
        let [alias] = call.namespace.path.as_slice() else {
            return;
        };
        let Some(module) = self.import(&alias.name) else {
            return;
        };
        let functions = functions_of(module);
        let name = call.name.as_str();
        let (path, alias, count) = (module.path.clone(), &alias.name, call.args.len());
        match functions.get(name) {
            Some(counts) if counts.contains(&count) => {
                let is_private = module
                    .ast
                    .iter_functions()
                    .any(|it| it.name == name && it.access == rhai::FnAccess::Private);
                if is_private {
                    let help = format!("remove `private` in front of it in {path}");
                    self.find(
                        position,
                        format!("`{alias}::{name}` is private to {path}"),
                        Some(help),
                    );
                }
            }
            Some(counts) => {
                let counts = counts
                    .iter()
                    .map(usize::to_string)
                    .collect::<Vec<_>>()
                    .join(" or ");
                self.find(
                    position,
                    format!("`{alias}::{name}` takes {counts} values, and here it gets {count}"),
                    None,
                );
            }
            None => {
                let near = did_you_mean(
                    name,
                    functions
                        .keys()
                        .map(String::as_str)
                        .filter(|it| !it.contains('$')),
                );
                let help = near.map(|near| format!("did you mean `{alias}::{near}`?"));
                self.find(
                    position,
                    format!("there is no function `{name}` in {path}"),
                    help,
                );
            }
        }
    }

    fn constant(&mut self, name: &str, namespace: &rhai::Namespace, position: Position) {
        let [alias] = namespace.path.as_slice() else {
            return;
        };
        let Some(module) = self.import(&alias.name) else {
            return;
        };
        let path = module.path.clone();
        let is_exported = module.ast.statements().iter().any(|it| match it {
            Stmt::Var(it, flags, _) => flags.contains(ASTFlags::EXPORTED) && it.0.name == name,
            Stmt::Export(it, _) => it.0.name == name || it.1.name == name,
            _ => false,
        });
        if !is_exported {
            let help = format!("in {path} write `export const {name} = …;`");
            self.find(
                position,
                format!("there is no `{name}` to be had from {path}"),
                Some(help),
            );
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Records,
    Service,
}

/// Names that the engine itself treats as functions.
fn rhai_does(name: &str) -> bool {
    matches!(name, "call" | "type_of" | "curry")
}
