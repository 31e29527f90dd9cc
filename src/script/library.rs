//! Compiles a script with everything that it imports into one immutable program.

use super::copies::Copies;
use super::engine::Engine;
use super::imports::{Import, imports_of, line_for};
use super::modules::{Modules, ModulesOfThread};
use super::{Grants, check, limits, parse};
use crate::diagnostic::{Diagnostic, Severity, did_you_mean};
use rhai::{AST, Module, Scope, Shared};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Source files by their path relative to the folder of handlers.toml: `scripts/invoice_paid.rhai`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(pub BTreeMap<String, String>);

/// A script and all that it imports, checked and compiled. Cheap to clone; shared by all threads.
#[derive(Clone)]
pub struct Program(Arc<Compiled>);

struct Compiled {
    script: String,
    version: String,
    sources: Sources,
    warnings: Vec<Diagnostic>,
    linked: Linked,
    copies: Copies<Linked>,
}

/// What runs: the script and what it imports, in one engine.
#[derive(Clone)]
pub(super) struct Linked {
    pub(super) engine: Arc<Engine>,
    pub(super) ast: AST,
    pub(super) modules: Modules,
    closures: Closures,
}

impl Program {
    /// Hex of the SHA-256 over the script and all that it imports, paths and texts.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    pub fn script(&self) -> &str {
        &self.0.script
    }

    /// The script itself and all that it imports.
    pub fn sources(&self) -> &BTreeMap<String, String> {
        &self.0.sources.0
    }

    pub fn warnings(&self) -> &[Diagnostic] {
        &self.0.warnings
    }

    /// The engine that it was compiled with.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.0.linked.engine
    }

    /// What this thread runs. It is compiled again where this thread has no copy yet.
    pub(super) fn linked(&self) -> &Linked {
        let it = &*self.0;
        it.copies
            .of_this_thread(|| {
                let engine = it.linked.engine.of_this_thread();
                // What compiled once does so again.
                let copy = engine.link(&it.script, engine.read(&it.script, &it.sources).0);
                copy.unwrap_or_else(|_| it.linked.clone())
            })
            .unwrap_or(&it.linked)
    }

    pub(super) fn closures(&self) -> &Closures {
        &self.linked().closures
    }
}

/// The error about a file that a script needs. A file that is there and cannot be read has an error of its own.
pub fn no_such_file(path: &str) -> String {
    format!("there is no file `{path}`")
}

/// The file that such an error is about.
pub fn missing_file(message: &str) -> Option<&str> {
    message
        .strip_prefix("there is no file `")?
        .strip_suffix('`')
}

/// One file, parsed.
pub(super) struct Unit {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) ast: AST,
    pub(super) imports: Vec<Import>,
}

impl Engine {
    /// `Err` has at least one error; warnings alone are on the program.
    pub fn compile(
        self: &Arc<Self>,
        script: &str,
        sources: &Sources,
        grants: &Grants,
    ) -> Result<Program, Vec<Diagnostic>> {
        let (units, findings) = self.look(script, sources, Some(grants));
        if findings.iter().any(|it| it.severity == Severity::Error) {
            return Err(findings);
        }
        let version = version_of(&units);
        let sources = units.iter().map(|it| (it.path.clone(), it.text.clone()));
        let sources = Sources(sources.collect());
        let linked = self.link(script, units).map_err(|it| vec![*it])?;
        Ok(Program(Arc::new(Compiled {
            script: script.to_owned(),
            version,
            sources,
            warnings: findings,
            linked,
            copies: Copies::for_threads(self.limits.script_threads),
        })))
    }

    /// What is wrong with a script, as far as that can be told without knowing what its handler was given.
    pub fn findings(self: &Arc<Self>, script: &str, sources: &Sources) -> Vec<Diagnostic> {
        self.look(script, sources, None).1
    }

    fn look(
        self: &Arc<Self>,
        script: &str,
        sources: &Sources,
        grants: Option<&Grants>,
    ) -> (Vec<Unit>, Vec<Diagnostic>) {
        let (units, mut findings) = self.read(script, sources);
        for unit in &units {
            findings.extend(check::check(
                self,
                unit,
                &units,
                unit.path == script,
                grants,
            ));
        }
        (units, findings)
    }

    /// The script and what it imports, in the order in which they need each other, the script last.
    fn read(&self, script: &str, sources: &Sources) -> (Vec<Unit>, Vec<Diagnostic>) {
        let mut reader = Reader {
            engine: self,
            sources,
            units: Vec::new(),
            open: Vec::new(),
            findings: Vec::new(),
        };
        reader.read(script, None);
        (reader.units, reader.findings)
    }

