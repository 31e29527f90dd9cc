//! What a process costs, as /proc tells.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// CPU time of all threads that it has or had, user and system.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).context(path)?;
    // The name in brackets may hold anything, blanks too.
    let rest = text.rsplit_once(')').context("a line of /proc/PID/stat")?.1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks: u64 = fields.get(11).context("utime")?.parse::<u64>()?
        + fields.get(12).context("stime")?.parse::<u64>()?;
    Ok(Duration::from_secs_f64(
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
    ))
}

/// CPU time of its living threads by their names, without the numbers at their ends.
pub(crate) fn cpu_by_thread(pid: u32) -> Result<BTreeMap<String, Duration>> {
    let mut times = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let folder = task?.path();
        // A thread may end while we look.
        let (Ok(name), Ok(spent)) = (
            fs::read_to_string(folder.join("comm")),
            fs::read_to_string(folder.join("schedstat")),
        ) else {
            continue;
        };
        let nanos = spent
            .split(' ')
            .next()
            .and_then(|it| it.parse().ok())
            .unwrap_or(0);
        let name = name
            .trim()
            .trim_end_matches(|it: char| it.is_ascii_digit() || it == '-')
            .to_owned();
        *times.entry(name).or_insert(Duration::ZERO) += Duration::from_nanos(nanos);
    }
    Ok(times)
}

/// Memory that it holds now, in KiB.
pub(crate) fn rss_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

fn status_kib(pid: u32, field: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).context(path)?;
    let line = text
        .lines()
        .find_map(|it| it.strip_prefix(field))
        .with_context(|| format!("no {field}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Bytes of all files in a folder.
pub(crate) fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        // A file may go while we look.
        let Ok(it) = entry.metadata() else { continue };
        bytes += if it.is_dir() {
            folder_bytes(&entry.path())?
        } else {
            it.len()
        };
    }
    Ok(bytes)
}
