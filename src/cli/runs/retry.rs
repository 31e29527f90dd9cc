//! `hookyard runs retry`

use super::{Ids, Places};
use crate::call::Answer;
use crate::control::Command;
use crate::ledger::decision::Choice;
use anyhow::{Context, bail};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The most bytes of an answer's body that an operator gives.
const BODY_SIZE_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Args)]
pub(in crate::cli) struct Retry {
    #[command(flatten)]
    ids: Ids,
    #[command(flatten)]
    choice: ChoiceFlags,
    /// With --settle: a file with the body of the answer
    #[arg(long, value_name = "FILE", requires = "settle")]
    body: Option<PathBuf>,
    /// With --body: the service answers with text, which need not be JSON
    #[arg(long, requires = "body")]
    text: bool,
}

#[derive(Args)]
#[group(multiple = false)]
struct ChoiceFlags {
    /// "Calls changed": calls that match none of the earlier ones take the answers of those that are left, in order
    #[arg(long)]
    reuse: bool,
    /// "Calls changed": calls that match none of the earlier ones are made as new ones
    #[arg(long)]
    again: bool,
    /// "Outcome unknown": it has not taken effect; send it once more, as it was, with its key
    #[arg(long)]
    resend: bool,
    /// "Outcome unknown": it has taken effect; the script gets this status as the answer, such as 200
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..=599))]
    settle: Option<u16>,
}

impl Retry {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let choice = self.choice()?;
        let by = user();
        self.ids
            .each(places, "is ready again", |run| Command::RetryRun {
                run,
                choice: choice.clone(),
                by: by.clone(),
            })
    }

    fn choice(&self) -> anyhow::Result<Option<Choice>> {
        let ChoiceFlags {
            reuse,
            again,
            resend,
            settle,
        } = self.choice;
        Ok(match settle {
            Some(status) => Some(Choice::Settle {
                answer: answer(status, self.body.as_deref(), self.text)?,
            }),
            None if reuse => Some(Choice::Reuse),
            None if again => Some(Choice::Again),
            None if resend => Some(Choice::Resend),
            None => None,
        })
    }
}

/// The answer that a script gets of a call which an operator settled: no headers, and a body only if he gives one.
fn answer(status: u16, body: Option<&Path>, is_text: bool) -> anyhow::Result<Answer> {
    let text = match body {
        None => None,
        Some(path) => {
            let cannot = || format!("cannot read {}", path.display());
            let size_bytes = std::fs::metadata(path).with_context(cannot)?.len();
            if size_bytes > BODY_SIZE_BYTES_MAX {
                bail!(
                    "{} has {size_bytes} bytes, the limit is {BODY_SIZE_BYTES_MAX}",
                    path.display()
                );
            }
            let text = std::fs::read_to_string(path).with_context(cannot)?;
            if !is_text
                && !text.trim().is_empty()
                && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&text)
            {
                bail!(
                    "{} is no JSON, which a script's `.body` would need: {error}. Nothing was changed; mend it, or say --text if the service answers with text",
                    path.display()
                );
            }
            Some(text)
        }
    };
    let body_missing = match text {
        Some(_) => None,
        None => Some(
            "an operator said that the call took effect, and gave no body (`runs retry --settle 200 --body FILE` gives one)"
                .to_owned(),
        ),
    };
    Ok(Answer {
        status,
        headers: BTreeMap::new(),
        text: text.unwrap_or_default(),
        body_missing,
        has_bad_utf8: false,
    })
}

/// Who asks, as the machine knows him.
fn user() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .filter_map(|it| std::env::var(it).ok())
        .find(|it| !it.is_empty())
        .unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_json_is_refused_with_its_place_unless_it_is_said_to_be_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("body.json");
        std::fs::write(&path, "{\n  \"id\": }").unwrap();
        let why = answer(200, Some(&path), false).unwrap_err().to_string();
        assert!(why.contains("line 2 column 9"), "{why}");
        assert_eq!(
            answer(200, Some(&path), true).unwrap().text,
            "{\n  \"id\": }"
        );
    }

    #[test]
    fn a_settled_call_has_the_body_that_was_given_or_says_that_none_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("body.json");
        std::fs::write(&path, "{\"id\":1}").unwrap();
        let given = answer(201, Some(&path), false).unwrap();
        assert_eq!(
            (given.status, given.text.as_str(), given.body_missing),
            (201, "{\"id\":1}", None)
        );
        let bare = answer(200, None, false).unwrap();
        assert!(bare.body_missing.unwrap().contains("--body FILE"));
        let why = answer(200, Some(Path::new("/no/such/file")), false).unwrap_err();
        assert!(why.to_string().contains("cannot read /no/such/file"));
    }
}
