//! The event as a script sees it: a value that nothing can change.
//!
//! Rhai's constants and shared values can be changed from inside a script, so the event is a type of our own that has
//! an indexer to read and none to write. A field that is not there is an error with its whole path.

use super::error::{HostError, ScriptResult};
use super::tape::{At, Tape, Value};
use crate::diagnostic::did_you_mean;
use bytes::Bytes;
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};
use std::sync::{Arc, OnceLock};

/// What a script calls `event`.
#[derive(Debug)]
pub struct FrozenEvent {
    root: FrozenObject,
}

/// Reads a payload.
pub fn freeze(payload: &Bytes) -> Result<Arc<FrozenEvent>, String> {
    let tape = Tape::read(payload).map_err(|error| format!("the event is not JSON: {error}"))?;
    match tape.value(0) {
        Value::Object { .. } => {
            let root = FrozenObject(Arc::new(Content::new(Arc::new(tape), 0)));
            Ok(Arc::new(FrozenEvent { root }))
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::List { .. } => Err("the event is JSON, but not an object".to_owned()),
    }
}

impl FrozenEvent {
    pub(super) fn root(&self) -> Dynamic {
        Dynamic::from(self.root.clone())
    }
}

/// An object inside the event.
#[derive(Clone, Debug)]
pub(super) struct FrozenObject(Arc<Content<Map>>);

/// A list inside the event.
#[derive(Clone, Debug)]
pub(super) struct FrozenList(Arc<Content<Array>>);

#[derive(Debug)]
struct Content<T> {
    tape: Arc<Tape>,
    at: At,
    /// All that is inside, once somebody wants more than one of it.
    values: OnceLock<T>,
}

impl<T> Content<T> {
    fn new(tape: Arc<Tape>, at: At) -> Self {
        Self {
            tape,
            at,
            values: OnceLock::new(),
        }
    }

    /// As the script would write it: `event.data.object`.
    fn path(&self) -> String {
        self.tape.path(self.at)
    }

    fn value(&self, at: At) -> Dynamic {
        match self.tape.value(at) {
            Value::Null => Dynamic::UNIT,
            Value::Bool(it) => it.into(),
            Value::Int(it) => it.into(),
            Value::Float(it) => it.into(),
            Value::Text(it) => self.tape.text(it).into(),
            Value::Object { .. } => {
                Dynamic::from(FrozenObject(Arc::new(Content::new(self.tape.clone(), at))))
            }
            Value::List { .. } => {
                Dynamic::from(FrozenList(Arc::new(Content::new(self.tape.clone(), at))))
            }
        }
    }
}

impl FrozenObject {
    pub(super) fn fields(&self) -> &Map {
        let it = &self.0;
        it.values.get_or_init(|| {
            let fields = it.tape.inside(it.at);
            fields
                .map(|(name, at)| (name.into(), it.value(at)))
                .collect()
        })
    }

    fn find(&self, name: &str) -> Option<Dynamic> {
        let it = &self.0;
        it.tape.field(it.at, name).map(|at| it.value(at))
    }

    fn field(&self, name: &str, context: &NativeCallContext) -> ScriptResult<Dynamic> {
        if let Some(it) = self.find(name) {
            return Ok(it);
        }
        let path = self.0.path();
        let help = match did_you_mean(name, self.fields().keys().map(|it| it.as_str())) {
            Some(near) => format!("did you mean `{path}.{near}`?"),
            None => format!(
                "if it may be missing, ask for it: `{path}.get(\"{name}\") ?? \"…\"`, or `\"{name}\" in {path}`"
            ),
        };
        Err(
            HostError::new(format!("there is no `{path}.{name}` in this event"))
                .help(help)
                .at(context),
        )
    }
}

impl FrozenList {
    pub(super) fn items(&self) -> &Array {
        let it = &self.0;
        it.values.get_or_init(|| {
            let items = it.tape.inside(it.at);
            items.map(|(_, at)| it.value(at)).collect()
        })
    }

    fn item(&self, index: i64, context: &NativeCallContext) -> ScriptResult<Dynamic> {
        let length = self.items().len();
        let at = if index < 0 {
            usize::try_from(index.unsigned_abs())
                .ok()
                .and_then(|back| length.checked_sub(back))
        } else {
            usize::try_from(index).ok()
        };
        at.and_then(|at| self.items().get(at)).cloned().ok_or_else(|| {
            let path = self.0.path();
            HostError::new(format!("there is no `{path}[{index}]`: the list has {length} items, counted from 0"))
                .help(format!("ask first: `if {path}.len() > {index} {{ … }}`, or go through all: `for it in {path} {{ … }}`"))
                .at(context)
        })
    }
}

impl IntoIterator for FrozenList {
    type Item = Dynamic;
    type IntoIter = std::vec::IntoIter<Dynamic>;

    fn into_iter(self) -> Self::IntoIter {
        self.items().clone().into_iter()
    }
}

/// What to write in place of `list.length`, `list["0"]`, `list.amount`.
fn meant_of_list(path: &str, name: &str) -> String {
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let is_name = |it: &str| {
        it.bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'_')
    };
    match name {
        "length" | "size" | "count" | "len" => format!("write `{path}.len()`"),
        "first" => format!("write `{path}[0]`"),
        "last" => format!("write `{path}[-1]`"),
        it if is_number(it) => format!("write `{path}[{it}]`: items have numbers, not texts"),
        it => {
            let field = if is_name(it) {
                format!(".{it}")
            } else {
                format!("[{it:?}]")
            };
            format!(
                "say which item, `{path}[0]{field}`, or go through all: `for it in {path} {{ it{field} }}`"
            )
        }
    }
}

