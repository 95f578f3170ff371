-- An entry that makes a job for each project: beside the fire's own row, which makes it happen once, one for each project.
ALTER TABLE cron_fires ADD COLUMN project_id INTEGER REFERENCES projects (id);
DROP INDEX cron_fires_once;
CREATE UNIQUE INDEX cron_fires_once ON cron_fires (name, at) WHERE manual = 0 AND project_id IS NULL;
CREATE UNIQUE INDEX cron_fires_once_a_project ON cron_fires (name, at, project_id) WHERE manual = 0 AND project_id IS NOT NULL;

-- What the file says of `enabled`, as last taken over: with the operator's word, whether the entry fires. What it had missed while it
-- did not is none of its own.
ALTER TABLE cron_entries ADD COLUMN listed INTEGER CHECK (listed IN (0, 1));

-- The newest fire when the clock was last found set back by hours: of those up to it, what lies ahead says nothing of what is due.
ALTER TABLE cron_entries ADD COLUMN anew INTEGER NOT NULL DEFAULT 0;
