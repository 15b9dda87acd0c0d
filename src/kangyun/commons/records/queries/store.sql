-- name: read
SELECT version, updated, deleted, meta, body, resident FROM resource WHERE key = $1 AND id = $2

-- name: read_many
SELECT key, id, version, updated, deleted, meta, body, resident FROM resource WHERE key = ANY($1::bigint[])

-- name: read_few
-- As read_many for eight keys, of which the last may be repeated: PostgreSQL knows their number, so it keeps the plan.
SELECT key, id, version, updated, deleted, meta, body, resident FROM resource WHERE key IN ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: read_old
SELECT version, updated, deleted, meta, body, resident FROM history WHERE key = $1 AND id = $2 AND version = $3

-- name: create
SELECT record_create($1::record_entry[])

-- name: commit
SELECT ordinal, version, existed FROM record_commit($1::record_entry[])

-- name: history_of_one
SELECT type, id, version, updated, deleted, meta, body, rid, resident FROM (
    SELECT type, id, version, updated, deleted, meta, body, rid, resident FROM resource WHERE key = $1 AND id = $2
    UNION ALL
    SELECT type, id, version, updated, deleted, meta, body, rid, resident FROM history WHERE key = $1 AND id = $2
) v
WHERE updated >= $3 AND updated <= $4 AND version < $5
ORDER BY version DESC LIMIT $6

-- name: count_of_one
SELECT (SELECT count(*) FROM resource WHERE key = $1 AND id = $2 AND updated >= $3)
     + (SELECT count(*) FROM history WHERE key = $1 AND id = $2 AND updated >= $3)

-- name: history_of_type
SELECT type, id, version, updated, deleted, meta, body, rid, resident FROM (
    (SELECT type, id, version, updated, deleted, meta, body, rid, resident FROM resource
     WHERE type = $1 AND updated >= $2 AND (updated, rid, version) < ($3, $4, $5)
     ORDER BY updated DESC, rid DESC, version DESC LIMIT $6)
    UNION ALL
    (SELECT type, id, version, updated, deleted, meta, body, rid, resident FROM history
     WHERE type = $1 AND updated >= $2 AND (updated, rid, version) < ($3, $4, $5)
     ORDER BY updated DESC, rid DESC, version DESC LIMIT $6)
) v
ORDER BY updated DESC, rid DESC, version DESC LIMIT $6

-- name: history_of_all
SELECT v.type, v.id, v.version, v.updated, v.deleted, v.meta, v.body, v.rid, v.resident
FROM generate_series(1, 148) t CROSS JOIN LATERAL (
    (SELECT type, id, version, updated, deleted, meta, body, rid, resident FROM resource
     WHERE type = t AND updated >= $1 AND (updated, rid, version) < ($2, $3, $4)
     ORDER BY updated DESC, rid DESC, version DESC LIMIT $5)
    UNION ALL
    (SELECT type, id, version, updated, deleted, meta, body, rid, resident FROM history
     WHERE type = t AND updated >= $1 AND (updated, rid, version) < ($2, $3, $4)
     ORDER BY updated DESC, rid DESC, version DESC LIMIT $5)
) v
ORDER BY v.updated DESC, v.rid DESC, v.version DESC LIMIT $5

-- name: once_result
SELECT result FROM commit_once WHERE key = $1

-- name: once_done
INSERT INTO commit_once (key, result) VALUES ($1, $2)

-- name: once_lock
SELECT pg_advisory_xact_lock($1)

-- name: trim_once
DELETE FROM commit_once WHERE at < $1

-- name: lock
SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) k ORDER BY k

-- name: change_extent
SELECT max(seq) AS last, array_agg(DISTINCT type) AS types FROM change
WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot) AND xid < pg_snapshot_xmax($2::text::pg_snapshot)
  AND pg_visible_in_snapshot(xid, $2::text::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)

-- name: change_first
-- By the transactions, which are few and new: in the order of `seq`, the planner would look for them among all there are.
SELECT seq, resident, key, type, id, version, method FROM change
WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot) AND xid < pg_snapshot_xmax($2::text::pg_snapshot)
  AND pg_visible_in_snapshot(xid, $2::text::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
ORDER BY seq + 0 LIMIT $3

-- name: change_page
-- By `seq`, from where one stands: of a large batch, its transactions would give all for every page.
SELECT seq, resident, key, type, id, version, method FROM change
WHERE pg_visible_in_snapshot(xid, $2::text::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
  AND seq > $3 AND seq <= $4 AND ($6::smallint[] IS NULL OR type = ANY($6))
ORDER BY seq LIMIT $5

-- name: mark_changes
INSERT INTO change_mark (day, seq) SELECT $1, coalesce(max(seq), 0) FROM change ON CONFLICT (day) DO NOTHING

-- name: trim_changes
DELETE FROM change
WHERE seq <= (SELECT max(seq) FROM change_mark WHERE day <= $1) AND ($2::text IS NULL OR xid < $2::text::xid8)

-- name: trim_marks
DELETE FROM change_mark WHERE day < (SELECT max(day) FROM change_mark WHERE day <= $1)

-- name: import_done
SELECT start, stored FROM import_chunk WHERE file = $1

-- name: import_note
INSERT INTO import_chunk (file, start, stored) VALUES ($1, $2, $3)

-- name: sort_in
SELECT gin_clean_pending_list('resource_tokens'), gin_clean_pending_list('resource_strings')
