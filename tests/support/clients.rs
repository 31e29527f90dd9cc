//! Programs that others wrote, installed by name from their registries; and small programs of ours that drive them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

/// From PyPI. localstripe and what it needs are only ever run as programs of their own.
const FROM_PYPI: [&str; 3] = ["stripe", "localstripe", "aiohttp"];
const FROM_NPM: [&str; 2] = ["stripe", "@stripe/cli"];

/// `python PROGRAM`, a file of tests/clients, with the packages of PyPI.
pub fn python(program: &str) -> Command {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let python = PYTHON.get_or_init(|| {
        installed("python", &FROM_PYPI, |folder| {
            must(
                "python3",
                Command::new("python3").args(["-m", "venv"]).arg(folder),
            );
            let pip = folder.join("bin/pip");
            let quiet = ["install", "--quiet", "--disable-pip-version-check"];
            must("pip", Command::new(pip).args(quiet).args(FROM_PYPI));
        })
        .join("bin/python")
    });
    let mut command = Command::new(python);
    command.arg(ours(program));
    command
}

/// `node PROGRAM`, a file of tests/clients, with the packages of npm.
pub fn node(program: &str) -> Command {
    let mut command = Command::new("node");
    command.current_dir(from_npm()).arg(ours(program));
    command
}

/// The real Stripe CLI. `home` is where it may keep its settings; it tells nobody that it runs.
pub fn stripe_cli(home: &Path) -> Command {
    let packages = from_npm().join("node_modules/@stripe");
    let binary = fs::read_dir(&packages)
        .expect("npm made the folder")
        .filter_map(|it| it.ok().map(|it| it.path().join("bin/stripe")))
        .find(|it| it.is_file())
        .unwrap_or_else(|| panic!("no bin/stripe in {}", packages.display()));
    let mut command = Command::new(binary);
    command
        .envs([("STRIPE_CLI_TELEMETRY_OPTOUT", "1"), ("DO_NOT_TRACK", "1")])
        .envs([("HOME", home), ("XDG_CONFIG_HOME", home)])
        .current_dir(home);
    command
}

/// A program that runs until the test ends.
pub struct Running {
    child: Child,
}

impl Running {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|it| panic!("{command:?}: {it}"));
        Self { child }
    }

    /// Starts a server whose first line is the port of the loopback at which it listens.
    #[track_caller]
    pub fn server(command: &mut Command) -> (Self, SocketAddr) {
        let mut server = Self::start(command.stdout(Stdio::piped()));
        let stdout = server.child.stdout.take().expect("stdout is piped");
        let mut stdout = BufReader::new(stdout);
        let mut port = String::new();
        stdout.read_line(&mut port).expect("it says text");
        // It may not stand still because nobody reads what else it says.
        thread::spawn(move || io::copy(&mut stdout, &mut io::sink()));
        let port = port.trim_end().parse();
        let port = port.unwrap_or_else(|it| panic!("{command:?} says no port: {it}"));
        (server, SocketAddr::from(([127, 0, 0, 1], port)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program with this on its standard input, and returns what it printed; `Err` is what it complained.
pub fn output_of(command: &mut Command, input: &[u8]) -> Result<String, String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|it| panic!("{command:?}: {it}"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(input).expect("it reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("it can be waited for");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

fn ours(program: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(program)
}

fn from_npm() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        installed("node", &FROM_NPM, |folder| {
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]);
            must("npm", npm.arg("--prefix").arg(folder).args(FROM_NPM));
        })
    })
}

/// A folder below target/ with these packages, made once: by one of all the test programs that want it.
fn installed(name: &str, packages: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients");
    fs::create_dir_all(&all).expect("target/ can be written");
    let lock = File::create(all.join(format!("{name}.lock"))).expect("target/ can be written");
    lock.lock().expect("a file can be locked");
    let folder = all.join(name);
    let done = folder.join("installed");
    let wanted = packages.join(" ");
    if fs::read_to_string(&done).ok().as_deref() != Some(wanted.as_str()) {
        // Half of an installation that was interrupted is worth nothing.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("target/ can be written");
        install(&folder);
        fs::write(&done, wanted).expect("target/ can be written");
    }
    folder
}

fn must(name: &str, command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|it| {
        panic!("`{name}` cannot be run ({it}); tests/run installs what these tests need")
    });
    assert!(
        output.status.success(),
        "{command:?} failed; tests/run installs what these tests need, and they need the registries of PyPI and npm:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
