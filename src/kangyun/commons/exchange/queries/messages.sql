-- name: keep
-- Keeps messages unless their sender has used the control id; then gives what is known under it. No two of the given are
-- alike. Nothing is answered before the commit that follows, whose flush of the log covers this one (docs/decisions).
WITH given AS MATERIALIZED (
    SELECT g.*, set_config('synchronous_commit', 'off', true) AS quick
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::smallint[], $8::bytea[],
        $9::integer[], $10::timestamptz[], $11::timestamptz[], $12::text[], $13::text[])
        WITH ORDINALITY AS g(sender_key, sender, control_id, content_hash, form, kind, sealed, body, size, received,
            next_try, channel, origin, place)
), kept AS (
    INSERT INTO raw_message (sender_key, sender, control_id, content_hash, form, kind, sealed, body, size, original,
        received, state, next_try, channel, origin)
    SELECT sender_key, sender, control_id, content_hash, form, kind, sealed, body, size, true, received, 'received',
        next_try, channel, origin
    FROM given ORDER BY sender_key, control_id
    ON CONFLICT (sender_key, control_id) WHERE original DO NOTHING
    RETURNING id, sender_key, control_id
)
SELECT g.place, k.id, true AS fresh, g.content_hash, g.sealed, 'received' AS state, NULL AS patient
FROM given g JOIN kept k ON k.sender_key = g.sender_key AND k.control_id = g.control_id
UNION ALL
SELECT g.place, m.id, false, m.content_hash, m.sealed, m.state, m.patient
FROM given g JOIN raw_message m ON m.sender_key = g.sender_key AND m.control_id = g.control_id AND m.original;

-- name: keep_aside
-- Keeps a message that is no original: a repetition (without its bytes), one that was refused as it stands, a bundle that was answered at once.
INSERT INTO raw_message (sender_key, sender, control_id, content_hash, form, kind, sealed, body, size, original, repeats,
    received, state, handled, reason, patient, channel, origin, occurred, asked, filled, codes, coded, entries)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, false, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
RETURNING id;

-- name: same_aside
-- A sender that repeats what was refused must not fill the quarantine.
SELECT id FROM raw_message WHERE sender_key = $1 AND control_id = $2 AND content_hash = $3 AND NOT original AND state = 'quarantined' LIMIT 1;

-- name: same_content
-- A file that came before bodies were sealed is known by the plain hash of its content.
SELECT id, state, patient FROM raw_message WHERE sender_key = $1 AND control_id = $2 AND original AND sealed = 0;

-- name: settle
-- Notes results. What a person dismissed meanwhile stays so unless it was stored; what was stored stays stored.
WITH given AS MATERIALIZED (
    SELECT g.*, CASE WHEN $16::boolean THEN '' ELSE set_config('synchronous_commit', 'off', true) END AS quick
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
        $8::timestamptz[], $9::timestamptz[], $10::integer[], $11::integer[], $12::integer[], $13::integer[],
        $14::text[], $15::integer[])
        AS g(sender_key, id, state, handled, reason, patient, kind, next_try, occurred, asked, filled, codes, coded,
            matching, entries)
)
UPDATE raw_message m SET state = g.state, handled = CASE WHEN g.state = 'received' THEN NULL ELSE g.handled END,
    reason = g.reason, patient = coalesce(g.patient, m.patient), kind = g.kind, next_try = g.next_try,
    tries = m.tries + CASE WHEN g.state = 'received' THEN 1 ELSE 0 END, occurred = g.occurred, asked = g.asked,
    filled = g.filled, codes = g.codes, coded = g.coded, matching = g.matching, entries = g.entries
FROM given g
WHERE m.sender_key = g.sender_key AND m.id = g.id AND m.state <> 'stored'
    AND (g.state = 'stored' OR (m.state <> 'dismissed' AND (g.state <> 'received' OR m.state = 'received')))
    AND NOT (g.state = 'received' AND m.next_try = 'infinity');

-- name: store
-- Notes one result inside of the commit of its records; no row where another handler of the message was quicker.
UPDATE raw_message SET state = 'stored', handled = $3, reason = NULL, patient = coalesce($4, patient), kind = $5,
    next_try = NULL, occurred = $6, asked = $7, filled = $8, codes = $9, coded = $10, matching = $11, entries = $12
