-- name: by_index
-- While a table is filled its statistics are behind, and the planner would read all of it for every slice.
SET LOCAL enable_seqscan = off;

-- name: wait
-- In one order for everybody, so that nobody waits for whoever waits.
SELECT pg_advisory_xact_lock(s.k) FROM (SELECT DISTINCT u AS k FROM unnest($1::bigint[]) u ORDER BY u) s

-- name: own
-- Which of a source's Patients bear any of these numbers.
SELECT patient, numbers FROM identity WHERE numbers && $1::bigint[] AND source = $2

-- name: near
-- All members of the Persons of which one shares a key or a number. Key by key: an overlap with thousands of keys at once is
-- compared with all of them for each row that is found.
WITH near AS (
    SELECT person FROM identity_sharing($1::bigint[], $3::integer) person
    UNION
    SELECT i.person FROM unnest($2::bigint[]) n CROSS JOIN LATERAL (SELECT person FROM identity WHERE numbers @> ARRAY[n]) i
)
SELECT patient, person, source, assurance, version, numbers, ids, keys, features FROM identity
WHERE person IN (SELECT person FROM near) ORDER BY person, updated, patient

-- name: put
INSERT INTO identity (resident, patient, person, source, assurance, version, numbers, ids, keys, features, updated)
SELECT u.resident, u.patient, u.person, u.source, u.assurance, 1, u.numbers::bigint[], u.ids::text[], u.keys::bigint[], u.features, $9
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::text[], $10::text[])
    AS u(resident, patient, person, source, assurance, numbers, ids, keys, features)
