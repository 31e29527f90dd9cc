//! The Rhai engine, and a copy for each thread: what it can do is chosen here, one by one, and everything is bounded.

use super::copies::Copies;
use super::host::{self, Log, compare};
use super::modules::ModulesOfThread;
use super::{limits, state};
use crate::config::Limits;
use rhai::packages::{
    ArithmeticPackage, BasicFnPackage, BasicIteratorPackage, BasicMathPackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{Dynamic, OptimizationLevel};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Compiles scripts and runs them; shared by all threads.
pub struct Engine {
    pub(super) rhai: rhai::Engine,
    pub(super) limits: Arc<Limits>,
    /// Every native function, and how many values it takes.
    pub(super) functions: BTreeMap<String, BTreeSet<usize>>,
    copies: Copies<Arc<Self>>,
}

impl Engine {
    pub fn new(limits: &Limits) -> Arc<Self> {
        Self::with_copies(limits, Copies::for_threads(limits.script_threads))
    }

    /// Whether what it compiles is bounded by these limits.
    pub fn is_for(&self, limits: &Limits) -> bool {
        *self.limits == *limits
    }

    /// The one to run scripts with on this thread.
    pub(super) fn of_this_thread(self: &Arc<Self>) -> &Arc<Self> {
        self.copies
            .of_this_thread(|| Self::with_copies(&self.limits, Copies::none()))
            .unwrap_or(self)
    }

    fn with_copies(limits: &Limits, copies: Copies<Arc<Self>>) -> Arc<Self> {
        let mut rhai = rhai::Engine::new_raw();
        set_limits(&mut rhai);
        set_language(&mut rhai);
        register_packages(&mut rhai);
        host::register(&mut rhai);
        set_hooks(&mut rhai);
        let functions = functions_of(&rhai);
        Arc::new(Self {
            rhai,
            limits: Arc::new(limits.clone()),
            functions,
            copies,
        })
    }
}

fn set_limits(rhai: &mut rhai::Engine) {
    rhai.set_max_call_levels(limits::CALL_DEPTH_MAX)
        .set_max_expr_depths(limits::EXPRESSION_DEPTH_MAX, limits::EXPRESSION_DEPTH_MAX)
        .set_max_variables(limits::VARIABLES_MAX)
        .set_max_functions(limits::FUNCTIONS_MAX)
        .set_max_modules(limits::IMPORTS_MAX)
        .set_max_string_size(limits::STRING_SIZE_BYTES_MAX)
        .set_max_array_size(limits::ARRAY_LENGTH_MAX)
        .set_max_map_size(limits::MAP_LENGTH_MAX)
        // The interner's lock would make two threads as fast as one.
        .set_max_strings_interned(0);
}

fn set_language(rhai: &mut rhai::Engine) {
    rhai.set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_module_resolver(ModulesOfThread);
    // What builds code or function pointers at run time can neither be checked nor bounded.
    for symbol in [
        "eval",
        "curry",
        "Fn",
        "is_shared",
        "is_def_fn",
        "is_def_var",
    ] {
        rhai.disable_symbol(symbol);
    }
}

/// No LanguageCore (`sleep`, `exit`, a `parse_json` that rounds), no lists and maps of Rhai's own (ours count and bound),
/// no printing of its own (it goes as deep as values nest), no bytes, no clock.
fn register_packages(rhai: &mut rhai::Engine) {
    ArithmeticPackage::new().register_into_engine(rhai);
    LogicPackage::new().register_into_engine(rhai);
    BasicMathPackage::new().register_into_engine(rhai);
    BasicIteratorPackage::new().register_into_engine(rhai);
    BasicFnPackage::new().register_into_engine(rhai);
    MoreStringPackage::new().register_into_engine(rhai);
}

#[allow(
    deprecated,
    reason = "Rhai marks its hooks as volatile; its version is pinned"
)]
fn set_hooks(rhai: &mut rhai::Engine) {
    rhai.on_progress(|_| {
        if limits::charge(1) {
            None
        } else {
            Some(Dynamic::UNIT)
        }
    })
    // Not a scope constant: the optimizer and closures would find ways to copy or change it.
    .on_var(|name, _, _| {
        Ok(match name {
            "event" => state::event(),
            "log" => Some(Dynamic::from(Log)),
            _ => None,
        })
    })
    .on_def_var(|_, info, _| Ok(!is_reserved_name(info.name())))
    .on_parse_token(|it, _, _| compare::token(it));
}

/// Names that mean something everywhere in a script.
pub(super) fn is_reserved_name(name: &str) -> bool {
    matches!(name, "event" | "log")
}

fn functions_of(rhai: &rhai::Engine) -> BTreeMap<String, BTreeSet<usize>> {
    let mut functions = BTreeMap::<String, BTreeSet<usize>>::new();
    for (name, parameters) in rhai.collect_fn_metadata(
        None,
        |it| Some((it.metadata.name.to_string(), it.metadata.num_params)),
        true,
    ) {
        functions.entry(name).or_default().insert(parameters);
    }
    functions
}
