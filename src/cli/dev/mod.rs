//! `hookyard dev`: a host that needs no set-up and reaches nothing outside. It sends itself a sample of every event that
//! the handlers want, shows what each run does, and does so again when a script is saved.

mod folder;
mod samples;
mod shown;

pub(super) use folder::{DATA, location_of};

use super::Places;
use super::check::drawn_text;
use super::out::{Out, OutputClosed, clean, first_line, word};
use super::post::Poster;
use super::table::{BOLD, DIM, GREEN, RED, YELLOW};
use super::times::now;
use super::trigger::own_url;
use crate::app::{Host, Options};
use crate::config::Secret;
use crate::in_force::{Current, InForce};
use crate::ingress::signature::Key;
use crate::ledger::sqlite::read::Reader;
use crate::reload::{Rehearsal, Report};
use crate::services::{Asked, stand_in};
use anyhow::{Context, ensure};
use folder::DevFolder;
use samples::Samples;
use shown::Shown;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How often we look for what runs have done: people see no delay.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often, and how many times, we look whether a sample's runs are done before the next one is sent.
const SETTLE_LOOK_EVERY: Duration = Duration::from_millis(10);
const SETTLE_LOOKS_MAX: u32 = 100;
/// Questions to the stand-in that wait to be shown.
const QUESTIONS_WAITING_MAX: usize = 100;

