//! `#{ once: "…" }` as the script says it: a name that is none, and a call that only looks.

use super::super::host::once::{LOOKS_ALREADY, is_not_for, name_of};
use super::Check;
use super::literals::{has_body, method_of};
use rhai::{Expr, FnCallExpr};

impl Check<'_> {
    /// `x.post(path, body, #{ once: "…" })`, if `x` is a service: nothing else has such an option.
    pub(super) fn once(&mut self, call: &FnCallExpr) {
        let Some(method) = method_of(&call.name) else {
            return;
        };
        let Some(Expr::Map(options, _)) = call.args.get(1..).and_then(<[Expr]>::last) else {
            return;
        };
        let Some((key, name)) = options.0.iter().find(|(key, _)| key.name == "once") else {
            return;
        };
        if has_body(method) && call.args.len() < 3 {
            return;
        }
        if !method.changes_something() {
            self.find(key.pos, is_not_for(method), Some(LOOKS_ALREADY.into()));
            return;
        }
        if let Some(value) = name.get_literal_value(None)
            && let Err(error) = name_of(method, &value)
        {
            self.find(name.position(), error.message, error.help);
        }
    }
}