WHERE sender_key = $1 AND id = $2 AND state <> 'stored'
RETURNING id;

-- name: store_all
-- The same for several messages that are committed together; how many of them nobody else has noted before.
SELECT raw_message_store($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: stored
SELECT patient FROM raw_message WHERE sender_key = $1 AND id = $2 AND state = 'stored';

-- name: claim_waiting
-- Takes messages that nobody finished, oldest first, and lets nobody else take them for a while.
UPDATE raw_message m SET next_try = $2
FROM (
    SELECT w.sender_key, w.id FROM raw_message w WHERE w.state = 'received' AND w.next_try < $1
        AND NOT EXISTS (SELECT FROM sender_pause p WHERE p.sender_key = w.sender_key)
    ORDER BY w.id LIMIT $3 FOR UPDATE SKIP LOCKED
) due
WHERE m.sender_key = due.sender_key AND m.id = due.id
RETURNING m.id, m.sender_key, m.sender, m.control_id, m.content_hash, m.form, m.kind, m.sealed, m.body, m.received, m.state, m.tries;

-- name: one
SELECT id, sender_key, sender, control_id, content_hash, form, kind, sealed, body, size, received, handled, state, tries,
    next_try, reason, patient, repeats, channel, origin, occurred, asked, filled, codes, coded, matching, entries, edits, successor
FROM raw_message WHERE id = $1;

-- name: reopen
UPDATE raw_message SET state = 'received', next_try = $3, tries = tries + 1
WHERE sender_key = $1 AND id = $2 AND state IN ('quarantined', 'received', 'dismissed') AND successor IS NULL
RETURNING id;

-- name: latest
SELECT id, sender, form, kind, size, received, handled, state, reason, patient, entries FROM raw_message
WHERE ($1::text IS NULL OR state = $1) AND ($2::bigint IS NULL OR sender_key = $2) AND ($3::bigint IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4;

-- name: states
-- How many messages are in which state: those since $2 are counted, earlier ones of the day are taken from the hours.
SELECT state, sum(number)::bigint AS number FROM (
    SELECT state, count(*) AS number FROM raw_message WHERE received > greatest($1::timestamptz, $2::timestamptz) GROUP BY 1
    UNION ALL
    SELECT name, sum(number) FROM (
        SELECT unnest(ARRAY['stored', 'quarantined', 'duplicate', 'dismissed', 'received']) AS name,
            unnest(ARRAY[stored, quarantined, duplicate, dismissed, waiting]) AS number
        FROM sender_hour WHERE hour > $1 AND hour < $2
    ) hours GROUP BY 1
) both_parts GROUP BY 1 HAVING sum(number) > 0;

-- name: volumes
-- Messages of each sender in each of the last minutes, newest minute last.
SELECT sender, floor(extract(epoch FROM $1::timestamptz - received) / 60)::int AS minutes_ago, count(*) AS number,
    avg(extract(epoch FROM handled - received)) AS delay, max(received) AS latest,
    count(*) FILTER (WHERE state = 'quarantined') AS quarantined
FROM raw_message WHERE received > $1::timestamptz - interval '30 minutes' GROUP BY 1, 2;

-- name: take_over
UPDATE raw_message SET next_try = $1 WHERE state = 'received' AND tries = 1 AND next_try > $1 AND next_try < 'infinity';

-- name: plain
-- Messages of older versions, whose bodies are not sealed yet.
SELECT sender_key, id, control_id, body FROM raw_message WHERE sealed = 0 AND body IS NOT NULL ORDER BY id LIMIT $1;

-- name: seal
UPDATE raw_message m SET sealed = g.sealed, body = g.body, content_hash = g.content_hash, control_id = g.control_id
FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bytea[], $5::bytea[], $6::text[])
    AS g(sender_key, id, sealed, body, content_hash, control_id)
WHERE m.sender_key = g.sender_key AND m.id = g.id AND m.sealed = 0;

-- name: told_later
-- Whether a sender has told of a later event of one of these residents, in a message or in a row of a sheet.
SELECT EXISTS (
    SELECT FROM raw_message WHERE patient = ANY($2) AND occurred > $3 AND state = 'stored' AND sender_key = $1
) OR EXISTS (SELECT FROM row_told WHERE resident = ANY($4::bigint[]) AND sender_key = $1 AND told > $3);
