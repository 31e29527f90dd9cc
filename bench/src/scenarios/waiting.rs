//! Thousands of runs that wait for a slow service at once, while other events come and are worked off.

use crate::bench::{Bench, IDLE_MAX};
use crate::host::Host;
use crate::load::{self, Load, Reins};
use crate::pace::Pace;
use crate::probe::Probe;
use crate::report::Report;
use crate::setup::{self, KIND};
use crate::slow::SlowService;
use crate::table::number;
use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

const WAITING: u64 = 5_000;
const ANSWER_AFTER: Duration = Duration::from_secs(3);
/// Events of the other handler.
const RATE: u32 = 200;
const QUIET: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let wanted = bench.count(WAITING);
    wait_with(bench, wanted, wanted / 10)?;
    wait_with(bench, wanted, wanted)?;
    wait_for_nothing(bench, wanted)
}

/// So many runs wait, for an answer or for one of so many connections.
fn wait_with(bench: &mut Bench, wanted: u64, connections: u64) -> Result<()> {
    let service = SlowService::start(ANSWER_AFTER)?;
    let setup = setup::waiting(&service.url(), connections, setup::WAITING);
    let host = bench.fresh_host("waiting", &setup)?;
    let it = flood(bench, &host, wanted, |_| Ok(service.answered() < wanted))?;
    bench.table.add(
        format!(
            "runs that waited at once for a service that answers after {} s, {connections} connections",
            ANSWER_AFTER.as_secs()
        ),
        number(it.sent.ok() as f64),
        None,
        format!(
            "{} finished, all within {:.1} s of the first event; {} asked the service at once {}",
            it.finished,
            it.took.as_secs_f64(),
            number(service.waiting_peak() as f64),
            it.sent.troubles()
        ),
    );
    it.tell(bench, "while they wait");
    bench.done_with(host)
}

/// What the flood of events itself does to others: the same one, to a handler that calls nothing.
fn wait_for_nothing(bench: &mut Bench, wanted: u64) -> Result<()> {
    let service = SlowService::start(ANSWER_AFTER)?;
    let setup = setup::waiting(&service.url(), wanted, setup::NOT_WAITING);
    let host = bench.fresh_host("waiting", &setup)?;
    let mut end = None;
    let wait = bench.time(ANSWER_AFTER);
    let it = flood(bench, &host, wanted, |is_sent| {
        if is_sent {
            end.get_or_insert_with(|| Instant::now() + wait);
        }
        Ok(end.is_none_or(|it| Instant::now() < it))
    })?;
    bench.table.add(
        "runs of the same events that call nothing",
        number(it.sent.ok() as f64),
        None,
        format!(
            "{} finished; watched for {:.1} s from the first event on {}",
            it.finished,
            it.took.as_secs_f64(),
            it.sent.troubles()
        ),
    );
    it.tell(bench, "and nothing waits");
    bench.done_with(host)
}

/// What so many events at once did.
struct Flooded {
    sent: Report,
    finished: u64,
    took: Duration,
    quiet: Beside,
    busy: Beside,
    rss_before: f64,
    rss_peak: f64,
}

