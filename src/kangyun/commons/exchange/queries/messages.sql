-- name: keep
-- Keeps a message unless its sender has used the control id; then gives what is known under it.
WITH kept AS (
    INSERT INTO raw_message (sender_key, sender, control_id, content_hash, form, kind, body, size, original, received, state, next_try)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, true, $9, 'received', $10)
    ON CONFLICT (sender_key, control_id) WHERE original DO NOTHING
    RETURNING id
)
SELECT id, true AS fresh, $4::bytea AS content_hash, 'received' AS state, NULL AS reason, NULL AS patient FROM kept
UNION ALL
SELECT id, false, content_hash, state, reason, patient FROM raw_message
WHERE sender_key = $1 AND control_id = $3 AND original AND NOT EXISTS (SELECT FROM kept);

-- name: keep_aside
-- Keeps a message that is no original: a repetition (without its bytes), or one that was refused as it stands.
INSERT INTO raw_message (sender_key, sender, control_id, content_hash, form, kind, body, size, original, repeats, received, state, handled, reason, patient)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, $9, $10, $11, $10, $12, $13)
RETURNING id;

-- name: same_aside
-- A sender that repeats what was refused must not fill the quarantine.
SELECT id FROM raw_message WHERE sender_key = $1 AND control_id = $2 AND content_hash = $3 AND NOT original AND state = 'quarantined' LIMIT 1;

-- name: settle
UPDATE raw_message SET state = $3, handled = $4, reason = $5, patient = $6, kind = $7, next_try = NULL
WHERE sender_key = $1 AND id = $2;

-- name: postpone
UPDATE raw_message SET tries = tries + 1, next_try = $3, reason = $4 WHERE sender_key = $1 AND id = $2 AND state = 'received';

-- name: claim_waiting
-- Takes messages that nobody finished, oldest first, and lets nobody else take them for a while.
UPDATE raw_message m SET next_try = $2
FROM (
    SELECT sender_key, id FROM raw_message WHERE state = 'received' AND next_try < $1
    ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
) due
WHERE m.sender_key = due.sender_key AND m.id = due.id
RETURNING m.id, m.sender_key, m.sender, m.control_id, m.form, m.kind, m.body, m.received, m.state, m.tries;

-- name: one
SELECT id, sender_key, sender, control_id, form, kind, body, size, received, handled, state, tries, reason, patient, repeats
FROM raw_message WHERE id = $1;

-- name: reopen
UPDATE raw_message SET state = 'received', next_try = $3, tries = tries + 1 WHERE sender_key = $1 AND id = $2 AND state <> 'stored'
RETURNING id;

-- name: latest
SELECT id, sender, form, kind, size, received, handled, state, reason, patient FROM raw_message
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR sender = $2) AND ($3::bigint IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4;

-- name: states
SELECT state, count(*) AS number FROM raw_message WHERE received > $1 GROUP BY state;

-- name: volumes
-- Messages of each sender in each of the last minutes, newest minute last.
SELECT sender, floor(extract(epoch FROM $1::timestamptz - received) / 60)::int AS minutes_ago, count(*) AS number,
    avg(extract(epoch FROM handled - received)) AS delay, max(received) AS latest,
    count(*) FILTER (WHERE state = 'quarantined') AS quarantined
FROM raw_message WHERE received > $1::timestamptz - interval '30 minutes' GROUP BY 1, 2;

-- name: take_over
UPDATE raw_message SET next_try = $1 WHERE state = 'received' AND tries = 1 AND next_try > $1;
