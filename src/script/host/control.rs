//! `skip(reason)`, `fail(reason)`, `retry_in("10m", reason)`, `random_id()`: how a run ends, and what it is called.

use crate::script::error::{HostError, ScriptResult};
use crate::script::limits::MESSAGE_CHARS_MAX;
use crate::script::state::with_run;
use crate::script::text::{shortened, value_text};
use crate::script::{Failure, Outcome};
use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};
use sha2::{Digest, Sha256};
use std::time::Duration;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("skip", |context: NativeCallContext, reason: Dynamic| {
            skip(&context, &reason_text(&reason))
        })
        .register_fn("skip", |context: NativeCallContext| skip(&context, ""))
        .register_fn("fail", |context: NativeCallContext, reason: Dynamic| {
            fail(&context, &reason_text(&reason))
        })
        .register_fn(
            "retry_in",
            |context: NativeCallContext, wait: ImmutableString, reason: Dynamic| {
                retry_in(&context, &wait, &reason_text(&reason))
            },
        )
        .register_fn(
            "retry_in",
            |context: NativeCallContext, wait: ImmutableString| retry_in(&context, &wait, ""),
        )
        .register_fn("random_id", random_id);
}

fn reason_text(reason: &Dynamic) -> String {
    shortened(value_text(reason), MESSAGE_CHARS_MAX)
}

fn skip(context: &NativeCallContext, reason: &str) -> ScriptResult<()> {
    with_run(context, |_| {
        Err(Outcome::Skipped {
            reason: reason.to_owned(),
        }
        .into())
    })
}

fn fail(context: &NativeCallContext, reason: &str) -> ScriptResult<()> {
    // Who finds a dead run a week later has nothing but these words.
    let message = if reason.trim().is_empty() {
        "the script gave up, and said no reason (`fail`)"
    } else {
        reason
    };
    with_run(context, |_| {
        Err(Outcome::Dead(Failure {
            message: message.to_owned(),
            script: String::new(),
            line: 0,
            column: 0,
            source_line: String::new(),
            help: None,
            call: None,
        })
        .into())
    })
}

const WAIT_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

fn retry_in(context: &NativeCallContext, wait: &str, reason: &str) -> ScriptResult<()> {
    with_run(context, |_| {
        Err(Outcome::RetryIn {
            wait: wait_of(wait)?,
            reason: reason.to_owned(),
        }
        .into())
    })
}

pub(in crate::script) fn wait_of(written: &str) -> Result<Duration, HostError> {
    let wait = humantime::parse_duration(written.trim()).map_err(|_| {
        HostError::new(format!("`{written}` is no length of time"))
            .help("write for example \"30s\", \"10m\", \"2h\" or \"1 day\"")
    })?;
    if wait < Duration::from_secs(1) || WAIT_MAX < wait {
        return Err(HostError::new("`retry_in` waits 1 second to 30 days").help(
            "write for example `retry_in(\"30d\", \"why\")`; \
             when it is over the script may wait again",
        ));
    }
    Ok(wait)
}

/// 32 hex digits; the same in every attempt of a run, another one at each call.
fn random_id(context: NativeCallContext) -> ScriptResult<ImmutableString> {
    with_run(&context, |run| {
        run.random_ids += 1;
        let mut hash = Sha256::new();
        hash.update(run.attempt.seed.as_bytes());
        hash.update(run.random_ids.to_be_bytes());
        Ok(hex::encode(&hash.finalize()[..16]).into())
    })
}
