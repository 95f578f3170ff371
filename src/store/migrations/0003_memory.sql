-- What jobs were given from memory, as it was injected: the terms are never worked out again.
CREATE TABLE recalls (
    id         INTEGER PRIMARY KEY,
    job_id     INTEGER NOT NULL REFERENCES jobs (id),
    attempt_id INTEGER NOT NULL REFERENCES attempts (id),
    -- 1 = the best.
    rank       INTEGER NOT NULL CHECK (rank > 0),
    memory_id  INTEGER NOT NULL,
    category   TEXT NOT NULL,
    text       TEXT NOT NULL,
    external   INTEGER NOT NULL CHECK (external IN (0, 1)),
    score      REAL NOT NULL,
    similarity REAL NOT NULL,
    recency    REAL NOT NULL,
    importance REAL NOT NULL,
    access     REAL NOT NULL,
    penalised  INTEGER NOT NULL CHECK (penalised IN (0, 1)),
    at         INTEGER NOT NULL,
    UNIQUE (attempt_id, rank)
) STRICT;
CREATE INDEX recalls_job ON recalls (job_id, attempt_id, rank);

-- Memories that the operator keeps away from a job's next attempts.
CREATE TABLE vetoes (
    job_id    INTEGER NOT NULL REFERENCES jobs (id),
    memory_id INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (job_id, memory_id)
) STRICT, WITHOUT ROWID;

-- What a capture or a consolidation answered, checked: kept until it is in the memory store, so that a crash drops nothing.
CREATE TABLE lessons (
    attempt_id INTEGER PRIMARY KEY REFERENCES attempts (id),
    job_id     INTEGER NOT NULL REFERENCES jobs (id),
    answer     TEXT NOT NULL CHECK (json_valid(answer)),
    at         INTEGER NOT NULL,
    applied_at INTEGER,
    -- What came of it, one line for people.
    outcome    TEXT
) STRICT;
CREATE INDEX lessons_open ON lessons (attempt_id) WHERE applied_at IS NULL;
