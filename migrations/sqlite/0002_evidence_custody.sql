-- Every custody entry holds the hash of itself and the one before, and the evidence holds the last of them: an entry that is changed,
-- removed or added by hand shows.
ALTER TABLE custody ADD COLUMN link BLOB NOT NULL DEFAULT x'';
ALTER TABLE evidence ADD COLUMN custody_head BLOB NOT NULL DEFAULT x'';

-- How often the sensor was asked, and when every yara finding that came of the answer was in the store.
ALTER TABLE evidence_request ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evidence_request ADD COLUMN judged_at INTEGER;

-- What became of each finding's wish for evidence: a request (its own, or an earlier one for the same bytes), or a refusal.
CREATE TABLE evidence_wish (
    finding TEXT PRIMARY KEY REFERENCES finding (id),
    request INTEGER REFERENCES evidence_request (request),
    refused TEXT,
    CHECK ((request IS NULL) <> (refused IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX evidence_wish_by_request ON evidence_wish (request);

CREATE INDEX finding_by_wish ON finding (stored_at) WHERE wish_process IS NOT NULL;