/// Sends so many events to the handler `waiting` as fast as they are acknowledged, after a quiet time. Others are watched
/// as long as `goes_on` says so, which is told whether all are sent.
fn flood(
    bench: &Bench,
    host: &Host,
    wanted: u64,
    mut goes_on: impl FnMut(bool) -> Result<bool>,
) -> Result<Flooded> {
    let quiet_end = Instant::now() + bench.time(QUIET);
    let quiet = beside(bench, host, || Ok(Instant::now() < quiet_end))?;

    let start = Instant::now();
    let rss_before = host.rss_mib()?;
    let mut rss_peak = rss_before;
    let reins = Reins::default();
    let mut source = bench.source("invoice.created")?;
    let load = bench.load(
        host.address(),
        64,
        Pace::Closed,
        Duration::from_secs(60),
        &reins,
    );
    let load = Load {
        events_max: wanted,
        ..load
    };
    let (busy, sent) = thread::scope(|scope| {
        let sender = scope.spawn(|| load::run(&load, &mut source));
        let busy = beside(bench, host, || {
            rss_peak = rss_peak.max(host.rss_mib()?);
            Ok(goes_on(sender.is_finished())? && start.elapsed() < IDLE_MAX)
        });
        let sent = sender
            .join()
            .map_err(|_| anyhow!("the generator panicked"))?;
        anyhow::Ok((busy?, sent?))
    })?;
    let ledger = host.ledger()?;
    ledger.wait_until_idle(IDLE_MAX)?;
    Ok(Flooded {
        sent,
        finished: ledger.count_records("waited", "evt_")?,
        took: start.elapsed(),
        quiet,
        busy,
        rss_before,
        rss_peak,
    })
}

impl Flooded {
    fn tell(&self, bench: &mut Bench, when: &str) {
        let (before, peak) = (self.rss_before, self.rss_peak);
        bench.table.add(
            format!("memory growth {when}"),
            format!("{:.0} MiB", peak - before),
            None,
            format!("from {before:.0} to {peak:.0} MiB RSS"),
        );
        let (quiet, busy) = (&self.quiet, &self.busy);
        add(
            bench,
            &format!("ack p99 {when}"),
            &quiet.acks.latency_ns,
            &busy.acks.latency_ns,
            &busy.acks.troubles(),
        );
        add(
            bench,
            &format!("other handler, event to effect, p99 {when}"),
            &quiet.effects_ns,
            &busy.effects_ns,
            "",
        );
    }
}

/// How others fare.
pub(super) struct Beside {
    pub(super) acks: Report,
    pub(super) effects_ns: Histogram<u64>,
}

/// A steady load and a probe on the other handler, as long as `goes_on` says so.
pub(super) fn beside(
    bench: &Bench,
    host: &Host,
    mut goes_on: impl FnMut() -> Result<bool>,
) -> Result<Beside> {
    let reins = Reins::default();
    let load = bench.load(
        host.address(),
        16,
        Pace::PerSecond(RATE),
        Duration::from_secs(600),
        &reins,
    );
    let mut source = bench.source(KIND)?;
    let ledger = host.ledger()?;
    let mut probe = Probe::new(bench, host.address())?;
    thread::scope(|scope| {
        let sender = scope.spawn(|| load::run(&load, &mut source));
        let reins = &reins;
        let prober =
            scope.spawn(move || probe.effects(&ledger, || reins.stop.load(Ordering::Relaxed)));
        let watched = (|| {
            while goes_on()? && !sender.is_finished() && !prober.is_finished() {
                thread::sleep(LOOK_EVERY);
            }
            anyhow::Ok(())
        })();
        reins.stop.store(true, Ordering::Relaxed);
        let acks = sender
            .join()
            .map_err(|_| anyhow!("the generator panicked"))?;
        let effects_ns = prober.join().map_err(|_| anyhow!("the probe panicked"))?;
        watched?;
        Ok(Beside {
            acks: acks?,
            effects_ns: effects_ns?,
        })
    })
}

pub(super) fn add(
    bench: &mut Bench,
    figure: &str,
    quiet_ns: &Histogram<u64>,
    busy_ns: &Histogram<u64>,
    note: &str,
) {
    let ms = |it: &Histogram<u64>, quantile| it.value_at_quantile(quantile) as f64 / 1e6;
    bench.table.add(
        figure,
        format!("{:.2} ms", ms(busy_ns, 0.99)),
        None,
        format!(
            "before {:.2}; p50 {:.2}, before {:.2} ms {note}",
            ms(quiet_ns, 0.99),
            ms(busy_ns, 0.5),
            ms(quiet_ns, 0.5)
        ),
    );
}
