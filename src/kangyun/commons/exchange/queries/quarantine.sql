-- name: held
-- Messages in one of the three states in which a person may have to do something, newest first.
SELECT id, sender, form, kind, size, received, handled, state, reason, patient, entries, tries, next_try
FROM raw_message
WHERE CASE $1 WHEN 'quarantined' THEN state = 'quarantined' WHEN 'dismissed' THEN state = 'dismissed'
        ELSE state = 'received' AND (tries > 1 OR next_try = 'infinity') END
    AND state IN ('quarantined', 'dismissed', 'received')
    AND ($2::bigint IS NULL OR sender_key = $2) AND ($3::text IS NULL OR reason::jsonb ->> 'key' = $3)
    AND ($4::text IS NULL OR form = $4) AND ($5::bigint IS NULL OR id < $5)
ORDER BY id DESC LIMIT $6;

-- name: groups
-- What stands in quarantine, by sender and reason, most first.
SELECT sender_key, max(sender) AS sender, reason::jsonb ->> 'key' AS reason, form, count(*) AS number,
    min(received) AS first, max(received) AS latest
FROM raw_message WHERE state = 'quarantined' GROUP BY sender_key, 3, form ORDER BY number DESC, sender, 3 LIMIT 200;

-- name: counts
SELECT (SELECT count(*) FROM raw_message WHERE state = 'quarantined') AS quarantined,
    (SELECT count(*) FROM raw_message WHERE state = 'dismissed') AS dismissed,
    (SELECT count(*) FROM raw_message WHERE state = 'received' AND (tries > 1 OR next_try = 'infinity')) AS waiting;

-- name: keep_edit
-- Keeps an edited version beside the original, which is dismissed in its favour; nothing comes back when the original is
-- not open to that any more.
WITH fresh AS MATERIALIZED (SELECT nextval('raw_message_id') AS id), replaced AS (
    UPDATE raw_message m SET state = 'dismissed', handled = $3, next_try = NULL, successor = fresh.id FROM fresh
    WHERE m.sender_key = $1 AND m.id = $2 AND m.state IN ('quarantined', 'received') AND m.successor IS NULL
    RETURNING m.id, m.sender, m.control_id, m.form, m.kind, m.channel, m.origin
)
INSERT INTO raw_message (id, sender_key, sender, control_id, content_hash, form, kind, sealed, body, size, original, received,
    state, next_try, channel, origin, edits)
SELECT fresh.id, $1, r.sender, r.control_id, $4, r.form, r.kind, $5, $6, $7, false, $3, 'received', $3 + interval '60 seconds',
    r.channel, r.origin, r.id
FROM replaced r, fresh RETURNING id;

-- name: last_of_chain
-- What became of the last edited version of a message.
WITH RECURSIVE chain AS (
    SELECT id, state, patient, successor FROM raw_message WHERE id = $1
    UNION ALL
    SELECT m.id, m.state, m.patient, m.successor FROM raw_message m JOIN chain c ON m.id = c.successor
)
SELECT id, state, patient FROM chain ORDER BY id DESC LIMIT 1;

-- name: note
INSERT INTO message_note (sender_key, message, moment, number, actor, act, said)
SELECT $1, $2, $3, coalesce(max(number), 0) + 1, $4, $5, $6 FROM message_note WHERE sender_key = $1 AND message = $2;

-- name: notes
SELECT moment, actor, act, said FROM message_note WHERE sender_key = $1 AND message = $2 ORDER BY number;

-- name: dismiss
UPDATE raw_message SET state = 'dismissed', handled = $3, next_try = NULL
WHERE sender_key = $1 AND id = $2 AND state IN ('quarantined', 'received') RETURNING id;

-- name: take_back
UPDATE raw_message SET state = 'quarantined', handled = $3 WHERE sender_key = $1 AND id = $2 AND state = 'dismissed' AND successor IS NULL
RETURNING id;

-- name: stop
UPDATE raw_message SET next_try = 'infinity' WHERE sender_key = $1 AND id = $2 AND state = 'received' RETURNING id;

-- name: resume
UPDATE raw_message SET next_try = $3 WHERE sender_key = $1 AND id = $2 AND state = 'received' AND next_try = 'infinity' RETURNING id;

-- name: start_run
INSERT INTO replay_run (sender, reason, form, last, total, actor, started)
SELECT $2, $3, $4, coalesce(max(id), 0), count(*), $5, $6 FROM raw_message
WHERE state = 'quarantined' AND ($1::bigint IS NULL OR sender_key = $1) AND ($3::text IS NULL OR reason::jsonb ->> 'key' = $3)
    AND ($4::text IS NULL OR form = $4)
RETURNING id;

-- name: run
SELECT id, sender, reason, form, total, done, stored, state, actor, started, ended, last, position FROM replay_run WHERE id = $1;

-- name: runs
SELECT id, sender, reason, form, total, done, stored, state, actor, started, ended, last, position FROM replay_run ORDER BY id DESC LIMIT $1;

-- name: next_of_run
SELECT id, sender_key, sender, control_id, content_hash, form, kind, sealed, body, received, state, tries FROM raw_message
WHERE state = 'quarantined' AND id > $1 AND id <= $2 AND ($3::bigint IS NULL OR sender_key = $3)
    AND ($4::text IS NULL OR reason::jsonb ->> 'key' = $4) AND ($5::text IS NULL OR form = $5) AND body IS NOT NULL
ORDER BY id LIMIT $6;

-- name: advance_run
UPDATE replay_run SET position = $2, done = done + 1, stored = stored + $3 WHERE id = $1 AND state = 'running' RETURNING id;

-- name: end_run
UPDATE replay_run SET state = $2, ended = $3 WHERE id = $1 AND state = 'running';
