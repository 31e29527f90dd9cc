//! `hookyard trigger`: a signed sample event over real HTTP, as Stripe would post it.

use super::Places;
use super::check::drawn;
use super::dev::location_of;
use super::operate::operate;
use super::out::{Out, first_line, word};
use super::post::Poster;
use super::table::{GREEN, RED};
use super::times::now;
use crate::catalog;
use crate::config::{Config, Endpoint};
use crate::control::{Command, Reply};
use crate::ingress::signature::Key;
use crate::reload::{Files, check};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use url::Url;

const COUNT_MAX: u64 = 100_000;

#[derive(Args)]
pub(super) struct Trigger {
    /// The event's type, such as `invoice.paid`
    #[arg(value_name = "TYPE")]
    kind: String,
    /// To this endpoint; needed when handlers.toml has several
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// Post to this URL instead of the endpoint's path at this host
    #[arg(long)]
    url: Option<Url>,
    /// So many events, each about another object
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=COUNT_MAX))]
    count: u64,
}

impl Trigger {
    /// Exit code 1 when an event was not taken.
    pub(super) fn run(&self, places: &Places) -> anyhow::Result<ExitCode> {
        let first = now();
        // Another number each time, so that no event is a duplicate of an earlier one.
        let number = |nth: u64| {
            u64::try_from(first.0)
                .unwrap_or(0)
                .wrapping_mul(1000)
                .wrapping_add(nth)
        };
        if sample(&self.kind, number(0)).is_none() {
            bail!("{}", unknown(&self.kind));
        }
        let config = configuration(places)?;
        let endpoint = endpoint(&config, self.endpoint.as_deref())?;
        let key = endpoint
            .signing_secrets
            .first()
            .and_then(Key::new)
            .with_context(|| {
                format!(
                    "endpoint `{}` has no signing secret that can sign",
                    endpoint.name
                )
            })?;
        let url = match &self.url {
            Some(it) => it.clone(),
            None => own_url(address(places, &config)?, &endpoint.path)?,
        };
        let poster = Poster::new(&url)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut out = Out::open();
        let mut code = ExitCode::SUCCESS;
        for nth in 0..self.count {
            let body = sample(&self.kind, number(nth)).context("the sample cannot be made")?;
            let id = id_of(&body);
            let answer = runtime.block_on(poster.post(body, &key, now()))?;
            let is_taken = (200..300).contains(&answer.status);
            if !is_taken {
                code = ExitCode::FAILURE;
            }
            let style = if is_taken { GREEN } else { RED };
            out.line(format_args!(
                "{style}{}{style:#}  {}  {}  {}",
                answer.status,
                word(&id),
                self.kind,
                first_line(&answer.text)
            ))?;
        }
        out.finish()?;
        Ok(code)
    }
}

/// The one place that asks the catalogue: a sample event of a type, another one for each number.
fn sample(kind: &str, number: u64) -> Option<String> {
    catalog::sample(
        kind,
        &catalog::SampleSeed {
            number,
            created_s: now().seconds(),
            livemode: false,
        },
    )
}

fn unknown(kind: &str) -> String {
    match catalog::nearest(kind) {
        Some(it) => format!("there is no sample of type `{kind}`; did you mean `{it}`?"),
        None => format!(
            "there is no sample of type `{kind}`; write a type of Stripe's, such as `invoice.paid`"
        ),
    }
}

/// handlers.toml as it is; broken scripts do not matter here.
fn configuration(places: &Places) -> anyhow::Result<Config> {
    let files = Files::read(&location_of(places));
    let checked = check(&files);
    match checked.config {
        Some(it) => Ok(it),
        None => {
            for it in checked.problems.iter().filter(|it| it.file == files.name) {
                anstream::eprintln!("{}\n", drawn(it));
            }
            bail!(
                "without a good {} there is no endpoint to sign for",
                places.config.display()
            )
        }
    }
}

fn endpoint<'a>(config: &'a Config, name: Option<&str>) -> anyhow::Result<&'a Endpoint> {
    let names: Vec<&str> = config.endpoints.iter().map(|it| &*it.name).collect();
    match (name, config.endpoints.as_slice()) {
        (None, [only]) => Ok(only),
        (None, []) => bail!("handlers.toml has no endpoint"),
        (None, _) => bail!(
            "handlers.toml has several endpoints; say which one: --endpoint {}",
            names.join(" or ")
        ),
        (Some(name), all) => all.iter().find(|it| &*it.name == name).ok_or_else(|| {
            anyhow!(
                "handlers.toml has no endpoint `{name}`, but {}",
                names.join(" and ")
            )
        }),
    }
}

/// Where the running host listens; where handlers.toml says when none can be asked.
fn address(places: &Places, config: &Config) -> anyhow::Result<SocketAddr> {
    let told = match operate(places, &Command::Status) {
        Ok(Reply::Status { address, .. }) => address.parse().ok(),
        Ok(
            Reply::Done { .. }
            | Reply::Runs(_)
            | Reply::Moved { .. }
            | Reply::Services(_)
            | Reply::Reloaded(_)
            | Reply::Refused(_),
        )
        | Err(_) => None,
    };
    Ok(told.unwrap_or(config.server.listen))
}

/// A path at this machine. A host that listens everywhere is reached here.
pub(super) fn own_url(mut address: SocketAddr, path: &str) -> anyhow::Result<Url> {
    match address.ip() {
        IpAddr::V4(it) if it.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(it) if it.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Ok(Url::parse(&format!("http://{address}{path}"))?)
}

pub(super) fn id_of(body: &str) -> String {
    let event: Option<serde_json::Value> = serde_json::from_str(body).ok();
    event
        .and_then(|it| Some(it.get("id")?.as_str()?.to_owned()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_listens_everywhere_is_reached_at_this_machine() {
        let check = |address: &str, expected: &str| {
            let url = own_url(address.parse().unwrap(), "/webhooks/stripe").unwrap();
            assert_eq!(url.as_str(), expected);
        };
        check("0.0.0.0:4242", "http://127.0.0.1:4242/webhooks/stripe");
        check("[::]:80", "http://[::1]/webhooks/stripe");
        check("10.0.0.7:4242", "http://10.0.0.7:4242/webhooks/stripe");
    }

    #[test]
    fn an_event_is_known_by_its_id() {
        assert_eq!(id_of(r#"{"id":"evt_1"}"#), "evt_1");
        assert_eq!(id_of("junk"), "");
    }
}
