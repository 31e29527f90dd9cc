-- The first schema. Names are part of the product: staff and reporting tools read these tables.
-- Times are Unix milliseconds.

-- Every verified payload, as it came. Insert only.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,        -- order of acceptance
  id TEXT NOT NULL,               -- Stripe's id, or sha256:… of a payload that is no event
  scope TEXT NOT NULL,            -- what the id is unique in
  endpoint TEXT NOT NULL,
  type TEXT NOT NULL,             -- '' when unreadable
  created_at INTEGER NOT NULL,    -- when Stripe says it happened
  received_at INTEGER NOT NULL,
  livemode INTEGER,
  account TEXT,
  context TEXT,
  api_version TEXT,
  object_id TEXT,
  secret_number INTEGER NOT NULL, -- which signing secret of the endpoint matched, from 1
  unreadable TEXT,                -- why the payload is no event
  size_bytes INTEGER NOT NULL,    -- of the payload as it came
  dictionary INTEGER NOT NULL,
  body BLOB NOT NULL              -- zstd; body(dictionary, size_bytes, body) in `hookyard sql` gives the text
) STRICT;

-- What makes a delivery a duplicate. The key rises with time, so that it stays on one hot page.
CREATE TABLE seen (
  key INTEGER PRIMARY KEY,        -- created << 30 | 30 bits of hash(scope, id); the next free one on a collision
  fingerprint INTEGER NOT NULL,   -- 64 more bits of the same hash
  event_seq INTEGER NOT NULL,
  received_at INTEGER NOT NULL
) STRICT;

-- Runs that are not finished. Small: finished ones move to runs_done.
CREATE TABLE runs_open (
  id INTEGER PRIMARY KEY,         -- event's seq * 10000 + its n-th run
  handler TEXT NOT NULL,
  lane INTEGER NOT NULL,          -- hash; runs of one lane go one after another
  state TEXT NOT NULL,            -- ready, waiting, held, dead
  due_at INTEGER,                 -- of a waiting run
  attempts INTEGER NOT NULL,
  forgiven INTEGER NOT NULL,      -- attempts before an operator's retry: they no longer count
  epoch INTEGER NOT NULL,         -- rises when an operator takes the run out of the worker's hands
  replay INTEGER NOT NULL,        -- 0: made by the event's acceptance
  why TEXT
) STRICT;
CREATE INDEX runs_open_lane ON runs_open (lane, id);
CREATE INDEX runs_open_due ON runs_open (due_at) WHERE state = 'waiting';

-- Finished runs. Insert only.
CREATE TABLE runs_done (
  id INTEGER PRIMARY KEY,
  handler TEXT NOT NULL,
  state TEXT NOT NULL,            -- done, skipped, dropped
  attempts INTEGER NOT NULL,
  replay INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  version TEXT,                   -- script version of the last attempt
  why TEXT
) STRICT;

CREATE TABLE attempts (
  run INTEGER NOT NULL,
  number INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  took_ms INTEGER NOT NULL,
  engine_us INTEGER NOT NULL,     -- time in the engine, all replays together
  outcome TEXT NOT NULL,
  version TEXT NOT NULL,
  error TEXT,                     -- JSON
  log TEXT,                       -- JSON
  PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

-- Calls that can change something: written before they are sent, and when they are answered.
CREATE TABLE journal (
  run INTEGER NOT NULL,
  number INTEGER NOT NULL,
  state TEXT NOT NULL,            -- intended, settled, unsettled, refused, unsent
  service TEXT NOT NULL,
  method TEXT NOT NULL,
  url TEXT NOT NULL,
  request TEXT NOT NULL,          -- JSON, without the service's own headers
  content TEXT NOT NULL,          -- hash of what makes two calls the same
  idempotency_key TEXT NOT NULL,
  version TEXT NOT NULL,
  now INTEGER NOT NULL,           -- what now() said
  seen TEXT,                      -- JSON: answers of GETs since the call before
  intended_at INTEGER NOT NULL,
  answered_at INTEGER,
  answer TEXT,                    -- JSON
  PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

-- Documents that scripts keep.
CREATE TABLE records (
  collection TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,       -- counts the changes of this id, removals too
  body TEXT,                      -- JSON; NULL once removed
  updated_at INTEGER NOT NULL,
  newest_event_at INTEGER,        -- created of the newest event that update_if_newer applied
  last_change INTEGER NOT NULL,   -- newest row of record_changes
  PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;

-- Which run changed what, from and to. Insert only; one record's changes are chained by `previous`.
CREATE TABLE record_changes (
  id INTEGER PRIMARY KEY,
  run INTEGER,                    -- NULL: by hand
  collection TEXT NOT NULL,
  record_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  before TEXT,                    -- JSON of the fields that changed; NULL when the record was made
  after TEXT,                     -- JSON of the fields that changed; NULL when the record was removed
  at INTEGER NOT NULL,
  previous INTEGER
) STRICT;

CREATE TABLE script_versions (
  hash TEXT PRIMARY KEY,
  script TEXT NOT NULL,
  sources TEXT NOT NULL,          -- JSON: path -> text, of the script and all that it imports
  stored_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE dictionaries (
  id INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
