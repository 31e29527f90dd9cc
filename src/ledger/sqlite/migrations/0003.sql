-- Script versions of handlers: which ones there were, and what is decided about them beside what the files say.

CREATE TABLE handler_versions (
  handler TEXT NOT NULL,
  version TEXT NOT NULL,          -- hash in script_versions; meta last_good_version/HANDLER names the one in force
  saved_at INTEGER NOT NULL,      -- when it was first seen
  first_at INTEGER,               -- when it first came into force; NULL: never
  last_at INTEGER,                -- when another one last took its place; NULL: never
  rolled_back_at INTEGER,         -- when its canary rolled it back; NULL: never
  why TEXT,                       -- of the roll-back
  PRIMARY KEY (handler, version)
) STRICT, WITHOUT ROWID;
INSERT INTO handler_versions (handler, version, saved_at, first_at)
  SELECT substr(key, length('last_good_version/') + 1), value, stored_at, stored_at
  FROM meta JOIN script_versions ON hash = value WHERE key LIKE 'last_good_version/%';

-- Versions that a person has put in force, whatever the files say.
CREATE TABLE pins (
  handler TEXT PRIMARY KEY,
  version TEXT NOT NULL,
  pinned_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- New versions that are tried on a share of the runs.
CREATE TABLE canaries (
  handler TEXT PRIMARY KEY,
  version TEXT NOT NULL,
  began_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What became of runs on them, while they are tried.
CREATE TABLE canary_runs (
  handler TEXT NOT NULL,
  run INTEGER NOT NULL,
  outcome TEXT NOT NULL,          -- done; failed, ill (at a service): the version before it has still to do the run;
                                  -- guilty, doubtful: it could do it; excused: it could not either
  PRIMARY KEY (handler, run)
) STRICT, WITHOUT ROWID;
