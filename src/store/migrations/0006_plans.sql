-- Messages to the workforce. Each step is one row's change, so that whoever runs the engine next goes on from it.
CREATE TABLE messages (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    channel       TEXT NOT NULL,
    sender        TEXT NOT NULL,
    text          TEXT NOT NULL CHECK (length(text) > 0),
    project_id    INTEGER REFERENCES projects (id),
    stage         TEXT NOT NULL DEFAULT 'triage' CHECK (stage IN ('triage', 'work', 'plan', 'ask', 'wait', 'over')),
    triage        TEXT CHECK (json_valid(triage)),
    triaged_by    TEXT,
    triage_at     INTEGER,
    triage_job_id INTEGER REFERENCES jobs (id),
    job_id        INTEGER REFERENCES jobs (id),
    plan_id       INTEGER REFERENCES plans (id),
    decision_id   INTEGER REFERENCES decisions (id),
    clarified     TEXT,
    due_at        INTEGER,
    note          TEXT,
    received_at   INTEGER NOT NULL,
    triaged_at    INTEGER,
    ended_at      INTEGER,
    CHECK ((stage = 'over') = (ended_at IS NOT NULL)),
    -- Each stage has what it waits for.
    CHECK (stage <> 'work' OR job_id IS NOT NULL),
    CHECK (stage <> 'plan' OR plan_id IS NOT NULL),
    CHECK (stage <> 'ask' OR decision_id IS NOT NULL),
    CHECK (stage <> 'wait' OR due_at IS NOT NULL)
) STRICT;
CREATE INDEX messages_open ON messages (id) WHERE ended_at IS NULL;
CREATE INDEX messages_job ON messages (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX messages_due ON messages (due_at) WHERE stage = 'wait';

-- What was said, by whoever said it.
CREATE TABLE conversation (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    message_id  INTEGER REFERENCES messages (id),
    says        TEXT NOT NULL CHECK (says IN ('message', 'acknowledgement', 'question', 'answer', 'reply', 'reminder', 'notice')),
    author      TEXT NOT NULL,
    external    INTEGER NOT NULL CHECK (external IN (0, 1)),
    text        TEXT NOT NULL,
    job_id      INTEGER REFERENCES jobs (id),
    plan_id     INTEGER REFERENCES plans (id),
    decision_id INTEGER REFERENCES decisions (id),
    read_at     INTEGER
) STRICT;
CREATE INDEX conversation_unread ON conversation (id) WHERE read_at IS NULL;
CREATE INDEX conversation_message ON conversation (message_id, id);
-- A message is told, answered and reminded of once.
CREATE UNIQUE INDEX conversation_once ON conversation (message_id, says) WHERE says IN ('message', 'reply', 'reminder');

-- Plans: proposals of work as tasks with dependencies.
CREATE TABLE plans (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    request       TEXT NOT NULL CHECK (length(request) > 0),
    project_id    INTEGER REFERENCES projects (id),
    message_id    INTEGER REFERENCES messages (id),
    priority      INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 5),
    state         TEXT NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'proposed', 'approved', 'rejected', 'dispatched')),
    -- The job that plans.
    job_id        INTEGER REFERENCES jobs (id),
    returned      INTEGER NOT NULL DEFAULT 0,
    document      TEXT CHECK (json_valid(document)),
    revision      INTEGER NOT NULL DEFAULT 0,
    on_failure    TEXT CHECK (on_failure IN ('hold', 'skip', 'cancel')),
    remark        TEXT,
    note          TEXT,
    made_by       TEXT NOT NULL,
    decided_by    TEXT,
    created_at    INTEGER NOT NULL,
    proposed_at   INTEGER,
    decided_at    INTEGER,
    dispatched_at INTEGER,
    finished_at   INTEGER,
    -- Nothing is put before the operator, and nothing is made, of which nobody knows what it is.
    CHECK (state IN ('draft', 'rejected') OR document IS NOT NULL),
    CHECK (state NOT IN ('approved', 'dispatched') OR decided_by IS NOT NULL),
    CHECK ((state = 'dispatched') = (dispatched_at IS NOT NULL)),
    CHECK (state <> 'dispatched' OR (project_id IS NOT NULL AND on_failure IS NOT NULL))
) STRICT;
CREATE INDEX plans_open ON plans (state, id) WHERE state IN ('draft', 'proposed', 'approved');
CREATE INDEX plans_under_way ON plans (id) WHERE state = 'dispatched' AND finished_at IS NULL;
CREATE INDEX plans_job ON plans (job_id) WHERE job_id IS NOT NULL;

-- What was made of a plan's tasks: each once.
CREATE TABLE plan_jobs (
    plan_id INTEGER NOT NULL REFERENCES plans (id),
    key     TEXT NOT NULL,
    task_id INTEGER NOT NULL REFERENCES tasks (id),
    job_id  INTEGER NOT NULL UNIQUE REFERENCES jobs (id),
    PRIMARY KEY (plan_id, key)
) STRICT, WITHOUT ROWID;

-- A dependency that failed and is done without.
ALTER TABLE dependencies ADD COLUMN waived INTEGER NOT NULL DEFAULT 0 CHECK (waived IN (0, 1));
