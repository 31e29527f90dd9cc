//! `[handlers.NAME]`

use super::canary;
use super::collections;
use super::endpoint::Section;
use super::names;
use super::order;
use super::pattern;
use super::quantity::{DAY, HOUR, SECOND};
use super::table::{Named, Table};
use super::value::{Text, Value};
use super::{Endpoint, Handler, OnDead, Pattern, RetryPolicy, Script, Service};
use std::sync::Arc;
use std::time::Duration;

const HANDLERS_MAX: usize = 1000;
const SCRIPT_SIZE_BYTES_MAX: usize = 255;
const RETRY: &str = "retry = { attempts = 12, first = \"5s\", max = \"6h\" }";
const RETRY_LEAST: Duration = Duration::from_millis(100);

/// The handlers without mistakes, and the scripts of all.
pub(super) fn read_all(
    root: &Table<'_>,
    endpoints: &Section<Endpoint>,
    services: &Section<Service>,
) -> (Vec<Handler>, Vec<Script>) {
    let mut handlers = Vec::new();
    let mut scripts = Vec::new();
    for Named { name, table } in root.tables("handlers", HANDLERS_MAX) {
        let findings = table.findings;
        let before = findings.errors();
        let mut script = None;
        let read =
            table.read(|it| read_one(it, name, &endpoints.names, &services.names, &mut script));
        if let Some(mut it) = script {
            it.given = it.given.filter(|_| before == findings.errors());
            scripts.push(it);
        }
        handlers.extend(read);
    }
    (handlers, scripts)
}

fn read_one(
    table: &Table<'_>,
    name: &str,
    endpoints: &[Arc<str>],
    services: &[Arc<str>],
    its_script: &mut Option<Script>,
) -> Option<Handler> {
    const SCRIPT: &str = "\"scripts/invoice_paid.rhai\"";
    let events = table
        .must_have("events", pattern::EXAMPLE)
        .map(|it| events(&it));
    let script = table
        .must_have("script", SCRIPT)
        .and_then(|it| it.text(SCRIPT));
    let script = script.and_then(|it| script_path(&it));
    let records = collections::read(table);
    let services = referred(table.take("services"), "service", services).unwrap_or_default();
    *its_script = script.clone().map(|path| Script {
        path,
        given: Some((records.clone(), services.clone())),
    });
    let endpoints = referred(table.take("endpoints"), "endpoint", endpoints);
    let order_by = order::read(table);
    let retry = table
        .table("retry", RETRY)
        .map(|it| it.read(retry))
        .unwrap_or_default();
    let on_dead = on_dead(table);
    let canary = canary::read(table);
    Some(Handler {
        name: name.into(),
        events: events?,
        script: script?,
        records,
        services,
        endpoints,
        order_by,
        retry,
        on_dead,
        canary,
    })
}

fn events(value: &Value<'_>) -> Vec<Pattern> {
    let Some(items) = value.texts(pattern::EXAMPLE) else {
        return Vec::new();
    };
    if value.is_empty_list() {
        let message = "`events` is empty, so the handler would never run";
        value.findings.error(
            value.at(),
            message,
            format!("write `events = {}`", pattern::EXAMPLE),
        );
    }
    names::each_once(items)
        .iter()
        .filter_map(pattern::read)
        .collect()
}

/// A script lies in the folder of scripts and nowhere else: that folder is what is watched and kept.
fn script_path(it: &Text<'_>) -> Option<String> {
    let path = it.value.as_str();
    let is_inside = path.strip_prefix("scripts/").is_some_and(|rest| {
        rest.split('/')
            .all(|part| !matches!(part, "" | "." | "..") && part.bytes().all(is_file_name_byte))
    });
    if is_inside
        && path.ends_with(".rhai")
        && !path.ends_with("/.rhai")
        && path.len() <= SCRIPT_SIZE_BYTES_MAX
    {
        return Some(path.to_owned());
    }
    let message = format!(
        "`script` must be a .rhai file in the folder `scripts`, this is `{}`",
        it.shown()
    );
    let file = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = file
        .split('.')
        .next()
        .filter(|it| !it.is_empty() && it.bytes().all(is_file_name_byte));
    let help = format!(
        "write \"scripts/{}.rhai\": letters, digits, `-`, `_` and `.`, beside handlers.toml, no `..`",
        stem.unwrap_or("invoice_paid")
    );
    it.error(message, help);
    None
}

fn is_file_name_byte(it: u8) -> bool {
    it.is_ascii_alphanumeric() || b"-_.".contains(&it)
}

fn referred(value: Option<Value<'_>>, what: &str, known: &[Arc<str>]) -> Option<Vec<Arc<str>>> {
    let value = value?;
    let example = if what == "service" {
        "[\"accounting\"]"
    } else {
        "[\"stripe\"]"
    };
    let items = value.texts(example)?;
    if what == "endpoint" && value.is_empty_list() {
        let help = "name some, or remove the line to take the events of all";
        value.findings.error(
            value.at(),
            "`endpoints` is empty, so the handler would never run",
            help,
        );
    }
    Some(
        names::each_once(items)
            .iter()
            .filter_map(|it| names::resolve(it, what, known))
            .collect(),
    )
}

fn retry(table: &Table<'_>) -> RetryPolicy {
    let usual = RetryPolicy::default();
    let attempts = table.number("attempts", u64::from(usual.attempts_max), 1..=100);
    let first = table.time("first", usual.first, RETRY_LEAST..=DAY);
    RetryPolicy {
        attempts_max: u32::try_from(attempts).unwrap_or(usual.attempts_max),
        first,
        max: table.time(
            "max",
            usual.max.max(first),
            first.max(SECOND)..=30 * 24 * HOUR,
        ),
    }
}

fn on_dead(table: &Table<'_>) -> OnDead {
    let Some(it) = table.text("on_dead", "\"continue\"") else {
        return OnDead::Continue;
    };
    match it.value.as_str() {
        "continue" => OnDead::Continue,
        "block" => OnDead::Block,
        _ => {
            it.error(
                format!("`on_dead` must be \"continue\" or \"block\", this is `{}`", it.shown()),
                "\"continue\": what comes after a dead run goes on; \"block\": it waits until somebody looked",
            );
            OnDead::Continue
        }
    }
}
