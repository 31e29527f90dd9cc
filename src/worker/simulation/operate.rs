//! What people do: an operator's commands, and saves of the files.

use super::course::Course;
use super::scripts::Version;
use crate::ledger::request::Order;
use crate::run::RunId;

impl Course {
    /// An operator asks for something; it may come too late, or be refused.
    pub(super) fn operate(&mut self) {
        let runs = self
            .life()
            .looks
            .texts("SELECT id FROM runs_open UNION ALL SELECT id FROM runs_done ORDER BY id");
        if runs.is_empty() {
            return;
        }
        let run: i64 = self.random.of(&runs)[0].parse().unwrap();
        let run = RunId(run);
        let at = self.life().now();
        let order = match self.random.below(4) {
            0 => {
                self.note("drop", run);
                Order::Drop { run, at }
            }
            1 => {
                let call_again = self.random.one_in(2);
                let seq = run.event_seq();
                self.note("replay", format!("{seq} {call_again}"));
                self.facts.replayed.insert(seq);
                if call_again {
                    *self.facts.called_again.entry(seq).or_default() += 1;
                }
                let life = self.life();
                let in_force = life.current.load_full();
                let event = life.looks.event(seq).unwrap().unwrap();
                let parsed = in_force.wanted.read(&event.body, event.received_at);
                Order::Replay {
                    event_seq: seq,
                    runs: in_force.plan(&parsed, "stripe", "stripe"),
                    call_again,
                }
            }
            _ => {
                self.note("retry", run);
                Order::Retry {
                    run,
                    decision: None,
                }
            }
        };
        self.order(order);
    }

    pub(super) fn order(&mut self, order: Order) {
        let life = self.life();
        let (ledger, nudge) = (life.ledger.clone(), life.nudge.clone());
        let (current, held_late) = (life.current.clone(), life.held_late.clone());
        let in_force = current.load_full();
        life.runtime.spawn(async move {
            let _ = ledger.order(order).await;
            nudge.notify_one();
            // As the control socket does it.
            if in_force.is_outdated(&current) {
                held_late.notify_one();
            }
        });
    }

    pub(super) fn reload(&mut self) {
        let all = [Version::Old, Version::New, Version::Broken, Version::Gone];
        let version = *self.random.of(&all);
        if !self.life().is_aligned() {
            // One reload at a time.
            return;
        }
        self.note("reload", format!("{version:?}"));
        self.put_in_force(version);
    }
}
