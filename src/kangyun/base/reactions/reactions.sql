-- name: snapshot
SELECT pg_current_snapshot()::text;

-- name: open_cursor
INSERT INTO reaction_cursor (reaction) VALUES ($1)
ON CONFLICT (reaction) DO UPDATE SET reaction = excluded.reaction
RETURNING low::text, high::text, after, last;

-- name: save_cursor
-- Nobody waits for the disk: what a crash takes back of this is delivered again.
UPDATE reaction_cursor SET low = $2::text::pg_snapshot, high = $3::text::pg_snapshot, after = $4, last = $5
WHERE reaction = $1 AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off';

-- name: delivered_below
SELECT min(pg_snapshot_xmin(low)) FROM reaction_cursor;

-- name: lead
SELECT pg_try_advisory_lock(hashtextextended('reaction/' || $1, 0));

-- name: waiting_residents
SELECT DISTINCT resident FROM reaction_parked WHERE reaction = $1 AND given_up IS NULL AND resident = ANY($2);

-- name: any_waits
SELECT EXISTS (SELECT FROM reaction_parked WHERE reaction = $1 AND given_up IS NULL);

-- name: park
INSERT INTO reaction_parked (reaction, resident, seq, key, type, id, version, method, tries, reason, due)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp() + make_interval(secs => $11))
ON CONFLICT (reaction, resident, seq) DO NOTHING;

-- name: due_again
SELECT * FROM (
    SELECT DISTINCT ON (resident) * FROM reaction_parked
    WHERE reaction = $1 AND given_up IS NULL ORDER BY resident, seq
) first_of_each
WHERE due <= clock_timestamp() ORDER BY due LIMIT $2;

-- name: settled
DELETE FROM reaction_parked WHERE reaction = $1 AND resident = $2 AND seq = $3;

-- name: failed_again
UPDATE reaction_parked
SET tries = tries + 1, reason = $4, due = clock_timestamp() + make_interval(secs => $5),
    given_up = CASE WHEN tries + 1 >= $6 THEN clock_timestamp() END
WHERE reaction = $1 AND resident = $2 AND seq = $3;

-- name: parked
SELECT reaction, resident, seq, type, id, version, tries, reason, due, given_up FROM reaction_parked
ORDER BY given_up NULLS LAST, due LIMIT $1;

-- name: resume
UPDATE reaction_parked SET given_up = NULL, tries = 0, due = clock_timestamp()
WHERE given_up IS NOT NULL AND (reaction = $1 OR $1 IS NULL)
RETURNING seq;
