-- Times are milliseconds since the Unix epoch. Vocabularies are spelled as in `domain`.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    title       TEXT NOT NULL CHECK (length(title) > 0),
    dir         TEXT,
    state       TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'pending_approval', 'approved', 'rejected')),
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE tasks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id  INTEGER NOT NULL REFERENCES projects (id),
    title       TEXT NOT NULL CHECK (length(title) > 0),
    state       TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'waiting', 'done')),
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX tasks_by_project ON tasks (project_id);

CREATE TABLE workers (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT NOT NULL,
    backend          TEXT NOT NULL,
    model            TEXT,
    persona          TEXT,
    skills           TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(skills)),
    persistent       INTEGER NOT NULL CHECK (persistent IN (0, 1)),
    project_id       INTEGER REFERENCES projects (id),
    status           TEXT NOT NULL CHECK (status IN ('idle', 'working', 'paused', 'unhealthy', 'retired')),
    session          TEXT,
    directory        TEXT NOT NULL,
    session_jobs     INTEGER NOT NULL DEFAULT 0,
    session_tokens   INTEGER NOT NULL DEFAULT 0,
    session_usage    TEXT NOT NULL DEFAULT '{"input":0,"output":0,"cache_read":0,"cache_write":0}' CHECK (json_valid(session_usage)),
    session_cost_usd REAL NOT NULL DEFAULT 0,
    handover         TEXT,
    total_jobs       INTEGER NOT NULL DEFAULT 0,
    total_tokens     INTEGER NOT NULL DEFAULT 0,
    total_cost_usd   REAL NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    last_used_at     INTEGER
) STRICT;
-- Names are never reused while their owner lives.
CREATE UNIQUE INDEX workers_name ON workers (name) WHERE status <> 'retired';

CREATE TABLE jobs (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    title          TEXT NOT NULL CHECK (length(title) > 0),
    prompt         TEXT NOT NULL,
    backend        TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('code', 'writing', 'research', 'review', 'plan', 'triage', 'capture', 'consolidate', 'maintenance', 'other')),
    priority       INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 5),
    lane           INTEGER NOT NULL GENERATED ALWAYS AS (CASE WHEN priority <= 1 THEN 0 WHEN priority = 2 THEN 1 ELSE 2 END) VIRTUAL,
    project_id     INTEGER REFERENCES projects (id),
    task_id        INTEGER REFERENCES tasks (id),
    skills         TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(skills)),
    persona        TEXT,
    model          TEXT,
    worker         TEXT,
    not_before     INTEGER,
    timeout_ms     INTEGER CHECK (timeout_ms > 0),
    max_attempts   INTEGER NOT NULL CHECK (max_attempts > 0),
    dedup_key      TEXT,
    origin         TEXT NOT NULL CHECK (origin IN ('message', 'cron', 'plan', 'cli', 'review', 'engine')),
    tags           TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'queued', 'running', 'reviewing', 'done', 'failed', 'killed')),
    wait_reason    TEXT CHECK (wait_reason IN ('dependency', 'date', 'decision', 'cap', 'deadlock')),
    attempts       INTEGER NOT NULL DEFAULT 0,
    losses         INTEGER NOT NULL DEFAULT 0,
    attempt_id     INTEGER REFERENCES attempts (id),
    outcome        TEXT,
    note           TEXT,
    ready_at       INTEGER,
    kill_requested INTEGER NOT NULL DEFAULT 0 CHECK (kill_requested IN (0, 1)),
    created_at     INTEGER NOT NULL,
    queued_at      INTEGER,
    started_at     INTEGER,
    finished_at    INTEGER,
    -- A final state has its end, others have none; a waiting job says why, others do not; a queued job knows since when.
    CHECK ((state IN ('done', 'failed', 'killed')) = (finished_at IS NOT NULL)),
    CHECK ((state = 'waiting') = (wait_reason IS NOT NULL)),
    CHECK (state <> 'queued' OR queued_at IS NOT NULL),
    CHECK (state <> 'running' OR attempt_id IS NOT NULL)
) STRICT;
-- One open job for each dedup key.
CREATE UNIQUE INDEX jobs_dedup ON jobs (dedup_key) WHERE dedup_key IS NOT NULL AND state IN ('waiting', 'queued', 'running', 'reviewing');
CREATE INDEX jobs_open ON jobs (state, priority, queued_at, id) WHERE state IN ('waiting', 'queued', 'running', 'reviewing');
CREATE INDEX jobs_dates ON jobs (not_before) WHERE state = 'waiting' AND not_before IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_created ON jobs (created_at);
CREATE INDEX jobs_project ON jobs (project_id) WHERE project_id IS NOT NULL;

