-- name: put
INSERT INTO call_invitation (resident, id, encounter, patient, role, name, secret, made, expires)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: count
SELECT count(*) FROM call_invitation WHERE resident = $1 AND encounter = $2 AND ended IS NULL

-- name: of
SELECT id, resident, encounter, patient, role, name, made, expires, device IS NOT NULL AS opened, ended FROM call_invitation
WHERE resident = $1 AND encounter = $2 ORDER BY made

-- name: by_secret
SELECT id, resident, encounter, patient, role, name, made, expires, device IS NOT NULL AS opened, ended FROM call_invitation
WHERE secret = $1

-- name: by_device
SELECT id, resident, encounter, patient, role, name, made, expires, true AS opened, ended FROM call_invitation WHERE device = $1

-- name: open
UPDATE call_invitation SET device = $3 WHERE resident = $1 AND id = $2 AND device IS NULL AND ended IS NULL RETURNING 1

-- name: end
UPDATE call_invitation SET ended = $4 WHERE resident = $1 AND encounter = $2 AND id = $3 AND ended IS NULL RETURNING 1

-- name: forget
DELETE FROM call_invitation WHERE expires < $1
