-- The last attempt that sent an entry: the how-manyth of the run's attempts that wrote down a call, from 1. NULL: it was not
-- sent since this is kept.
ALTER TABLE journal ADD COLUMN sent_by INTEGER;
