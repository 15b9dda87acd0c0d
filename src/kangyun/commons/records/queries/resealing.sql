-- name: current
SELECT key, id, version, type, meta, body FROM resource WHERE (key, id) > ($1, $2) ORDER BY key, id LIMIT $3

-- name: old
SELECT key, id, version, type, body FROM history WHERE (key, id, version) > ($1, $2, $3) ORDER BY key, id, version LIMIT $4

-- name: keep
-- Never waits for a row while it holds others, so that no writer of several is undone for the sake of this. A version that was
-- written meanwhile is sealed with the current key already.
WITH u AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[]) u (key, id, version, body)
), l AS MATERIALIZED (
    SELECT r.key, r.id FROM u JOIN resource r ON r.key = u.key AND r.id = u.id AND r.version = u.version
    FOR NO KEY UPDATE OF r SKIP LOCKED
)
UPDATE resource r SET body = u.body FROM u JOIN l ON l.key = u.key AND l.id = u.id
WHERE r.key = u.key AND r.id = u.id AND r.version = u.version RETURNING r.key, r.id

-- name: keep_one
UPDATE resource SET body = $4 WHERE key = $1 AND id = $2 AND version = $3

-- name: keep_whole
WITH u AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[])
        u (key, id, version, body, tokens, strings)
), l AS MATERIALIZED (
    SELECT r.key, r.id FROM u JOIN resource r ON r.key = u.key AND r.id = u.id AND r.version = u.version
    FOR NO KEY UPDATE OF r SKIP LOCKED
)
UPDATE resource r SET body = u.body, tokens = u.tokens::bigint[], strings = u.strings::tsvector
FROM u JOIN l ON l.key = u.key AND l.id = u.id
WHERE r.key = u.key AND r.id = u.id AND r.version = u.version RETURNING r.key, r.id

-- name: keep_one_whole
UPDATE resource SET body = $4, tokens = $5::text::bigint[], strings = $6::text::tsvector WHERE key = $1 AND id = $2 AND version = $3

-- name: keep_old
UPDATE history h SET body = u.body FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[]) u (key, id, version, body)
WHERE h.key = u.key AND h.id = u.id AND h.version = u.version

-- name: any
SELECT EXISTS (SELECT FROM resource)
