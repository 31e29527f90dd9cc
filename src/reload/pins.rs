//! A person decides which version of a script runs: it beats the files and restarts, until it is taken back.

use super::choose::Choice;
use super::last_good::kept;
use super::{Reloader, Report, short};
use crate::in_force::Chosen;
use crate::ledger::sqlite::read::ReadError;
use crate::ledger::version_decision::VersionDecision;
use crate::script::Program;
use std::sync::Arc;
use tracing::{info, warn};

/// So much of a version's hash has to be named, at least.
const VERSION_CHARS_MIN: usize = 4;

impl Reloader {
    /// Puts a version that the handler had into force, and keeps it there.
    pub async fn pin(&self, handler: &str, version: &str) -> Result<Report, String> {
        let _turn = self.turn.lock().await;
        let before = self.current.load_full();
        let loaded = before
            .handler(handler)
            .ok_or_else(|| before.no_handler(handler))?;
        let unreadable = |it: ReadError| it.to_string();
        let decisions = self.reader().version_decisions().map_err(unreadable)?;
        let known = self.reader().versions_like(handler, version);
        let version = match known.map_err(unreadable)?.as_slice() {
            [it] if version.len() >= VERSION_CHARS_MIN => it.clone(),
            [] => {
                return Err(format!(
                    "handler `{handler}` has had no version `{version}`; `hookyard versions {handler}` shows them"
                ));
            }
            [_] => {
                return Err(format!(
                    "write at least {VERSION_CHARS_MIN} characters of the version"
                ));
            }
            several => {
                return Err(format!(
                    "{} versions begin with `{version}`; write more of it",
                    several.len()
                ));
            }
        };
        let program = {
            let reader = self.reader();
            let of_ledger = |version: &str| kept(&reader, version);
            let choice = Choice::new(&before.config, Some(&before), &decisions, &of_ledger);
            choice.version(&loaded.handler, &version)
        };
        let program = program.ok_or_else(|| {
            format!(
                "version {} does not fit handlers.toml as it is: it uses what handler `{handler}` is not given",
                short(&version)
            )
        })?;
        let chosen = Chosen {
            program: Ok(program),
            canary: None,
            saved: loaded.chosen.saved.clone(),
        };
        let (at, name) = (self.clock.now(), &loaded.handler.name);
        let mut steps = vec![
            VersionDecision::Pin {
                handler: name.clone(),
                version: Some(version.as_str().into()),
                at,
            },
            VersionDecision::InForce {
                handler: name.clone(),
                version: version.as_str().into(),
                at,
            },
        ];
        if decisions.canaries.contains_key(handler) {
            steps.push(VersionDecision::EndCanary {
                handler: name.clone(),
                rolled_back: None,
                at,
            });
        }
        self.decide(steps).await.map_err(|it| it.to_string())?;
        let saved = chosen.saved.as_deref().map(Program::version);
        let line = pinned_line(handler, &version, saved);
        let next = Arc::new(before.with(handler, chosen));
        self.current.store(next.clone());
        self.align(&next).await.map_err(|it| it.to_string())?;
        warn!("{line}");
        self.decided_anew(handler, Some(line.clone()));
        Ok(Report {
            is_changed: true,
            changes: vec![format!(
                "handler `{handler}` runs version {}",
                short(&version)
            )],
            decided: vec![line],
            ..Report::default()
        })
    }

    /// Lets a handler's file count again.
    pub async fn unpin(&self, handler: &str) -> Result<Report, String> {
        let pin = {
            let _turn = self.turn.lock().await;
            let decisions = self
                .reader()
                .version_decisions()
                .map_err(|it| it.to_string())?;
            let Some(pin) = decisions.pins.get(handler) else {
                return Err(format!("handler `{handler}` is not pinned"));
            };
            let step = VersionDecision::Pin {
                handler: handler.into(),
                version: None,
                at: self.clock.now(),
            };
            self.decide(vec![step]).await.map_err(|it| it.to_string())?;
            self.decided_anew(handler, None);
            pin.clone()
        };
        let mut report = self.reload(true).await;
        let line = self.unpinned_line(handler, &pin, report.is_changed);
        info!("{line}");
        report.changes.insert(0, line);
        Ok(report)
    }

    /// Without a good handlers.toml the file does not count yet.
    fn unpinned_line(&self, handler: &str, pin: &str, counts: bool) -> String {
        let now = self.current.load();
        let runs = now.handler(handler).map(|it| it.program());
        let more = match runs {
            None => "; it is not in handlers.toml".to_owned(),
            Some(Ok(it)) if !counts => format!(
                "; it runs version {} until what is wrong with the files is mended",
                short(it.version())
            ),
            Some(Ok(_) | Err(_)) => String::new(),
        };
        format!(
            "the pin of handler `{handler}` to version {} is off{more}",
            short(pin)
        )
    }
}

/// How a pin is told, wherever it is.
pub(super) fn pinned_line(handler: &str, pin: &str, saved: Option<&str>) -> String {
    let other = saved.filter(|it| *it != pin).map_or(String::new(), |it| {
        format!(
            "; version {}, which its file holds, is not in force",
            short(it)
        )
    });
    format!(
        "handler `{handler}` is pinned to version {}{other}; `hookyard rollback {handler} --off` lets its file count again",
        short(pin)
    )
}
