//! Gives `import` the files that were compiled with the script, and nothing else: no path leads out of them.

use super::imports::file_of;
use rhai::{EvalAltResult, Module, ModuleResolver, Position, Shared};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Compiled files by path.
pub(super) type Modules = Arc<BTreeMap<String, Shared<Module>>>;

thread_local! {
    static MODULES: RefCell<Option<Modules>> = const { RefCell::new(None) };
}

/// The resolver of the one engine: looks only at what stands on this thread.
pub(super) struct ModulesOfThread;

pub(super) struct EnteredModules(());

impl ModulesOfThread {
    pub(super) fn enter(modules: &Modules) -> EnteredModules {
        MODULES.set(Some(Arc::clone(modules)));
        EnteredModules(())
    }
}

impl Drop for EnteredModules {
    fn drop(&mut self) {
        MODULES.set(None);
    }
}

impl ModuleResolver for ModulesOfThread {
    fn resolve(
        &self,
        _: &rhai::Engine,
        _: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        file_of(path)
            .ok()
            .and_then(|file| {
                MODULES.with_borrow(|it| it.as_ref().and_then(|it| it.get(&file).cloned()))
            })
            .ok_or_else(|| EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into())
    }
}
