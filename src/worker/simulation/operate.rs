//! What people do: an operator's commands, and saves of the files.

use super::course::Course;
use crate::call::Answer;
use crate::control::{Command, RecordByHand};
use crate::ledger::decision::Choice;
use crate::run::RunId;
use std::collections::BTreeMap;

const HANDLERS: [&str; 3] = ["first", "second", "third"];

impl Course {
    /// An operator asks for something; it may come too late, or be refused.
    pub(super) fn operate(&mut self) -> bool {
        match self.random.below(16) {
            0..6 => self.retry(),
            6 => self.drop_a_run(),
            7..10 => self.replay(),
            10 | 11 => self.pin(),
            12 => self.unpin(),
            13 | 14 => self.move_runs(),
            _ => self.write_a_record(),
        }
    }

    /// One of these; nothing when there are none.
    fn one(&mut self, sql: &str) -> Option<Vec<String>> {
        let rows = self.life().looks.texts(sql);
        (!rows.is_empty()).then(|| self.random.of(&rows).clone())
    }

    fn any_run(&mut self) -> Option<RunId> {
        let it =
            self.one("SELECT id FROM runs_open UNION ALL SELECT id FROM runs_done ORDER BY id")?;
        Some(RunId(it[0].parse().unwrap()))
    }

    /// Often one that is dead, with the word that it needs; at times with one that does not fit.
    fn retry(&mut self) -> bool {
        let needing = if self.random.one_in(4) {
            ""
        } else {
            "ORDER BY needs IS NULL, needs LIMIT 1"
        };
        let dead = self.one(&format!(
            "SELECT id, coalesce(needs, '') FROM runs_open WHERE state = 'dead' {needing}"
        ));
        let (run, needs) = match dead {
            Some(it) if !self.random.one_in(4) => (RunId(it[0].parse().unwrap()), it[1].clone()),
            Some(_) | None => match self.any_run() {
                Some(it) => (it, String::new()),
                None => return false,
            },
        };
        let is_second = self.random.one_in(2);
        let any = self.random.one_in(8);
        let choice = match (needs.as_str(), is_second) {
            ("calls_changed", false) => Some(Choice::Again),
            ("calls_changed", true) => Some(Choice::Reuse),
            ("outcome_unknown", false) => Some(Choice::Resend),
            ("outcome_unknown", true) => Some(it_took_effect()),
            (_, false) if any => Some(Choice::Resend),
            (_, true) if any => Some(it_took_effect()),
            (_, _) => None,
        };
        let seq = run.event_seq();
        let kind = match choice {
            None => "retry",
            Some(Choice::Reuse) => {
                self.facts.settled_by_hand.insert(seq);
                "reuse"
            }
            Some(Choice::Again) => {
                self.facts.allow_again(seq);
                "again"
            }
            Some(Choice::Resend) => {
                self.facts.allow_again(seq);
                let event = self.facts.events.get(&seq).map(|it| it.0.clone());
                self.services
                    .borrow_mut()
                    .allow_resend(event.unwrap_or_default());
                "resend"
            }
            Some(Choice::Settle { .. }) => {
                self.facts.settled_by_hand.insert(seq);
                "settle"
            }
        };
        self.note(kind, run);
        self.command(Command::RetryRun {
            run: run.0,
            choice,
            by: "somebody".into(),
        });
        true
    }

    fn drop_a_run(&mut self) -> bool {
        let Some(run) = self.any_run() else {
            return false;
        };
        self.note("drop", run);
        self.ask_to_drop(run);
        true
    }

    pub(super) fn ask_to_drop(&mut self, run: RunId) {
        self.facts.asked_to_drop.insert(run.0);
        self.command(Command::DropRun { run: run.0 });
    }

    fn replay(&mut self) -> bool {
        let Some(it) = self.one("SELECT seq, id FROM events ORDER BY seq") else {
            return false;
        };
        let (seq, event) = (it[0].parse().unwrap(), it[1].clone());
        let call_again = self.random.one_in(2);
        let handler = (*self.random.of(&HANDLERS)).to_owned();
        let handler = self.random.one_in(3).then_some(handler);
        let kind = if call_again {
            self.facts.allow_again(seq);
            "replay that calls again"
        } else {
            "replay"
        };
        self.note(kind, format!("{event} {handler:?}"));
        self.facts.replayed.insert(seq);
        self.command(Command::Replay {
            event,
            handler,
            call_again,
        });
        true
    }

