-- Calls that are made once over all runs: `#{ once: "…" }`.

-- The call's name at its service; NULL: it has none.
ALTER TABLE journal ADD COLUMN once TEXT;
-- The run that took the call over, after which this entry counts no longer.
ALTER TABLE journal ADD COLUMN given_to INTEGER;

-- The one call of each name. Whole in itself: journals go with their events, and this is kept as long as `seen`.
CREATE TABLE once (
  service TEXT NOT NULL,
  name TEXT NOT NULL,
  run INTEGER NOT NULL,           -- whose call it is
  number INTEGER NOT NULL,        -- which call of that run's journal
  state TEXT NOT NULL,            -- intended, settled, unsettled, refused
  generation INTEGER NOT NULL,    -- rises when a refused call is made anew: part of its key
  path TEXT,                      -- as the script wrote it
  request TEXT NOT NULL,          -- JSON, without the service's own headers
  content TEXT NOT NULL,          -- hash of what makes two calls the same
  idempotency_key TEXT NOT NULL,
  intended_at INTEGER NOT NULL,   -- when it was first written down
  answered_at INTEGER,
  answer TEXT,                    -- JSON, of a settled one
  kept_from INTEGER NOT NULL,     -- when it was last written; retention counts from then
  PRIMARY KEY (service, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX once_kept_from ON once (kept_from);
