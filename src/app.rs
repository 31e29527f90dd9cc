//! The host, put together: reads what is to be in force, starts the parts, waits for a signal, drains.

pub(crate) mod housekeeping;
mod listen;
mod signals;

use crate::catalog;
use crate::clock::{Clock, SystemClock};
use crate::control::{self, Operator};
use crate::in_force::{Current, InForce};
use crate::ingress::server::{Accepted, HANDOVERS_MAX, Serving, accept, serve};
use crate::ingress::{Intake, Readiness};
use crate::ledger::desk::Desk;
use crate::ledger::folder::{Folder, FolderLock};
use crate::ledger::sqlite::read::Reader;
use crate::ledger::{self, Ledger, LedgerError, Opened};
use crate::reload::{self, First, Location, Reloader};
use crate::worker::{Lost, Worker};
use anyhow::{Context, anyhow, bail};
use arc_swap::ArcSwap;
use signals::{Signals, obey};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Runtimes that answer HTTP, each on a thread of its own.
const INGRESS_THREADS: usize = 2;
/// How often a host that waits for another process's end says so.
const SAY_WAITING_EVERY: Duration = Duration::from_secs(5);
/// What ingress and worker may take over the drain's end to stop.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where a host finds what it needs.
#[derive(Clone, Debug)]
pub struct Options {
    pub location: Location,
    pub folder: Folder,
}

/// A host that has everything it needs and listens, but has not begun.
pub struct Host {
    options: Options,
    _lock: FolderLock,
    opened: Opened,
    desk: Arc<Desk>,
    current: Current,
    first: reload::Report,
    settled: reload::Settled,
    clock: Arc<dyn Clock>,
    reports: reload::Reports,
    listener: TcpListener,
    control: std::os::unix::net::UnixListener,
    signals: Signals,
}

