-- What sensors left out because a process had used up its budget is in no other figure of the ledger.
ALTER TABLE epoch ADD COLUMN suppressed INTEGER NOT NULL DEFAULT 0;
