//! What two versions differ in, in words.

use super::short;
use crate::config::Config;
use crate::in_force::InForce;

/// An endpoint that has another name at the same path would know no earlier event: it must say under which scope they
/// were known.
pub(super) fn refuses_rename(before: &Config, after: &Config) -> Option<String> {
    after.endpoints.iter().find_map(|new| {
        let old = before.endpoints.iter().find(|old| old.path == new.path)?;
        let is_renamed = old.name != new.name && new.scope == new.name && old.scope != new.scope;
        is_renamed.then(|| {
            format!(
                "endpoint `{}` was renamed to `{}`: write `dedupe_scope = \"{}\"` below [endpoints.{}], so that the events which came under the old name stay known, or `dedupe_scope = \"{}\"` to begin anew",
                old.name, new.name, old.scope, new.name, new.name
            )
        })
    })
}

pub(super) fn differences(before: &InForce, after: &InForce) -> Vec<String> {
    let mut lines = Vec::new();
    for it in after.handlers() {
        let name = &it.handler.name;
        match before.handler(name) {
            None => lines.push(format!("handler `{name}` is new")),
            Some(old) => {
                if old.handler != it.handler {
                    lines.push(format!("handler `{name}` has other settings"));
                }
                let (old, new) = (old.program().ok(), it.program().ok());
                if let Some(new) = new
                    && old.is_none_or(|old| old.version() != new.version())
                {
                    lines.push(format!(
                        "handler `{name}` runs version {} of {}",
                        short(new.version()),
                        new.script()
                    ));
                }
            }
        }
    }
    for it in before.handlers() {
        if after.handler(&it.handler.name).is_none() {
            lines.push(format!(
                "handler `{}` is gone: its open runs are held",
                it.handler.name
            ));
        }
    }
    if before.config.endpoints != after.config.endpoints {
        lines.push("the endpoints changed".into());
    }
    if before.config.services != after.config.services {
        lines.push("the services changed".into());
    }
    lines
}

pub(super) fn needs_restart(before: &Config, after: &Config) -> Vec<String> {
    let (old, new) = (&before.server, &after.server);
    let mut lines = Vec::new();
    let mut differs = |is_other: bool, key: &str| {
        if is_other {
            lines.push(format!("[server] {key}"));
        }
    };
    differs(old.listen != new.listen, "listen");
    differs(
        old.connections_max != new.connections_max,
        "connections_max",
    );
    differs(
        old.head_size_bytes_max != new.head_size_bytes_max,
        "head_size_max",
    );
    differs(old.head_timeout != new.head_timeout, "head_timeout");
    differs(old.keep_alive != new.keep_alive, "keep_alive");
    if before.limits.script_threads != after.limits.script_threads {
        lines.push("[limits] script_threads".into());
    }
    lines
}