impl Host {
    /// Opens the data folder, reads handlers.toml and scripts, listens, and receives signals from now on. Blocks; to be
    /// called with a runtime entered.
    pub fn build(options: Options) -> anyhow::Result<Self> {
        if let Some(why) = control::too_long(&options.folder) {
            bail!(why);
        }
        let early = if options.folder.database().exists() {
            None
        } else {
            Some(listen::before_there_is_a_folder(&options.location)?)
        };
        let lock = options.folder.lock()?;
        wait_for_others(&options.folder);
        let desk = Desk::new();
        let opened = ledger::open(&options.folder, &catalog::all_samples(), desk.clone())?;
        let reader = Reader::open(&options.folder)?;
        let First {
            in_force,
            report,
            settled,
        } = reload::first(&options.location, &reader).map_err(|it| anyhow!(it))?;
        let listen = in_force.config.server.listen;
        let listener = match early {
            Some((address, listener)) if address == listen => listener,
            Some(_) | None => listen::on(listen)?,
        };
        let current: Current = Arc::new(ArcSwap::from_pointee(in_force));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        raise_descriptor_limit();
        let control = control::bind(&options.folder).context("cannot make the control socket")?;
        Ok(Self {
            options,
            _lock: lock,
            opened,
            desk,
            current,
            first: report,
            settled,
            clock,
            reports: reload::Reports::default(),
            listener,
            control,
            signals: Signals::receive()?,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    pub fn in_force(&self) -> Arc<InForce> {
        self.current.load_full()
    }

    /// What is in force, also when that changes.
    pub fn current(&self) -> Current {
        self.current.clone()
    }

    /// What was found at the start.
    pub fn first_report(&self) -> &reload::Report {
        &self.first
    }

    /// Tells what each reload did.
    pub fn reports(&self) -> tokio::sync::watch::Receiver<reload::Report> {
        self.reports.subscribe()
    }

    /// Runs until a signal or until the ledger can be trusted no more.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self {
            options,
            _lock,
            opened,
            desk,
            current,
            first,
            settled,
            clock,
            reports,
            listener,
            control,
            signals,
        } = self;
        let Opened {
            ledger,
            dictionary,
            arrivals,
            threads,
        } = opened;
        let drain_timeout = current.load().config.server.drain_timeout;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(desk.attend());

        let worker = Worker::start(
            &options.folder,
            current.clone(),
            ledger.clone(),
            arrivals,
            clock.clone(),
        )?;
        let (nudge, tried, lost) = (worker.nudge(), worker.tried(), worker.lost());
        let (held_late, turns) = (worker.held_late(), worker.turns());
        let reloader = Reloader::new(
            options.location.clone(),
            current.clone(),
            ledger.clone(),
            Reader::open(&options.folder)?,
            clock.clone(),
            nudge,
        );
        let reloader = Arc::new(reloader.telling(reports));
        let told = first.problems.iter().chain(&first.changes);
        for it in told.chain(&first.decided) {
            warn!("at the start: {it}");
        }
        reloader.settle_first(settled).await?;
        let (aligner, housekeeper) = (reloader.clone(), reloader.clone());

        let readiness: Readiness = {
            let (reloader, lost, current) = (reloader.clone(), lost.clone(), current.clone());
            Arc::new(move || {
                let in_force = current.load();
                let mut problems = reloader.problems();
                problems.extend(lost.problems(&in_force));
                problems.extend(in_force.services.ill());
                if problems.is_empty() {
                    Ok(())
                } else {
                    Err(problems)
                }
            })
        };
        let server = current.load().config.server.clone();
        let connections_max = server.connections_max;
        let serving = Serving {
            server,
            shutdown: shutdown.clone(),
        };
        let mut ingress = Vec::new();
        let mut runtimes = Vec::new();
        for number in 0..INGRESS_THREADS {
            let intake_desk = Desk::new();
            let intake = Intake::new(
                current.clone(),
                ledger.at(intake_desk.clone()),
                dictionary.clone(),
                clock.clone(),
                readiness.clone(),
                held_late.clone(),
            );
            let (handing, handed) = mpsc::channel(HANDOVERS_MAX);
            runtimes.push(handing);
            ingress.push(start_ingress(
                number,
                handed,
                intake_desk,
                intake,
                serving.clone(),
            )?);
        }

        let mut tasks = tokio::task::JoinSet::new();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tasks.spawn(accept(
            listener,
            runtimes,
            shutdown.clone(),
            connections_max,
        ));
        let asked = Arc::new(Notify::new());
        tasks.spawn(reload::watch(
            reloader.clone(),
            asked.clone(),
            shutdown.clone(),
        ));
        tasks.spawn(reload::judge(reloader.clone(), tried, shutdown.clone()));
        tasks.spawn(reload::align_late(
            reloader.clone(),
            held_late,
            shutdown.clone(),
        ));
        let operator = Arc::new(Operator {
            ledger: ledger.clone(),
            reader: std::sync::Mutex::new(Reader::open(&options.folder)?),
            current: current.clone(),
            clock: clock.clone(),
            reloader,
            lost: Some(lost.clone()),
            turns,
            address,
        });
        tasks.spawn(control::serve(
            UnixListener::from_std(control)?,
            operator,
            shutdown.clone(),
        ));
        tasks.spawn(housekeeping::keep_house(
            ledger.clone(),
            housekeeper,
            current.clone(),
            clock,
            shutdown.clone(),
        ));
        tasks.spawn(obey(signals, asked, shutdown.clone(), drain_timeout));
        tasks.spawn(watch_ledger(ledger.clone(), shutdown.clone()));
        tasks.spawn(watch_scripts(lost.clone(), shutdown.clone()));
        let working = tokio::spawn({
            let shutdown = shutdown.clone();
            async move {
                reload::align_first(&aligner, &shutdown).await;
                worker.run(shutdown).await;
            }
        });
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

        shutdown.cancelled().await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        info!("stopping: what has begun is finished, for at most {drain_timeout:?}");
        let drained = async {
            let joined = tokio::task::spawn_blocking(move || {
                for it in ingress {
                    let _ = it.join();
                }
            });
            let _ = joined.await;
            let _ = working.await;
            while tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(drain_timeout, drained).await.is_err() {
            warn!(
                "parts still at work after {drain_timeout:?} are ended; their runs begin again at the next start"
            );
        }
        let failed = ledger
            .unavailable()
            .filter(|it| matches!(it, LedgerError::Failed(_)));
        ledger.close();
        let flushed = tokio::task::spawn_blocking(move || threads.join());
        if tokio::time::timeout(drain_timeout.max(FAREWELL), flushed)
            .await
            .is_err()
        {
            bail!("the ledger could not be flushed in time; nothing that was answered 200 is lost");
        }
        if let Some(why) = failed {
            // What is at the socket's path may be another host's by now.
            bail!("{why}");
        }
        let _ = std::fs::remove_file(options.folder.control_socket());
        if let Some(why) = lost.why_used_up() {
            bail!("{why}");
        }
        info!("stopped");
        Ok(())
    }
}

/// After an unclean end no other process may have the database open: its shared index would vouch for pages that may
/// never have reached the disk.
fn wait_for_others(folder: &Folder) {
    if !folder.ended_uncleanly() {
        return;
    }
    while let Some(pid) = folder.other_user() {
        warn!(
            pid,
            "the last host ended uncleanly and process {pid} still has the ledger open: waiting for it to end"
        );
        std::thread::sleep(SAY_WAITING_EVERY);
    }
}

fn start_ingress(
    number: usize,
    handed: mpsc::Receiver<Accepted>,
    desk: Arc<Desk>,
    intake: Intake,
    serving: Serving,
) -> anyhow::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let thread = std::thread::Builder::new()
        .name(format!("ingress-{number}"))
        .spawn(move || {
            runtime.block_on(async move {
                tokio::spawn(desk.attend());
                serve(handed, Arc::new(intake), serving).await;
            });
        })?;
    Ok(thread)
}

/// A ledger that cannot be trusted takes nothing more; the process ends so that a fresh start can look at the disk.
async fn watch_ledger(ledger: Ledger, shutdown: CancellationToken) {
    let why = tokio::select! {
        why = ledger.stopped() => why,
        () = shutdown.cancelled() => return,
    };
    error!("{why}");
    // Whoever is being refused gets his 503 first.
    tokio::time::sleep(FAREWELL).await;
    shutdown.cancel();
}

/// When too many threads are lost to stuck scripts, only a fresh process has all of them: it ends, with an error, so
/// that whoever looks after it starts another.
async fn watch_scripts(lost: Arc<Lost>, shutdown: CancellationToken) {
    tokio::select! {
        () = lost.used_up() => {}
        () = shutdown.cancelled() => return,
    }
    error!("{}", lost.why_used_up().unwrap_or_default());
    // The runs that were given up last are written down first.
    tokio::time::sleep(FAREWELL).await;
    shutdown.cancel();
}

/// Connections and databases need descriptors; the usual soft limit of 1,024 is below our own bound on connections.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}
