-- Who says what an attempt has cost, and the tokens that stand in for what its backend never told.
ALTER TABLE attempts ADD COLUMN cost_source TEXT CHECK (cost_source IN ('reported', 'computed', 'estimated', 'unpriced', 'free'));
ALTER TABLE attempts ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0 CHECK (estimated >= 0);
UPDATE attempts SET cost_source = CASE
    WHEN cost_usd IS NOT NULL THEN 'reported'
    WHEN input + output + cache_read + cache_write = 0 THEN 'free'
    ELSE 'unpriced'
END WHERE ended_at IS NOT NULL;

-- The cards by which the operator lets more be spent. Of the day that began at `since`; of a project, for good.
CREATE TABLE cap_cards (
    decision_id INTEGER PRIMARY KEY REFERENCES decisions (id),
    project_id  INTEGER REFERENCES projects (id),
    since       INTEGER NOT NULL
) STRICT;
CREATE INDEX cap_cards_since ON cap_cards (since);
CREATE INDEX attempts_started ON attempts (started_at);
