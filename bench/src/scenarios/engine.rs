//! What a pass through a script costs: measured by a program of its own, which says why.

use crate::bench::Bench;
use anyhow::{Context, Result, ensure};
use std::process::{Command, Stdio};

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let program = bench.this_program.with_file_name("hookyard-bench-engine");
    let measured = Command::new(&program)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    ensure!(
        measured.status.success(),
        "{}: {}",
        program.display(),
        measured.status
    );
    for line in String::from_utf8(measured.stdout)?.lines() {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        let (figure, value, note) = (next(), next(), next());
        bench.table.add(format!("us: {figure}"), value, None, note);
    }
    Ok(())
}
