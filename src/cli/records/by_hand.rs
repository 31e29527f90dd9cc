//! `hookyard records set` and `hookyard records remove`

use crate::cli::Places;
use crate::cli::operate::operate;
use crate::cli::out::{Out, word};
use crate::control::{Command, RecordByHand, Reply};
use crate::record::{RECORD_SIZE_BYTES_MAX, no_body};
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::io::Read;
use std::process::ExitCode;

#[derive(Args)]
pub(in crate::cli) struct Set {
    collection: String,
    id: String,
    /// A JSON object, or `-` to read it from standard input
    body: String,
}

#[derive(Args)]
pub(in crate::cli) struct Remove {
    collection: String,
    id: String,
}

impl Set {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let text = if self.body == "-" {
            from_input()?
        } else {
            self.body.clone()
        };
        let body = object(&text, &self.id)
            .map_err(|why| anyhow::anyhow!("the body cannot be taken: {why}"))?;
        by_hand(places, &self.collection, &self.id, Some(body))?;
        tell(&self.collection, &self.id, "written")
    }
}

impl Remove {
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        by_hand(places, &self.collection, &self.id, None)?;
        tell(&self.collection, &self.id, "removed")
    }
}

/// An id may hold line breaks and what commands terminals.
fn tell(collection: &str, id: &str, became: &str) -> anyhow::Result<ExitCode> {
    let mut out = Out::open();
    out.line(format_args!(
        "{}/{} is {became}",
        word(collection),
        word(id)
    ))?;
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn by_hand(
    places: &Places,
    collection: &str,
    id: &str,
    body: Option<String>,
) -> anyhow::Result<()> {
    let record = RecordByHand {
        collection: collection.into(),
        id: id.into(),
        body,
    };
    done(operate(
        places,
        &Command::SetRecords {
            records: vec![record],
        },
    )?)
    .map(drop)
}

/// How many records were written.
pub(super) fn done(reply: Reply) -> anyhow::Result<usize> {
    match reply {
        Reply::Done { affected } => Ok(affected),
        Reply::Refused(why) => bail!("{why}"),
        it @ (Reply::Runs(_)
        | Reply::Reloaded(_)
        | Reply::Moved { .. }
        | Reply::Services(_)
        | Reply::Status { .. }) => {
            bail!("unexpected answer: {it:?}")
        }
    }
}

/// The text of a JSON object, on one line.
pub(super) fn object(text: &str, id: &str) -> Result<String, String> {
    if let Some(why) = no_body(text, id) {
        return Err(why);
    }
    // The text and not what was parsed: numbers stay as they were written.
    Ok(text.trim().replace(['\n', '\r'], " "))
}

fn from_input() -> anyhow::Result<String> {
    let mut text = String::new();
    let size_bytes_max = RECORD_SIZE_BYTES_MAX as u64;
    // A file ends with a line break, which is no part of the record.
    const LINE_BREAK_BYTES_MAX: u64 = 2;
    std::io::stdin()
        .take(size_bytes_max + LINE_BREAK_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .context("the record cannot be read from standard input")?;
    ensure!(
        text.trim().len() <= RECORD_SIZE_BYTES_MAX,
        "the record has more than {size_bytes_max} bytes, which is the limit"
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_an_object_and_stays_as_it_was_written() {
        assert_eq!(
            object("{\n  \"a\": 1.10\n}\n", "a").unwrap(),
            "{   \"a\": 1.10 }"
        );
        assert!(object("[1]", "a").unwrap_err().contains("no JSON object"));
        let why = object("{\"f\":1e400}", "a").unwrap_err();
        assert!(
            why.starts_with("it holds a number that no script could read"),
            "{why}"
        );
        assert!(object("{\"a\": 1} junk", "a").is_err());
        assert!(object("{\"id\": \"a\"}", "a").is_ok());
        let why = object("{\"id\": \"b\"}", "a").unwrap_err();
        assert!(why.contains("`id` is not the id of the record"), "{why}");
    }
}
