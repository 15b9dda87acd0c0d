-- name: put
-- What waits already will tell the newest state when it is built.
INSERT INTO upload (resident, patient, document, visit) VALUES ($1, $2, $3, $4)
ON CONFLICT (resident, patient, document, visit) WHERE state = 'waiting' DO NOTHING;

-- name: put_aside
-- An earlier version that was refused or incomplete is no longer of interest once a newer one waits.
UPDATE upload SET state = 'replaced' WHERE resident = $1 AND patient = $2 AND document = $3 AND visit = $4 AND state IN ('refused', 'incomplete');

-- name: due
-- First what was built and may have been sent, then what waits; no version of a document overtakes an earlier one.
SELECT resident, id, patient, document, visit, state, tries, set_id, version, sealed, digest, body FROM upload u
WHERE state IN ('waiting', 'sending') AND next_try <= $1 AND NOT EXISTS (
    SELECT FROM upload e WHERE e.resident = u.resident AND e.id < u.id AND e.state = 'sending'
        AND e.patient = u.patient AND e.document = u.document AND e.visit = u.visit
)
ORDER BY state, id LIMIT $2;

-- name: last_of
-- The version that the province has, and the highest number that was given.
SELECT max(version) AS version, (array_agg(content ORDER BY id DESC) FILTER (WHERE state = 'accepted'))[1] AS content,
    (array_agg(id ORDER BY id DESC) FILTER (WHERE state = 'accepted'))[1] AS accepted
FROM upload WHERE set_id = $1;

-- name: write
UPDATE upload SET state = 'sending', set_id = $3, version = $4, content = $5, sealed = $6, digest = $7, body = $8
WHERE resident = $1 AND id = $2 AND state = 'waiting' RETURNING id;

-- name: settle
UPDATE upload SET state = $3, handled = $4, receipt = $5, reason = $6, tries = tries + 1, body = CASE WHEN $3 = 'refused' THEN body END
WHERE resident = $1 AND id = $2 AND state IN ('waiting', 'sending');

-- name: postpone
UPDATE upload SET tries = tries + 1, next_try = $3, reason = $4 WHERE resident = $1 AND id = $2 AND state IN ('waiting', 'sending');

-- name: again
-- Tried again it is built anew, since what was wrong with it has been mended; what waits already does the same.
WITH taken AS (
    UPDATE upload SET state = 'replaced' WHERE id = $1 AND state IN ('refused', 'incomplete') RETURNING resident, patient, document, visit
)
INSERT INTO upload (resident, patient, document, visit) SELECT * FROM taken
ON CONFLICT (resident, patient, document, visit) WHERE state = 'waiting' DO NOTHING;

-- name: take_turn
SELECT pg_try_advisory_lock(hashtextextended('exchange.upload', 0));

-- name: end_turn
SELECT pg_advisory_unlock(hashtextextended('exchange.upload', 0));

-- name: stop
INSERT INTO upload_pause (name, since, by_whom) VALUES ('province', $1, $2) ON CONFLICT DO NOTHING;

-- name: resume
DELETE FROM upload_pause WHERE name = 'province';

-- name: paused
SELECT since, by_whom FROM upload_pause WHERE name = 'province';

-- name: counts
SELECT state, count(*) AS number, min(created) AS oldest FROM upload GROUP BY state;

-- name: latest
SELECT id, patient, document, state, created, handled, tries, next_try, version, receipt, reason FROM upload
WHERE ($1::text IS NULL OR state = $1) AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3;
