-- A finding that says nothing that others of its rule have not said in its incident is not kept whole, but counted at the first of them.
ALTER TABLE finding ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;
ALTER TABLE finding ADD COLUMN repeated_until INTEGER; -- time of the last event of those; NULL while there are none

-- By their ids they are known when they are found again after a restart.
CREATE TABLE finding_repeat (
    id     TEXT    PRIMARY KEY,
    of     TEXT    NOT NULL REFERENCES finding (id),
    sensor INTEGER NOT NULL REFERENCES sensor (no), -- its first event
    epoch  INTEGER NOT NULL,
    seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
