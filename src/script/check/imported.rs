//! `money::vat(…)`, `money::RATE`: a function that an imported file lacks would show only when the script runs.

use super::super::library::Unit;
use super::Check;
use super::calls::{is_name, wrong_count};
use super::names::functions_of;
use crate::diagnostic::did_you_mean;
use rhai::{ASTFlags, FnAccess, FnCallExpr, Namespace, Position, Stmt};

impl<'a> Check<'a> {
    fn unit_of(&self, namespace: &Namespace) -> Option<&'a Unit> {
        let [alias] = namespace.path.as_slice() else {
            return None;
        };
        let import = self
            .unit
            .imports
            .iter()
            .find(|it| it.alias == alias.as_str())?;
        self.units.iter().find(|it| it.path == import.path)
    }

    pub(super) fn imported(&mut self, call: &FnCallExpr, position: Position) {
        let Some(module) = self.unit_of(&call.namespace) else {
            return;
        };
        let functions = functions_of(module);
        let (name, count) = (call.name.as_str(), call.args.len());
        let (path, alias) = (&module.path, &call.namespace);
        let (message, help) = match functions.get(name) {
            None => {
                let near = did_you_mean(
                    name,
                    functions
                        .keys()
                        .map(String::as_str)
                        .filter(|it| is_name(it)),
                );
                let help = near.map(|near| format!("did you mean `{alias}::{near}`?"));
                (format!("there is no function `{name}` in {path}"), help)
            }
            Some(counts) if !counts.contains(&count) => (
                wrong_count(&format!("{alias}::{name}"), counts, count),
                None,
            ),
            Some(_) if is_private(module, name) => (
                format!("`{alias}::{name}` is private to {path}"),
                Some(format!("remove `private` in front of it in {path}")),
            ),
            Some(_) => return,
        };
        self.find(position, message, help);
    }

    pub(super) fn constant(&mut self, name: &str, namespace: &Namespace, position: Position) {
        let Some(module) = self.unit_of(namespace) else {
            return;
        };
        let is_exported = module.ast.statements().iter().any(|it| match it {
            Stmt::Var(it, flags, _) => flags.contains(ASTFlags::EXPORTED) && it.0.name == name,
            Stmt::Export(it, _) => it.0.name == name || it.1.name == name,
            _ => false,
        });
        if !is_exported {
            let path = &module.path;
            let help = if functions_of(module).contains_key(name) {
                format!("to pass on a function write `|x| {namespace}::{name}(x)`")
            } else {
                format!("in {path} write `export const {name} = …;`")
            };
            self.find(
                position,
                format!("there is no `{name}` to be had from {path}"),
                Some(help),
            );
        }
    }
}

fn is_private(module: &Unit, name: &str) -> bool {
    module
        .ast
        .iter_functions()
        .any(|it| it.name == name && it.access == FnAccess::Private)
}
