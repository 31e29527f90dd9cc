//! A power cut at any moment loses nothing that was acknowledged, and no effect happens twice.
//!
//! `tests/faults/power.h` keeps beside the data folder what a disk would hold: each round ends with a kill, and the next
//! begins with that in the data folder's place.

use crate::effects::{self, Dice};
use crate::support::{FakeService, Faults, Load, tell};
use std::fs;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 32;

#[test]
fn power_cuts_lose_nothing_and_repeat_no_effect() {
    let begin = Instant::now();
    let mut dice = Dice::of("power");
    let service = FakeService::start();
    let mut host = effects::host("127.1.0.3", &service).start();
    let mut load = Load::start(4, Duration::from_millis(12), effects::some);
    let mut ends = Vec::new();
    assert!(host.terminate().success());
    for round in 0..ROUNDS {
        let twin = host.folder().join(format!("twin-{round}"));
        let percent = if round % 2 == 0 { 0 } else { 50 };
        let seed = dice.below(1 << 31) as u32;
        host.restart_with(&Faults::none().power(&host.data(), &twin, percent, seed));
        load.aim_at(host.address());
        std::thread::sleep(dice.ms(200, 900));
        let acknowledged = load.acknowledged();
        host.kill9();
        ends.push(effects::end(&service));
        fs::remove_dir_all(host.data()).unwrap();
        fs::rename(&twin, host.data()).unwrap();
        // A fresh host looks at the disk as it was left.
        host.restart();
        let stored = host.ledger().texts("SELECT id FROM events");
        let lost = effects::missing(&acknowledged, &stored);
        assert_eq!(lost, 0, "round {round}: {percent} %, seed {seed}");
        assert_eq!(host.ledger().integrity(), "ok", "round {round}");
        host.kill9();
        ends.push(effects::end(&service));
    }
    host.restart();
    load.aim_at(host.address());
    load.stop();
    let figures = effects::prove(&host, &load, &service, &ends);
    tell(&format!(
        "power: {ROUNDS} power cuts, {figures}; {} s",
        begin.elapsed().as_secs()
    ));
}