pub(super) fn run(places: &Places) -> anyhow::Result<ExitCode> {
    ensure!(
        places.config.exists(),
        "there is no {} here; `hookyard init` writes a sample of it, with two scripts",
        places.config.display()
    );
    // What concerns the person at the terminal is shown by us.
    crate::telemetry::start("error").map_err(|it| anyhow::anyhow!(it))?;
    let folder = DevFolder::open(places.folder())?;
    let services = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    services.set_nonblocking(true)?;
    let rehearsal = Arc::new(Rehearsal::new(
        folder.signing_secret.clone(),
        services.local_addr()?,
    ));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let host = {
        let _entered = runtime.enter();
        Host::build(Options {
            location: places.location().rehearsed(rehearsal.clone()),
            folder: folder.folder.clone(),
        })?
    };
    let (asked, hear) = mpsc::channel(QUESTIONS_WAITING_MAX);
    let dev = Dev {
        asked: hear,
        address: host.address()?,
        current: host.current(),
        reports: host.reports(),
        key: Key::new(&folder.signing_secret).context("the signing secret cannot sign")?,
        reader: Reader::open(&folder.folder)?,
        shown: Shown::since(now()),
    };
    greet(places, &folder.signing_secret, &rehearsal, &host)?;
    let shutdown = CancellationToken::new();
    let ended = runtime.block_on(async {
        let services = tokio::net::TcpListener::from_std(services)?;
        tokio::spawn(stand_in(services, asked, shutdown.clone()));
        let serving = host.run(shutdown.clone());
        let (served, shown) = tokio::join!(serving, dev.go_on(shutdown.clone()));
        served.and(shown)
    });
    match ended {
        Err(error) if error.is::<OutputClosed>() => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
        Ok(()) => {
            say(["Stopped".to_owned()])?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What goes on beside the host.
struct Dev {
    address: SocketAddr,
    current: Current,
    reports: watch::Receiver<Report>,
    asked: mpsc::Receiver<Asked>,
    key: Key,
    reader: Reader,
    shown: Shown,
}

impl Dev {
    /// Sends samples and shows runs, until the host stops or nobody reads.
    async fn go_on(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let ended = self.rehearse(&shutdown).await;
        // The host goes on no longer than what shows it.
        shutdown.cancel();
        ended
    }

    async fn rehearse(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let mut before = self.current.load_full();
        self.send(&Samples::of_all(&before), shutdown).await?;
        if shutdown.is_cancelled() {
            return Ok(());
        }
        say([format!(
            "\n{BOLD}Now edit a script and save it{BOLD:#}: its events are sent again. {DIM}Waiting for changes and events …{DIM:#}"
        )])?;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                changed = self.reports.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let report = self.reports.borrow_and_update().clone();
                    say(told(&report))?;
                    let after = self.current.load_full();
                    self.send(&Samples::of_changed(&before, &after), shutdown).await?;
                    before = after;
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            self.show()?;
        }
    }

    /// Posts each sample over HTTP, as Stripe would, and shows what comes of it.
    async fn send(
        &mut self,
        samples: &Samples,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<()> {
        say(samples.remarks.iter().map(|it| format!("{DIM}{it}{DIM:#}")))?;
        for it in &samples.events {
            let url = own_url(self.address, &it.path)?;
            let posting = Poster::new(&url)?;
            let answer = tokio::select! {
                answer = posting.post(it.body.clone(), &self.key, now()) => answer,
                () = shutdown.cancelled() => return Ok(()),
            }?;
            let is_taken = (200..300).contains(&answer.status);
            let style = if is_taken { GREEN } else { RED };
            let text = if is_taken {
                String::new()
            } else {
                format!("  {}", first_line(&answer.text))
            };
            say([format!(
                "\n{DIM}sent{DIM:#}  {BOLD}{}{BOLD:#}  {}  {style}{}{style:#}{text}",
                it.kind,
                word(&it.id),
                answer.status,
            )])?;
            self.settle().await?;
        }
        Ok(())
    }

    /// Until the runs of what was sent are done, so that each event's effect stands below it; but not for long.
    async fn settle(&mut self) -> anyhow::Result<()> {
        for _ in 0..SETTLE_LOOKS_MAX {
            if self.shown.are_all_at_rest(&self.reader)? {
                break;
            }
            tokio::time::sleep(SETTLE_LOOK_EVERY).await;
        }
        self.show()
    }

    fn show(&mut self) -> anyhow::Result<()> {
        while let Ok(it) = self.asked.try_recv() {
            say([format!(
                "{DIM}asked{DIM:#}  {} {}  {GREEN}200{GREEN:#}",
                it.method,
                word(&it.path)
            )])?;
        }
        say(self.shown.news(&self.reader)?)
    }
}

/// What a newcomer has to know: where to post to, and what is not real.
fn greet(
    places: &Places,
    secret: &Secret,
    rehearsal: &Rehearsal,
    host: &Host,
) -> anyhow::Result<()> {
    let in_force: Arc<InForce> = host.in_force();
    let address = host.address()?;
    let mut lines = vec![format!(
        "{GREEN}Ready!{GREEN:#} Your webhook signing secret is {BOLD}{}{BOLD:#} (^C to quit)",
        secret.reveal()
    )];
    for it in &in_force.config.endpoints {
        lines.push(format!("listening on {}", own_url(address, &it.path)?));
    }
    if let Some(taken) = rehearsal.taken() {
        lines.push(format!(
            "{YELLOW}{taken} is taken{YELLOW:#}, so this is another port"
        ));
    }
    let services: Vec<&str> = in_force
        .config
        .services
        .iter()
        .map(|it| &*it.name)
        .collect();
    if !services.is_empty() {
        lines.push(format!(
            "nothing real is called: a stand-in answers 200 for {}",
            services.join(", ")
        ));
    }
    let made_up = rehearsal.made_up();
    if !made_up.is_empty() {
        lines.push(format!(
            "made-up values stand in for what is not set: {}",
            made_up.join(", ")
        ));
    }
    let data = places.data.display();
    lines.push(format!(
        "everything is kept in {data}; other commands see it with --data {data}, such as `hookyard trigger`"
    ));
    lines.extend(told(host.first_report()));
    say(lines)
}

/// What a reload did.
fn told(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for it in report.problems.iter().chain(&report.warnings) {
        lines.push(String::new());
        lines.push(drawn_text(it));
    }
    if !report.changes.is_empty() {
        lines.push(String::new());
    }
    let told = report.changes.iter().chain(&report.decided);
    let told = told.chain(&report.held);
    lines.extend(told.map(|it| clean(it)));
    for it in &report.needs_restart {
        lines.push(format!(
            "{YELLOW}needs a restart to take effect{YELLOW:#}: {}",
            clean(it)
        ));
    }
    lines
}

/// Lines, at once and whole.
fn say(lines: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
    let mut out = Out::open();
    for it in lines {
        out.line(it)?;
    }
    out.finish()
}
