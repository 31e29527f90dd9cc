//! The data folder under a running host: what is taken away from it, and who else may use it.

use crate::support::{Host, HostSetup, PATH, SECRET, event};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

fn host() -> Host {
    HostSetup::one_handler(
        "[\"customer.created\"]",
        "[\"customers\"]",
        "let it = event.data.object;\nrecords(\"customers\").set(it.id, #{});",
    )
    .start()
}

/// The host ends by itself, with an error that has these words, and acknowledges nothing any more.
fn ends_saying(host: &mut Host, words: &str) {
    // It may look by itself at this moment, and be gone.
    if let Ok(answer) = host
        .client()
        .post(PATH, &event("customer.created", "cus_1"))
    {
        assert_eq!(answer.status, 503, "acknowledged into what is gone");
    }
    let status = host.wait();
    assert!(status.code().is_some_and(|it| it != 0), "{status}");
    assert!(host.log().contains(words), "{}", host.log());
}

#[test]
fn a_host_whose_data_folder_is_deleted_stops_to_acknowledge_and_says_why() {
    let mut host = host();
    assert_eq!(host.post(&event("customer.created", "cus_0")).status, 200);
    fs::remove_dir_all(host.data()).unwrap();
    ends_saying(&mut host, "ledger.db was deleted or moved away");
    host.restart();
    assert_eq!(host.post(&event("customer.created", "cus_0")).status, 200);
}

#[test]
fn no_event_is_acknowledged_after_the_data_folder_was_deleted_or_moved_away() {
    for is_deleted in [true, false] {
        let mut host = host();
        let mut client = host.client();
        // Events one after another, so that a look that comes only now and then has just been made.
        for number in 0..20 {
            let it = event("customer.created", &format!("cus_{number}"));
            assert_eq!(client.post(PATH, &it).unwrap().status, 200);
        }
        if is_deleted {
            fs::remove_dir_all(host.data()).unwrap();
        } else {
            fs::rename(host.data(), host.folder().join("moved")).unwrap();
        }
        ends_saying(&mut host, "ledger.db was deleted or moved away");
    }
}

#[test]
fn a_host_to_which_nobody_posts_notices_that_its_log_was_replaced() {
    let mut host = host();
    // All its parts are up.
    assert!(host.command(&["reload"]).output().unwrap().status.success());
    let log = host.data().join("ledger.db-wal");
    fs::rename(&log, host.folder().join("aside")).unwrap();
    fs::write(&log, "").unwrap();
    let status = host.wait();
    assert!(status.code().is_some_and(|it| it != 0), "{status}");
    assert!(
        host.log()
            .contains("ledger.db-wal was replaced by another file"),
        "{}",
        host.log()
    );
}

#[test]
fn a_second_host_is_refused_also_when_the_lock_file_was_deleted() {
    let host = host();
    fs::remove_file(host.data().join("lock")).unwrap();
    let output = host.command(&["serve"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("is in use by another process"), "{said}");
    assert_eq!(host.post(&event("customer.created", "cus_1")).status, 200);
}

#[test]
fn every_file_of_the_data_folder_is_its_owners_alone_whatever_the_folder_allows() {
    let mut host = host();
    assert!(host.terminate().success());
    fs::remove_dir_all(host.data()).unwrap();
    fs::create_dir(host.data()).unwrap();
    fs::set_permissions(host.data(), Permissions::from_mode(0o755)).unwrap();
    host.restart();
    assert_eq!(host.post(&event("customer.created", "cus_1")).status, 200);
    let modes = fs::read_dir(host.data()).unwrap().map(|it| {
        let it = it.unwrap();
        let mode = it.metadata().unwrap().permissions().mode() & 0o777;
        (it.file_name().into_string().unwrap(), format!("{mode:o}"))
    });
    let modes: BTreeMap<String, String> = modes.collect();
    assert!(modes.len() >= 6, "{modes:?}");
    assert!(modes.values().all(|it| it == "600"), "{modes:?}");
}

#[test]
fn a_ledger_that_others_could_read_is_its_owners_alone_after_a_start_which_says_so() {
    let mut host = host();
    assert_eq!(host.post(&event("customer.created", "cus_1")).status, 200);
    host.kill9();
    let names = ["ledger.db", "ledger.db-wal", "ledger.db-shm", "running"];
    for name in names {
        fs::set_permissions(host.data().join(name), Permissions::from_mode(0o644)).unwrap();
    }
    host.restart();
    for name in names {
        let path = host.data().join(name);
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(format!("{mode:o}"), "600", "{name}");
        let told =
            format!("{name} could be used by others (mode 644): it is its owner's alone now");
        assert!(host.log().contains(&told), "{}", host.log());
    }
    assert_eq!(host.post(&event("customer.created", "cus_2")).status, 200);
}

#[test]
fn a_host_whose_socket_was_deleted_is_not_told_as_none_by_any_command() {
    let host = host();
    assert!(host.command(&["reload"]).output().unwrap().status.success());
    fs::remove_file(host.data().join("control.sock")).unwrap();
    for args in [&["reload"][..], &["services"], &["runs", "retry", "1"]] {
        let output = host.command(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = format!("(process {}), but no command reaches it", host.pid());
        assert!(said.contains(&told), "{args:?}: {said}");
    }
}

#[test]
fn a_start_that_fails_on_its_files_leaves_no_folder_behind() {
    let mut host = host();
    assert!(host.terminate().success());
    fs::remove_dir_all(host.data()).unwrap();
    host.save("handlers.toml", "[handlers.a\n");
    let log = host.try_restart(None).unwrap_err().log;
    assert!(log.contains("handlers.toml:"), "{log}");
    assert!(!host.data().exists());
}

#[test]
fn a_start_whose_port_is_taken_leaves_no_folder_behind() {
    let mut host = host();
    assert!(host.terminate().success());
    fs::remove_dir_all(host.data()).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = fs::read_to_string(host.folder().join("handlers.toml")).unwrap();
    host.save("handlers.toml", &config.replace("127.0.0.1:0", &address));
    let log = host.try_restart(None).unwrap_err().log;
    assert!(
        log.contains(&format!("cannot listen on {address}")),
        "{log}"
    );
    assert!(!host.data().exists());
    drop(taken);
    host.restart();
    assert_eq!(host.post(&event("customer.created", "cus_1")).status, 200);
}

#[test]
fn a_data_folder_whose_path_is_too_long_for_a_socket_is_refused_with_a_way_out_and_a_relative_one_works()
 {
    let mut host = host();
    assert!(host.terminate().success());
    let deep = host.folder().join("d".repeat(100));
    fs::create_dir(&deep).unwrap();
    let hookyard = |data: &Path, subcommand: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookyard"));
        command
            .arg(subcommand)
            .current_dir(&deep)
            .env("STRIPE_WEBHOOK_SECRET", SECRET)
            .env("HOOKYARD_CONFIG", host.folder().join("handlers.toml"))
            .env("HOOKYARD_DATA", data);
        command
    };
    let refused = |subcommand: &str| {
        let output = hookyard(&deep.join("data"), subcommand).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = refused("serve");
    let why = "and a socket's path has at most 107: give a shorter --data, such as a relative one";
    assert!(said.contains(why), "{said}");
    assert!(!deep.join("data").exists());

    let mut serve = hookyard(Path::new("data"), "serve");
    let mut running = serve
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(running.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let reload = hookyard(Path::new("data"), "reload").output().unwrap();
    let said = refused("reload");
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(line.starts_with("listening on"), "{line}");
    assert!(reload.status.success(), "{reload:?}");
    assert!(said.contains("(process ") && said.contains(why), "{said}");
}
