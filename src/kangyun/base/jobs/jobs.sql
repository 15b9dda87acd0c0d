-- name: enqueue
INSERT INTO job (name, key, payload, due)
VALUES ($1, $2, $3::jsonb, coalesce($4, clock_timestamp()))
ON CONFLICT (name, key) WHERE key IS NOT NULL DO NOTHING
RETURNING id;

-- name: enqueue_all
INSERT INTO job (name, key, payload, due)
SELECT $1, u.key, u.payload::jsonb, $4 FROM unnest($2::text[], $3::text[]) AS u (key, payload)
ON CONFLICT (name, key) WHERE key IS NOT NULL DO NOTHING;

-- name: claim
-- Nobody waits for the disk: what a crash takes back of this is claimed again, and what a job writes waits for its own commit,
-- which takes this with it.
WITH done AS (
    UPDATE job SET state = 'done', worker = NULL, error = NULL, changed = clock_timestamp()
    WHERE id = ANY($5) AND key IS NOT NULL AND worker = $3 AND state = 'running'
), gone AS (
    DELETE FROM job WHERE id = ANY($5) AND key IS NULL AND worker = $3 AND state = 'running'
), next AS (
    SELECT id FROM job
    WHERE state IN ('waiting', 'running') AND due <= clock_timestamp() AND name = ANY($1) AND id <> ALL($5)
      AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off'
    ORDER BY due
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE job
SET state = 'running', worker = $3, attempts = attempts + 1,
    due = clock_timestamp() + make_interval(secs => $4), changed = clock_timestamp()
FROM next
WHERE job.id = next.id
RETURNING job.id, job.name, job.key, job.payload, job.attempts;

-- name: beat
UPDATE job
SET due = clock_timestamp() + make_interval(secs => $3)
WHERE id = ANY($1) AND worker = $2 AND state = 'running'
RETURNING id;

-- name: retry
UPDATE job
SET state = 'waiting', worker = NULL, error = $3, changed = clock_timestamp(),
    due = clock_timestamp() + make_interval(secs => $4)
WHERE id = $1 AND worker = $2 AND state = 'running';

-- name: fail
UPDATE job SET state = 'failed', worker = NULL, error = $3, changed = clock_timestamp()
WHERE id = $1 AND worker = $2 AND state = 'running';

-- name: release
UPDATE job
SET state = 'waiting', worker = NULL, attempts = attempts - 1, due = clock_timestamp(), changed = clock_timestamp()
WHERE id = ANY($1) AND worker = $2 AND state = 'running';

-- name: claim_slot
INSERT INTO job_schedule (name, slot) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET slot = excluded.slot WHERE job_schedule.slot < excluded.slot
RETURNING slot;

-- name: enqueue_scheduled
INSERT INTO job (name, key, payload) VALUES ($1, 'scheduled', '{}')
ON CONFLICT (name, key) WHERE key IS NOT NULL
DO UPDATE SET state = 'waiting', attempts = 0, due = clock_timestamp(), changed = clock_timestamp()
WHERE job.state IN ('done', 'failed')
RETURNING id;

-- name: sweep
DELETE FROM job WHERE state = 'done' AND changed < clock_timestamp() - make_interval(days => $1);

-- name: counts
SELECT name, state, count(*) AS number, extract(epoch FROM clock_timestamp() - min(due)) AS oldest
FROM job GROUP BY name, state ORDER BY name, state;

-- name: failed
SELECT id, name, key, attempts, error, enqueued, changed FROM job
WHERE state = 'failed' ORDER BY changed DESC LIMIT $1;

-- name: retry_failed
UPDATE job SET state = 'waiting', attempts = 0, due = clock_timestamp(), changed = clock_timestamp()
WHERE state = 'failed' AND (id = $1 OR $1 IS NULL)
RETURNING id;
