-- name: edition
SELECT coalesce(max(id), 0) FROM drugs_edition

-- name: rows
SELECT body FROM drugs_listed ORDER BY code

-- name: history
SELECT id, at, actor, file, rows FROM drugs_edition ORDER BY id DESC LIMIT 20

-- name: hold
SELECT pg_advisory_xact_lock(620621)

-- name: clear
DELETE FROM drugs_listed

-- name: put
INSERT INTO drugs_listed (code, body) SELECT * FROM unnest($1::text[], $2::text[])

-- name: note
INSERT INTO drugs_edition (at, actor, file, rows) VALUES ($1, $2, $3, $4) RETURNING id
