-- name: take
SELECT pg_try_advisory_lock($1, $2)

-- name: leave
SELECT pg_advisory_unlock($1, $2)

-- name: lanes
SELECT lane FROM audit_head ORDER BY lane

-- name: begin
INSERT INTO audit_head (lane, seq, hash, mac) VALUES ($1, 0, $2, $3) ON CONFLICT DO NOTHING

-- name: head
SELECT seq, hash, mac FROM audit_head WHERE lane = $1

-- name: last
SELECT seq, hash FROM audit_event WHERE lane = $1 ORDER BY seq DESC LIMIT 1

-- name: hash_of
SELECT hash FROM audit_event WHERE lane = $1 AND seq = $2

-- name: append
WITH written AS (INSERT INTO audit_event SELECT * FROM unnest($1::audit_event[])),
told AS (INSERT INTO audit_journal (name, upto) VALUES ($6, $7) ON CONFLICT (name) DO UPDATE SET upto = excluded.upto)
UPDATE audit_head SET seq = $3, hash = $4, mac = $5 WHERE lane = $2 AND seq < $3 RETURNING seq

-- name: upto
SELECT upto FROM audit_journal WHERE name = $1

-- name: forget_journal
DELETE FROM audit_journal WHERE name = $1

-- name: heads
SELECT lane, seq, hash, mac FROM audit_head ORDER BY lane

-- name: roots
SELECT number, day, body, sm2, es256 FROM audit_root ORDER BY number

-- name: newest_root
SELECT number, day, body, sm2, es256 FROM audit_root ORDER BY number DESC LIMIT 1

-- name: add_root
INSERT INTO audit_root (number, day, body, sm2, es256) VALUES ($1, $2, $3, $4, $5)

-- name: archives
SELECT root, file, rows, hash, mac FROM audit_archive ORDER BY root

-- name: add_archive
INSERT INTO audit_archive (root, file, rows, hash, mac) VALUES ($1, $2, $3, $4, $5)

-- name: all_rows
SELECT lane, seq, at, name, institution, action, outcome, residents, body, sealed, hash FROM audit_event ORDER BY lane, seq

-- name: some_rows
SELECT lane, seq, at, name, institution, action, outcome, residents, body, sealed, hash FROM audit_event
WHERE lane = $1 AND seq > $2 AND seq <= $3 ORDER BY seq

-- name: archiving
SELECT set_config('kangyun.archiving', 'on', true), set_config('statement_timeout', '30min', true)

-- name: move_out
DELETE FROM audit_event WHERE lane = $1 AND seq > $2 AND seq <= $3

-- name: events
SELECT lane, seq, at, name, institution, action, outcome, residents, body, sealed, hash
FROM audit_event
WHERE ($1::bigint[] IS NULL OR residents && $1)
  AND ($2::timestamptz IS NULL OR at >= $2)
  AND ($3::timestamptz IS NULL OR at < $3)
  AND ($4::text IS NULL OR name = $4)
  AND ($5::text[] IS NULL OR institution = ANY ($5))
  AND ($6::text[] IS NULL OR string_to_array(action, ' ') && $6)
  AND ($7::text[] IS NULL OR outcome = ANY ($7))
  AND ($8::text IS NULL OR (body::jsonb) ->> 'account' = $8)
  AND ($9::text IS NULL OR (body::jsonb) -> 'types' ? $9)
  AND ($10::text IS NULL OR (body::jsonb) -> 'resources' ? $10)
  AND ($11::text IS NULL OR (body::jsonb) ->> 'role' = $11)
  AND ($12::text IS NULL OR (body::jsonb) ->> 'purpose' = $12)
  AND (NOT $13 OR (body::jsonb) ->> 'role' NOT IN ('system'))
  AND ($14::timestamptz IS NULL OR (at, lane, seq) < ($14, $15, $16))
ORDER BY at DESC, lane DESC, seq DESC
LIMIT $17

-- name: event
SELECT lane, seq, at, name, institution, action, outcome, residents, body, sealed, hash FROM audit_event WHERE lane = $1 AND seq = $2

-- name: patients
SELECT key, id FROM resource WHERE key = ANY ($1) AND type = $2

-- name: glasses
SELECT account, starts, ends FROM emergency WHERE resident = ANY ($1)
