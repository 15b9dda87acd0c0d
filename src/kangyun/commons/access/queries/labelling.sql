-- name: state
SELECT mark, types, done FROM access_labelling WHERE mark = $1

-- name: begin
INSERT INTO access_labelling (mark) VALUES ($1) ON CONFLICT DO NOTHING

-- name: went_on
UPDATE access_labelling SET types = $2, at = now() WHERE mark = $1

-- name: done
WITH others AS (DELETE FROM access_labelling WHERE mark <> $1)
UPDATE access_labelling SET done = true, at = now() WHERE mark = $1

-- name: relabel
UPDATE resource r SET tokens = ARRAY(SELECT t FROM unnest(r.tokens) t WHERE t <> ALL ($3::bigint[])) || n.labels
FROM (SELECT key, version, labels::bigint[] AS labels FROM unnest($1::bigint[], $2::int[], $4::text[]) AS u (key, version, labels)) n
WHERE r.key = n.key AND r.version = n.version AND NOT r.deleted
  AND NOT (ARRAY(SELECT t FROM unnest(r.tokens) t WHERE t = ANY ($3::bigint[])) @> n.labels
           AND ARRAY(SELECT t FROM unnest(r.tokens) t WHERE t = ANY ($3::bigint[])) <@ n.labels)
