//! A disk that is full or ill: nothing is acknowledged that is not stored, and nothing that was is lost.

use crate::effects;
use crate::support::{
    Delivery, FakeService, Faults, Host, HostSetup, Load, PATH, event, eventually, tell,
};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);
const SMALL_DISK_BYTES: usize = 48 << 20;
/// What is in the small disk's way until there is to be room.
const BALLAST_BYTES: usize = 36 << 20;

#[test]
fn a_full_disk_is_answered_503_and_all_goes_on_when_there_is_room() {
    for grows_only in [false, true] {
        let service = FakeService::start();
        let mut host = effects::host("127.1.0.4", &service).start();
        assert!(host.terminate().success());
        let trigger = host.folder().join("full");
        let mut faults = Faults::none().full_while(&host.data(), &trigger);
        if grows_only {
            faults = faults.full_for_growth_only();
        }
        host.restart_with(&faults);
        let pid = host.pid();
        let mut load = Load::start(4, Duration::from_millis(5), effects::some);
        load.aim_at(host.address());
        eventually(SOON, || load.acknowledged().len() > 100);
        for _ in 0..2 {
            let refused = load.count(is_refused);
            fs::write(&trigger, "").unwrap();
            eventually(SOON, || load.count(is_refused) > refused + 20);
            let ready = host.get("/readyz");
            assert_eq!(ready.status, 503);
            assert!(ready.text().contains("no space is left on the disk"));
            fs::remove_file(&trigger).unwrap();
            let acknowledged = load.acknowledged().len();
            eventually(SOON, || load.acknowledged().len() > acknowledged + 50);
            assert_eq!(host.get("/readyz").status, 200);
        }
        works_on_after_a_full_disk(&host, &mut load, &service, "a full disk");
        assert_eq!(host.pid(), pid, "without a restart");
        assert!(host.is_running());
    }
}

#[test]
fn a_small_file_system_that_fills_up_is_answered_503_until_there_is_room() {
    let service = FakeService::start();
    let mut host = effects::host("127.1.0.5", &service).start();
    assert!(host.terminate().success());
    let Some(_disk) = SmallDisk::mount(&host.data()) else {
        // The test above says the same with a disk that only plays full.
        tell(
            "small disk: this machine lets the test mount nothing; a full disk is shown by injected faults only",
        );
        return;
    };
    let ballast = host.data().join("ballast");
    fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    host.restart();
    let mut load = Load::start(4, Duration::from_millis(5), effects::some);
    load.aim_at(host.address());
    let mut big = Load::start(1, Duration::ZERO, |_, _| effects::big());
    big.aim_at(host.address());
    eventually(SOON, || load.count(is_refused) > 20);
    big.stop();
    fs::remove_file(&ballast).unwrap();
    let acknowledged = load.acknowledged().len();
    eventually(SOON, || load.acknowledged().len() > acknowledged + 20);
    let stored = host.ledger().texts("SELECT id FROM events");
    assert_eq!(effects::missing(&big.acknowledged(), &stored), 0);
    works_on_after_a_full_disk(&host, &mut load, &service, "a small file system");
    assert!(host.is_running());
}

fn works_on_after_a_full_disk(host: &Host, load: &mut Load, service: &FakeService, what: &str) {
    load.stop();
    let figures = effects::prove(host, load, service, &[]);
    for it in load.deliveries() {
        assert_eq!(it.retry_after.is_some(), is_refused(&it), "{it:?}");
    }
    assert_eq!(load.count(|it| it.status.is_none()), 0, "all are answered");
    assert!(host.log().contains("no space is left on the disk"));
    tell(&format!("{what}: {figures}"));
}

#[test]
fn a_save_that_a_full_disk_refused_comes_into_force_by_itself_when_there_is_room() {
    let saying = |what: &str| format!("records(\"said\").set(\"it\", #{{ what: \"{what}\" }});");
    let setup = HostSetup::one_handler("[\"invoice.paid\"]", "[\"said\"]", &saying("old"));
    let mut host = setup.start();
    assert!(host.terminate().success());
    let trigger = host.folder().join("full");
    host.restart_with(&Faults::none().full_while(&host.data(), &trigger));
    fs::write(&trigger, "").unwrap();
    host.save("scripts/only.rhai", &saying("new"));
    eventually(SOON, || host.log().contains("nothing was changed: "));
    fs::remove_file(&trigger).unwrap();
    eventually(SOON, || host.log().contains("reloaded: "));
    assert_eq!(host.post(&event("invoice.paid", "in_1")).status, 200);
    let said = || host.ledger().record("said", "it");
    eventually(SOON, || said().is_some());
    assert_eq!(said(), Some(json!({ "what": "new" })));
}

/// What stands in the data folder's place at the next start.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// The same files: the machine went on.
    Same,
    /// What a power cut leaves: the pages whose sync has failed are not on the disk.
    AfterPowerCut,
}

#[test]
fn a_failed_sync_of_the_log_ends_the_host_without_a_wrong_answer() {
    for next in [Next::Same, Next::AfterPowerCut] {
        let service = FakeService::start();
        let mut ill = Ill::start("127.1.0.6", &service, "ledger.db-wal", next);
        let mut load = Load::start(6, Duration::from_millis(2), effects::some);
        load.aim_at(ill.host.address());
        eventually(SOON, || load.acknowledged().len() > 200);
        ill.sync_fails();
        eventually(SOON, || !ill.trigger.exists());
        no_yes_after(&mut ill.host, &mut load);
        ill.ends_well(&load, &service, "log");
    }
}

