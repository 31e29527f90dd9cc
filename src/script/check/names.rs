//! What a file gives names to.

use super::super::library::Unit;
use rhai::{ASTNode, Expr, FnCallExpr, Stmt};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct Names {
    /// Its functions, with the numbers of their parameters.
    pub(super) functions: Counts,
    /// Its variables; a function in one is called by `call`.
    pub(super) variables: BTreeSet<String>,
    /// Fields of maps, in all files: one may hold a function, and then looks like a method.
    pub(super) fields: BTreeSet<String>,
    /// What it calls as a method, with how many values.
    method_calls: Counts,
    /// How many of a closure's parameters Rhai added, for what the closure uses from around it.
    captured: BTreeMap<String, usize>,
}

pub(super) type Counts = BTreeMap<String, BTreeSet<usize>>;

impl Names {
    pub(super) fn of(unit: &Unit, units: &[Unit]) -> Self {
        let mut names = Self {
            functions: functions_of(unit),
            ..Self::default()
        };
        unit.ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Var(it, ..))) => {
                    names.variables.insert(it.0.name.to_string());
                }
                Some(ASTNode::Expr(Expr::FnCall(it, _))) if it.name == "curry" => names.capture(it),
                Some(ASTNode::Expr(Expr::MethodCall(it, _))) => {
                    names
                        .method_calls
                        .entry(it.name.to_string())
                        .or_default()
                        .insert(it.args.len());
                }
                Some(_) | None => {}
            }
            true
        });
        units.iter().for_each(|it| fields_of(it, &mut names.fields));
        names
    }

    pub(super) fn captured(&self, function: &str) -> usize {
        self.captured.get(function).copied().unwrap_or(0)
    }

    pub(super) fn has_method_call(&self, name: &str, count: usize) -> bool {
        self.method_calls
            .get(name)
            .is_some_and(|it| it.contains(&count))
    }

    /// A closure that uses something from around it is, to Rhai, a function with its first parameters filled in.
    fn capture(&mut self, call: &FnCallExpr) {
        if let Some(Expr::DynamicConstant(function, _)) = call.args.first()
            && let Some(function) = function.read_lock::<rhai::FnPtr>()
        {
            self.captured
                .insert(function.fn_name().to_owned(), call.args.len() - 1);
        }
    }
}

pub(super) fn functions_of(unit: &Unit) -> Counts {
    let mut functions = Counts::new();
    for it in unit.ast.iter_functions() {
        functions
            .entry(it.name.to_owned())
            .or_default()
            .insert(it.params.len());
    }
    functions
}

fn fields_of(unit: &Unit, fields: &mut BTreeSet<String>) {
    unit.ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Expr(Expr::Map(it, _))) => {
                fields.extend(it.0.iter().map(|(name, _)| name.name.to_string()));
            }
            Some(ASTNode::Expr(Expr::Property(it, _))) => {
                fields.insert(it.2.to_string());
            }
            Some(_) | None => {}
        }
        true
    });
}

/// Whether an argument is a closure that uses this variable from around it.
pub(super) fn captures(argument: &Expr, variable: &str) -> bool {
    let Expr::Stmt(block) = argument else {
        return false;
    };
    block.statements().iter().any(|it| match it {
        Stmt::Share(shared) => shared.iter().any(|(it, _)| it.name == variable),
        _ => false,
    })
}
