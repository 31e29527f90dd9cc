//! Names that nothing has. They are mistyped most often, and a list with nothing in it would pass for an answer: it is
//! refused instead. What is known and has nothing yet stays an empty list.

use super::Places;
use super::out::word;
use crate::catalog;
use crate::config::{Mentioned, Pattern, mentioned};
use crate::diagnostic::did_you_mean;
use crate::ledger::sqlite::list::{EventFilter, RunFilter};
use crate::ledger::sqlite::read::Reader;
use crate::reload::{Files, last_good_config};
use anyhow::bail;

/// Where names are known from: the ledger, and handlers.toml as it is and as it was when it was last good.
pub(super) struct Known<'a> {
    reader: &'a Reader,
    mentioned: [Mentioned; 2],
}

impl<'a> Known<'a> {
    pub(super) fn of(places: &Places, reader: &'a Reader) -> anyhow::Result<Self> {
        let last_good = last_good_config(reader)?.unwrap_or_default();
        let file = Files::read(&places.location()).handlers;
        Ok(Self {
            reader,
            mentioned: [mentioned(&last_good), mentioned(&file.unwrap_or_default())],
        })
    }

    fn names(&self, of: impl Fn(&Mentioned) -> &Vec<String>) -> Vec<String> {
        self.mentioned.iter().flat_map(of).cloned().collect()
    }

    pub(super) fn collection(&self, name: &str) -> anyhow::Result<()> {
        let mut known = self.reader.collections_ever()?;
        known.extend(self.names(|it| &it.collections));
        let none = "`hookyard records collections` shows what there is";
        must_be_one_of("collection", name, &known, none)
    }

    pub(super) fn handler(&self, name: &str) -> anyhow::Result<()> {
        let mut known = self.reader.handlers_ever()?;
        known.extend(self.names(|it| &it.handlers));
        let none = "handlers.toml names the handlers";
        let refused = must_be_one_of("handler", name, &known, none);
        if refused.is_ok() || self.has_runs(Some(name), None)? {
            return Ok(());
        }
        refused
    }

    /// A script version, or what some begin with.
    pub(super) fn version(&self, begin: &str) -> anyhow::Result<()> {
        if begin.is_empty() {
            bail!(
                "write what a version begins with; `hookyard versions HANDLER` shows those of a handler"
            );
        }
        if self.reader.has_version(begin)? || self.has_runs(None, Some(begin))? {
            return Ok(());
        }
        bail!(
            "no script version begins with `{}`; `hookyard versions HANDLER` shows those of a handler",
            word(begin)
        )
    }

    pub(super) fn endpoint(&self, name: &str) -> anyhow::Result<()> {
        let known = self.names(|it| &it.endpoints);
        let none = "handlers.toml names the endpoints";
        let refused = must_be_one_of("endpoint", name, &known, none);
        if refused.is_ok() || self.has_events(Some(name), None)? {
            return Ok(());
        }
        refused
    }

    pub(super) fn kind(&self, pattern: &Pattern) -> anyhow::Result<()> {
        let (written, near) = match pattern {
            Pattern::All => return Ok(()),
            Pattern::Exact(it) => (it.clone(), catalog::nearest(it).map(str::to_owned)),
            Pattern::Prefix(it) => {
                let near = catalog::nearest_family(it.trim_end_matches('.'));
                (format!("{it}*"), near.map(|it| format!("{it}.*")))
            }
        };
        let is_known = catalog::matches_any(&written)
            || self.names(|it| &it.events).contains(&written)
            || self.has_events(None, Some(pattern))?;
        if is_known {
            return Ok(());
        }
        let help = near.map_or(String::new(), |it| format!("; did you mean `{it}`?"));
        bail!("Stripe has no event type `{}`{help}", word(&written))
    }

    fn has_events(&self, endpoint: Option<&str>, kind: Option<&Pattern>) -> anyhow::Result<bool> {
        let found = self.reader.list_events(&EventFilter {
            kind: kind.cloned(),
            endpoint: endpoint.map(str::to_owned),
            since: None,
            only_unreadable: false,
            limit: 1,
        })?;
        Ok(!found.is_empty())
    }

    fn has_runs(&self, handler: Option<&str>, version: Option<&str>) -> anyhow::Result<bool> {
        let found = self.reader.list_runs(&RunFilter {
            state: None,
            handler: handler.map(str::to_owned),
            kind: None,
            since: None,
            version: version.map(str::to_owned),
            limit: 1,
        })?;
        Ok(!found.is_empty())
    }
}

fn must_be_one_of(what: &str, name: &str, known: &[String], none: &str) -> anyhow::Result<()> {
    if known.iter().any(|it| it == name) {
        return Ok(());
    }
    let help = match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(it) => format!("did you mean `{}`?", word(it)),
        None => none.to_owned(),
    };
    bail!("there is no {what} `{}`: {help}", word(name))
}
