//! The ways in which editors and tools save, one law each; those of a rename and of a mounted ConfigMap stand above.

use super::{
    ENDPOINT, IN_TIME, comes_into_force, config, handler, host, problems, reload, script,
    version_of,
};
use crate::support::{Host, HostSetup, eventually, tell};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long an editor may take over one save.
const PAUSE: Duration = Duration::from_millis(30);
/// The periodic look comes every 10 s.
const WITH_A_LOOK: Duration = Duration::from_secs(40);

fn path_of(host: &Host, name: &str) -> PathBuf {
    host.folder().join("scripts").join(name)
}

#[test]
fn vim_moves_the_old_file_aside_and_writes_a_new_one() {
    let host = host();
    let (script_path, backup) = (path_of(&host, "a.rhai"), path_of(&host, "a.rhai~"));
    for version in 2..5 {
        fs::write(path_of(&host, ".a.rhai.swp"), "swap").unwrap();
        fs::write(path_of(&host, "4913"), "").unwrap();
        fs::remove_file(path_of(&host, "4913")).unwrap();
        fs::rename(&script_path, &backup).unwrap();
        thread::sleep(PAUSE);
        fs::write(&script_path, script(version)).unwrap();
        fs::remove_file(&backup).unwrap();
        comes_into_force(&host, "a", version);
    }
    assert_eq!(problems(&host), [""; 0]);
}

#[test]
fn nano_empties_the_file_and_writes_it_anew() {
    let host = host();
    for version in 2..5 {
        let mut file = File::create(path_of(&host, "a.rhai")).unwrap();
        thread::sleep(PAUSE);
        file.write_all(script(version).as_bytes()).unwrap();
        drop(file);
        comes_into_force(&host, "a", version);
    }
    assert_eq!(problems(&host), [""; 0]);
}

#[test]
fn a_script_that_is_half_written_never_runs() {
    let host = host();
    let text = script(2);
    let half = text.find("version").unwrap();
    let mut file = File::create(path_of(&host, "a.rhai")).unwrap();
    file.write_all(&text.as_bytes()[..half]).unwrap();
    eventually(IN_TIME, || !problems(&host).is_empty());
    assert_eq!(version_of(&host, "a"), Some(1));
    file.write_all(&text.as_bytes()[half..]).unwrap();
    drop(file);
    comes_into_force(&host, "a", 2);
    eventually(IN_TIME, || problems(&host).is_empty());
}

#[test]
fn git_checks_out_several_files_by_unlinking_and_making_them() {
    let host = HostSetup::new(&config(&["a", "b"]))
        .file("scripts/lib/number.rhai", "fn of(it) { it }")
        .file("scripts/a.rhai", &script(1))
        .file("scripts/b.rhai", &script(1))
        .start();
    let with_import = |version: i64| {
        format!(
            "import \"lib/number\" as number;\nrecords(\"seen\").set(event.id, #{{ version: number::twice({version}) }});"
        )
    };
    let lock = host.folder().join(".git/index.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    for (name, text) in [
        ("a.rhai", with_import(2)),
        ("b.rhai", with_import(3)),
        ("lib/number.rhai", "fn twice(it) { 2 * it }".to_owned()),
    ] {
        let path = path_of(&host, name);
        fs::remove_file(&path).unwrap();
        fs::write(&path, text).unwrap();
    }
    fs::remove_file(&lock).unwrap();
    comes_into_force(&host, "a", 4);
    comes_into_force(&host, "b", 6);
    eventually(IN_TIME, || problems(&host).is_empty());
}

#[test]
fn a_folder_that_is_deleted_and_made_anew_is_watched_again() {
    let host = host();
    for version in 2..4 {
        fs::remove_dir_all(host.folder().join("scripts")).unwrap();
        eventually(IN_TIME, || !problems(&host).is_empty());
        assert_eq!(version_of(&host, "a"), Some(version - 1));
        host.save("scripts/a.rhai", &script(version));
        comes_into_force(&host, "a", version);
    }
    // And what is saved into the new folder is seen.
    host.save("scripts/a.rhai", &script(9));
    comes_into_force(&host, "a", 9);
    assert_eq!(problems(&host), [""; 0]);
}

