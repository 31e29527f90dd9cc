//! Values that stand in the script as they are, and that every run would refuse: by the very rules of the run.

use super::super::error::HostError;
use super::super::host::{control, encode, money, records, time};
use super::super::not_taken::does_not_take;
use super::super::text::type_name;
use super::Check;
use crate::call::{self, Method};
use rhai::{Dynamic, Expr, FnCallExpr, Map, Position};

impl Check<'_> {
    /// `money("eur", 1200)`, `retry_in("10")`
    pub(super) fn literals(&mut self, call: &FnCallExpr) {
        let args = call.args.as_slice();
        let of_host = !self.names.functions.contains_key(call.name.as_str());
        match (call.name.as_str(), args) {
            _ if !of_host => {}
            ("money", [_, currency]) if not_text(currency) => self.not_taken(call),
            ("money", [amount, currency]) => {
                self.literal(amount, |it| money::amount_of(it).err());
                self.literal(currency, |it| {
                    let text = it.as_immutable_string_ref().ok()?;
                    money::currency_of(&text).err()
                });
            }
            ("parse_date", [date]) if not_text(date) => self.not_taken(call),
            ("parse_date", [date]) => self.literal(date, |it| {
                let text = it.as_immutable_string_ref().ok()?;
                time::seconds_of(&text).err()
            }),
            ("retry_in", [wait, ..]) if not_text(wait) => self.not_taken(call),
            ("retry_in", [wait, ..]) => self.literal(wait, |it| {
                let text = it.as_immutable_string_ref().ok()?;
                control::wait_of(&text).err()
            }),
            ("date" | "datetime" | "add_days" | "days_between", args)
                if args.iter().any(|it| matches!(it, Expr::StringConstant(..))) =>
            {
                self.not_taken(call);
            }
            _ => {}
        }
    }

    /// `records("a").find("paid")`
    pub(super) fn literals_of_records(&mut self, call: &FnCallExpr) {
        let name = call.name.as_str();
        match (name, call.args.as_slice()) {
            ("get" | "remove", [id]) | ("add", [id, ..]) => self.id(id),
            ("set" | "update", [id, fields]) | ("update_if_newer", [id, _, fields]) => {
                self.id(id);
                self.literal(fields, |it| records::map_of(it.clone(), name).err());
            }
            ("find", [fields]) => self.literal(fields, |it| records::wanted_of(it.clone()).err()),
            ("find", [fields, limit]) => {
                self.literal(fields, |it| records::wanted_of(it.clone()).err());
                self.literal(limit, |it| records::limit_of(it.as_int().ok()?).err());
            }
            _ => {}
        }
    }

    fn id(&mut self, id: &Expr) {
        self.literal(id, |it| records::id_of(it).err());
    }

    /// `service("a").post("invoices", #{ … }, #{ timeout: 5 })`
    pub(super) fn literals_of_service(&mut self, call: &FnCallExpr) {
        let Some(method) = method_of(&call.name) else {
            return;
        };
        if let Some(path) = call.args.first() {
            self.literal(path, |it| match encode::path_of(it) {
                Ok(path) => call::path::checked(&path).err().map(HostError::new),
                Err(error) => Some(error),
            });
        }
        match call.args.as_slice() {
            [_, options] if !has_body(method) => self.options(method, options),
            [_, _, options] => self.options(method, options),
            _ => {}
        }
    }

    fn options(&mut self, method: Method, options: &Expr) {
        let Expr::Map(map, _) = options else {
            return;
        };
        for (name, value) in &map.0 {
            let known = partly(value);
            let is_name = !encode::OPTIONS.contains(&name.name.as_str());
            // `once` is told by itself, of services in variables too.
            if name.name == "once" || known.is_none() && !is_name {
                continue;
            }
            let known = known.unwrap_or(Dynamic::UNIT);
            if let Some(error) = encode::option_mistake(method, &name.name, &known) {
                let at = if is_name { name.pos } else { value.position() };
                self.find(at, error.message, error.help);
            }
        }
    }

    /// `post("/x", #{ once: "a" })`: what was meant to be an option is sent, and nothing is done once.
    pub(super) fn body_of_options(&mut self, call: &FnCallExpr) {
        let [_, Expr::Map(map, position)] = call.args.as_slice() else {
            return;
        };
        if !method_of(&call.name).is_some_and(has_body) {
            return;
        }
        let is_option =
            |(name, _): &(rhai::Ident, Expr)| encode::OPTIONS.contains(&name.name.as_str());
        // GraphQL's own body has a `query`, which is text.
        let is_graphql = matches!(map.0.as_slice(), [(name, it)] if name.name == "query" && !matches!(it, Expr::Map(..)));
        if map.0.is_empty() || is_graphql || !map.0.iter().all(is_option) {
            return;
        }
        let first = &map.0[0].0.name;
        let finding = self
            .finding(
                *position,
                format!("this map is what the call sends: `{first}` in it is no option"),
            )
            .help(format!(
                "options stand behind the body: `{}(path, #{{ … }}, #{{ {first}: … }})`, with `()` in place of a body that is empty",
                call.name
            ))
            .warning();
        self.findings.push(finding);
    }

    fn literal(&mut self, it: &Expr, mistake: impl FnOnce(&Dynamic) -> Option<HostError>) {
        if let Some(value) = partly(it)
            && let Some(error) = mistake(&value)
        {
            self.find(it.position(), error.message, error.help);
        }
    }

    fn not_taken(&mut self, call: &FnCallExpr) {
        let types: Option<Vec<_>> = call
            .args
            .iter()
            .map(|it| Some(type_name(&partly(it)?)))
            .collect();
        let first = call.args.first().map_or(Position::NONE, Expr::position);
        let types = types.unwrap_or_else(|| {
            let known = call.args.iter().filter_map(partly);
            known.map(|it| type_name(&it)).collect()
        });
        let error = does_not_take(&call.name, &types);
        self.find(first, error.message, error.help);
    }
}

fn not_text(it: &Expr) -> bool {
    partly(it).is_some_and(|it| !it.is_string())
}

/// A value as far as it stands in the script: what is not known of a map is nothing. `None`: none of it is known.
fn partly(it: &Expr) -> Option<Dynamic> {
    match it {
        Expr::Map(map, _) => {
            let fields = map.0.iter().map(|(name, value)| {
                let value = partly(value).unwrap_or(Dynamic::UNIT);
                (name.name.as_str().into(), value)
            });
            Some(fields.collect::<Map>().into())
        }
        _ => it.get_literal_value(None),
    }
}

pub(super) fn method_of(name: &str) -> Option<Method> {
    [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
    ]
    .into_iter()
    .find(|it| it.as_str().eq_ignore_ascii_case(name))
}

/// Whether the second value of a call is its body; the options of others stand there.
pub(super) fn has_body(method: Method) -> bool {
    match method {
        Method::Get | Method::Head | Method::Delete => false,
        Method::Post | Method::Put | Method::Patch => true,
    }
}
