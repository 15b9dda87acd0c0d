-- name: put
INSERT INTO entry (secret, id, kind, account, client, person, family, actor, made, seen, idle, ends, device, address)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13)

-- name: find
SELECT id, actor, seen, idle, ends FROM entry WHERE secret = $1

-- name: seen
UPDATE entry SET seen = $2 WHERE secret = ANY($1::bytea[]) AND seen < $2

-- name: of_account
SELECT id, kind, client, actor, made, seen, idle, ends, device, address FROM entry
WHERE account = $1 AND ends > $2 AND (idle = 0 OR seen + make_interval(secs => idle) > $2) ORDER BY seen DESC

-- name: revoke
-- What an app was let in by ends with its tokens, or a refresh token would bring them back.
WITH gone AS (
    DELETE FROM entry
    WHERE (account = $1 OR client = $2 OR id = $3 OR secret = $4 OR person = $5 OR family = $6
           -- What was exchanged for a token ends with it.
           OR family = $3 OR family IN (SELECT id FROM entry WHERE secret = $4 OR client = $2)) AND id IS DISTINCT FROM $7
    RETURNING secret, id, family
), grants AS (
    DELETE FROM oauth_grant
    WHERE account = $1 OR client = $2 OR person = $5 OR id = $6 OR id IN (SELECT family FROM gone WHERE id = $3)
)
SELECT secret, id FROM gone

-- name: told
SELECT pg_notify('access_revoked', $1)

-- name: trim
DELETE FROM entry WHERE ends < $1 OR (idle > 0 AND seen + make_interval(secs => idle) < $1)
