//! A table of handlers.toml that knows which of its keys were asked for: the others are mistakes.

use super::findings::{self, Findings};
use super::names;
use super::value::{Text, Value};
use super::variables::Variables;
use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use toml::de::{DeTable, DeValue};

pub(super) struct Table<'a> {
    /// `[handlers.invoice-paid]`; as messages name it.
    title: String,
    /// Its header; of a table within a line, that table.
    at: Range<usize>,
    entries: &'a DeTable<'a>,
    /// Every key that was asked for, and so every key that there can be.
    asked: RefCell<Vec<&'static str>>,
    /// Keys that must be there and are not, with the line to add.
    missing: RefCell<Vec<(&'static str, String)>>,
    pub(super) findings: &'a Findings<'a>,
    variables: &'a Variables<'a>,
}

/// A table under a name of the author's choice, such as `[services.accounting]`.
pub(super) struct Named<'a> {
    pub name: &'a str,
    pub table: Table<'a>,
}

impl<'a> Table<'a> {
    /// The file as a whole.
    pub(super) fn root(
        entries: &'a DeTable<'a>,
        findings: &'a Findings<'a>,
        variables: &'a Variables<'a>,
    ) -> Self {
        Self {
            title: String::new(),
            at: 0..0,
            entries,
            asked: RefCell::default(),
            missing: RefCell::default(),
            findings,
            variables,
        }
    }

    /// The table that a value is, if it is one.
    pub(super) fn of(value: Value<'a>, title: String) -> Option<Self> {
        let DeValue::Table(entries) = value.inner.get_ref() else {
            return None;
        };
        let Value {
            findings,
            variables,
            ..
        } = value;
        Some(Self {
            title,
            at: value.at(),
            entries,
            asked: RefCell::default(),
            missing: RefCell::default(),
            findings,
            variables,
        })
    }

    /// Lets `reader` ask for keys, then refuses those that it did not ask for. The only way to read a table, so that
    /// a misspelt key never passes in silence.
    pub(super) fn read<T>(self, reader: impl FnOnce(&Self) -> T) -> T {
        let it = reader(&self);
        let misspelt = self.refuse_unknown();
        self.refuse_missing(&misspelt);
        it
    }