/// The same value, which the script may change.
pub(super) fn thaw(value: &Dynamic) -> Dynamic {
    if let Some(it) = value.read_lock::<FrozenObject>() {
        return Dynamic::from_map(
            it.fields()
                .iter()
                .map(|(name, it)| (name.clone(), thaw(it)))
                .collect(),
        );
    }
    if let Some(it) = value.read_lock::<FrozenList>() {
        return Dynamic::from_array(it.items().iter().map(thaw).collect());
    }
    value.clone()
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<FrozenObject>("event object")
        .register_indexer_get(
            |context: NativeCallContext, it: &mut FrozenObject, name: ImmutableString| {
                it.field(&name, &context)
            },
        )
        .register_fn("get", |it: &mut FrozenObject, name: &str| {
            it.find(name).unwrap_or(Dynamic::UNIT)
        })
        .register_fn("contains", |it: &mut FrozenObject, name: &str| {
            it.find(name).is_some()
        })
        .register_fn("len", |it: &mut FrozenObject| it.fields().len() as i64)
        .register_fn("is_empty", |it: &mut FrozenObject| it.fields().is_empty())
        .register_fn("keys", |it: &mut FrozenObject| -> Array {
            it.fields()
                .keys()
                .map(|name| name.as_str().into())
                .collect()
        })
        .register_fn("values", |it: &mut FrozenObject| -> Array {
            it.fields().values().cloned().collect()
        })
        .register_fn("copy", |it: &mut FrozenObject| {
            thaw(&Dynamic::from(it.clone()))
        });
    engine
        .register_type_with_name::<FrozenList>("event list")
        .register_indexer_get(
            |context: NativeCallContext, it: &mut FrozenList, index: i64| it.item(index, &context),
        )
        .register_indexer_get(
            |context: NativeCallContext,
             it: &mut FrozenList,
             name: ImmutableString|
             -> ScriptResult<Dynamic> {
                let path = it.0.path();
                Err(
                    HostError::new(format!("`{path}` is a list, so it has no `{name}`"))
                        .help(meant_of_list(&path, &name))
                        .at(&context),
                )
            },
        )
        .register_fn("get", |it: &mut FrozenList, index: i64| {
            usize::try_from(index)
                .ok()
                .and_then(|at| it.items().get(at).cloned())
                .unwrap_or(Dynamic::UNIT)
        })
        .register_fn("copy", |it: &mut FrozenList| {
            thaw(&Dynamic::from(it.clone()))
        })
        .register_iterator::<FrozenList>();
    engine.register_fn("copy", |it: Dynamic| thaw(&it));
}
