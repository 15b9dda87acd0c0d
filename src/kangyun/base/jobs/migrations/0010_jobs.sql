-- Background jobs: one row for each piece of work. A running job's `due` is the end of its lease; past it, the job is
-- taken again, so a worker that was killed loses nothing.
-- no resident: a job belongs to the platform and names residents only inside its payload.
CREATE TABLE job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    key text,
    payload jsonb NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    due timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,
    worker uuid,
    error text,
    enqueued timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX job_once ON job (name, key) WHERE key IS NOT NULL;
CREATE INDEX job_due ON job (due) WHERE state IN ('waiting', 'running');
CREATE INDEX job_finished ON job (changed) WHERE state IN ('done', 'failed');

-- The last time slot that was started of each scheduled job, so that one of many processes starts it.
-- no resident: one row a schedule.
CREATE TABLE job_schedule (
    name text PRIMARY KEY,
    slot bigint NOT NULL
);
