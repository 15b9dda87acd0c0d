-- name: forget
WITH d AS (DELETE FROM access_denial WHERE consent = ANY ($1::bigint[]))
DELETE FROM access_opening WHERE cause = ANY ($1::bigint[]) AND kind = 'consent'

-- name: close
INSERT INTO access_denial (resident, consent, part, institution, types, labels, purposes, starts, ends, spared)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: open
INSERT INTO access_opening (resident, cause, part, kind, institution, types, labels, purposes, starts, ends)
VALUES ($1, $2, $3, 'consent', $4, $5, $6, $7, $8, $9)

-- name: withheld
SELECT access_withheld($1, ROW($2::bigint[], $3::bigint, $4::text, $5::text, $6::bigint[])::access_asker)

-- name: institutions_of
SELECT DISTINCT o.id FROM access_relation a JOIN resource o ON o.key = a.institution AND NOT o.deleted
WHERE a.resident = ANY ($1::bigint[]) LIMIT $2
