//! The one table that comes out of it all.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// Adds a figure, and says it at once: a whole run takes many minutes.
    pub(crate) fn add(
        &mut self,
        figure: impl Into<String>,
        value: impl Into<String>,
        of_bare: Option<f64>,
        note: impl Into<String>,
    ) {
        let of_bare = of_bare.map_or_else(String::new, |it| format!("{it:.2}"));
        let row = [
            figure.into(),
            value.into(),
            of_bare,
            note.into().trim().to_owned(),
        ];
        eprintln!("  {}", row.join(" · "));
        self.rows.push(row);
    }

    /// Markdown, with the facts of the machine above it.
    pub(crate) fn markdown(&self, work: &Path) -> String {
        let mut text = machine(work);
        text.push_str("\n| figure | measured | of bare hyper | remarks |\n|---|---|---|---|\n");
        for [figure, value, of_bare, note] in &self.rows {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {figure} | {value} | {of_bare} | {note} |");
        }
        text
    }
}

/// `12,345` for what is large, `1.23` for what is small, `7` for what is whole.
pub(crate) fn number(it: f64) -> String {
    if it < 100.0 && it.fract() != 0.0 {
        return format!("{it:.2}");
    }
    let digits = format!("{it:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The one in the middle; the upper one of two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

fn machine(work: &Path) -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|it| it.strip_prefix("model name"))
        .unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib: f64 = meminfo
        .lines()
        .find_map(|it| it.strip_prefix("MemTotal:"))
        .and_then(|it| it.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0.0);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "- machine: {} × {}, {:.0} GiB, Linux {}, data on {}\n- at {}, commit {}, {}; load average before the end: {}\n",
        cores,
        model.trim_start_matches([':', '\t', ' ']),
        memory_kib / 1024.0 / 1024.0,
        said("uname", &["-r"]),
        said("stat", &["-f", "-c", "%T", &work.display().to_string()]),
        said("date", &["-u", "+%Y-%m-%dT%H:%MZ"]),
        said("git", &["describe", "--always", "--dirty"]),
        said("rustc", &["--version"]),
        load.trim(),
    )
}

/// A fact that is nice to have; `?` where the program is not there.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output
        .map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned())
        .unwrap_or_default();
    if text.is_empty() { "?".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(number(1_234_567.0), "1,234,567");
        assert_eq!(number(123.4), "123");
        assert_eq!(number(3.456), "3.46");
        assert_eq!(number(7.0), "7");
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert!((median(&[5.0, 1.0, 3.0]) - 3.0).abs() < f64::EPSILON);
    }
}