    fn pin(&mut self) -> bool {
        let Some(it) = self.one("SELECT handler, version FROM handler_versions") else {
            return false;
        };
        self.note("pin", format!("{} {}", it[0], &it[1][..12]));
        let wanted = (it[0].clone(), it[1].clone());
        self.facts.wanted.insert(wanted);
        self.command(Command::Rollback {
            handler: it[0].clone(),
            version: Some(it[1].clone()),
        });
        true
    }

    fn unpin(&mut self) -> bool {
        let Some(it) = self.one("SELECT handler FROM pins") else {
            return false;
        };
        self.note("unpin", &it[0]);
        self.command(Command::Rollback {
            handler: it[0].clone(),
            version: None,
        });
        true
    }

    fn move_runs(&mut self) -> bool {
        let Some(it) = self.one("SELECT DISTINCT handler FROM runs_open WHERE handler <> 'first'")
        else {
            return false;
        };
        let (from, to) = match it[0].as_str() {
            "second" => ("second", "third"),
            _ => ("third", "second"),
        };
        self.note("move runs", format!("{from} {to}"));
        self.ask_to_move(from, to);
        true
    }

    pub(super) fn ask_to_move(&mut self, from: &str, to: &str) {
        let asked = (from.to_owned(), to.to_owned());
        self.facts.moves.insert(asked.clone());
        let (from, to) = asked;
        self.command(Command::MoveRuns { from, to });
    }

    /// Others wait until somebody says what became of a call with a name.
    pub(super) fn settle_what_others_wait_for(&mut self) {
        let unknown = self.life().looks.texts(
            "SELECT id FROM runs_open WHERE state = 'dead' AND needs = 'outcome_unknown' ORDER BY id",
        );
        for it in unknown {
            let run = RunId(it[0].parse().unwrap());
            if self.mood_of(run.event_seq()) == "named" {
                self.facts.settled_by_hand.insert(run.event_seq());
                self.command(Command::RetryRun {
                    run: run.0,
                    choice: Some(it_took_effect()),
                    by: "somebody".into(),
                });
            }
        }
    }

    /// Every script looks at it, and none may change it.
    fn write_a_record(&mut self) -> bool {
        self.facts.rate += 1;
        let rate = self.facts.rate;
        self.note("write a record", rate);
        self.command(Command::SetRecords {
            records: vec![RecordByHand {
                collection: "settings".into(),
                id: "rate".into(),
                body: Some(format!("{{\"n\":{rate}}}")),
            }],
        });
        true
    }

    /// As the control socket does it.
    pub(super) fn command(&mut self, command: Command) {
        let life = self.life();
        let operator = life.operator.clone();
        life.runtime.spawn(async move {
            operator.carry_out(command).await;
        });
    }

    /// A save; most are seen at once.
    pub(super) fn edit(&mut self) {
        if self.is_about_calls && !self.random.one_in(4) {
            self.files.edit_calls(&mut self.random);
        } else {
            self.files.edit(&mut self.random);
        }
        self.save();
        self.note("save", format!("{:?}", self.files));
        if !self.random.one_in(4) {
            self.look_at_the_files(true);
        }
    }

    /// A reload that is asked for, or the look that comes by itself.
    pub(super) fn look_at_the_files(&mut self, is_asked_for: bool) {
        self.note(
            if is_asked_for {
                "reload"
            } else {
                "look at the files"
            },
            "",
        );
        let life = self.life();
        let reloader = life.operator.reloader.clone();
        life.runtime.spawn(async move {
            reloader.reload(is_asked_for).await;
        });
    }
}

fn it_took_effect() -> Choice {
    Choice::Settle {
        answer: Answer {
            status: 200,
            headers: BTreeMap::new(),
            text: "{\"n\":0}".into(),
            body_missing: None,
            has_bad_utf8: false,
        },
    }
}
