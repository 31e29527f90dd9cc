-- Decisions of operators about calls, and what each attempt did with each call.

-- Of a dead run: which decision it waits for (calls_changed, outcome_unknown), and about which call of its journal.
ALTER TABLE runs_open ADD COLUMN needs TEXT;
ALTER TABLE runs_open ADD COLUMN needs_call INTEGER;
UPDATE runs_open SET needs = 'calls_changed' WHERE state = 'dead' AND why LIKE 'calls changed:%';
UPDATE runs_open SET needs = 'outcome_unknown' WHERE state = 'dead' AND why LIKE 'outcome unknown:%';

-- As the script wrote it. A call is the same when its service moves to another address; NULL: from before this was kept.
ALTER TABLE journal ADD COLUMN path TEXT;
-- By an operator: resend (once more, without knowing whether it arrived), settle (it took effect; the answer is his).
ALTER TABLE journal ADD COLUMN decided TEXT;

-- JSON: what the attempt did with each call that can change something.
ALTER TABLE attempts ADD COLUMN calls TEXT;

-- What operators decided about runs that could not go on by themselves. Insert only, but for `over_at`.
CREATE TABLE decisions (
  run INTEGER NOT NULL,
  number INTEGER NOT NULL,        -- from 1
  choice TEXT NOT NULL,           -- reuse, again, resend, settle
  call INTEGER,                   -- which call of the journal, of resend and settle
  through INTEGER NOT NULL,       -- the last call that the run had made by then
  decided_by TEXT NOT NULL,       -- name of a user of the machine
  decided_at INTEGER NOT NULL,
  over_at INTEGER,                -- when it no longer counted: the run was given up or retried again
  PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