#[test]
fn a_script_that_may_not_be_read_for_a_while_keeps_its_last_good_version() {
    let host = host();
    let path = path_of(&host, "a.rhai");
    if rustix::process::geteuid().is_root() {
        // Who may read everything cannot read this.
        fs::remove_file(&path).unwrap();
        symlink("a.rhai", &path).unwrap();
    } else {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    }
    eventually(IN_TIME, || {
        problems(&host)
            .iter()
            .any(|it| it.contains("cannot be read"))
    });
    assert_eq!(version_of(&host, "a"), Some(1));
    if path.is_symlink() {
        fs::remove_file(&path).unwrap();
        fs::write(&path, script(1)).unwrap();
    } else {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    eventually(IN_TIME, || problems(&host).is_empty());
    host.save("scripts/a.rhai", &script(2));
    comes_into_force(&host, "a", 2);
}

#[test]
fn a_pipe_in_the_place_of_a_script_stops_nothing() {
    let host = host();
    let path = path_of(&host, "b.rhai");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    host.save("scripts/a.rhai", &script(2));
    comes_into_force(&host, "a", 2);
    assert!(problems(&host)[0].contains("it is not a file"));
}

#[test]
fn a_storm_of_touches_reloads_nothing() {
    let host = host();
    let file = File::options()
        .append(true)
        .open(path_of(&host, "a.rhai"))
        .unwrap();
    for _ in 0..500 {
        file.set_modified(SystemTime::now()).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    drop(file);
    host.save("scripts/a.rhai", &script(2));
    comes_into_force(&host, "a", 2);
    let log = host.log();
    assert_eq!(log.matches("reloaded: ").count(), 1, "{log}");
}

/// What is written through another name of the file is told to nobody who watches the folder.
#[test]
fn a_change_that_the_system_does_not_tell_is_found_by_the_periodic_look() {
    let host = host();
    let elsewhere = host.folder().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::hard_link(path_of(&host, "a.rhai"), elsewhere.join("a")).unwrap();
    // Whatever the link itself has told is looked at by then.
    assert_eq!(version_of(&host, "a"), Some(1));
    thread::sleep(10 * PAUSE);
    let start = Instant::now();
    fs::write(elsewhere.join("a"), script(2)).unwrap();
    eventually(WITH_A_LOOK, || version_of(&host, "a") == Some(2));
    tell(&format!(
        "found by the periodic look after {:?}",
        start.elapsed()
    ));
}

#[test]
fn one_save_among_a_thousand_scripts_changes_that_one_only() {
    const SCRIPTS: usize = 1000;
    let names: Vec<String> = (0..SCRIPTS).map(|it| format!("h{it}")).collect();
    let handlers: String = names.iter().map(|it| handler(it)).collect();
    let setup = HostSetup::new(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n\n{ENDPOINT}\n{handlers}"
    ));
    let mut host = names
        .iter()
        .fold(setup, |setup, name| {
            setup.file(&format!("scripts/{name}.rhai"), &script(1))
        })
        .start();
    for version in 2..5 {
        let start = Instant::now();
        host.save("scripts/h500.rhai", &script(version));
        comes_into_force(&host, "h500", version);
        tell(&format!(
            "a save among {SCRIPTS} scripts is in force after {:?}",
            start.elapsed()
        ));
    }
    // It is in force before the log tells it.
    let told = "handler `h500` runs version";
    eventually(IN_TIME, || host.log().matches(told).count() == 3);
    assert_eq!(version_of(&host, "h999"), Some(1));
    let log = host.log();
    assert_eq!(log.matches("reloaded: ").count(), 3, "{log}");
    // And when they are saved again as they are, nothing is.
    for name in &names {
        host.save(
            &format!("scripts/{name}.rhai"),
            &script(if name == "h500" { 4 } else { 1 }),
        );
    }
    let (is_good, said) = reload(&host);
    assert!(is_good && said.contains("nothing has changed"), "{said}");
    assert!(host.terminate().success());
}

#[test]
fn a_save_that_fits_no_version_of_a_handler_leaves_it_as_it_was_also_over_a_restart() {
    let mut host = host();
    assert_eq!(version_of(&host, "a"), Some(1));
    let mistaken = config(&["a", "b"]).replacen("\"seen\"", "\"sen\"", 1);
    host.save("scripts/b.rhai", &script(1));
    host.save("handlers.toml", &mistaken);
    let (is_good, said) = reload(&host);
    assert!(
        !is_good && said.contains("All goes on as it was until that is mended"),
        "{said}"
    );
    assert_eq!(version_of(&host, "a"), Some(1));
    assert_eq!(version_of(&host, "b"), None);
    assert!(host.terminate().success());
    host.restart();
    assert_eq!(version_of(&host, "a"), Some(1));
    assert!(
        problems(&host)
            .iter()
            .any(|it| it.contains("is not in force: handler `a`"))
    );
    host.save("handlers.toml", &config(&["a", "b"]));
    comes_into_force(&host, "b", 1);
    assert_eq!(version_of(&host, "a"), Some(1));
    assert_eq!(problems(&host), [""; 0]);
}

#[test]
fn a_script_comes_into_a_folder_that_had_none() {
    let deep = handler("a").replace("scripts/a.rhai", "scripts/deep/er/a.rhai");
    let host = HostSetup::new(&format!("{}{deep}", config(&[])))
        .file("scripts/deep/er/about.txt", "nothing yet")
        .start();
    // What was told before the watch began is looked at first.
    thread::sleep(Duration::from_secs(1));
    host.save("scripts/deep/er/a.rhai", &script(1));
    // Sooner than the periodic look.
    eventually(Duration::from_secs(5), || problems(&host).is_empty());
    assert_eq!(version_of(&host, "a"), Some(1));
}
