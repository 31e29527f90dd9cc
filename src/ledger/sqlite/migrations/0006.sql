-- Which of the run's attempts sent an entry, of those that wrote down a call: the first is 1, the second 2, the third 4 and
-- so on; the 62nd stands for all later ones. What was there before is taken as if each version of its script had made one.
ALTER TABLE journal ADD COLUMN sent_by INTEGER NOT NULL DEFAULT 0;
UPDATE journal SET sent_by = 1 << min(61, (SELECT min(number) FROM journal AS it
  WHERE it.run = journal.run AND it.version = journal.version) - 1);
