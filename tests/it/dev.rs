//! What a newcomer runs first: `hookyard init` and `hookyard dev`, without any set-up.

use crate::support::{eventually, eventually_some};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(30);

/// The program in a folder, in an environment in which nothing is set.
fn hookyard(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
    command
        .current_dir(folder)
        .args(args)
        .env_remove("STRIPE_WEBHOOK_SECRET")
        .env_remove("ACCOUNTING_TOKEN");
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    hookyard(folder, args).output().unwrap()
}

/// A running `hookyard dev`; killed when dropped.
struct Dev {
    child: Child,
    said: Arc<Mutex<String>>,
    folder: TempDir,
}

impl Dev {
    /// In a folder with the sample, of which `edit` may make something else first.
    fn start(edit: impl Fn(&Path)) -> Self {
        let folder = TempDir::with_prefix("hookyard-dev-").unwrap();
        assert!(run(folder.path(), &["init"]).status.success());
        edit(folder.path());
        let mut child = hookyard(folder.path(), &["dev"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (stdout, heard) = (child.stdout.take().unwrap(), said.clone());
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                *heard.lock().unwrap() += &format!("{line}\n");
            }
        });
        Self {
            child,
            said,
            folder,
        }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    #[track_caller]
    fn waits_for(&self, what: &str) -> String {
        eventually(SOON, || self.said().contains(what));
        self.said()
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join(file)
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        edit(self.folder.path(), file, from, to);
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- dev said ---\n{}", self.said());
        }
    }
}

fn edit(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// Tests run side by side: each takes what port is free.
fn on_a_free_port(folder: &Path) {
    edit(folder, "handlers.toml", "127.0.0.1:4242", "127.0.0.1:0");
}

#[test]
fn a_newcomer_sees_what_the_sample_does_edits_it_and_sees_that_too() {
    let mut dev = Dev::start(on_a_free_port);
    let said = dev.waits_for("Now edit a script");
    for line in [
        "Ready! Your webhook signing secret is whsec_",
        "(^C to quit)",
        "nothing real is called: a stand-in answers 200 for accounting",
        "made-up values stand in for what is not set: ACCOUNTING_TOKEN, STRIPE_WEBHOOK_SECRET",
        "done  subscription ran for customer.subscription.created",
        "    status: \"active\" → \"canceled\"",
        "done  invoice-paid ran for invoice.paid",
        "  called accounting  POST /invoices/in_",
        "    answered 200  {",
        "    booking: \"standin_",
        "    status: \"paid\"",
    ] {
        assert!(said.contains(line), "{line}");
    }
    // Both events of one payment came, and accounting was told once.
    assert!(said.contains("invoice-paid ran for invoice.payment_succeeded"));
    assert_eq!(said.matches("called accounting").count(), 1);

    let script = "scripts/invoice_paid.rhai";
    dev.edit(script, "status: \"paid\"", "status: \"settled\"");
    dev.waits_for("    status: \"settled\"");
    // Only the handler of that script got its events again.
    assert_eq!(dev.said().matches("sent  customer.subscription").count(), 3);

    dev.edit(script, "invoice.customer", "invoice.custmer");
    let said = dev.waits_for("did you mean `event.data.object.customer`?");
    assert!(said.contains(" --> scripts/invoice_paid.rhai:14:"));
    assert!(said.contains("14 |     customer: invoice.custmer,"));

    dev.edit(script, "let amount =", "var amount =");
    let said = dev.waits_for("there is no `var` here");
    assert!(said.contains("= help: write `let`"), "{said}");
    dev.waits_for("handler `invoice-paid` stays on version");

    kill_process(Pid::from_child(&dev.child), Signal::INT).unwrap();
    let status = eventually_some(SOON, || dev.child.try_wait().unwrap());
    assert!(status.success());
    dev.waits_for("Stopped");
}

#[test]
fn other_commands_see_what_dev_does_and_trigger_signs_for_it() {
    let dev = Dev::start(on_a_free_port);
    dev.waits_for("Now edit a script");
    let data = ["--data", ".hookyard-dev"];
    let list = run(
        dev.folder.path(),
        &[&["runs", "list", "--json"][..], &data].concat(),
    );
    assert_eq!(String::from_utf8_lossy(&list.stdout).lines().count(), 5);
    let before = dev.said().matches("ran for invoice.paid").count();
    let sent = run(
        dev.folder.path(),
        &[&["trigger", "invoice.paid"][..], &data].concat(),
    );
    assert!(sent.status.success(), "{sent:?}");
    eventually(SOON, || {
        dev.said().matches("ran for invoice.paid").count() == before + 1
    });
}

#[test]
fn a_port_that_is_taken_makes_dev_take_another_one_and_say_so() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let dev = Dev::start(|folder| edit(folder, "handlers.toml", "127.0.0.1:4242", &taken));
    dev.waits_for(&format!("{taken} is taken"));
    dev.waits_for("done  invoice-paid ran for invoice.paid");
}

#[test]
fn questions_are_answered_by_the_stand_in_and_shown() {
    let dev = Dev::start(|folder| {
        on_a_free_port(folder);
        fs::write(
            folder.join("scripts/invoice_paid.rhai"),
            "let it = service(\"accounting\").get(\"/rates?day=1\");\nlog.info(`status ${it.body.status}`);\n",
        )
        .unwrap();
    });
    let said = dev.waits_for("log line 2: status ok");
    assert!(said.contains("asked  GET /accounting/rates?day=1  200"));
}

#[test]
fn init_never_overwrites_and_dev_leads_to_it() {
    let folder = TempDir::with_prefix("hookyard-init-").unwrap();
    let refused = run(folder.path(), &["dev"]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("hookyard init"), "{said}");
    assert!(!folder.path().join(".hookyard-dev").exists());

    let own = folder.path().join("scripts/subscription.rhai");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, "// mine").unwrap();
    assert!(run(folder.path(), &["init"]).status.success());
    assert_eq!(fs::read_to_string(own).unwrap(), "// mine");
    assert!(folder.path().join("handlers.toml").exists());
}

#[test]
fn the_data_of_a_real_host_is_not_filled_with_samples() {
    let dev = Dev::start(on_a_free_port);
    dev.waits_for("Now edit a script");
    assert!(dev.path(".hookyard-dev/ledger.db").exists());
    let real = dev.path("data");
    fs::create_dir(&real).unwrap();
    fs::write(real.join("ledger.db"), "").unwrap();
    // What a real host's environment says does not lead there; what is written does, and is refused.
    let refused = run(dev.folder.path(), &["dev", "--data", "data"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("is that of a real host"), "{said}");
    let second = hookyard(dev.folder.path(), &["dev"])
        .env("HOOKYARD_DATA", "data")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(".hookyard-dev is in use"), "{said}");
}
