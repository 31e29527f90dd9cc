//! What all scenarios share: programs, folders, durations, the filled ledger, the table.

use crate::event::EventSource;
use crate::host::{Host, Setup};
use crate::ledger::LedgerView;
use crate::load::{self, Load, Reins};
use crate::pace::Pace;
use crate::probe::Probe;
use crate::report::Report;
use crate::setup::{self, KIND};
use crate::table::Table;
use anyhow::{Context, Result};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Runs that may be open while events come as fast as they are worked off.
pub(crate) const BACKLOG_MAX: u64 = 4_000;
/// A look reads the open runs: often enough for a bound of thousands, and no load of its own.
const BACKLOG_LOOK_EVERY: Duration = Duration::from_millis(25);
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(300);

pub(crate) struct Bench {
    /// This program: the bare server is it, too.
    pub(crate) this_program: PathBuf,
    pub(crate) hookyard: PathBuf,
    /// Where the data folders are made.
    pub(crate) work: PathBuf,
    pub(crate) is_quick: bool,
    /// Events in the filled ledger.
    pub(crate) fill: u64,
    /// Its folder, once it was looked for.
    pub(crate) filled: OnceLock<PathBuf>,
    pub(crate) rounds: usize,
    pub(crate) round: Duration,
    /// For how long runs are to keep up.
    pub(crate) sustained: Duration,
    pub(crate) table: Table,
}

impl Bench {
    /// `full`, or a second at most when only a smoke run is wanted.
    pub(crate) fn time(&self, full: Duration) -> Duration {
        if self.is_quick {
            full.min(Duration::from_secs(1))
        } else {
            full
        }
    }

    /// `full`, or a hundredth of it.
    pub(crate) fn count(&self, full: u64) -> u64 {
        if self.is_quick { full / 100 } else { full }
    }

    /// A host in an empty folder.
    pub(crate) fn fresh_host(&self, name: &str, setup: &Setup) -> Result<Host> {
        let folder = self.empty_folder(name)?;
        Host::start(&self.hookyard, &folder, setup)
    }

    /// A host on a copy of the filled ledger.
    pub(crate) fn filled_host(&self, name: &str, setup: &Setup) -> Result<Host> {
        let filled = self.filled()?;
        let folder = self.empty_folder(name)?;
        copy_folder(&filled.join("data"), &folder.join("data"))?;
        Host::start(&self.hookyard, &folder, setup)
    }

    /// Stops the host and removes its folder.
    pub(crate) fn done_with(&self, host: Host) -> Result<()> {
        let folder = host.folder().to_owned();
        host.stop()?;
        fs::remove_dir_all(folder)?;
        Ok(())
    }

    /// The folder of a host that has taken and run `fill` events and was stopped.
    pub(crate) fn filled(&self) -> Result<&Path> {
        if let Some(folder) = self.filled.get() {
            return Ok(folder);
        }
        let folder = self.fill_once()?;
        Ok(self.filled.get_or_init(|| folder))
    }

    /// Made once for each schema and number of events; later starts find it.
    fn fill_once(&self) -> Result<PathBuf> {
        let probe = self.fresh_host("schema", &setup::two_records())?;
        // Once it answers, everything is there, and it can be stopped.
        Probe::new(self, probe.address())?.post()?;
        let schema = probe.ledger()?.schema()?;
        self.done_with(probe)?;
        let folder = self
            .work
            .join(format!("filled-{}-{:08x}", self.fill, checksum(&schema)));
        let stamp = folder.join("complete");
        if stamp.exists() {
            return Ok(folder);
        }
        eprintln!("filling a ledger with {} events, once …", self.fill);
        let host = self.fresh_host("filling", &setup::two_records())?;
        let reins = Reins::default();
        let load = self.load(
            host.address(),
            64,
            Pace::Closed,
            Duration::from_secs(3600),
            &reins,
        );
        let load = Load {
            events_max: self.fill,
            ..load
        };
        let report = run_within_backlog(&load, &mut self.source(KIND)?, &host.ledger()?)?;
        anyhow::ensure!(
            report.ok() == self.fill,
            "filling: {} of {} taken; {}",
            report.ok(),
            self.fill,
            report.troubles()
        );
        let ledger = host.ledger()?;
        ledger.wait_until_idle(IDLE_MAX)?;
        let finished = ledger.done_runs()?;
        anyhow::ensure!(
            finished == self.fill,
            "filling: {finished} of {} runs finished",
            self.fill
        );
        drop(ledger);
        let filling = host.folder().to_owned();
        host.stop()?;
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::rename(filling, &folder)?;
        fs::write(stamp, "")?;
        Ok(folder)
    }

    pub(crate) fn empty_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.work.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(folder)
    }

    /// Events that no other source and no earlier start made.
    pub(crate) fn source(&self, kind: &str) -> Result<EventSource> {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        EventSource::new(kind, nanos)
    }

    pub(crate) fn load<'a>(
        &self,
        target: SocketAddr,
        connections: usize,
        pace: Pace,
        time_max: Duration,
        reins: &'a Reins,
    ) -> Load<'a> {
        Load {
            target,
            connections,
            pace,
            time_max,
            events_max: u64::MAX,
            reins,
        }
    }
}

/// Sends as fast as runs are finished: never more than `BACKLOG_MAX` of them are open.
pub(crate) fn run_within_backlog(
    load: &Load,
    source: &mut EventSource,
    ledger: &LedgerView,
) -> Result<Report> {
    load.reins.allowed.store(BACKLOG_MAX, Ordering::Relaxed);
    thread::scope(|scope| {
        let sender = scope.spawn(|| load::run(load, source));
        let watched = (|| {
            while !sender.is_finished() {
                let answered = load.reins.answered.load(Ordering::Relaxed);
                let room = BACKLOG_MAX.saturating_sub(ledger.open_runs()?);
                load.reins.allowed.store(answered + room, Ordering::Relaxed);
                thread::sleep(BACKLOG_LOOK_EVERY);
            }
            anyhow::Ok(())
        })();
        load.reins.stop.store(watched.is_err(), Ordering::Relaxed);
        let report = sender
            .join()
            .map_err(|_| anyhow::anyhow!("the generator panicked"))?;
        watched?;
        report
    })
}

pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()))?;
        } else if entry.file_type()?.is_file() {
            let copy = to.join(entry.file_name());
            fs::copy(entry.path(), &copy)?;
            // What is left unwritten would reach the disk during the measurement.
            fs::File::open(copy)?.sync_all()?;
        }
    }
    Ok(())
}

/// FNV-1a: enough to tell two schemas apart, and the same tomorrow.
fn checksum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |sum, it| {
        (sum ^ u32::from(it)).wrapping_mul(0x0100_0193)
    })
}
