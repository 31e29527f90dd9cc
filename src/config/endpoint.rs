//! `[endpoints.NAME]`

use super::Endpoint;
use super::names;
use super::quantity::{HOUR, MINUTE, SECOND};
use super::secret;
use super::table::{Named, Table};
use super::value::Text;
use std::sync::Arc;

const ENDPOINTS_MAX: usize = 64;
const PATH_SIZE_BYTES_MAX: usize = 512;

/// Tables that others refer to by name.
pub(super) struct Section<T> {
    pub read: Vec<T>,
    /// Also of those that have a mistake: who refers to one makes no second mistake.
    pub names: Vec<Arc<str>>,
}

pub(super) fn read_all(root: &Table<'_>) -> Section<Endpoint> {
    let mut read: Vec<Endpoint> = Vec::new();
    let mut names = Vec::new();
    for Named { name, table } in root.tables("endpoints", ENDPOINTS_MAX) {
        let name: Arc<str> = name.into();
        names.push(Arc::clone(&name));
        read.extend(table.read(|it| read_one(it, name, &read)));
    }
    Section { read, names }
}

fn read_one(table: &Table<'_>, name: Arc<str>, earlier: &[Endpoint]) -> Option<Endpoint> {
    const PATH: &str = "\"/webhooks/stripe\"";
    let path = table
        .must_have("path", PATH)
        .and_then(|it| it.text(PATH))
        .and_then(|it| path(&it, earlier));
    let secrets = table.must_have("signing_secrets", "[\"${STRIPE_WEBHOOK_SECRET}\"]");
    let signing_secrets = secrets.map(|it| secret::read_list(&it));
    let tolerance = table.time("tolerance", 5 * MINUTE, SECOND..=HOUR);
    let scope = scope(table).unwrap_or_else(|| Arc::clone(&name));
    Some(Endpoint {
        name,
        path: path?,
        signing_secrets: signing_secrets?,
        tolerance,
        scope,
    })
}

fn scope(table: &Table<'_>) -> Option<Arc<str>> {
    let it = table.text("dedupe_scope", "\"stripe\"")?;
    match names::check(&it.value) {
        Ok(()) => Some(it.value.as_str().into()),
        Err(help) => {
            it.error(format!("`{}` cannot be a `dedupe_scope`", it.shown()), help);
            None
        }
    }
}

fn path(it: &Text<'_>, earlier: &[Endpoint]) -> Option<String> {
    let path = it.value.as_str();
    let refused = |message: String, help: &str| {
        it.error(message, help);
        None
    };
    if !path.starts_with('/') {
        return refused(
            format!("`path` must begin with `/`, this is `{}`", it.shown()),
            "write the part of the address after the host: \"/webhooks/stripe\"",
        );
    }
    if matches!(path, "/healthz" | "/readyz") {
        return refused(
            format!("`{path}` is where hookyard says whether it is well"),
            "write another path, such as \"/webhooks/stripe\"",
        );
    }
    if PATH_SIZE_BYTES_MAX < path.len() {
        return refused(
            format!(
                "`path` has {} bytes, at most {PATH_SIZE_BYTES_MAX} are allowed",
                path.len()
            ),
            "write a shorter one",
        );
    }
    if let Some(bad) = path
        .chars()
        .find(|it| !it.is_ascii_alphanumeric() && !"/-_.~".contains(*it))
    {
        return refused(
            format!("`path` has the character `{}`", bad.escape_debug()),
            "write letters, digits, `-`, `_`, `.`, `~` and `/` only, no `?` and no `#`",
        );
    }
    if let Some(other) = earlier.iter().find(|other| other.path == path) {
        return refused(
            format!(
                "endpoint `{}` has the path `{}` already",
                other.name,
                it.shown()
            ),
            "give each endpoint a path of its own",
        );
    }
    Some(path.to_owned())
}
