-- name: lock
INSERT INTO call (resident, encounter) VALUES ($1, $2)
ON CONFLICT (resident, encounter) DO UPDATE SET recording = call.recording RETURNING recording

-- name: running
SELECT recording FROM call WHERE resident = $1 AND encounter = $2

-- name: run
UPDATE call SET recording = $3 WHERE resident = $1 AND encounter = $2

-- name: peers
SELECT peer, who, kind, role, name, run, level, why, agreed, silent, seen, device FROM call_peer
WHERE resident = $1 AND encounter = $2 AND gone IS NULL ORDER BY kind, who

-- name: enter
INSERT INTO call_peer (resident, encounter, who, peer, kind, role, name, device, run, line, level, why, seen)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'text', '', $11)
ON CONFLICT (resident, encounter, who) DO UPDATE SET
    peer = $4, kind = $5, role = $6, name = $7, device = $8, run = $9, line = $10, seen = $11, gone = NULL, silent = false,
    agreed = call_peer.agreed AND call_peer.gone IS NULL AND call_peer.device = $8

-- name: seen
UPDATE call_peer SET seen = $4 WHERE resident = $1 AND peer = $2 AND line = $3 AND gone IS NULL RETURNING 1

-- name: silent
UPDATE call_peer SET silent = true WHERE resident = $1 AND peer = $2 AND line = $3 AND gone IS NULL RETURNING 1

-- name: level
UPDATE call_peer SET level = $3, why = $4 WHERE resident = $1 AND peer = $2 AND (level, why) <> ($3, $4) RETURNING 1

-- name: agree
UPDATE call_peer SET agreed = $3 WHERE resident = $1 AND peer = $2 AND agreed <> $3 RETURNING who, kind

-- name: agreement
INSERT INTO call_agreement (resident, encounter, who, kind, agreed, moment) VALUES ($1, $2, $3, $4, $5, $6)

-- name: leave
UPDATE call_peer SET gone = $4, agreed = false WHERE resident = $1 AND peer = $2 AND line = $3 AND gone IS NULL RETURNING 1

-- name: remove
UPDATE call_peer SET gone = $4, agreed = false WHERE resident = $1 AND encounter = $2 AND who = $3 AND gone IS NULL RETURNING peer

-- name: post
INSERT INTO call_signal (resident, peer, content, made)
SELECT resident, peer, $4, $5 FROM call_peer
WHERE resident = $1 AND encounter = $2 AND ($3::text IS NULL OR peer = $3) AND peer <> $6 AND gone IS NULL
RETURNING peer

-- name: post_to
INSERT INTO call_signal (resident, peer, content, made) VALUES ($1, $2, $3, $4)

-- name: waiting
SELECT id, content FROM call_signal WHERE resident = $1 AND peer = $2 AND id > $3 ORDER BY id LIMIT 200

-- name: taken
DELETE FROM call_signal WHERE resident = $1 AND peer = $2 AND id <= $3

-- name: tell
SELECT pg_notify('call_signal', unnest($1::text[]))

-- name: forget_signals
DELETE FROM call_signal WHERE made < $1

-- name: forget_peers
DELETE FROM call_peer WHERE seen < $1

-- name: forget_calls
DELETE FROM call c WHERE recording IS NULL AND NOT EXISTS (
    SELECT FROM call_peer p WHERE p.resident = c.resident AND p.encounter = c.encounter)
