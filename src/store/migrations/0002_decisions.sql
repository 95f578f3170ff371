-- Questions to the operator.
CREATE TABLE decisions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    question    TEXT NOT NULL CHECK (length(question) > 0),
    choices     TEXT NOT NULL CHECK (json_array_length(choices) BETWEEN 2 AND 9),
    deadline    INTEGER,
    default_key TEXT,
    task_id     INTEGER REFERENCES tasks (id),
    project_id  INTEGER REFERENCES projects (id),
    -- The job that asks, and the attempt in which it did.
    job_id      INTEGER REFERENCES jobs (id),
    attempt_id  INTEGER REFERENCES attempts (id),
    asked_by    TEXT NOT NULL,
    state       TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'answered', 'expired', 'cancelled')),
    answer      TEXT,
    remark      TEXT,
    created_at  INTEGER NOT NULL,
    answered_at INTEGER,
    CHECK ((state = 'open') = (answered_at IS NULL)),
    CHECK ((state IN ('answered', 'expired')) = (answer IS NOT NULL))
) STRICT;
CREATE INDEX decisions_open ON decisions (deadline) WHERE state = 'open';
CREATE INDEX decisions_job ON decisions (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX decisions_task ON decisions (task_id) WHERE task_id IS NOT NULL;

-- What the operator said of a project, and when it was put before them.
ALTER TABLE projects ADD COLUMN remark TEXT;
ALTER TABLE projects ADD COLUMN submitted_at INTEGER;
ALTER TABLE projects ADD COLUMN closed_at INTEGER;
