//! The same script on Rhai as it comes, with its own limits set: what the guards are measured against.

use crate::{json, script, world};
use anyhow::{Result, anyhow};
use rhai::{AST, Dynamic, Engine, Map, Scope};

pub(crate) struct Bare {
    engine: Engine,
    ast: AST,
    event: Map,
}

/// A collection whose records are at hand, as JSON text.
#[derive(Clone)]
struct Records;

impl Bare {
    pub(crate) fn new(text: &str) -> Result<Self> {
        let mut engine = Engine::new();
        engine
            .set_max_operations(1_000_000)
            .set_max_call_levels(32)
            .set_max_expr_depths(64, 64)
            .set_max_variables(500)
            .set_max_functions(500)
            .set_max_modules(64)
            .set_max_string_size(2 * 1024 * 1024)
            .set_max_array_size(50_000)
            .set_max_map_size(10_000)
            .set_max_strings_interned(0)
            .register_fn("records", |_: &str| Records)
            .register_fn("get", |_: &mut Records, _: &str| -> Map { record() })
            .register_fn(
                "update",
                |_: &mut Records, _: &str, fields: Map| -> Dynamic {
                    let mut it = record();
                    it.extend(fields);
                    // What is kept is text.
                    rhai::format_map_as_json(&it).into()
                },
            );
        let mut scope = Scope::new();
        scope.push("event", Map::new());
        let ast = engine
            .compile_with_scope(&scope, text)
            .map_err(|error| anyhow!("{error}"))?;
        let event = json(&script::event())?;
        Ok(Self { engine, ast, event })
    }

    /// The event is copied: a script may change what it is given.
    pub(crate) fn run(&self) -> Result<()> {
        let mut scope = Scope::new();
        scope.push("event", self.event.clone());
        self.engine
            .eval_ast_with_scope::<Dynamic>(&mut scope, &self.ast)
            .map(drop)
            .map_err(|error| anyhow!("{error}"))
    }
}

/// A record's text into a value: both sides pay for that.
fn record() -> Map {
    serde_json::from_str::<Dynamic>(world::RECORD)
        .ok()
        .and_then(Dynamic::try_cast::<Map>)
        .unwrap_or_default()
}
