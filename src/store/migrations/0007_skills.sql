-- Versions of skills by content: every one that was seen or used.
CREATE TABLE skill_versions (
    name       TEXT NOT NULL,
    -- Over names and contents of its files.
    hash       TEXT NOT NULL,
    source     TEXT NOT NULL CHECK (source IN ('builtin', 'workspace')),
    version    TEXT,
    -- [{"path", "hash", "bytes"}], SKILL.md among them.
    files      TEXT NOT NULL CHECK (json_valid(files)),
    first_seen INTEGER NOT NULL,
    -- When it was last found in place: the newest of a skill is what is to be used when the present one is broken.
    seen       INTEGER NOT NULL,
    PRIMARY KEY (name, hash)
) STRICT, WITHOUT ROWID;

-- The contents of their files, each once.
CREATE TABLE skill_files (
    hash    TEXT PRIMARY KEY,
    content BLOB NOT NULL
) STRICT;

-- What attempts were given.
CREATE TABLE attempt_skills (
    attempt_id INTEGER NOT NULL REFERENCES attempts (id),
    skill      TEXT NOT NULL,
    hash       TEXT NOT NULL,
    how        TEXT NOT NULL CHECK (how IN ('job', 'worker', 'trigger')),
    -- The phrase of the prompt.
    phrase     TEXT,
    PRIMARY KEY (attempt_id, skill)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_skills_version ON attempt_skills (skill, hash, attempt_id);

-- What a job's prompt would have fitted.
CREATE TABLE suggested_skills (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    skill  TEXT NOT NULL,
    phrase TEXT NOT NULL,
    PRIMARY KEY (job_id, skill)
) STRICT, WITHOUT ROWID;

-- What the operator laid down: always one version, or a share of the jobs for the newest.
CREATE TABLE skill_holds (
    name    TEXT PRIMARY KEY,
    pin     TEXT,
    base    TEXT,
    percent INTEGER NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    CHECK (pin IS NULL OR base IS NULL)
) STRICT, WITHOUT ROWID;

-- The failure that a rule was written for: what recurs is counted from then on.
CREATE TABLE rule_origins (
    -- The rule's line in the operating file, as it stands there.
    rule        TEXT PRIMARY KEY,
    job_id      INTEGER NOT NULL REFERENCES jobs (id),
    fingerprint TEXT NOT NULL,
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
