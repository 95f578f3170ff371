-- A job's declared files, its rounds of review since it was submitted or retried, and the review whose fixes it is to close.
ALTER TABLE jobs ADD COLUMN artefacts TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(artefacts));
ALTER TABLE jobs ADD COLUMN rounds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN guide INTEGER REFERENCES reviews (id);
-- What has to pass before a code job of the project is done.
ALTER TABLE projects ADD COLUMN test_command TEXT;

-- Rounds of review. Each step of a round is one row's change, so that whoever runs the engine next goes on from it.
CREATE TABLE reviews (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id        INTEGER NOT NULL REFERENCES jobs (id),
    attempt_id    INTEGER NOT NULL REFERENCES attempts (id),
    round         INTEGER NOT NULL CHECK (round > 0),
    stage         TEXT NOT NULL CHECK (stage IN ('gather', 'test', 'judge', 'confirm', 'operator', 'over')),
    hash          TEXT,
    copy          TEXT,
    rubric        TEXT CHECK (json_valid(rubric)),
    test_job_id   INTEGER REFERENCES jobs (id),
    tests_passed  INTEGER CHECK (tests_passed IN (0, 1)),
    review_job_id INTEGER REFERENCES jobs (id),
    reviewer      TEXT,
    judgement     TEXT CHECK (json_valid(judgement)),
    score         REAL CHECK (score BETWEEN 0 AND 1),
    threshold     REAL NOT NULL CHECK (threshold BETWEEN 0 AND 1),
    fixes         TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(fixes)),
    decision_id   INTEGER REFERENCES decisions (id),
    outcome       TEXT CHECK (outcome IN ('passed', 'unreviewed', 'fixes', 'accepted', 'failed', 'void', 'dropped')),
    note          TEXT,
    voids         INTEGER NOT NULL DEFAULT 0,
    began_at      INTEGER NOT NULL,
    ended_at      INTEGER,
    CHECK ((stage = 'over') = (ended_at IS NOT NULL)),
    CHECK ((stage = 'over') = (outcome IS NOT NULL)),
    -- Nothing is good enough before it is known what it was.
    CHECK (outcome <> 'passed' OR (hash IS NOT NULL AND judgement IS NOT NULL))
) STRICT;
-- One round at a time.
CREATE UNIQUE INDEX reviews_open ON reviews (job_id) WHERE ended_at IS NULL;
CREATE INDEX reviews_job ON reviews (job_id, id);
CREATE INDEX reviews_test ON reviews (test_job_id) WHERE test_job_id IS NOT NULL;
CREATE INDEX reviews_review ON reviews (review_job_id) WHERE review_job_id IS NOT NULL;
CREATE INDEX reviews_decision ON reviews (decision_id) WHERE decision_id IS NOT NULL;

-- The branch of each job that works in a git repository, in the work tree of its worker's session.
CREATE TABLE branches (
    job_id     INTEGER PRIMARY KEY REFERENCES jobs (id),
    project_id INTEGER NOT NULL REFERENCES projects (id),
    repository TEXT NOT NULL,
    tree       TEXT NOT NULL,
    name       TEXT NOT NULL,
    -- The commit that it began from.
    base       TEXT NOT NULL,
    made_at    INTEGER NOT NULL,
    merged_at  INTEGER,
    UNIQUE (repository, name)
) STRICT;
CREATE INDEX branches_project ON branches (project_id);
