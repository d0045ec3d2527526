-- Times are nanoseconds since 1970 (UTC) unless the column says otherwise. Texts from a host are BLOBs: they need not be UTF-8.
-- A severity is its number of fires, 1 (info) to 5 (critical). JSON columns hold our own words or lists, never bytes of a host.

CREATE TABLE sensor (
    no          INTEGER PRIMARY KEY,           -- short name inside this database, for the tables that have many rows
    id          TEXT    NOT NULL UNIQUE,       -- the UUID in its certificate
    public_key  BLOB    NOT NULL UNIQUE,       -- SubjectPublicKeyInfo, DER; pinned at enrolment
    host        BLOB    NOT NULL,              -- the name it claims
    version     TEXT    NOT NULL DEFAULT '',
    kernel      TEXT    NOT NULL DEFAULT '',
    hooks       TEXT    NOT NULL DEFAULT '[]', -- JSON: [{"name","rung","detail"}]
    enrolled_at INTEGER NOT NULL,
    last_seen   INTEGER,
    revoked_at  INTEGER
) STRICT;

CREATE TABLE join_token (
    hash       BLOB    PRIMARY KEY,            -- SHA-256 of the secret, which is stored nowhere
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    spent_at   INTEGER,
    sensor     TEXT REFERENCES sensor (id)     -- who spent it
) STRICT, WITHOUT ROWID;

