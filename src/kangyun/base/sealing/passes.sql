-- name: state
SELECT key, place, seen, renewed, done, first FROM sealing_pass WHERE purpose = $1

-- name: begin
INSERT INTO sealing_pass (purpose, key) VALUES ($1, $2)
ON CONFLICT (purpose) DO UPDATE SET key = excluded.key, place = '', seen = 0, renewed = 0, done = NULL
RETURNING place, seen, renewed, first

-- name: advance
UPDATE sealing_pass SET place = $3, seen = seen + $4, renewed = renewed + $5 WHERE purpose = $1 AND key = $2

-- name: finish
UPDATE sealing_pass SET done = now(), first = coalesce(first, now()), seen = seen + $3, renewed = renewed + $4
WHERE purpose = $1 AND key = $2 RETURNING seen, renewed

-- name: alone
SELECT pg_try_advisory_lock(72611150, hashtext($1))

-- name: together
SELECT pg_advisory_unlock(72611150, hashtext($1))
