-- name: current_keys
SELECT id, algorithm, x, y, secret FROM signing_key WHERE practitioner = $1 AND ended IS NULL ORDER BY algorithm

-- name: put_key
INSERT INTO signing_key (id, practitioner, algorithm, x, y, secret, made) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING

-- name: end_keys
UPDATE signing_key SET ended = $2 WHERE practitioner = $1 AND ended IS NULL

-- name: public_keys
SELECT id, practitioner, algorithm, x, y FROM signing_key WHERE id = ANY ($1::text[])

-- name: known_keys
SELECT count(*) FROM signing_key WHERE id = ANY ($1::text[])

-- name: put_signature
INSERT INTO signature (resident, target, provenance, type, id, version, purpose, practitioner, signed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: of_target
SELECT provenance, type, id, version, purpose, practitioner, signed FROM signature WHERE target = $1 ORDER BY signed, provenance

-- name: signed_among
SELECT count(*) FROM signature WHERE target = ANY ($1::bigint[]) OR provenance = ANY ($2::text[])

-- name: keys_after
SELECT id, secret FROM signing_key WHERE id > $1 ORDER BY id LIMIT $2

-- name: keep_secret
UPDATE signing_key SET secret = $3 WHERE id = $1 AND secret = $2