    pub(super) fn take(&self, key: &'static str) -> Option<Value<'a>> {
        self.asked.borrow_mut().push(key);
        let inner = self.entries.get(key)?;
        Some(Value {
            key,
            inner,
            findings: self.findings,
            variables: self.variables,
        })
    }

    pub(super) fn text(&self, key: &'static str, example: &str) -> Option<Text<'a>> {
        self.take(key)?.text(example)
    }

    /// The whole number that stands where text belongs: `tolerance = 300`.
    pub(super) fn bare_number(&self, key: &str) -> Option<u64> {
        match self.entries.get(key)?.get_ref() {
            DeValue::Integer(it) => u64::from_str_radix(it.as_str(), it.radix()).ok(),
            _ => None,
        }
    }

    pub(super) fn number(&self, key: &'static str, usual: u64, bounds: RangeInclusive<u64>) -> u64 {
        self.take(key)
            .and_then(|it| it.number(usual, bounds))
            .unwrap_or(usual)
    }

    pub(super) fn count(
        &self,
        key: &'static str,
        usual: usize,
        bounds: RangeInclusive<u32>,
    ) -> usize {
        let bounds = u64::from(*bounds.start())..=u64::from(*bounds.end());
        // Bounded by 32 bits just above.
        usize::try_from(self.number(key, usual as u64, bounds)).unwrap_or(usual)
    }

    /// A key that must be there: says so if it is not.
    pub(super) fn must_have(&self, key: &'static str, example: &str) -> Option<Value<'a>> {
        let it = self.take(key);
        if it.is_none() {
            self.missing
                .borrow_mut()
                .push((key, format!("{key} = {example}")));
        }
        it
    }

    /// A table of its own, or within a line; `example` is what one would write.
    pub(super) fn table(&self, key: &'static str, example: &str) -> Option<Table<'a>> {
        let value = self.take(key)?;
        let title = if self.title.is_empty() {
            format!("[{key}]")
        } else {
            format!("`{key}`")
        };
        Self::of(value, title).or_else(|| {
            self.findings.error(
                value.at(),
                format!("`{key}` must be a table"),
                format!("write `{example}`"),
            );
            None
        })
    }

    /// All tables under `[key.NAME]`, in the order of the file; those with a name that cannot be one are left out.
    pub(super) fn tables(&self, key: &'static str, count_max: usize) -> Vec<Named<'a>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let example = format!("give each a name and a table of its own: `[{key}.some-name]`");
        let DeValue::Table(entries) = value.inner.get_ref() else {
            value.hide();
            let is_array = matches!(value.inner.get_ref(), DeValue::Array(it) if it.iter().any(|it| matches!(it.get_ref(), DeValue::Table(_))));
            if is_array {
                let message = format!(
                    "a table has one bracket on each side, and its name: `[[{key}]]` would be one of several without names"
                );
                let help = format!("write `[{key}.some-name]`");
                self.findings.error(value.at(), message, help);
                return Vec::new();
            }
            self.findings.error(
                value.at(),
                format!("`{key}` must be tables with names"),
                example,
            );
            return Vec::new();
        };
        if count_max < entries.len() {
            let message = format!(
                "there are {} {key}, at most {count_max} are allowed",
                entries.len()
            );
            self.findings
                .error(value.at(), message, "divide them over several hosts");
            return Vec::new();
        }
        let mut found = Vec::with_capacity(entries.len());
        for (name, inner) in entries {
            let value = Value {
                key,
                inner,
                ..value
            };
            let is_table = matches!(inner.get_ref(), DeValue::Table(_));
            if !is_table || names::check(name.get_ref()).is_err() {
                value.hide();
            }
            if !is_table {
                let message = format!(
                    "`{}` stands in [{key}], where only tables with names can stand",
                    findings::quoted(name.get_ref())
                );
                self.findings.error(name.span(), message, example.clone());
            } else if let Err(help) = names::check(name.get_ref()) {
                let message = format!(
                    "`{}` cannot be the name of one of the {key}",
                    findings::quoted(name.get_ref())
                );
                self.findings.error(name.span(), message, help);
            } else if let Some(table) = Self::of(value, format!("[{key}.{}]", name.get_ref())) {
                found.push((
                    name.span().start,
                    Named {
                        name: name.get_ref(),
                        table,
                    },
                ));
            }
        }
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, it)| it).collect()
    }

    /// Keys that the author chose, with their values and places, in the order of the file.
    pub(super) fn into_free_keys(self) -> Vec<(&'a str, Range<usize>, Value<'a>)> {
        let mut found: Vec<_> = self
            .entries
            .iter()
            .map(|(key, inner)| {
                let name = key.get_ref().as_ref();
                let value = Value {
                    key: name,
                    inner,
                    findings: self.findings,
                    variables: self.variables,
                };
                (name, key.span(), value)
            })
            .collect();
        found.sort_by_key(|(_, at, _)| at.start);
        found
    }

    /// Returns the keys that seem to be meant by those that are unknown.
    fn refuse_unknown(&self) -> Vec<&str> {
        let known = self.asked.borrow();
        let mut meant = Vec::new();
        for (key, inner) in self.entries {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let (findings, variables) = (self.findings, self.variables);
            let value = Value {
                key: name,
                inner,
                findings,
                variables,
            };
            value.hide();
            let place = if self.title.is_empty() {
                String::new()
            } else {
                format!(" in {}", self.title)
            };
            let near = self.findings.near(name, known.iter().copied());
            meant.extend(near);
            let help = match near {
                Some(it) => format!("did you mean `{it}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            self.findings.error(
                key.span(),
                format!("unknown key `{}`{place}", findings::quoted(name)),
                help,
            );
        }
        meant
    }

    /// A key that is there but misspelt was said already.
    fn refuse_missing(&self, misspelt: &[&str]) {
        for (key, line) in self
            .missing
            .borrow()
            .iter()
            .filter(|(key, _)| !misspelt.contains(key))
        {
            let message = format!("{} has no `{key}`", self.title);
            self.findings
                .error(self.at.clone(), message, format!("add the line `{line}`"));
        }
    }
}