    fn link(self: &Arc<Self>, script: &str, units: Vec<Unit>) -> Result<Linked, Box<Diagnostic>> {
        let closures = closures_of(&units);
        let mut modules = BTreeMap::new();
        let mut main = None;
        for unit in units {
            if unit.path == script {
                main = Some(unit.ast);
                continue;
            }
            let _entered = ModulesOfThread::enter(&Arc::new(modules.clone()));
            let module =
                Module::eval_ast_as_new(Scope::new(), &unit.ast, &self.rhai).map_err(|error| {
                    Diagnostic::of_file(&unit.path, format!("cannot be imported: {error}"))
                })?;
            modules.insert(unit.path, Shared::new(module));
        }
        let ast = main.ok_or_else(|| Diagnostic::of_file(script, "there is no such file"))?;
        Ok(Linked {
            engine: Arc::clone(self),
            ast,
            modules: Arc::new(modules),
            closures,
        })
    }
}

/// Reads a script and what it imports, each file once.
struct Reader<'a> {
    engine: &'a Engine,
    sources: &'a Sources,
    /// Those that are read whole.
    units: Vec<Unit>,
    /// Those that are being read, one importing the next: coming back to one is a cycle.
    open: Vec<String>,
    findings: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// What to write in place of an import of a file that is not there, or of a script's path.
    fn meant(&self, path: &str, alias: Option<&str>) -> Option<String> {
        // No file means itself, nor one that imports it.
        let is_open = |file: &str| self.open.iter().any(|it| it == file);
        let files = || {
            let all = self.sources.0.keys().map(String::as_str);
            all.filter(|it| !is_open(it))
        };
        // `import "scripts/lib/money"` means scripts/scripts/lib/money.rhai.
        let doubled = path.strip_prefix("scripts/");
        let there = doubled.filter(|it| files().any(|file| file == *it));
        match (there.or_else(|| did_you_mean(path, files()))?, alias) {
            (file, Some(alias)) if there.is_some() => Some(format!(
                "{}: paths begin in scripts/",
                line_for(file, alias)
            )),
            (file, Some(alias)) => {
                Some(format!("did you mean `{file}`? {}", line_for(file, alias)))
            }
            (file, None) => Some(format!("did you mean `{file}`?")),
        }
    }

    fn read(&mut self, path: &str, from: Option<(&str, &str, &Import)>) {
        if self.units.iter().any(|it| it.path == path) {
            return;
        }
        let complain = |message: String| match from {
            Some((file, text, it)) => parse::at(file, text, it.position, message),
            None => Diagnostic::of_file(path, message),
        };
        if self.open.iter().any(|it| it == path) {
            let round = self
                .open
                .iter()
                .map(String::as_str)
                .chain([path])
                .collect::<Vec<_>>()
                .join(" -> ");
            let finding = complain(format!("`{path}` imports itself: {round}"))
                .help("move what both need into a third file");
            self.findings.push(finding);
            return;
        }
        if limits::IMPORTS_MAX < self.units.len() + self.open.len() {
            self.findings.push(complain(format!(
                "a script imports at most {} files",
                limits::IMPORTS_MAX
            )));
            return;
        }
        let Some(text) = self.sources.0.get(path) else {
            let finding = complain(no_such_file(path));
            let help = self.meant(path, from.map(|(_, _, it)| it.alias.as_str()));
            self.findings.push(match help {
                Some(help) => finding.help(help),
                None => finding,
            });
            return;
        };
        let text = text.clone();
        let mut ast = match parse::parse(self.engine, path, &text) {
            Ok(ast) => ast,
            Err(finding) => return self.findings.push(*finding),
        };
        ast.set_source(path);
        let (imports, wrong) = imports_of(&ast, path, &text);
        self.findings.extend(wrong);
        self.open.push(path.to_owned());
        for it in &imports {
            self.read(&it.path, Some((path, &text, it)));
        }
        self.open.pop();
        self.units.push(Unit {
            path: path.to_owned(),
            text,
            ast,
            imports,
        });
    }
}

/// Functions in place by Rhai's names for them, with the files that have them.
pub(super) type Closures = BTreeMap<String, BTreeSet<String>>;

fn closures_of(units: &[Unit]) -> Closures {
    let mut closures = Closures::new();
    for unit in units {
        for it in unit
            .ast
            .iter_functions()
            .filter(|it| it.name.starts_with("anon$"))
        {
            closures
                .entry(it.name.to_owned())
                .or_default()
                .insert(unit.path.clone());
        }
    }
    closures
}

fn version_of(units: &[Unit]) -> String {
    let by_path: BTreeMap<_, _> = units.iter().map(|it| (&it.path, &it.text)).collect();
    let mut hash = Sha256::new();
    for (path, text) in by_path {
        for part in [path, text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hex::encode(hash.finalize())
}
