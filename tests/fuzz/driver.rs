//! Tries one target: its corpus first, then mutations of it, until the time is over or an input fails.

use crate::corpus::Corpus;
use crate::mutate::mutate;
use crate::random::Random;
use crate::smaller::smaller;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// As for the host's script threads.
const STACK_SIZE_BYTES: usize = 256 * 1024 * 1024;
const SECONDS: u64 = 2;
/// Whatever an input is, and however busy the machine.
const HANG: Duration = Duration::from_secs(60);
/// An input that took too long is tried again: another program may have had the processor.
const TRIES_MAX: usize = 5;

/// Something that reads what others wrote.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// What its format is made of.
    pub(crate) words: &'static [&'static str],
    /// More files to begin with, below the folder of the package.
    pub(crate) more: &'static [&'static str],
    pub(crate) size_bytes_max: usize,
    /// What one input may take.
    pub(crate) time_max: Duration,
    /// Makes what all inputs share. What it returns tries one input, fails on what must not be, and says in a few words
    /// what became of it.
    pub(crate) open: fn() -> Attempt,
    /// Outcomes that must have been among those seen: a target that refuses everything proves nothing.
    pub(crate) must_see: &'static [&'static str],
}

pub(crate) type Attempt = Box<dyn Fn(&[u8]) -> String>;

pub(crate) fn fuzz(target: &'static Target) {
    let (done, ended) = channel();
    let thread = std::thread::Builder::new()
        .name(target.name.into())
        .stack_size(STACK_SIZE_BYTES)
        .spawn(move || {
            match std::env::var("FUZZ_INPUT") {
                Ok(path) => replay(target, Path::new(&path)),
                Err(_) => search(target, &|| done.send(()).unwrap()),
            };
        })
        .unwrap();
    loop {
        match ended.recv_timeout(HANG) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => panic!(
                "`{}` hangs on the input in {}",
                target.name,
                folder(target).join("running").display()
            ),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn replay(target: &Target, path: &Path) {
    let is_of_target = path.components().any(|it| it.as_os_str() == target.name);
    if is_of_target {
        let input = fs::read(path).unwrap();
        println!("{}: {}", path.display(), (target.open)()(&input));
    }
}

fn search(target: &Target, is_alive: &dyn Fn()) {
    let (seconds, seed) = (
        variable("FUZZ_SECONDS", SECONDS),
        variable("FUZZ_SEED", 0x0068_6f6f_6b79_6172),
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("tests/fuzz/corpus").join(target.name)];
    folders.extend(target.more.iter().map(|it| root.join(it)));
    let mut corpus = Corpus::read(&folders, target.size_bytes_max);
    let running = Running::open(target);
    let attempt = (target.open)();
    let mut random = Random::new(seed);
    let (began, mut beat) = (Instant::now(), Instant::now());
    let mut tried = 0;
    let mut slowest = Duration::ZERO;
    while tried < corpus.files() || began.elapsed() < Duration::from_secs(seconds) {
        let input = if tried < corpus.files() {
            corpus.file(tried).to_vec()
        } else {
            let (one, other) = (corpus.one(&mut random), corpus.one(&mut random));
            mutate(one, other, target.words, target.size_bytes_max, &mut random)
        };
        running.is(&input);
        match outcome(&attempt, &input, target.time_max) {
            Ok((outcome, took)) => {
                corpus.note(&input, &outcome);
                slowest = slowest.max(took);
            }
            Err(why) => fail(target, &attempt, &input, &why),
        }
        tried += 1;
        if Duration::from_secs(1) < beat.elapsed() {
            beat = Instant::now();
            is_alive();
        }
    }
    println!(
        "{}: seed {seed}, {tried} inputs in {seconds} s, {} kinds of outcomes, the slowest took {slowest:?}",
        target.name,
        corpus.outcomes()
    );
    for it in target.must_see {
        assert!(corpus.has(it), "{}: no input came to `{it}`", target.name);
    }
}

/// What became of an input and how long it took, or why it fails.
fn outcome(
    attempt: &dyn Fn(&[u8]) -> String,
    input: &[u8],
    time_max: Duration,
) -> Result<(String, Duration), String> {
    let mut shortest = Duration::MAX;
    for _ in 0..TRIES_MAX {
        let began = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| attempt(input))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()))
                .unwrap_or_default()
        })?;
        shortest = shortest.min(began.elapsed());
        if shortest <= time_max {
            return Ok((outcome, shortest));
        }
    }
    Err(format!("it took {shortest:?}, more than {time_max:?}"))
}

fn fail(target: &Target, attempt: &dyn Fn(&[u8]) -> String, input: &[u8], why: &str) -> ! {
    std::panic::set_hook(Box::new(|_| {}));
    let it = smaller(input, &|it| outcome(attempt, it, target.time_max).is_err());
    let why = outcome(attempt, &it, target.time_max)
        .err()
        .unwrap_or_else(|| why.to_owned());
    drop(std::panic::take_hook());
    let path = folder(target).join(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&it)));
    fs::write(&path, &it).unwrap();
    panic!(
        "`{}` fails: {why}\n{}\nagain: FUZZ_INPUT={} cargo test --test fuzz",
        target.name,
        String::from_utf8_lossy(&it[..it.len().min(2_000)]),
        path.display()
    );
}

/// The input that is being tried, in a file: it is there to be looked at when the process does not survive it.
struct Running(File);

impl Running {
    fn open(target: &Target) -> Self {
        let folder = folder(target);
        fs::create_dir_all(&folder).unwrap();
        Self(File::create(folder.join("running")).unwrap())
    }

    fn is(&self, input: &[u8]) {
        self.0.set_len(input.len() as u64).unwrap();
        self.0.write_all_at(input, 0).unwrap();
    }
}

fn folder(target: &Target) -> PathBuf {
    let built = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    );
    built.join("fuzz").join(target.name)
}

fn variable(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(it) => it
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no whole number: {it}")),
        Err(_) => usual,
    }
}
