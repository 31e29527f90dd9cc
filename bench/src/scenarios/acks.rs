//! Durable acks: the rate beside that of a server that keeps nothing, measured in turn.

use crate::bare::Bare;
use crate::bench::Bench;
use crate::host::Host;
use crate::load::{self, Reins, thread_cpu};
use crate::pace::Pace;
use crate::process;
use crate::report::Report;
use crate::setup::{self, KIND};
use crate::table::{median, number};
use anyhow::Result;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) fn fresh(bench: &mut Bench) -> Result<()> {
    generator(bench)?;
    let bare = Bare::start(&bench.this_program)?;
    let host = bench.fresh_host("acks", &setup::unwanted())?;
    in_turn(bench, &bare, &host, 64, "empty ledger")?;
    in_turn(bench, &bare, &host, 1, "empty ledger")?;
    bench.done_with(host)
}

pub(crate) fn filled(bench: &mut Bench) -> Result<()> {
    let bare = Bare::start(&bench.this_program)?;
    let host = bench.filled_host("acks-filled", &setup::unwanted())?;
    let label = format!("{} events in the ledger", number(bench.fill as f64));
    in_turn(bench, &bare, &host, 64, &label)?;
    bench.done_with(host)
}

/// What one side did in one round.
struct Round {
    report: Report,
    cpu: Duration,
}

impl Round {
    fn cpu_us_per_ack(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.report.ok().max(1) as f64
    }
}

fn in_turn(
    bench: &mut Bench,
    bare: &Bare,
    host: &Host,
    connections: usize,
    label: &str,
) -> Result<()> {
    let (mut bare_rounds, mut host_rounds) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        bare_rounds.push(round(bench, bare.address(), bare.pid(), connections)?);
        host_rounds.push(round(bench, host.address(), host.pid(), connections)?);
    }
    let of = |rounds: &[Round], figure: fn(&Round) -> f64| {
        median(&rounds.iter().map(figure).collect::<Vec<_>>())
    };
    let ratios: Vec<f64> = host_rounds
        .iter()
        .zip(&bare_rounds)
        .map(|(host, bare)| host.report.rate() / bare.report.rate())
        .collect();
    let plural = if connections == 1 { "" } else { "s" };
    for (name, rounds, ratio) in [
        ("bare", &bare_rounds, None),
        ("hookyard", &host_rounds, Some(median(&ratios))),
    ] {
        let troubles: Vec<String> = rounds
            .iter()
            .map(|it| it.report.troubles())
            .filter(|it| !it.is_empty())
            .collect();
        let rates: Vec<String> = rounds.iter().map(|it| number(it.report.rate())).collect();
        bench.table.add(
            format!("{name}: acks/s, {connections} connection{plural}, {label}"),
            number(of(rounds, |it| it.report.rate())),
            ratio,
            format!(
                "p50 {:.2} ms, p99 {:.2} ms, CPU {:.1} us an ack; rounds {} {}",
                of(rounds, |it| it.report.quantile_ms(0.5)),
                of(rounds, |it| it.report.quantile_ms(0.99)),
                of(rounds, Round::cpu_us_per_ack),
                rates.join(" "),
                troubles.join("; "),
            ),
        );
    }
    Ok(())
}

fn round(bench: &Bench, target: SocketAddr, pid: u32, connections: usize) -> Result<Round> {
    let reins = Reins::default();
    let before = process::cpu(pid)?;
    let load = bench.load(target, connections, Pace::Closed, bench.round, &reins);
    let report = load::run(&load, &mut bench.source(KIND)?)?;
    Ok(Round {
        report,
        cpu: process::cpu(pid)?.saturating_sub(before),
    })
}

/// What the generator itself takes of the machine that it shares.
fn generator(bench: &mut Bench) -> Result<()> {
    let mut source = bench.source(KIND)?;
    let mut request = source.request();
    let times = bench.count(100_000);
    let before = thread_cpu();
    for _ in 0..times {
        source.renew(&mut request);
    }
    let making = (thread_cpu() - before).as_secs_f64() * 1e6 / times as f64;
    let bare = Bare::start(&bench.this_program)?;
    let reins = Reins::default();
    let load = bench.load(bare.address(), 64, Pace::Closed, bench.round, &reins);
    let report = load::run(&load, &mut source)?;
    bench.table.add(
        "generator: CPU us an event",
        number(report.cpu.as_secs_f64() * 1e6 / report.ok().max(1) as f64),
        None,
        format!(
            "of which making and signing {making:.2}; an event has {} bytes",
            source.body_bytes()
        ),
    );
    Ok(())
}
