-- Runs that wait for a service which is ill or has too many calls waiting: they go on when it is well.
ALTER TABLE runs_open ADD COLUMN waits_for TEXT; -- the service, of a waiting run without a due_at
CREATE INDEX runs_open_waits_for ON runs_open (waits_for, handler, id) WHERE state = 'waiting' AND waits_for IS NOT NULL;