#[test]
fn a_failed_sync_of_the_database_ends_the_host_without_a_wrong_answer() {
    for next in [Next::Same, Next::AfterPowerCut] {
        let service = FakeService::start();
        let mut ill = Ill::start("127.1.0.7", &service, "ledger.db", next);
        // Those of the start are over; the next is a checkpoint's.
        ill.sync_fails();
        let mut load = Load::start(4, Duration::from_millis(10), effects::some);
        let mut big = Load::start(3, Duration::ZERO, |_, _| effects::big());
        load.aim_at(ill.host.address());
        big.aim_at(ill.host.address());
        eventually(SOON * 3, || !ill.trigger.exists());
        let big = no_yes_after(&mut ill.host, &mut big);
        no_yes_after(&mut ill.host, &mut load);
        ill.ends_well(&load, &service, "database");
        let stored = ill.host.ledger().texts("SELECT id FROM events");
        assert_eq!(effects::missing(&big, &stored), 0);
    }
}

#[test]
fn a_failed_sync_at_a_checkpoints_end_ends_the_host_without_a_wrong_answer() {
    /// Frames at which the log is to begin anew, as bytes of it.
    const CHECKPOINT_AT_BYTES: u64 = 16_000 * 4_120;
    let service = FakeService::start();
    let mut ill = Ill::start("127.1.0.8", &service, "ledger.db", Next::AfterPowerCut);
    let mut client = ill.host.client();
    let mut acknowledged = Vec::new();
    let mut post = |acknowledged: &mut Vec<String>| {
        let it = effects::big();
        assert_eq!(client.post(PATH, &it).unwrap().status, 200);
        acknowledged.push(it.id);
    };
    let length = |file: PathBuf| fs::metadata(file).map_or(0, |it| it.len());
    // Nothing is copied that a reader does not see yet, and so the log grows.
    let looking = ill.host.ledger();
    looking.hold_view();
    while length(ill.host.data().join("ledger.db-wal")) < CHECKPOINT_AT_BYTES {
        post(&mut acknowledged);
    }
    drop(looking);
    while length(ill.host.data().join("ledger.db")) < CHECKPOINT_AT_BYTES / 8 {
        post(&mut acknowledged);
    }
    // Nobody writes, so that the thread copies all that there is, and says that it has done its last; the next sync is that
    // of the writer's rest. Should the writer have done that already, the law is the same.
    eventually(SOON, || ill.host.log().contains("the log is copied"));
    ill.sync_fails();
    let mut load = Load::start(1, Duration::from_millis(10), effects::some);
    load.aim_at(ill.host.address());
    eventually(SOON, || !ill.trigger.exists());
    no_yes_after(&mut ill.host, &mut load);
    ill.ends_well(&load, &service, "database, at a checkpoint's end");
    let stored = ill.host.ledger().texts("SELECT id FROM events");
    assert_eq!(effects::missing(&acknowledged, &stored), 0);
}

/// A host one of whose files cannot be synced once.
struct Ill {
    host: Host,
    trigger: PathBuf,
    twin: PathBuf,
    next: Next,
}

impl Ill {
    fn start(ip: &str, service: &FakeService, file: &str, next: Next) -> Self {
        let setup = effects::host(ip, service).env("HOOKYARD_LOG", "info,hookyard::ledger=debug");
        let mut host = setup.start();
        assert!(host.terminate().success());
        let trigger = host.folder().join("sync-fails");
        let twin = host.folder().join("twin");
        let mut faults = Faults::none().sync_fails_when(file, &trigger);
        if next == Next::AfterPowerCut {
            faults = faults.power(&host.data(), &twin, 0, 1);
        }
        host.restart_with(&faults);
        Self {
            host,
            trigger,
            twin,
            next,
        }
    }

    fn sync_fails(&self) {
        fs::write(&self.trigger, "").unwrap();
    }

    /// The host has said why it ended, and a fresh one has all that was acknowledged.
    fn ends_well(&mut self, load: &Load, service: &FakeService, what: &str) {
        assert!(load.count(is_refused) > 0, "who waited was answered 503");
        let log = self.host.log();
        assert!(log.contains("the ledger stops: "), "{log}");
        let end = effects::end(service);
        let after = match self.next {
            Next::Same => "",
            Next::AfterPowerCut => {
                fs::remove_dir_all(self.host.data()).unwrap();
                fs::rename(&self.twin, self.host.data()).unwrap();
                " and a power cut"
            }
        };
        self.host.restart();
        let it = event("customer.updated", "cus_1").with("page", 9999);
        assert_eq!(self.host.post(&it).status, 200);
        let figures = effects::prove(&self.host, load, service, &[end]);
        tell(&format!("failed sync of the {what}{after}: {figures}"));
    }
}

/// Waits for the end of the host; nothing that was begun from now on may have been acknowledged. Returns what was.
fn no_yes_after(host: &mut Host, load: &mut Load) -> Vec<String> {
    let failed = Instant::now();
    let status = host.wait();
    assert!(status.code().is_some_and(|it| it != 0), "{status}");
    load.stop();
    let wrong = load.count(|it| it.begun > failed && it.is_acknowledged());
    assert_eq!(wrong, 0, "acknowledged after the sync had failed");
    load.acknowledged()
}

fn is_refused(it: &Delivery) -> bool {
    it.status == Some(503)
}

/// A file system in memory, taken away when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Needs rights that not every machine gives.
    fn mount(at: &Path) -> Option<Self> {
        let options = format!("size={SMALL_DISK_BYTES},mode=700");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(at)
            .output()
            .ok()?;
        output.status.success().then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the host may still be at work in it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
