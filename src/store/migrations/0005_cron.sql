-- The entry that a job came from.
ALTER TABLE jobs ADD COLUMN cron TEXT;
CREATE INDEX jobs_cron ON jobs (cron, id) WHERE cron IS NOT NULL;

-- What is known of each entry of cron.toml beside what the file says.
CREATE TABLE cron_entries (
    name    TEXT PRIMARY KEY,
    -- Schedule and time zone as last taken over; empty where the file has it no more.
    times   TEXT NOT NULL,
    -- Fires from before are none of its own.
    since   INTEGER NOT NULL,
    -- What the operator said, where that differs from the file.
    enabled INTEGER CHECK (enabled IN (0, 1)),
    -- Jobs in a row that found nothing to do, and fires that are still left out for it.
    quiet   INTEGER NOT NULL DEFAULT 0 CHECK (quiet >= 0),
    skip    INTEGER NOT NULL DEFAULT 0 CHECK (skip >= 0)
) STRICT, WITHOUT ROWID;

-- Each fire is written before its job is made.
CREATE TABLE cron_fires (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    -- Its time in the schedule; for one that the operator asked for, when they did.
    at          INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('fired', 'duplicate', 'missed', 'overlap', 'backed_off', 'refused')),
    missed      INTEGER NOT NULL DEFAULT 0,
    manual      INTEGER NOT NULL DEFAULT 0 CHECK (manual IN (0, 1)),
    job_id      INTEGER REFERENCES jobs (id),
    found       INTEGER CHECK (found IN (0, 1)),
    settled_at  INTEGER,
    note        TEXT
) STRICT;
-- A fire happens once, whatever restarts when.
CREATE UNIQUE INDEX cron_fires_once ON cron_fires (name, at) WHERE manual = 0;
CREATE INDEX cron_fires_name ON cron_fires (name, id);
CREATE INDEX cron_fires_open ON cron_fires (job_id) WHERE settled_at IS NULL AND job_id IS NOT NULL;