-- One life of a sensor's spool: the high-water mark, and the sensor's last word on where every event went.
CREATE TABLE epoch (
    sensor         INTEGER NOT NULL REFERENCES sensor (no),
    epoch          INTEGER NOT NULL,
    stored_up_to   INTEGER NOT NULL DEFAULT 0, -- it and all before it are stored or known to be shed
    stored         INTEGER NOT NULL DEFAULT 0, -- how many events of the epoch are stored
    shed           INTEGER NOT NULL DEFAULT 0, -- how many numbers up to there batches called shed; stored + shed = stored_up_to
    kernel_emitted INTEGER NOT NULL DEFAULT 0,
    read           INTEGER NOT NULL DEFAULT 0,
    ring_lost      INTEGER NOT NULL DEFAULT 0,
    last_seq       INTEGER NOT NULL DEFAULT 0,
    spooled        INTEGER NOT NULL DEFAULT 0,
    acked          INTEGER NOT NULL DEFAULT 0,
    stored_then    INTEGER NOT NULL DEFAULT 0, -- how many events up to `acked` were stored when these figures came
    as_of          INTEGER,                    -- when the sensor took these figures; NULL until it sent some
    imbalance      TEXT,                       -- why the figures do not add up, in words; NULL when they do
    PRIMARY KEY (sensor, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE shed (
    sensor INTEGER NOT NULL,
    epoch  INTEGER NOT NULL,
    class  TEXT    NOT NULL,
    reason TEXT    NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (sensor, epoch, class, reason),
    FOREIGN KEY (sensor, epoch) REFERENCES epoch (sensor, epoch)
) STRICT, WITHOUT ROWID;

-- What the correlator itself noticed and detection has yet to make a finding of. Written in the transaction that noticed it,
-- deleted in the one that stores the finding.
CREATE TABLE complaint (
    id     INTEGER PRIMARY KEY,
    kind   TEXT    NOT NULL CHECK (kind IN ('ledger-imbalance', 'number-reused')),
    sensor INTEGER NOT NULL REFERENCES sensor (no),
    epoch  INTEGER NOT NULL,
    seq    INTEGER NOT NULL,                   -- the event it is about
    at     INTEGER NOT NULL,
    detail TEXT    NOT NULL
) STRICT;

-- `position` is the order of commit: the table is the log that detection reads after its cursor.
CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    sensor   INTEGER NOT NULL REFERENCES sensor (no),
    epoch    INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    action   TEXT    NOT NULL,                 -- the catalogue's word
    process  TEXT,                             -- process key of the acting process
    body     BLOB    NOT NULL                  -- bongsu.v1.Event as the sensor sent it
) STRICT;
CREATE UNIQUE INDEX event_by_key ON event (sensor, epoch, seq);
CREATE INDEX event_by_time ON event (sensor, time);

CREATE TABLE finding (
    id           TEXT    PRIMARY KEY,          -- 32 hexadecimal digits
    rule         TEXT    NOT NULL,
    title        TEXT    NOT NULL,
    detector     TEXT    NOT NULL,
    severity     INTEGER NOT NULL CHECK (severity BETWEEN 1 AND 5),
    confidence   INTEGER NOT NULL CHECK (confidence BETWEEN 0 AND 100),
    techniques   TEXT    NOT NULL,             -- JSON: ["T1110.001"]
    sensor       TEXT    NOT NULL REFERENCES sensor (id),
    first_seen   INTEGER NOT NULL,
    last_seen    INTEGER NOT NULL,
    reasons      TEXT    NOT NULL,             -- JSON: ["..."]
    wish_process TEXT,                         -- its rule asks for the image of this process
    wish_path    BLOB,
    stored_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_by_sensor ON finding (sensor, last_seen);
CREATE INDEX finding_by_arrival ON finding (stored_at);

CREATE TABLE finding_event (
    finding TEXT    NOT NULL REFERENCES finding (id),
    ordinal INTEGER NOT NULL,
    sensor  INTEGER NOT NULL REFERENCES sensor (no),
    epoch   INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (finding, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_event_by_key ON finding_event (sensor, epoch, seq);

CREATE TABLE finding_entity (
    finding TEXT NOT NULL REFERENCES finding (id),
    kind    TEXT NOT NULL CHECK (kind IN ('process', 'ancestor', 'user', 'address', 'file', 'evidence')),
    value   BLOB NOT NULL,
    PRIMARY KEY (finding, kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_entity_by_value ON finding_entity (kind, value);

CREATE TABLE incident (
    number      INTEGER PRIMARY KEY,           -- shown as BGS-1
    title       TEXT    NOT NULL,
    severity    INTEGER NOT NULL CHECK (severity BETWEEN 1 AND 5),
    score       INTEGER NOT NULL CHECK (score BETWEEN 0 AND 100),
    score_parts TEXT    NOT NULL,              -- JSON: [{"reason","points"}]
    status      TEXT    NOT NULL CHECK (status IN ('open', 'closed')),
    first_seen  INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    revision    INTEGER NOT NULL,              -- grows with every change
    merged_into INTEGER REFERENCES incident (number) -- turned out to be that one; shown nowhere any more
) STRICT;
CREATE INDEX incident_by_status ON incident (status, number);

CREATE TABLE incident_finding (
    finding  TEXT    PRIMARY KEY REFERENCES finding (id), -- a finding belongs to one incident
    incident INTEGER NOT NULL REFERENCES incident (number)
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_finding_by_incident ON incident_finding (incident);

-- How unusual a host was in one window, as the anomaly detector saw it.
CREATE TABLE anomaly (
    sensor       TEXT    NOT NULL REFERENCES sensor (id),
    window_start INTEGER NOT NULL,
    window_end   INTEGER NOT NULL,
    score        REAL    NOT NULL,
    reasons      TEXT    NOT NULL,             -- JSON: ["..."], most important first
    PRIMARY KEY (sensor, window_start)
) STRICT, WITHOUT ROWID;

CREATE TABLE evidence (
    sha256     TEXT    PRIMARY KEY,
    size       INTEGER NOT NULL,
    sensor     TEXT    NOT NULL REFERENCES sensor (id),
    path       BLOB    NOT NULL,
    process    TEXT,
    stored_at  INTEGER NOT NULL,
    outcome    TEXT    NOT NULL DEFAULT 'pending'
        CHECK (outcome IN ('pending', 'matched', 'no-match', 'timed-out', 'too-large', 'failed')),
    yara_rules TEXT    NOT NULL DEFAULT '[]',  -- JSON: ["..."]
    detail     TEXT,
    scanned_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE evidence_request (
    request      INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused
    sensor       TEXT    NOT NULL REFERENCES sensor (id),
    finding      TEXT    NOT NULL REFERENCES finding (id),
    process      TEXT    NOT NULL,
    path         BLOB    NOT NULL,
    state        TEXT    NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'asked', 'stored', 'gone', 'too-large', 'failed')),
    evidence     TEXT REFERENCES evidence (sha256),
    detail       TEXT,
    requested_at INTEGER NOT NULL,
    ended_at     INTEGER
) STRICT;
CREATE INDEX evidence_request_by_state ON evidence_request (state, sensor);
CREATE INDEX evidence_request_by_finding ON evidence_request (finding);
CREATE INDEX evidence_request_by_evidence ON evidence_request (evidence);

CREATE TABLE custody (
    id       INTEGER PRIMARY KEY,
    evidence TEXT    NOT NULL REFERENCES evidence (sha256),
    time     INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    detail   TEXT    NOT NULL
) STRICT;
CREATE INDEX custody_by_evidence ON custody (evidence, id);

CREATE TABLE advice (
    incident INTEGER PRIMARY KEY REFERENCES incident (number),
    revision INTEGER NOT NULL,                 -- the incident's revision it was written for
    body     TEXT    NOT NULL,                 -- JSON: bongsu_api::Advice
    made_at  INTEGER NOT NULL
) STRICT;

-- What changed, in order; written in the transaction that changes it. Each consumer keeps its own place.
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    incident INTEGER NOT NULL REFERENCES incident (number),
    revision INTEGER NOT NULL,
    at       INTEGER NOT NULL
) STRICT;

CREATE TABLE outbox_consumer (
    name     TEXT    PRIMARY KEY,              -- 'advise', 'slack', 'elasticsearch', 'ndjson'
    position INTEGER NOT NULL                  -- everything up to here is done
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
    consumer   TEXT    NOT NULL,
    incident   INTEGER NOT NULL REFERENCES incident (number),
    revision   INTEGER NOT NULL,               -- the last one that was delivered
    attempts   INTEGER NOT NULL DEFAULT 0,     -- failed ones since
    next_at    INTEGER,
    last_error TEXT,
    remote     TEXT,                           -- what the other side calls it
    PRIMARY KEY (consumer, incident)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_token (
    hash       BLOB    PRIMARY KEY,            -- SHA-256 of the secret, which is stored nowhere
    kind       TEXT    NOT NULL CHECK (kind IN ('admin-link', 'session', 'api')),
    name       TEXT    NOT NULL,               -- who this is, for logs and custody
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    spent_at   INTEGER                         -- when an admin link was used; it works once
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