CREATE TABLE dependencies (
    job_id     INTEGER NOT NULL REFERENCES jobs (id),
    depends_on INTEGER NOT NULL REFERENCES jobs (id),
    PRIMARY KEY (job_id, depends_on),
    -- A job can only depend on older ones, so there can be no cycle.
    CHECK (depends_on < job_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependencies_reverse ON dependencies (depends_on);

CREATE TABLE attempts (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id           INTEGER NOT NULL REFERENCES jobs (id),
    number           INTEGER NOT NULL CHECK (number > 0),
    worker_id        INTEGER REFERENCES workers (id),
    worker           TEXT NOT NULL,
    backend          TEXT NOT NULL,
    model            TEXT,
    epoch            INTEGER NOT NULL,
    host             TEXT NOT NULL,
    token_hash       TEXT NOT NULL,
    shim_pid         INTEGER,
    shim_start_time  INTEGER,
    shim_boot_id     TEXT,
    session          TEXT,
    directory        TEXT NOT NULL,
    started_at       INTEGER NOT NULL,
    ended_at         INTEGER,
    outcome          TEXT CHECK (outcome IN ('ok', 'error', 'timeout', 'stalled', 'rate_limited', 'interrupted', 'lost', 'killed')),
    exit_code        INTEGER,
    message          TEXT,
    input            INTEGER NOT NULL DEFAULT 0,
    output           INTEGER NOT NULL DEFAULT 0,
    cache_read       INTEGER NOT NULL DEFAULT 0,
    cache_write      INTEGER NOT NULL DEFAULT 0,
    usage_known      INTEGER NOT NULL DEFAULT 0 CHECK (usage_known IN (0, 1)),
    cost_usd         REAL,
    estimate         INTEGER NOT NULL,
    result_file      TEXT,
    acked_seq        INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job_id, number),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;
-- A job never runs twice at once; a worker does one thing at a time.
CREATE UNIQUE INDEX attempts_open_job ON attempts (job_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX attempts_open_worker ON attempts (worker_id) WHERE ended_at IS NULL AND worker_id IS NOT NULL;
CREATE INDEX attempts_worker ON attempts (worker_id, id);
CREATE INDEX attempts_ended ON attempts (ended_at) WHERE ended_at IS NOT NULL;

-- The audit log, and the feed by which processes learn what others changed. Append-only.
CREATE TABLE events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    what       TEXT NOT NULL,
    severity   TEXT NOT NULL DEFAULT 'info' CHECK (severity IN ('info', 'warn', 'fail')),
    job_id     INTEGER,
    attempt_id INTEGER,
    worker_id  INTEGER,
    state_from TEXT,
    state_to   TEXT,
    text       TEXT NOT NULL
) STRICT;
CREATE INDEX events_job ON events (job_id, id) WHERE job_id IS NOT NULL;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE (ABORT, 'the audit log is append-only'); END;

-- Tokens as they were used: the rolling window survives a restart.
CREATE TABLE spending (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    attempt_id INTEGER NOT NULL REFERENCES attempts (id),
    tokens     INTEGER NOT NULL
) STRICT;
CREATE INDEX spending_at ON spending (at);

-- What expected output the estimates have learned, per kind.
CREATE TABLE learned (
    kind    TEXT PRIMARY KEY,
    output  REAL NOT NULL,
    samples INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE backend_pauses (
    backend TEXT PRIMARY KEY,
    kind    TEXT NOT NULL CHECK (kind IN ('throttle', 'window', 'auth', 'overload', 'operator')),
    message TEXT NOT NULL,
    since   INTEGER NOT NULL,
    until   INTEGER,
    guessed INTEGER NOT NULL CHECK (guessed IN (0, 1)),
    -- How many refusals in a row led here: the next pause is longer.
    streak  INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;

CREATE TABLE lanes (
    lane   INTEGER PRIMARY KEY CHECK (lane BETWEEN 0 AND 2),
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1))
) STRICT;
INSERT INTO lanes (lane) VALUES (0), (1), (2);

-- The engine: one row.
CREATE TABLE engine (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    epoch    INTEGER NOT NULL DEFAULT 0,
    paused   INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    draining INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1))
) STRICT;
INSERT INTO engine (id) VALUES (1);
